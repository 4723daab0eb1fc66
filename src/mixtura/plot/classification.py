"""ClassificationDisplay: rows coloured by component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.mixture import Mixture
from mixtura.plot.components import draw_curves, draw_ellipses, draw_groups, line_grid, number
from mixtura.plot.style import RASTER_ROWS, axes_grid, color_of, note, on_axes
from mixtura.plot.subject import Subject
from mixtura.plot.view import View, complete
from mixtura.shape import Array

__all__ = ["ClassificationDisplay", "check_probability"]

#: More components than this are numbered at their centres: a longer legend hides rows.
LEGEND_LIMIT = 4

#: Pairs of more features than this make panels too small to read.
MOST_PAIRS = 8


@dataclass(eq=False)
class ClassificationDisplay:
    """Rows coloured by component, with the components drawn over them.

    Two features are drawn as a scatter with one ellipse a component; a single
    feature as a histogram with the components' densities under their sum; all
    of them as a matrix of their pairs.

    Parameters
    ----------
    mixture : Mixture
        In the units of the rows.
    rows : array of shape (n, D)
        Those with a missing value (NaN) where it would be drawn are left out, which is said above the axes.
    labels : array of shape (n,)
        Component of each row; -1 for noise.
    features : sequence of one or two int, or "all"
        Which features to draw; "all" draws every pair of the first eight.
    feature_names : sequence of str
        Of all D features.
    directions : {"features", "discriminating"}
        Of more than two features, "discriminating" draws the two combinations
        of them that tell the components apart best (Scrucca 2010).
    groups : sequence of K int, optional
        What the labels mean where components are merged, or belong to classes: the group of each.
    group_names : sequence of str, optional

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    axes_ : array of matplotlib.axes.Axes
        Where all pairs are drawn: a row and a column for each feature.
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from mixtura import Mixture
    >>> from mixtura.plot import ClassificationDisplay
    >>> mixture = Mixture.from_parameters([0.5, 0.5], [[0.0, 0.0], [5.0, 5.0]], [1.0, 1.0], "spherical")
    >>> rows, labels = mixture.rvs(50, random_state=0)
    >>> display = ClassificationDisplay(mixture, rows, labels).plot(probability=0.9)
    >>> len(display.ax_.patches)
    2
    """

    mixture: Mixture
    rows: Array
    labels: NDArray[np.integer[Any]]
    features: Sequence[int] | str = (0, 1)
    feature_names: Sequence[str] = ()
    directions: str = "features"
    groups: Sequence[int] | None = None
    group_names: Sequence[str] = ()
    remark: str = ""
    ax_: Any = field(default=None, init=False, repr=False)
    axes_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.rows = np.asarray(self.rows, dtype=np.float64)
        self.labels = np.asarray(self.labels)
        n_features = self.mixture.n_features
        if self.rows.ndim != 2 or self.rows.shape[1] != n_features:
            raise ValueError(f"rows must have shape (n, {n_features}); got {self.rows.shape}")
        self.feature_names = list(self.feature_names) or [f"feature {j}" for j in range(n_features)]
        if isinstance(self.features, str) and self.features != "all":
            raise ValueError(f"features must be one or two indices, or 'all'; got {self.features!r}")
        self._pairs = isinstance(self.features, str) and n_features > 2
        if isinstance(self.features, str):
            self.features = (0, 1)
        self._view = View.of(self.mixture, self.features, self.feature_names, self.directions)
        n_groups = self.mixture.n_components if self.groups is None else max(self.groups) + 1
        self.group_names = list(self.group_names) or [f"component {k}" for k in range(n_groups)]

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        features: Sequence[int] | str = (0, 1),
        directions: str = "features",
        probability: float = 0.95,
        ax: Any = None,
    ) -> ClassificationDisplay:
        """Draw the rows of X as a fitted estimator classifies them.

        Parameters
        ----------
        estimator : object
            Fitted, with ``mixture_`` and ``predict``; or a `GaussianMixtureClassifier`, whose classes are coloured.
        X : array-like or data frame of shape (n, D)
            Of more than 20 000 rows a sample is drawn.
        features : sequence of one or two int, or "all", default=(0, 1)
            Which features to draw; where D is 1, the only one.
        directions : {"features", "discriminating"}, default="features"
        probability : float, default=0.95
            Share of a component's mass inside its ellipse.
        ax : matplotlib.axes.Axes, optional
            Default: new axes.

        Returns
        -------
        ClassificationDisplay
        """
        of = Subject.of(estimator, X)
        display = cls(
            of.mixture, of.rows, of.labels, features, of.names, directions, of.groups, of.group_names, of.remark
        )
        return display.plot(ax=ax, probability=probability)

    def plot(self, *, ax: Any = None, probability: float = 0.95, bins: int | str = "auto") -> ClassificationDisplay:
        """Draw on ``ax``, or on new axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            For all pairs, axes of ``plt.subplots``, in whose place a grid is put.
        probability : float, default=0.95
            Share of a component's mass inside its ellipse, between 0 and 1.
        bins : int or str, default="auto"
            Of the histogram, where one feature is drawn.

        Returns
        -------
        ClassificationDisplay
            This one.

        Raises
        ------
        ValueError
            If the probability is not between 0 and 1.
        """
        check_probability(probability)
        if self._pairs:
            return self._plot_pairs(ax, probability)
        self.figure_, self.ax_ = on_axes(ax)
        if len(self._view.names) == 1:
            self._draw_line(self.ax_, self._view, bins)
            self.ax_.set_ylabel("density")
        else:
            self._draw_plane(self.ax_, self._view, probability, 14.0)
        self._view.label(self.ax_)
        if len(self._view.names) == 1 or self._listed:
            self.ax_.legend(framealpha=0.8, edgecolor="none", markerscale=1.6, fontsize="small")
        return self

    @property
    def _listed(self) -> bool:
        """Whether the groups are few enough for a legend, or have names that numbers could not tell."""
        return len(self.group_names) <= LEGEND_LIMIT or self.groups is not None

    def _plot_pairs(self, ax: Any, probability: float) -> ClassificationDisplay:
        """A matrix of panels: features against one another, and each alone on the diagonal."""
        size = min(self.mixture.n_features, MOST_PAIRS)
        self.figure_, self.ax_, self.axes_ = axes_grid(ax, size, size, (2.0 * size, 1.8 * size), sharex="col")
        for i in range(size):
            for j in range(size):
                panel, view = self.axes_[i, j], View.of(self.mixture, (j, i) if i != j else (i,), self.feature_names)
                if i == j:
                    self._draw_line(panel, view, "auto")
                    panel.set_yticks([])
                else:
                    self._draw_plane(panel, view, probability, 5.0, remarked=False)
                panel.tick_params(labelsize="x-small", labelleft=j == 0, labelbottom=i == size - 1)
                panel.set_xlabel(view.names[0] if i == size - 1 else "", fontsize="small")
                panel.set_ylabel(self._view_name(i) if j == 0 else "", fontsize="small")
        beyond = f"{self.mixture.n_features - size} more features" if self.mixture.n_features > size else ""
        note(self.axes_[0, -1], [self.remark, beyond])
        handles, texts = self.axes_[0, 1].get_legend_handles_labels()
        if len(texts) <= 8:
            options = {"loc": "outside lower center", "ncols": len(texts)} if ax is None else {"loc": "lower right"}
            self.figure_.legend(handles, texts, frameon=False, fontsize="small", markerscale=2.5, **options)
        return self

    def _view_name(self, feature: int) -> str:
        return View.of(self.mixture, (feature,), self.feature_names).names[0]

    def _draw_plane(self, ax: Any, view: View, probability: float, size: float, remarked: bool = True) -> None:
        points, mixture = view.rows(self.rows), view.mixture(self.mixture)
        seen = complete(points)
        noise = self.mixture.background is not None or bool(np.any(self.labels == -1))
        draw_groups(ax, points[seen], self.labels[seen], self.group_names, noise, size)
        draw_ellipses(ax, mixture, probability, self.groups)
        if not self._listed:
            number(ax, mixture)
        ax.autoscale_view()
        if remarked:
            note(ax, [self.remark, missing_remark(seen)])

    def _draw_line(self, ax: Any, view: View, bins: int | str) -> None:
        values, mixture = view.rows(self.rows)[:, 0], view.mixture(self.mixture)
        seen = np.isfinite(values)
        ax.hist(values[seen], bins=bins, density=True, color="0.9", edgecolor="0.75", lw=0.6)
        draw_curves(ax, mixture, line_grid(values, mixture), self.group_names, self.groups)
        for group in range(len(self.group_names)):
            own = values[seen & (self.labels == group)]
            raster = own.size > RASTER_ROWS
            ax.plot(own, np.zeros_like(own), "|", color=color_of(group), ms=7, clip_on=False, rasterized=raster)
        ax.set_ylim(bottom=0.0)
        if not self._pairs:
            note(ax, [self.remark, missing_remark(seen)])


def missing_remark(seen: NDArray[np.bool_]) -> str:
    """What to say of rows that have no place in the picture."""
    left_out = int((~seen).sum())
    return f"{left_out} rows with missing values not drawn" if left_out else ""


def check_probability(probability: float) -> None:
    """Raise ValueError if it is not between 0 and 1."""
    if not 0 < probability < 1:
        raise ValueError(f"probability must be between 0 and 1; got {probability}")
