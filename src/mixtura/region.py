"""Highest-density regions: the smallest sets that hold a probability, told by a level of the density (Hyndman 1996)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from mixtura.cumulative import ROOT_TWO_PI, Line
from mixtura.estimate import Estimate
from mixtura.shape import Array

__all__ = ["level_of_draws", "level_on_a_line"]

#: Deviations from each mean between which the line's turning points and levels are sought, and the steps between.
REACH, STEPS = 12.0, 481
#: Halvings of a bracket, enough for any double.
HALVINGS = 110


def level_of_draws(log_densities: Array, probability: float) -> Estimate:
    """Log density that a share of draws exceeds.

    The error is half the distance of the order statistics one binomial
    standard error to each side.
    """
    ordered = np.sort(log_densities)
    size = ordered.size
    ranks = size * (1 - probability) + np.array([-1, 0, 1]) * np.sqrt(size * probability * (1 - probability))
    low, value, high = np.interp(ranks - 0.5, np.arange(size), ordered)
    return Estimate(float(value), float(0.5 * (high - low)))


def level_on_a_line(line: Line, probability: float) -> float:
    """Log density above which a probability lies, of Gaussians in one dimension.

    Between turning points the density is monotone, so the region is a few
    intervals whose ends are found by bisection and whose probability is exact.
    """
    knots = _turning_points(line)
    heights = _log_density(line, knots)

    def excess(level: float) -> float:
        return _probability_above(line, knots, heights, level) - probability

    return float(brentq(excess, heights.min(), heights.max(), xtol=1e-13, rtol=1e-14))


def _log_density(line: Line, points: Array) -> Array:
    z = (points[:, None] - line.means) / line.scales
    return np.asarray(logsumexp(-0.5 * z * z, axis=1, b=line.weights / (line.scales * ROOT_TWO_PI)))


def _slope_sign(line: Line, points: Array) -> Array:
    z = (points[:, None] - line.means) / line.scales
    return logsumexp(-0.5 * z * z, axis=1, b=-line.weights * z / np.square(line.scales), return_sign=True)[1]


def _turning_points(line: Line) -> Array:
    """Ends of the line, as far as it matters, and between them the points where the density turns."""
    grid = np.unique(line.means[:, None] + line.scales[:, None] * np.linspace(-REACH, REACH, STEPS))
    sign = _slope_sign(line, grid)
    turns = np.flatnonzero(sign[:-1] * sign[1:] <= 0)
    low, high, start = grid[turns], grid[turns + 1], sign[turns]
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        same = _slope_sign(line, middle) == start
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.unique(np.concatenate([grid[[0, -1]], 0.5 * (low + high)]))


def _probability_above(line: Line, knots: Array, heights: Array, level: float) -> float:
    above = heights >= level
    low, high = knots[:-1].copy(), knots[1:].copy()
    start = above[:-1]
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        same = (_log_density(line, middle) >= level) == start
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    crossing = 0.5 * (low + high)
    left = np.where(start, knots[:-1], np.where(above[1:], crossing, knots[1:]))
    right = np.where(above[1:] | ~start, knots[1:], crossing)
    return float(np.sum(line.cdf(right) - line.cdf(left)))
