"""MergeDisplay: components merged into clusters, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mixtura.merging import Merging, merge_components
from mixtura.plot.classification import ClassificationDisplay
from mixtura.plot.style import INK, PALETTE, axes_grid
from mixtura.plot.subject import Subject

__all__ = ["MergeDisplay"]

#: Longer names of merges would run into one another.
LABEL_LENGTH = 15


@dataclass(eq=False)
class MergeDisplay:
    """Left: the entropy of the classification by number of clusters. Right: the rows by cluster.

    Where the curve bends, merging begins to join what is apart (Baudry et al. 2010, section 4).

    Parameters
    ----------
    merging : Merging
    X : array-like or data frame of shape (n, D)
    n_clusters : int, optional
        That many are drawn; default: the suggested number.
    features : sequence of one or two int
    directions : {"features", "discriminating"}

    Attributes
    ----------
    axes_ : array of matplotlib.axes.Axes
    ax_, figure_

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from mixtura import GaussianMixture, datasets
    >>> from mixtura.plot import MergeDisplay
    >>> data = datasets.load_old_faithful().data
    >>> model = GaussianMixture(3, covariance_type="tied", random_state=0).fit(data)
    >>> MergeDisplay.from_estimator(model, data).merging.suggested
    2
    """

    merging: Merging
    X: Any
    n_clusters: int | None = None
    features: Sequence[int] = (0, 1)
    directions: str = "features"
    ax_: Any = field(default=None, init=False, repr=False)
    axes_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        n_clusters: int | None = None,
        features: Sequence[int] = (0, 1),
        directions: str = "features",
        ax: Any = None,
    ) -> MergeDisplay:
        """Merge the components of a fitted estimator by `merge_components`, and draw it.

        Parameters
        ----------
        estimator : fitted estimator
        X : array-like or data frame of shape (n, D)
        n_clusters : int, optional
        features : sequence of one or two int, default=(0, 1)
        directions : {"features", "discriminating"}, default="features"
        ax : matplotlib.axes.Axes, optional
            Axes of ``plt.subplots``, in whose place two are put.

        Returns
        -------
        MergeDisplay
        """
        inner = getattr(estimator, "estimator_", estimator)
        return cls(merge_components(inner, X), X, n_clusters, features, directions).plot(ax=ax)

    @classmethod
    def from_merging(cls, merging: Merging, X: ArrayLike, *, ax: Any = None, **options: Any) -> MergeDisplay:
        """Draw a merging that is there already."""
        return cls(merging, X, **options).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> MergeDisplay:
        """Draw in the place of ``ax``, or on a new figure; returns this display."""
        clusters = self.merging.clusters(self.n_clusters)
        number = int(clusters.max()) + 1
        self.figure_, self.ax_, axes = axes_grid(ax, 1, 2, (9.6, 4.2))
        self.axes_ = axes[0]
        self._draw_curve(self.axes_[0], number)
        of = Subject.of(self.merging.estimator, self.X)
        labels = np.where(of.labels < 0, -1, clusters[np.maximum(of.labels, 0)])
        noise = of.labels < 0
        labels[~noise] = self.merging.predict(of.frame, number)[~noise]
        names = [f"cluster {m} ({_listed(clusters, m)})" for m in range(number)]
        rest = (self.features, of.names, self.directions, clusters.tolist(), names, of.remark)
        ClassificationDisplay(of.mixture, of.rows, labels, *rest).plot(ax=self.axes_[1])
        return self

    def _draw_curve(self, ax: Any, number: int) -> None:
        curve, x = self.merging.entropy, self.merging.n_clusters
        ax.plot(x, curve, "o-", color=PALETTE[0], ms=5, lw=1.5)
        elbow = self.merging.suggested
        if curve.size >= 3:
            for part in (slice(0, elbow), slice(elbow - 1, None)):
                if x[part].size >= 2:
                    slope, level = np.polyfit(x[part], curve[part], 1)
                    ax.plot(x[part], slope * x[part] + level, color="0.6", lw=1.0, ls="--", zorder=1)
        ax.plot([number], [curve[number - 1]], "o", ms=14, mfc="none", mec=INK, mew=1.5)
        for size in x[1:]:
            a, b = self.merging.merges[curve.size - size]
            before = self.merging.assignments[size - 1]
            text = f"{{{_listed(before, a)}}} + {{{_listed(before, b)}}}"
            text = text if len(text) <= LABEL_LENGTH else ""
            style = {"textcoords": "offset points", "fontsize": "x-small", "color": INK, "ha": "right"}
            ax.annotate(text, (size, curve[size - 1]), xytext=(-7, 7), **style)  # the curve rises: there it is free
        ax.margins(x=0.12, y=0.16)
        ax.set_xticks(x if x.size <= 12 else x[:: 1 + x.size // 12])
        ax.set_xlabel("number of clusters")
        ax.set_ylabel("entropy of the classification (nats)")


def _listed(assignment: Any, cluster: int) -> str:
    """The components of a cluster, such as ``0, 3``."""
    return ", ".join(map(str, np.flatnonzero(np.asarray(assignment) == cluster)))
