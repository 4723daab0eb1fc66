"""ConvergenceDisplay: how the log likelihood climbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.plot.style import INK, PALETTE, on_axes
from mixtura.shape import Array

__all__ = ["ConvergenceDisplay"]

SCALES = ("linear", "log")

#: What is left to gain is not told from rounding below this.
SMALLEST_GAP = 1e-12


@dataclass(eq=False)
class ConvergenceDisplay:
    """The objective of EM over its iterations, or how far it still was from its end.

    Parameters
    ----------
    lower_bounds : sequence of float
        The objective per row after each iteration.
    plain : sequence of float
        That of plain EM from its start, where there is a trace: what the
        acceleration saved.
    status : str
        How EM ended, a sentence.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from mixtura.plot import ConvergenceDisplay
    >>> display = ConvergenceDisplay([-5.0, -4.2, -4.1, -4.09]).plot(scale="log")
    >>> display.ax_.get_ylabel()
    'left to gain per row'
    """

    lower_bounds: Sequence[float]
    plain: Sequence[float] = ()
    status: str = ""
    ax_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not len(self.lower_bounds):
            raise ValueError("there are no iterations to draw")

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any = None, *, scale: str = "linear", ax: Any = None
    ) -> ConvergenceDisplay:
        """Draw the iterations of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            With ``lower_bounds_``.
        X : ignored
        scale : {"linear", "log"}, default="linear"
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        ConvergenceDisplay
        """
        inner = getattr(estimator, "estimator_", estimator)
        trace = getattr(inner, "trace_", None)
        plain = () if trace is None else trace.log_likelihoods
        display = cls(inner.lower_bounds_, plain, inner.status_.name.lower().replace("_", " "))
        return display.plot(ax=ax, scale=scale)

    def plot(self, *, ax: Any = None, scale: str = "linear") -> ConvergenceDisplay:
        """Draw on ``ax``, or on new axes; returns this display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        scale : {"linear", "log"}, default="linear"
            "linear" draws the log likelihood, "log" its distance from where it ended.
        """
        if scale not in SCALES:
            raise ValueError(f"scale must be one of {', '.join(SCALES)}; got {scale!r}")
        self.figure_, self.ax_ = on_axes(ax)
        end = max([*self.lower_bounds, *self.plain])
        fitted = np.asarray(self.lower_bounds, dtype=np.float64)
        plain = np.asarray(self.plain, dtype=np.float64)
        self._line(np.arange(1, fitted.size + 1), fitted, end, scale, PALETTE[0], "o", "the fit")
        if plain.size:
            self._line(np.arange(plain.size), plain, end, scale, PALETTE[1], "s", "plain EM, from its start")
            self.ax_.legend(frameon=False, fontsize="small")
        if scale == "log":
            self.ax_.set_yscale("log")
        elif not plain.size:
            self.ax_.axhline(end, color="0.7", lw=0.8, zorder=0)
        self.ax_.set_xlabel("iteration")
        self.ax_.set_ylabel("left to gain per row" if scale == "log" else "log likelihood per row")
        self.ax_.ticklabel_format(axis="x", style="plain", useOffset=False)
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        if self.status:
            self.ax_.set_title(f"{self.status} after {fitted.size} iterations", fontsize="medium", color=INK)
        return self

    def _line(
        self, at: NDArray[Any], values: Array, end: float, scale: str, color: str, marker: str, label: str
    ) -> None:
        shown = np.maximum(end - values, SMALLEST_GAP) if scale == "log" else values
        kept = end - values > SMALLEST_GAP if scale == "log" else np.ones(values.size, dtype=bool)
        kept = kept if kept.any() else np.ones(values.size, dtype=bool)
        every = max(1, values.size // 40)
        style = {"color": color, "marker": marker, "ms": 4, "lw": 1.5, "markevery": every, "label": label}
        self.ax_.plot(at[kept], shown[kept], **style)
