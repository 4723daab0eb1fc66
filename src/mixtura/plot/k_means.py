"""KMeansComparisonDisplay: the same rows by k-means and by the mixture, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi2
from sklearn.cluster import KMeans

from mixtura.mixture import Mixture
from mixtura.plot.classification import check_probability
from mixtura.plot.components import draw_ellipses, draw_groups
from mixtura.plot.style import INK, axes_grid, color_of, line_of, note
from mixtura.plot.subject import Subject
from mixtura.plot.uncertainty import draw_soft
from mixtura.plot.view import View
from mixtura.shape import Array

__all__ = ["KMeansComparisonDisplay"]


@dataclass(eq=False)
class KMeansComparisonDisplay:
    """Left: k-means, whose clusters are balls of one size with hard borders. Right: the mixture.

    k-means is a mixture of balls of one size, each row given to one of them
    wholly. It sees the features standardised, and the axes are scaled so
    that its balls are circles.

    Parameters
    ----------
    mixture : Mixture
        Of two features at least.
    rows : array of shape (n, D)
        Incomplete rows are left out: k-means has no place for them.
    responsibilities : array of shape (n, K), or (n, K + 1) with noise last
    features : sequence of two int
    feature_names : sequence of str
    random_state : int

    Attributes
    ----------
    centers_ : array of shape (K, D)
        Of k-means, in the order of the components that they lie nearest to.
    labels_ : array of shape (m,)
        Of k-means, of the complete rows.
    differing_ : int
        Rows that the two put elsewhere.
    axes_ : array of matplotlib.axes.Axes
    ax_, figure_

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from mixtura import GaussianMixture, datasets
    >>> from mixtura.plot import KMeansComparisonDisplay
    >>> data = datasets.load_old_faithful().data
    >>> display = KMeansComparisonDisplay.from_estimator(GaussianMixture(2, random_state=0).fit(data), data)
    >>> display.differing_ < 10
    True
    """

    mixture: Mixture
    rows: Array
    responsibilities: Array
    features: Sequence[int] = (0, 1)
    feature_names: Sequence[str] = ()
    random_state: int = 0
    remark: str = ""
    centers_: Array = field(default_factory=lambda: np.empty(0), init=False, repr=False)
    labels_: NDArray[Any] = field(default_factory=lambda: np.empty(0), init=False, repr=False)
    ax_: Any = field(default=None, init=False, repr=False)
    axes_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.mixture.n_features < 2:
            raise ValueError("circles and ellipses need two features")
        rows = np.asarray(self.rows, dtype=np.float64)
        complete = np.isfinite(rows).all(axis=1)
        self.rows, self.responsibilities = rows[complete], np.asarray(self.responsibilities)[complete]
        left_out = int((~complete).sum())
        if left_out:
            self.remark = "; ".join(filter(None, [self.remark, f"{left_out} incomplete rows left out"]))
        self.feature_names = list(self.feature_names) or [f"feature {j}" for j in range(self.mixture.n_features)]
        self._view = View.of(self.mixture, self.features, self.feature_names)
        if len(self._view.features) != 2:
            raise ValueError("features must be two different indices")
        self._fit()

    def _fit(self) -> None:
        """k-means on standardised rows, its clusters numbered after the components."""
        deviation = self.rows.std(axis=0)
        self._scale = np.where(deviation > 0, deviation, 1.0)
        number = self.mixture.n_components
        if self.rows.shape[0] < number:
            raise ValueError(f"{self.rows.shape[0]} complete rows are too few for {number} clusters")
        found = KMeans(number, n_init=10, random_state=self.random_state).fit(self.rows / self._scale)
        apart = found.cluster_centers_[None] - (self.mixture.means / self._scale)[:, None]
        _, order = linear_sum_assignment(np.square(apart).sum(axis=2))
        self.centers_ = found.cluster_centers_[order] * self._scale
        self.labels_ = np.argsort(order)[found.labels_]
        self._radius = float(np.sqrt(found.inertia_ / self.rows.size))

    @property
    def differing_(self) -> int:
        """Rows that the two put elsewhere; all rows that the mixture calls noise are among them."""
        return int((self.responsibilities.argmax(axis=1) != self.labels_).sum())

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        features: Sequence[int] = (0, 1),
        probability: float = 0.95,
        random_state: int = 0,
        ax: Any = None,
    ) -> KMeansComparisonDisplay:
        """Compare a fitted estimator with k-means of as many clusters.

        Parameters
        ----------
        estimator : fitted estimator
        X : array-like or data frame of shape (n, D)
        features : sequence of two int, default=(0, 1)
        probability : float, default=0.95
            Share of a cluster's mass inside its outline.
        random_state : int, default=0
            Of k-means, which is started ten times.
        ax : matplotlib.axes.Axes, optional
            Axes of ``plt.subplots``, in whose place two are put.

        Returns
        -------
        KMeansComparisonDisplay
        """
        of = Subject.of(estimator, X)
        shares = getattr(estimator, "estimator_", estimator).predict_proba(of.frame)
        display = cls(of.mixture, of.rows, shares, features, of.names, random_state, of.remark)
        return display.plot(ax=ax, probability=probability)

    def plot(self, *, ax: Any = None, probability: float = 0.95) -> KMeansComparisonDisplay:
        """Draw in the place of ``ax``, or on a new figure; returns this display."""
        check_probability(probability)
        self.figure_, self.ax_, axes = axes_grid(ax, 1, 2, (9.6, 4.6), sharex=True, sharey=True)
        self.axes_ = axes[0]
        points = self._view.rows(self.rows)
        names = [f"component {k}" for k in range(self.mixture.n_components)]
        draw_groups(self.axes_[0], points, self.labels_, names, noise=False)
        self._draw_circles(self.axes_[0], probability)
        draw_soft(self.axes_[1], points, self.responsibilities, self.mixture.n_components)
        draw_ellipses(self.axes_[1], self._view.mixture(self.mixture), probability)
        first, second = self._view.features
        titles = ("k-means: hard, circles of one size", "mixture: soft, ellipses")
        for panel, title in zip(self.axes_, titles, strict=True):
            panel.set_title(title, fontsize="medium")
            panel.set_xlabel(self._view.names[0])
            panel.autoscale_view()
        self.axes_[0].set_ylabel(self._view.names[1])
        for panel in self.axes_:
            panel.set_aspect(self._scale[first] / self._scale[second], adjustable="box")
        differing = f"{self.differing_} of {self.rows.shape[0]} rows elsewhere"
        self.axes_[1].annotate(
            differing, (0.02, 0.98), xycoords="axes fraction", va="top", fontsize="small", color=INK
        )
        note(self.axes_[0], [self.remark])
        return self

    def _draw_circles(self, ax: Any, probability: float) -> None:
        """Balls that hold that share of two of their features' mass."""
        first, second = self._view.features
        reach = 2 * self._radius * np.sqrt(chi2.ppf(probability, df=2))
        size = (reach * self._scale[first], reach * self._scale[second])
        for k, center in enumerate(self.centers_[:, [first, second]]):
            style = {"fill": False, "lw": 1.6, "ec": color_of(k), "ls": line_of(k), "zorder": 3}
            ax.add_patch(Ellipse(tuple(center), *size, **style))
            ax.plot(*center, "+", color="black", ms=9, mew=1.6, zorder=4)
