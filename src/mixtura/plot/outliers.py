"""OutlierDisplay: the rows that the mixture finds improbable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.mixture import Mixture
from mixtura.plot.classification import missing_remark
from mixtura.plot.components import density
from mixtura.plot.style import INK, PALETTE, RASTER_ROWS, note, on_axes
from mixtura.plot.subject import Subject
from mixtura.plot.view import View, complete
from mixtura.shape import Array

__all__ = ["OutlierDisplay"]

GRID = 161


@dataclass(eq=False)
class OutlierDisplay:
    """Rows by whether their density is above the threshold; the lowest of them by number.

    Where the mixture has the two features that are drawn and no others, the
    threshold is a line. With a background, its rows are the outliers.

    Parameters
    ----------
    mixture : Mixture
    rows : array of shape (n, D)
    log_density : array of shape (n,)
    outlying : array of shape (n,), bool
    threshold : float or None
        Log density below which a row is an outlier.
    features : sequence of one or two int
    feature_names : sequence of str
    directions : {"features", "discriminating"}

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from mixtura import GaussianMixtureOutlierDetector, datasets
    >>> from mixtura.plot import OutlierDisplay
    >>> data = datasets.load_old_faithful().data
    >>> detector = GaussianMixtureOutlierDetector(2, random_state=0).fit(data)
    >>> display = OutlierDisplay.from_estimator(detector, data)
    >>> int(display.outlying.sum()) == int((detector.predict(data) == -1).sum())
    True
    """

    mixture: Mixture
    rows: Array
    log_density: Array
    outlying: NDArray[np.bool_]
    threshold: float | None = None
    features: Sequence[int] = (0, 1)
    feature_names: Sequence[str] = ()
    directions: str = "features"
    remark: str = ""
    ax_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.rows = np.asarray(self.rows, dtype=np.float64)
        self.feature_names = list(self.feature_names) or [f"feature {j}" for j in range(self.mixture.n_features)]
        self._view = View.of(self.mixture, self.features, self.feature_names, self.directions)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        false_alarm_rate: float = 0.01,
        features: Sequence[int] = (0, 1),
        directions: str = "features",
        n_named: int = 5,
        ax: Any = None,
    ) -> OutlierDisplay:
        """Draw the outliers among the rows of X.

        Parameters
        ----------
        estimator : fitted estimator
            A `GaussianMixtureOutlierDetector` has a threshold. Of a mixture
            with a background, its rows are the outliers; else those of a
            density below which the mixture draws `false_alarm_rate` of its rows.
        X : array-like or data frame of shape (n, D)
        false_alarm_rate : float, default=0.01
            Not used where the estimator says itself what an outlier is.
        features : sequence of one or two int, default=(0, 1)
        directions : {"features", "discriminating"}, default="features"
        n_named : int, default=5
            So many of the lowest density are numbered with their row.
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        OutlierDisplay
        """
        of = Subject.of(estimator, X)
        values = np.asarray(estimator.score_samples(of.frame))
        threshold = getattr(estimator, "offset_", None)
        if threshold is None and of.mixture.background is None:
            threshold = of.mixture.hdr_log_level(1.0 - false_alarm_rate).value
        outlying = of.labels == -1 if threshold is None else values < threshold
        display = cls(of.mixture, of.rows, values, outlying, threshold, features, of.names, directions, of.remark)
        return display.plot(ax=ax, n_named=n_named)

    def plot(self, *, ax: Any = None, n_named: int = 5) -> OutlierDisplay:
        """Draw on ``ax``, or on new axes; returns this display."""
        self.figure_, self.ax_ = on_axes(ax)
        points = self._view.rows(self.rows)
        seen = complete(points)
        if len(self._view.names) == 1:
            points = np.column_stack([points, self.log_density])
        self._draw_points(points, seen)
        self._name(points, seen, n_named)
        self._view.label(self.ax_)
        if len(self._view.names) == 1:
            self.ax_.set_ylabel("log density")
            if self.threshold is not None:
                self.ax_.axhline(self.threshold, color=INK, ls="--", lw=1.2)
        elif self.mixture.n_features == 2 and self.threshold is not None:
            self._draw_threshold()
        self.ax_.legend(framealpha=0.8, edgecolor="none", fontsize="small")
        note(self.ax_, [self.remark, missing_remark(seen)])
        return self

    def _draw_points(self, points: Array, seen: NDArray[np.bool_]) -> None:
        raster = points.shape[0] > RASTER_ROWS
        good, bad = points[seen & ~self.outlying], points[seen & self.outlying]
        style = {"s": 12, "color": "0.6", "lw": 0, "alpha": 0.7, "rasterized": raster}
        self.ax_.scatter(good[:, 0], good[:, 1], label=f"{good.shape[0]} rows", **style)
        style = {"s": 42, "marker": "X", "color": PALETTE[1], "edgecolors": "black", "linewidths": 0.6}
        said = "1 outlier" if bad.shape[0] == 1 else f"{bad.shape[0]} outliers"
        self.ax_.scatter(bad[:, 0], bad[:, 1], label=said, rasterized=raster, zorder=3, **style)

    def _name(self, points: Array, seen: NDArray[np.bool_], number: int) -> None:
        """The numbers of the most improbable rows."""
        if self.remark:
            return  # of a sample, positions are not those of the data
        flagged = np.flatnonzero(seen & self.outlying)
        middle = np.mean(self.ax_.get_xlim())
        for row in flagged[np.argsort(self.log_density[flagged], kind="stable")][:number]:
            left = points[row, 0] > middle
            style = {"xytext": (-6 if left else 6, 4), "textcoords": "offset points", "ha": "right" if left else "left"}
            self.ax_.annotate(str(row), tuple(points[row]), fontsize="x-small", color=INK, **style)

    def _draw_threshold(self) -> None:
        assert self.threshold is not None
        (left, right), (low, high) = self.ax_.get_xlim(), self.ax_.get_ylim()
        margin_x, margin_y = 0.08 * (right - left), 0.08 * (high - low)
        x = np.linspace(left - margin_x, right + margin_x, GRID)
        y = np.linspace(low - margin_y, high + margin_y, GRID)
        mesh = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        values = density(self._view.mixture(self.mixture), mesh).reshape(GRID, GRID)
        level = float(np.exp(self.threshold))
        if values.min() < level < values.max():
            self.ax_.contour(x, y, values, levels=[level], colors=INK, linestyles="--", linewidths=1.2)
            self.ax_.plot([], [], color=INK, ls="--", lw=1.2, label="threshold")
