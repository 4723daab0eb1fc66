"""Reports: one HTML file that shows a fitted mixture, works offline and can load nothing.

All values are computed here and written as plain data. The page draws them with
its own script, in ``web/``: some hundred lines in place of a plotting library,
so that a report has a few hundred kilobytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from mixtura.atomic import replacing
from mixtura.report.page import STEPS, page_of
from mixtura.report.provenance import fingerprint
from mixtura.report.subject import subject_of

__all__ = ["STEPS", "fingerprint", "write_report"]


def write_report(
    model: Any,
    X: Any,
    path: str | os.PathLike[str],
    *,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
    feature_names: Sequence[str] | None = None,
    on_step: Callable[[str], None] | None = None,
) -> None:
    """Write a report of a fitted mixture over rows as one HTML file.

    It tells what was found and what to be wary of, and shows the choice of the
    number of components, each component's profile, pairs of features with the
    components' ellipses, which rows are uncertain, and the iterations of EM.
    The same model and rows give the same file.

    Parameters
    ----------
    model : fitted estimator or Mixture
        Anything with a ``mixture_``; of a `GaussianMixtureIC` the choice is shown too.
    X : array or data frame of shape (N, D)
        The rows of the fit, or others.
    path : str or path-like
        The file to write; it is there whole or not at all.
    sample_weight : array of shape (N,), optional
        Frequency weights, as they were given to ``fit``.
    title : str, optional
    feature_names : sequence of str, optional
        Default: those that the model knows.
    on_step : callable, optional
        Called with what is done next, one of `STEPS`: for progress bars.

    Raises
    ------
    TypeError
        If the model has not one mixture: a classifier has one for each class.
    ValueError
        If it is not fitted, or the rows do not fit it.

    Examples
    --------
    >>> import pathlib, tempfile, mixtura
    >>> from mixtura.datasets import load_old_faithful
    >>> X = load_old_faithful().data
    >>> model = mixtura.GaussianMixture(2, random_state=0).fit(X)
    >>> path = pathlib.Path(tempfile.mkdtemp(), "report.html")
    >>> model.report(X, path)
    >>> "The model finds two groups in 272 rows with two features." in path.read_text("utf-8")
    True
    """
    say = on_step or (lambda step: None)
    say(STEPS[0])
    subject = subject_of(model, X, sample_weight, feature_names)
    page = page_of(subject, title or f"{type(model).__name__}: report", say)
    say(STEPS[-1])
    with replacing(path, "wb") as stream:
        stream.write(page.encode("utf-8", "replace"))
