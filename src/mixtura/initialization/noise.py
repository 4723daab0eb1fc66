"""Where a background may lie, and which rows it may have, before the first E-step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import gammaln

from mixtura.background import Background
from mixtura.shape import Array

__all__ = ["bounding_box", "isolated"]

#: Weight cut off at each end of a direction before its range is taken: a few wild rows must not spread the box.
TAIL = 0.01

#: The range of what is left is widened by this part of itself at each end, though never beyond the rows.
MARGIN = 0.5

#: A row's isolation is the distance to this neighbour (Byers and Raftery 1998 advise 5 to 15 for some hundred rows).
NEIGHBOUR = 5

#: Rows whose distances to all others are taken at a time, where values are missing.
BLOCK_ROWS = 256

#: Rows count as isolated from this many robust deviations of the log distance on ...
ISOLATED = 3.0
#: ... but never more than this share of the weight: the start must leave rows to the components.
MOST_NOISE = 0.25

#: A normal distribution's standard deviation in units of its median absolute deviation.
NORMAL_MAD = 1.4826


def bounding_box(rows: Array, weights: Array, weight: float, least_variance: float) -> Background:
    """The smaller of two boxes around standardised rows (n, D): along the features, or along the principal axes.

    mclust's ``hypvol`` takes the smaller of those too, of the whole range (Fraley
    and Raftery 2002, section 6); here each side is the range of the middle 98 %
    of the weight, widened by half of itself at each end where there are rows.

    Parameters
    ----------
    rows : array of shape (n, D)
        NaN where a value is missing; the box is then along the features.
    weights : array of shape (n,)
    weight : float
        Of the background that is returned.
    least_variance : float
        No side is shorter than that of a uniform distribution of this variance.
    """
    n_features = rows.shape[1]
    if np.isnan(rows).any():  # what is uniform over a box that follows the features is so over a part of them
        center, edges = _box(rows, weights, np.eye(n_features), least_variance)
        return Background(weight, center, edges)
    centred = rows - (weights @ rows) / weights.sum()
    axes = np.linalg.eigh((centred * weights[:, None]).T @ centred)[1].T
    boxes = [_box(rows, weights, directions, least_variance) for directions in (np.eye(n_features), axes)]
    center, edges = min(boxes, key=lambda box: float(np.linalg.slogdet(box[1])[1]))
    return Background(weight, center, edges)


def _box(rows: Array, weights: Array, directions: Array, least_variance: float) -> tuple[Array, Array]:
    """Centre (D,) and edges (D, D) of the box along orthonormal directions (D, D), one a row."""
    if np.isnan(rows).any():
        limits = np.array([_limits(column[seen], weights[seen]) for column, seen in _observed(rows)])
    else:
        limits = np.array([_limits(values, weights) for values in directions @ rows.T])
    shortest = max(np.sqrt(12.0 * least_variance), np.finfo(np.float64).tiny ** 0.25)
    width = np.maximum(limits[:, 1] - limits[:, 0], shortest)
    return limits.mean(axis=1) @ directions, width[:, None] * directions


def _observed(rows: Array) -> Iterator[tuple[Array, NDArray[np.bool_]]]:
    """Each feature, and which rows have a value of it."""
    yield from ((column, ~np.isnan(column)) for column in rows.T)


def _limits(values: Array, weights: Array) -> tuple[float, float]:
    """Least and greatest of the values (n,) without wild ones; of none, that of a standardised feature."""
    if values.size == 0:
        return -1.0, 1.0
    order = np.argsort(values, kind="stable")
    ordered, mass = values[order], np.cumsum(weights[order])
    cut = min(max(TAIL * mass[-1], 1.0), 0.25 * mass[-1])  # at least a row, and never the most
    low = ordered[np.searchsorted(mass, cut, side="right")]
    high = ordered[np.searchsorted(mass, mass[-1] - cut, side="left")]
    margin = MARGIN * (high - low)
    return max(ordered[0], low - margin), min(ordered[-1], high + margin)


def isolated(rows: Array, weights: Array, log_volume: float) -> NDArray[np.bool_]:
    """Rows (n, D) with weights (n,) whose neighbours are unusually far away: (n,).

    A crude form of Byers and Raftery (1998), where rows of noise have the larger
    distances to their k-th neighbour; a row of weight two is two neighbours.
    Distances count as large where few rows have such, and only where they would
    be large if all rows were spread over a volume of which the logarithm is
    given: rows of a wide component lie closer than that.
    """
    none = np.zeros(rows.shape[0], dtype=bool)
    n_asked = min(NEIGHBOUR + 1, rows.shape[0])  # a row is its own first neighbour
    if n_asked == 1:
        return none
    distances, neighbours = _neighbours(rows, n_asked)
    reached = np.cumsum(weights[neighbours], axis=1) > NEIGHBOUR
    nearest = np.where(reached.any(axis=1), reached.argmax(axis=1), n_asked - 1)
    distance = distances[np.arange(nearest.size), nearest]
    distance = np.where(np.isfinite(distance), distance, 0.0)  # nothing tells such a row from others
    if not np.any(distance > 0):
        return none
    log_distance = np.log(np.maximum(distance, distance[distance > 0].min()))
    middle = _quantile(log_distance, weights, 0.5)
    spread = NORMAL_MAD * _quantile(np.abs(log_distance - middle), weights, 0.5)
    least = _quantile(log_distance, weights, 1.0 - MOST_NOISE)
    even = _even_log_distance(rows.shape[1], float(weights.sum()), log_volume)
    return log_distance > max(middle + ISOLATED * spread, least, even)


def _neighbours(rows: Array, n_asked: int) -> tuple[Array, NDArray[np.intp]]:
    """Distances (n, m) of rows (n, D) to their nearest neighbours, and which these are.

    Where values are missing, squares are taken over the features that two rows
    share and scaled up to all of them (Dixon 1979).
    """
    if not np.isnan(rows).any():
        distances, neighbours = cKDTree(rows).query(rows, n_asked)
        return distances, neighbours
    seen = ~np.isnan(rows)
    filled, mask = np.where(seen, rows, 0.0), seen.astype(np.float64)
    found = np.empty((rows.shape[0], n_asked)), np.empty((rows.shape[0], n_asked), dtype=np.intp)
    for start in range(0, rows.shape[0], BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        squares = np.zeros((filled[part].shape[0], rows.shape[0]))
        for j in range(rows.shape[1]):
            step = np.subtract.outer(filled[part, j], filled[:, j])
            squares += np.square(step) * np.multiply.outer(mask[part, j], mask[:, j])
        shared = mask[part] @ mask.T
        squares = np.where(shared > 0, squares * rows.shape[1] / np.maximum(shared, 1.0), np.inf)
        np.fill_diagonal(squares[:, start:], -1.0)  # a row is its own first neighbour, whatever it has
        nearest = np.argpartition(squares, n_asked - 1, axis=1)[:, :n_asked]
        order = np.argsort(np.take_along_axis(squares, nearest, axis=1), axis=1, kind="stable")
        nearest = np.take_along_axis(nearest, order, axis=1)
        found[1][part] = nearest
        found[0][part] = np.sqrt(np.maximum(np.take_along_axis(squares, nearest, axis=1), 0.0))
    return found


def _even_log_distance(n_features: int, total_weight: float, log_volume: float) -> float:
    """Radius, in logarithms, of a ball that holds that many neighbours where all rows are evenly spread."""
    log_unit_ball = 0.5 * n_features * np.log(np.pi) - gammaln(0.5 * n_features + 1.0)
    return float((np.log(NEIGHBOUR / total_weight) + log_volume - log_unit_ball) / n_features)


def _quantile(values: Array, weights: Array, share: float) -> float:
    order = np.argsort(values, kind="stable")
    mass = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(mass, share * mass[-1])])
