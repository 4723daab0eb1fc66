"""Small public data that ship with the package."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
from sklearn.utils import Bunch

__all__ = ["load_old_faithful"]

OLD_FAITHFUL = """\
Old Faithful geyser, Yellowstone National Park: 272 eruptions.

eruptions : duration of the eruption, minutes
waiting   : time to the next eruption, minutes

Source: data set `faithful` of R's package datasets, from W. Haerdle, Smoothing
Techniques with Implementation in S, Springer, 1991. Another version of the data
is in A. Azzalini and A. W. Bowman, A look at some data on the Old Faithful
geyser, Applied Statistics 39, 357-365, 1990.
"""


def load_old_faithful(*, as_frame: bool = False) -> Bunch:
    """Durations of 272 eruptions of the Old Faithful geyser, and the waits after them.

    Parameters
    ----------
    as_frame : bool, default=False
        Return the data as a pandas DataFrame, which needs pandas.

    Returns
    -------
    Bunch
        With ``data``, (272, 2) minutes, float64; ``feature_names``, a list of two
        strings; ``frame``, the DataFrame or None; and ``DESCR``, what the data
        are and where they come from.

    References
    ----------
    A. Azzalini and A. W. Bowman (1990), A look at some data on the Old Faithful
    geyser, Applied Statistics 39, 357-365.

    Examples
    --------
    >>> from mixtura.datasets import load_old_faithful
    >>> faithful = load_old_faithful()
    >>> faithful.data.shape
    (272, 2)
    >>> faithful.feature_names
    ['eruptions', 'waiting']
    """
    with files(__name__).joinpath("old_faithful.csv").open(encoding="utf-8") as lines:
        names = next(lines).strip().split(",")
        data: Any = np.loadtxt(lines, delimiter=",")
    frame = None
    if as_frame:
        import pandas

        data = frame = pandas.DataFrame(data, columns=names)
    return Bunch(data=data, frame=frame, feature_names=names, DESCR=OLD_FAITHFUL)
