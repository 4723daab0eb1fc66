"""ProfileDisplay: what makes each component different, feature by feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.mixture import Mixture
from mixtura.plot.style import INK, axes_grid, color_of, line_of, marker_of, note, plain
from mixtura.plot.subject import mixture_of
from mixtura.plot.view import names_of
from mixtura.shape import Array

__all__ = ["ProfileDisplay", "profiles"]

#: More features than this are left out, the least telling first.
MOST_FEATURES = 20

#: On given axes the legend stands this many inches below them.
LEGEND_BELOW = 0.5

#: The components of a feature share this part of its row.
BAND = 0.72


@dataclass(eq=False)
class ProfileDisplay:
    """Mean and spread of every component in each feature, in standard deviations of all rows.

    A marker is the component's mean, its bar one of its own standard deviations
    to each side. Features are ordered by the share of their variance that lies
    between components (R squared), which stands at the right.

    Parameters
    ----------
    mixture : Mixture
        A background is left out.
    feature_names : sequence of str

    Attributes
    ----------
    order_ : array of int
        The features that are drawn, the most telling first.
    between_ : array of shape (D,)
        Share of each feature's variance between components.
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from mixtura import Mixture
    >>> from mixtura.plot import ProfileDisplay
    >>> mixture = Mixture.from_parameters([0.5, 0.5], [[0.0, -3.0], [0.0, 3.0]], [[1.0, 1.0], [1.0, 1.0]], "diag")
    >>> display = ProfileDisplay(mixture).plot()
    >>> display.order_.tolist(), display.between_.round(6).tolist()
    ([1, 0], [0.0, 0.9])
    """

    mixture: Mixture
    feature_names: Sequence[str] = ()
    order_: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp), init=False, repr=False)
    between_: Array = field(default_factory=lambda: np.empty(0), init=False, repr=False)
    ax_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        names = list(self.feature_names) or [f"feature {j}" for j in range(self.mixture.n_features)]
        self.feature_names = names
        self._centers, self._spreads, self.between_ = profiles(self.mixture)
        self.order_ = np.argsort(-self.between_, kind="stable")[:MOST_FEATURES]

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any = None, *, ax: Any = None) -> ProfileDisplay:
        """Draw the profiles of a fitted estimator's components.

        Parameters
        ----------
        estimator : fitted estimator
        X : data frame, optional
            Only the names of its features are used.
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        ProfileDisplay
        """
        mixture, _ = mixture_of(estimator)
        return cls(mixture, names_of(X, estimator, mixture.n_features)).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> ProfileDisplay:
        """Draw on ``ax``, or on new axes; returns this display."""
        n_components, shown = self.mixture.n_components, self.order_.size
        own_figure = ax is None
        if own_figure:
            height = 1.2 + shown * max(0.35, 0.14 * n_components)
            _, ax, _ = axes_grid(None, 1, 1, (7.4, min(height + 0.2 * (n_components // 3), 14.0)))
        self.figure_, self.ax_ = ax.figure, ax
        step = BAND / n_components
        for k in range(n_components):
            at = np.arange(shown) + step * (k + 0.5) - 0.5 * BAND
            centers, spreads = self._centers[k, self.order_], self._spreads[k, self.order_]
            style = {"color": color_of(k), "marker": marker_of(k), "ms": 5, "ls": "none", "elinewidth": 1.6}
            label = f"component {k} ({100 * self.mixture.proportions[k]:.0f} %)"
            bars = self.ax_.errorbar(centers, at, xerr=spreads, label=label, **style)
            bars[2][0].set_linestyle(line_of(k))
        for edge in np.arange(1, shown) - 0.5:
            self.ax_.axhline(edge, color="0.92", lw=0.8, zorder=0)
        self.ax_.axvline(0.0, color="0.7", lw=0.8, zorder=0)
        for row, feature in enumerate(self.order_):
            said = {"transform": self.ax_.get_yaxis_transform(), "fontsize": "x-small", "color": INK, "va": "center"}
            self.ax_.text(1.01, row, f"{self.between_[feature]:.2f}", **said)
        self.ax_.annotate("R²", (1.01, 1.01), xycoords="axes fraction", fontsize="x-small", color=INK)
        self.ax_.set_yticks(range(shown), [plain(self.feature_names[feature]) for feature in self.order_])
        self.ax_.set_ylim(shown - 0.5, -0.5)
        self.ax_.set_xlabel("mean ± deviation, in standard deviations of all rows")
        left_out = self.mixture.n_features - shown
        if own_figure:
            self.figure_.legend(frameon=False, fontsize="small", loc="outside upper center", ncols=min(n_components, 3))
        else:
            height = self.ax_.get_window_extent().height / self.figure_.dpi
            place = {"loc": "upper center", "bbox_to_anchor": (0.5, -LEGEND_BELOW / max(height, LEGEND_BELOW))}
            self.ax_.legend(frameon=False, fontsize="x-small", ncols=min(n_components, 3), **place)
        note(self.ax_, [f"{left_out} less telling features not drawn" if left_out else ""])
        return self


def profiles(mixture: Mixture) -> tuple[Array, Array, Array]:
    """Means and deviations (K, D) in standard deviations of all rows about their mean; and R squared (D,)."""
    shares = mixture.proportions
    center = shares @ mixture.means
    within = np.diagonal(mixture.dense_covariances, axis1=1, axis2=2)
    between = shares @ np.square(mixture.means - center)
    scale = np.sqrt(shares @ within + between)
    return (mixture.means - center) / scale, np.sqrt(within) / scale, between / np.square(scale)
