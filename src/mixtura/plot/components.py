"""What displays draw of a mixture: ellipses, centres' numbers, and densities along a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.patches import Ellipse
from numpy.typing import NDArray
from scipy.stats import chi2

from mixtura.mixture import Mixture
from mixtura.plot.style import INK, NOISE_COLOR, RASTER_ROWS, color_of, line_of, marker_of
from mixtura.shape import Array

__all__ = ["density", "draw_curves", "draw_ellipses", "draw_groups", "ellipse", "line_grid", "number", "shares_at"]

CURVE_POINTS = 512

#: Up to this many points each is drawn well; more of them are drawn smaller.
SPARSE_ROWS = 1_000


def ellipse(mixture: Mixture, component: int, probability: float, **style: Any) -> Any:
    """The smallest region that holds that share of a component's mass, of a mixture of two features."""
    eigenvalues, vectors = np.linalg.eigh(mixture.dense_covariances[component])
    width, height = 2 * np.sqrt(chi2.ppf(probability, df=2) * np.maximum(eigenvalues, 0.0))
    angle = np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
    return Ellipse(tuple(mixture.means[component]), width, height, angle=angle, **style)


def draw_ellipses(ax: Any, mixture: Mixture, probability: float, groups: Sequence[int] | None = None) -> None:
    """One ellipse a component, in the colour and line of its group."""
    for k in range(mixture.n_components):
        group = k if groups is None else groups[k]
        style = {"fill": False, "lw": 1.6, "ec": color_of(group), "ls": line_of(group), "zorder": 3}
        ax.add_patch(ellipse(mixture, k, probability, **style))


def number(ax: Any, mixture: Mixture, groups: Sequence[int] | None = None) -> None:
    """The number of each component at its centre."""
    for k in range(mixture.n_components):
        group = k if groups is None else groups[k]
        box = {"boxstyle": "circle,pad=0.2", "fc": "white", "ec": color_of(group), "alpha": 0.9}
        center = tuple(mixture.means[k])
        ax.annotate(str(k), center, ha="center", va="center", fontsize="small", bbox=box, zorder=4)


def draw_groups(
    ax: Any, points: Array, labels: NDArray[Any], names: Sequence[str], noise: bool, size: float = 14.0
) -> None:
    """Points (n, 2) by group, each in its colour and with its marker; crosses for noise, group -1."""
    size = size if points.shape[0] <= SPARSE_ROWS else 0.4 * size
    raster = points.shape[0] > RASTER_ROWS
    for group, name in enumerate(names):
        own = points[labels == group]
        style = {"color": color_of(group), "marker": marker_of(group), "label": name, "rasterized": raster}
        ax.scatter(own[:, 0], own[:, 1], s=size, alpha=0.6, linewidths=0, **style)
    if noise:
        own = points[labels == -1]
        style = {"color": NOISE_COLOR, "marker": "x", "label": "noise", "rasterized": raster}
        ax.scatter(own[:, 0], own[:, 1], s=8, lw=0.8, **style)


def shares_at(mixture: Mixture, grid: Array) -> Array:
    """Each component's part (K, m) of the density of one feature."""
    deviations = np.sqrt(mixture.dense_covariances[:, 0, 0])
    z = (grid - mixture.means[:, :1]) / deviations[:, None]
    return np.asarray(mixture.weights[:, None] * np.exp(-0.5 * z * z) / (np.sqrt(2 * np.pi) * deviations[:, None]))


def density(mixture: Mixture, points: Array) -> Array:
    """Density (n,) at points; that of a background in its box only, where it is a density."""
    if mixture.background is None:
        return mixture.pdf(points)
    bare = replace(mixture, background=None, weights=mixture.proportions)
    inside = mixture.background.contains(points)
    uniform = np.exp(mixture.background.log_density)
    return np.asarray((1.0 - mixture.noise_weight) * bare.pdf(points) + np.where(inside, uniform, 0.0))


def draw_curves(
    ax: Any, mixture: Mixture, grid: Array, names: Sequence[str], groups: Sequence[int] | None = None
) -> None:
    """Densities of the components of one feature under their sum."""
    named: set[int] = set()
    for k, curve in enumerate(shares_at(mixture, grid)):
        group = k if groups is None else groups[k]
        label = None if group in named else names[group]
        named.add(group)
        ax.fill_between(grid, curve, color=color_of(group), alpha=0.12, lw=0)
        ax.plot(grid, curve, color=color_of(group), ls=line_of(group), lw=1.6, label=label)
    total = density(mixture, grid[:, None])
    ax.plot(grid, total, color=INK, lw=2.2, label="mixture", zorder=2.5)


def line_grid(values: Array, mixture: Mixture) -> Array:
    """Points along a line that cover the values, or without any the components."""
    seen = values[np.isfinite(values)]
    if not seen.size:
        reach = 4 * np.sqrt(mixture.dense_covariances[:, 0, 0])
        seen = np.concatenate([mixture.means[:, 0] - reach, mixture.means[:, 0] + reach])
    margin = 0.05 * float(np.ptp(seen)) or 1.0
    return np.linspace(seen.min() - margin, seen.max() + margin, CURVE_POINTS)
