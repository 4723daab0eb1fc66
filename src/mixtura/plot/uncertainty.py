"""UncertaintyDisplay: how surely each row belongs where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.mixture import Mixture
from mixtura.plot.classification import LEGEND_LIMIT, check_probability, missing_remark
from mixtura.plot.components import draw_ellipses, number
from mixtura.plot.style import INK, NOISE_COLOR, RASTER_ROWS, blended, color_of, marker_of, note, on_axes, sizes_of
from mixtura.plot.subject import Subject
from mixtura.plot.view import View, complete
from mixtura.shape import Array

__all__ = ["UncertaintyDisplay", "draw_soft"]

#: From this uncertainty on, a row has a dark edge: it can be seen without colours.
DOUBTFUL = 0.1
SHOWN_SIZES = (0.05, 0.25, 0.5)


@dataclass(eq=False)
class UncertaintyDisplay:
    """Rows in the mixed colours of the components that share them, the larger the less sure.

    The uncertainty of a row is one less its largest responsibility (Fraley and
    Raftery 2002). Above a tenth it has a dark edge. Of one feature, the
    responsibilities are drawn as curves over it.

    Parameters
    ----------
    mixture : Mixture
    rows : array of shape (n, D)
    responsibilities : array of shape (n, K), or (n, K + 1) with noise last
    features : sequence of one or two int
    feature_names : sequence of str
    directions : {"features", "discriminating"}

    Attributes
    ----------
    uncertainty_ : array of shape (n,)
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from mixtura import GaussianMixture, datasets
    >>> from mixtura.plot import UncertaintyDisplay
    >>> data = datasets.load_old_faithful().data
    >>> display = UncertaintyDisplay.from_estimator(GaussianMixture(2, random_state=0).fit(data), data)
    >>> int((display.uncertainty_ > 0.1).sum())
    1
    """

    mixture: Mixture
    rows: Array
    responsibilities: Array
    features: Sequence[int] = (0, 1)
    feature_names: Sequence[str] = ()
    directions: str = "features"
    remark: str = ""
    ax_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.rows = np.asarray(self.rows, dtype=np.float64)
        self.responsibilities = np.asarray(self.responsibilities, dtype=np.float64)
        if self.responsibilities.shape[0] != self.rows.shape[0]:
            raise ValueError(f"{self.rows.shape[0]} rows, but responsibilities of {self.responsibilities.shape[0]}")
        self.feature_names = list(self.feature_names) or [f"feature {j}" for j in range(self.mixture.n_features)]
        self._view = View.of(self.mixture, self.features, self.feature_names, self.directions)
        self.uncertainty_ = 1.0 - self.responsibilities.max(axis=1, initial=0.0)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        features: Sequence[int] = (0, 1),
        directions: str = "features",
        probability: float = 0.95,
        ax: Any = None,
    ) -> UncertaintyDisplay:
        """Draw the rows of X by their responsibilities under a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            With ``mixture_`` and ``predict_proba``.
        X : array-like or data frame of shape (n, D)
        features : sequence of one or two int, default=(0, 1)
        directions : {"features", "discriminating"}, default="features"
        probability : float, default=0.95
            Share of a component's mass inside its ellipse.
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        UncertaintyDisplay
        """
        of = Subject.of(estimator, X)
        inner = getattr(estimator, "estimator_", estimator)
        shares = inner.predict_proba(of.frame)
        display = cls(of.mixture, of.rows, shares, features, of.names, directions, of.remark)
        return display.plot(ax=ax, probability=probability)

    def plot(self, *, ax: Any = None, probability: float = 0.95) -> UncertaintyDisplay:
        """Draw on ``ax``, or on new axes; returns this display."""
        check_probability(probability)
        self.figure_, self.ax_ = on_axes(ax)
        points = self._view.rows(self.rows)
        seen = complete(points)
        if len(self._view.names) == 1:
            self._draw_line(points[seen, 0], seen)
        else:
            mixture = self._view.mixture(self.mixture)
            draw_soft(self.ax_, points[seen], self.responsibilities[seen], self.mixture.n_components)
            draw_ellipses(self.ax_, mixture, probability)
            if self.mixture.n_components > LEGEND_LIMIT:
                number(self.ax_, mixture)
            self.ax_.autoscale_view()
            self._legend()
        self._view.label(self.ax_)
        note(self.ax_, [self.remark, missing_remark(seen)])
        return self

    def _draw_line(self, values: Array, seen: NDArray[np.bool_]) -> None:
        """Responsibilities over one feature, and the rows' uncertainty under them."""
        order = np.argsort(values)
        shares = self.responsibilities[seen][order]
        for k in range(shares.shape[1]):
            known = k < self.mixture.n_components
            style = {"color": color_of(k if known else -1), "marker": marker_of(k if known else -1)}
            name = f"component {k}" if known else "noise"
            every = max(1, values.size // 12)
            self.ax_.plot(values[order], shares[:, k], lw=1.5, ms=4, markevery=every, label=name, **style)
        doubt = 1.0 - shares.max(axis=1, initial=0.0)
        self.ax_.fill_between(values[order], doubt, color="0.85", lw=0, label="uncertainty", zorder=0)
        self.ax_.set_ylabel("responsibility")
        self.ax_.legend(framealpha=0.8, edgecolor="none", fontsize="small")

    def _legend(self) -> None:
        """Components by colour and marker where they are few, and the sizes."""
        handles, texts = [], []
        if self.mixture.n_components <= LEGEND_LIMIT:
            for k in range(self.mixture.n_components):
                handles.append(self.ax_.scatter([], [], s=30, color=color_of(k), marker=marker_of(k), linewidths=0))
                texts.append(f"component {k}")
            if self.responsibilities.shape[1] > self.mixture.n_components:
                handles.append(self.ax_.scatter([], [], s=30, color=NOISE_COLOR, marker="P", linewidths=0))
                texts.append("noise")
        for value in SHOWN_SIZES:
            edge = INK if value >= DOUBTFUL else "none"
            handles.append(self.ax_.scatter([], [], s=sizes_of(value), color="0.8", edgecolors=edge, linewidths=0.8))
            texts.append(f"uncertainty {value:g}")
        self.ax_.legend(handles, texts, framealpha=0.8, edgecolor="none", fontsize="small")


def draw_soft(ax: Any, points: Array, shares: Array, n_components: int, scaled: bool = True) -> None:
    """Points (n, 2) in mixed colours, by responsibilities (n, K or more); large and with an edge where in doubt."""
    colors = _with_noise(shares, n_components)
    uncertainty = 1.0 - shares.max(axis=1, initial=0.0)
    hardest = shares.argmax(axis=1) if shares.size else np.zeros(0, dtype=int)
    order = np.argsort(uncertainty, kind="stable")  # doubtful rows lie on top
    raster = points.shape[0] > RASTER_ROWS
    for k in range(shares.shape[1]):
        own = order[hardest[order] == k]
        sizes = sizes_of(uncertainty[own], 8.0, 70.0 if scaled else 40.0)
        edges = np.where((uncertainty[own] >= DOUBTFUL)[:, None], [[0.25, 0.25, 0.25, 1.0]], [[0.0, 0.0, 0.0, 0.0]])
        faces = np.column_stack([colors[own], np.full(own.size, 0.8)])
        style = {"marker": marker_of(k) if k < n_components else "P", "linewidths": 0.8, "rasterized": raster}
        ax.scatter(points[own, 0], points[own, 1], s=sizes, facecolors=faces, edgecolors=edges, **style)


def _with_noise(shares: Array, n_components: int) -> Array:
    """Mixed colours (n, 3), where a column beyond the components' is the background's and grey."""
    colors = blended(shares[:, :n_components])
    if shares.shape[1] > n_components:
        grey = shares[:, n_components:].sum(axis=1, keepdims=True) * float(NOISE_COLOR) ** 2.2
        colors = np.clip(colors**2.2 + grey, 0.0, 1.0) ** (1 / 2.2)
    return colors
