"""DensityDisplay: the estimated density, with its highest-density regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from mixtura.mixture import Mixture
from mixtura.plot.classification import missing_remark
from mixtura.plot.components import density, draw_curves, line_grid
from mixtura.plot.style import INK, PALETTE, RASTER_ROWS, note, on_axes
from mixtura.plot.subject import Subject
from mixtura.plot.view import View, complete
from mixtura.shape import Array

__all__ = ["DensityDisplay"]

STYLES = ("contour", "surface")

#: Points of the grid along each side.
GRID = 121
SURFACE_GRID = 61

#: Of a line, for each component.
LINE_POINTS = 2001

#: The grid goes this many deviations of each component beyond its mean, and to the outermost rows.
REACH = 3.2
MARGIN = 0.06


@dataclass(eq=False)
class DensityDisplay:
    """The density of one or two features, or directions.

    One: the components under their sum, over a histogram, and below it the
    highest-density regions as bars. Two: those regions as filled contours, by the
    probability that they hold, or the density as a surface.

    Parameters
    ----------
    mixture : Mixture
    rows : array of shape (n, D), optional
    features : sequence of one or two int
    feature_names : sequence of str
    directions : {"features", "discriminating"}
    probabilities : sequence of float
        Of the regions.

    Attributes
    ----------
    levels_ : array
        Density at the edge of each region, in the order of the probabilities.
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from mixtura import Mixture
    >>> from mixtura.plot import DensityDisplay
    >>> standard = Mixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
    >>> DensityDisplay(standard, probabilities=[0.95]).plot().levels_.round(4).tolist()
    [0.0584]
    """

    mixture: Mixture
    rows: Array | None = None
    features: Sequence[int] = (0, 1)
    feature_names: Sequence[str] = ()
    directions: str = "features"
    probabilities: Sequence[float] = (0.25, 0.5, 0.75, 0.95)
    remark: str = ""
    levels_: Array = field(default_factory=lambda: np.empty(0), init=False, repr=False)
    ax_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        n_features = self.mixture.n_features
        self.rows = np.empty((0, n_features)) if self.rows is None else np.asarray(self.rows, dtype=np.float64)
        self.feature_names = list(self.feature_names) or [f"feature {j}" for j in range(n_features)]
        self._view = View.of(self.mixture, self.features, self.feature_names, self.directions)
        self.probabilities = sorted(float(one) for one in self.probabilities)
        if not self.probabilities or not 0 < self.probabilities[0] <= self.probabilities[-1] < 1:
            raise ValueError(f"probabilities must be between 0 and 1; got {self.probabilities}")
        self._shown = self._view.mixture(self.mixture)
        if len(self._view.names) == 1:
            self.levels_ = levels_on_a_line(self._shown, self.probabilities)
        else:
            levels = [self._shown.hdr_log_level(one, n_draws=20_000).value for one in self.probabilities]
            self.levels_ = np.exp(levels)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        features: Sequence[int] = (0, 1),
        directions: str = "features",
        probabilities: Sequence[float] = (0.25, 0.5, 0.75, 0.95),
        style: str = "contour",
        ax: Any = None,
    ) -> DensityDisplay:
        """Draw the density of a fitted estimator, with the rows of X.

        Parameters
        ----------
        estimator : fitted estimator
        X : array-like or data frame of shape (n, D)
        features : sequence of one or two int, default=(0, 1)
        directions : {"features", "discriminating"}, default="features"
        probabilities : sequence of float
            Of the highest-density regions.
        style : {"contour", "surface"}, default="contour"
        ax : matplotlib.axes.Axes, optional
            For a surface, axes with ``projection="3d"``.

        Returns
        -------
        DensityDisplay
        """
        of = Subject.of(estimator, X)
        display = cls(of.mixture, of.rows, features, of.names, directions, probabilities, of.remark)
        return display.plot(ax=ax, style=style)

    def plot(self, *, ax: Any = None, style: str = "contour", bins: int | str = "auto") -> DensityDisplay:
        """Draw on ``ax``, or on new axes; returns this display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            For a surface, axes with ``projection="3d"``.
        style : {"contour", "surface"}, default="contour"
            Of two features.
        bins : int or str, default="auto"
            Of the histogram of one feature.
        """
        if style not in STYLES:
            raise ValueError(f"style must be one of {', '.join(STYLES)}; got {style!r}")
        assert self.rows is not None
        points = self._view.rows(self.rows)
        seen = complete(points)
        if len(self._view.names) == 1:
            self.figure_, self.ax_ = on_axes(ax)
            self._draw_line(points[seen, 0], bins)
        elif style == "surface":
            self.figure_, self.ax_ = on_axes(ax, projection="3d")
            self._draw_surface(points[seen])
        else:
            self.figure_, self.ax_ = on_axes(ax)
            self._draw_contours(points[seen])
        self._view.label(self.ax_)
        if style != "surface":
            note(self.ax_, [self.remark, missing_remark(seen)])
        return self

    def _draw_line(self, values: Array, bins: int | str) -> None:
        grid = line_grid(values, self._shown)
        if values.size:
            self.ax_.hist(values, bins=bins, density=True, color="0.9", edgecolor="0.75", lw=0.6)
        names = [f"component {k}" for k in range(self.mixture.n_components)]
        draw_curves(self.ax_, self._shown, grid, names)
        curve = density(self._shown, grid[:, None])
        top = max(self.ax_.get_ylim()[1], 1.05 * float(curve.max()))
        step = 0.035 * top
        for i, (probability, level) in enumerate(zip(self.probabilities, self.levels_, strict=True)):
            at = -step * (len(self.probabilities) - i)
            for low, high in _intervals(grid, curve >= level):
                self.ax_.plot([low, high], [at, at], color=INK, lw=3, solid_capstyle="butt")
            style = {"ha": "right", "va": "center", "fontsize": "x-small", "color": INK, "clip_on": False}
            self.ax_.annotate(f"{100 * probability:g} % ", (grid[0], at), **style)
        self.ax_.axhline(0.0, color=INK, lw=0.8)
        self.ax_.set_ylim(-step * (len(self.probabilities) + 0.8), top)
        self.ax_.set_xlim(grid[0] - 0.06 * np.ptp(grid), grid[-1])
        self.ax_.set_yticks([tick for tick in self.ax_.get_yticks() if 0 <= tick <= top])
        self.ax_.set_ylabel("density")
        self.ax_.legend(framealpha=0.8, edgecolor="none", fontsize="small")

    def _grid(self, points: Array, size: int) -> tuple[Array, Array, Array]:
        """Coordinates (m,) of the two sides, and densities (m, m) with the second side first."""
        spread = REACH * np.sqrt(np.diagonal(self._shown.dense_covariances, axis1=1, axis2=2))
        low, high = (self._shown.means - spread).min(axis=0), (self._shown.means + spread).max(axis=0)
        if points.size:
            low, high = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))
        margin = MARGIN * (high - low)
        x, y = (np.linspace(low[j] - margin[j], high[j] + margin[j], size) for j in range(2))
        mesh = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        return x, y, density(self._shown, mesh).reshape(size, size)

    def _draw_contours(self, points: Array) -> None:
        x, y, values = self._grid(points, GRID)
        order = np.argsort(self.levels_)
        levels = self.levels_[order]
        ends = np.append(levels, max(float(values.max()), float(levels[-1])) * 1.01)
        if np.all(np.diff(ends) > 0):
            shades = [str(shade) for shade in np.linspace(0.94, 0.66, levels.size)]
            self.ax_.contourf(x, y, values, levels=ends, colors=shades)
            self.ax_.contour(x, y, values, levels=levels, colors=PALETTE[0], linewidths=1.1)
            said = [f"{100 * self.probabilities[i]:g} %" for i in order]
            patches = [Patch(facecolor=shade, edgecolor=PALETTE[0]) for shade in shades]
            title = {"title": "holds", "title_fontsize": "small"}
            self.ax_.legend(patches, said, framealpha=0.8, edgecolor="none", fontsize="small", **title)
        size = 6.0 if points.shape[0] <= RASTER_ROWS else 2.0
        raster = points.shape[0] > RASTER_ROWS
        self.ax_.scatter(points[:, 0], points[:, 1], s=size, color="black", alpha=0.5, lw=0, rasterized=raster)

    def _draw_surface(self, points: Array) -> None:
        x, y, values = self._grid(points, SURFACE_GRID)
        mesh = np.meshgrid(x, y)
        self.ax_.plot_surface(*mesh, values, cmap="cividis", rstride=1, cstride=1, lw=0.1, edgecolor="0.4", alpha=0.95)
        self.ax_.set_zlabel("density")
        self.ax_.view_init(elev=35, azim=-60)
        self.ax_.set_box_aspect((1, 1, 0.7), zoom=0.88)


def levels_on_a_line(mixture: Mixture, probabilities: Sequence[float]) -> Array:
    """Densities that the highest-density regions of one feature reach down to, to a thousandth and in milliseconds.

    `Mixture.hdr_level` has them exactly, which takes a second for a picture.
    """
    reach = np.sqrt(mixture.dense_covariances[:, 0, 0])[:, None] * np.linspace(-8.0, 8.0, LINE_POINTS)
    points = (mixture.means + reach).ravel()
    if mixture.background is not None:
        low, high = mixture.background.limits()
        points = np.concatenate([points, np.linspace(low[0], high[0], LINE_POINTS)])
    points = np.unique(points)
    values = density(mixture, 0.5 * (points[:-1] + points[1:])[:, None])
    order = np.argsort(-values)
    masses = (values * np.diff(points))[order]
    held = np.cumsum(masses)
    return np.interp(np.asarray(probabilities) * held[-1], held - 0.5 * masses, values[order])


def _intervals(grid: Array, inside: Any) -> list[tuple[float, float]]:
    """The stretches of a grid that are inside."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
    return [(float(grid[a]), float(grid[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True)]
