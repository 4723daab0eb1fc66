"""Stage: one step of a trace as a picture, in coordinates that stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.mixture import Mixture
from mixtura.plot.components import density, ellipse, line_grid, shares_at
from mixtura.plot.style import INK, blended, color_of, line_of
from mixtura.plot.uncertainty import draw_soft
from mixtura.plot.view import View, complete
from mixtura.shape import Array
from mixtura.trace import Step, Trace, responsibilities

__all__ = ["Stage"]

#: More rows than this hide the components.
DRAWN_ROWS = 600


@dataclass(frozen=True, eq=False)
class Stage:
    """What stays the same in all pictures of a trace: rows, coordinates and limits."""

    view: View
    rows: Array  # those that can be drawn
    points: Array
    limits: tuple[tuple[float, float], tuple[float, float]]
    probability: float

    @classmethod
    def of(cls, trace: Trace, features: Sequence[int], directions: str, probability: float) -> Stage:
        """The stage of a trace, with the limits of its rows."""
        last = trace.mixtures[-1]
        names = trace.feature_names or [f"feature {j}" for j in range(last.n_features)]
        view = View.of(last, features, names, directions)
        points = view.rows(trace.rows)
        seen = np.flatnonzero(complete(points))
        if seen.size > DRAWN_ROWS:
            seen = np.sort(np.random.default_rng(0).choice(seen, DRAWN_ROWS, replace=False))
        rows, points = trace.rows[seen], points[seen]
        if points.shape[1] == 1:
            grid = line_grid(points[:, 0], view.mixture(last))
            tallest = max(float(density(view.mixture(one), grid[:, None]).max()) for one in (trace.mixtures[0], last))
            bars = np.histogram(points[:, 0], bins="auto", density=True)[0].max()
            top = 1.15 * max(tallest, float(bars))
            return cls(view, rows, points, ((grid[0], grid[-1]), (-0.1 * top, top)), probability)
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.14 * (high - low)
        limits = [(float(a), float(b)) for a, b in zip(low - margin, high + margin, strict=True)]
        return cls(view, rows, points, (limits[0], limits[1]), probability)

    @property
    def vertical(self) -> str:
        """Name of the vertical axis."""
        return self.view.names[1] if len(self.view.names) > 1 else "density"

    def draw(self, ax: Any, step: Step, way: float = 1.0) -> None:
        """Draw a step, or an M step part of its way."""
        after = self.view.mixture(step.mixture)
        before = None if step.shared_by is None else self.view.mixture(step.shared_by)
        moving = step.name == "M" and before is not None
        shown = _between(before, after, way) if moving and before is not None else after
        shares = None if step.shared_by is None else responsibilities(step.shared_by, self.rows)
        ghost = before if moving else None
        if self.points.shape[1] == 1:
            self._draw_line(ax, shown, ghost, shares)
        else:
            self._draw_plane(ax, shown, ghost, shares)
        ax.set_xlim(*self.limits[0])
        ax.set_ylim(*self.limits[1])

    def _draw_plane(self, ax: Any, mixture: Mixture, ghost: Mixture | None, shares: Array | None) -> None:
        if shares is None:
            ax.scatter(self.points[:, 0], self.points[:, 1], s=10, facecolors="none", edgecolors="0.55", linewidths=0.7)
        else:
            draw_soft(ax, self.points, shares, mixture.n_components, scaled=False)
        for k in range(mixture.n_components):
            style = {"fill": False, "ec": color_of(k), "zorder": 3}
            if ghost is not None:
                ax.add_patch(ellipse(ghost, k, self.probability, lw=1.0, ls=":", **style))
                way = np.stack([ghost.means[k], mixture.means[k]])
                ax.plot(way[:, 0], way[:, 1], color="black", lw=1.0, zorder=4)
            ax.add_patch(ellipse(mixture, k, self.probability, lw=2.0, ls=line_of(k), **style))
            ax.plot(*mixture.means[k], marker="P", ms=8, color=color_of(k), mec="white", mew=0.9, zorder=5)

    def _draw_line(self, ax: Any, mixture: Mixture, ghost: Mixture | None, shares: Array | None) -> None:
        values = self.points[:, 0]
        grid = np.linspace(*self.limits[0], 300)
        edges = np.histogram_bin_edges(values, bins="auto")
        colors = [color_of(k) for k in range(mixture.n_components)]
        if shares is None:
            ax.hist(values, bins=edges, density=True, color="0.88", edgecolor="0.75", lw=0.5)
            dots = np.full((values.size, 3), 0.55)
        else:
            colors += [color_of(-1)] * (shares.shape[1] - mixture.n_components)
            bars = [np.histogram(values, edges, weights=share)[0] for share in shares.T]
            unit = values.size * np.diff(edges)
            base = np.zeros(unit.size)
            for color, height in zip(colors, bars, strict=True):
                ax.bar(edges[:-1], height / unit, np.diff(edges), base, align="edge", color=color, alpha=0.35, lw=0)
                base += height / unit
            dots = blended(shares[:, : mixture.n_components])
        rng = np.random.default_rng(0)
        heights = self.limits[1][0] * rng.uniform(0.25, 0.8, values.size)
        ax.scatter(values, heights, s=7, c=dots, linewidths=0)
        ax.axhline(0.0, color=INK, lw=0.8)
        for k, curve in enumerate(shares_at(mixture, grid)):
            if ghost is not None:
                ax.plot(grid, shares_at(ghost, grid)[k], color=color_of(k), lw=1.0, ls=":")
            ax.plot(grid, curve, color=color_of(k), lw=2.0, ls=line_of(k))
        ax.plot(grid, density(mixture, grid[:, None]), color=INK, lw=1.2)


def _between(before: Mixture, after: Mixture, way: float) -> Mixture:
    """A mixture part of the way from one to another."""

    def mixed(one: Array, other: Array) -> Array:
        return (1.0 - way) * one + way * other

    covariances = mixed(before.dense_covariances, after.dense_covariances)
    background = after.background
    if background is not None:
        background = replace(background, weight=(1.0 - way) * before.noise_weight + way * after.noise_weight)
    weights = mixed(before.weights, after.weights)
    return Mixture(weights, mixed(before.means, after.means), covariances, "full", background=background)
