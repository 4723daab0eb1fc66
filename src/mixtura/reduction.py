"""Fewer components: pairs merged, the least loss first, with the mixture's moments kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array

__all__ = ["merge_costs", "merged", "reduce_to"]

#: Numbers of merged scatters that are worked on at a time.
MOST_NUMBERS = 1 << 17

EPSILON, SMALLEST = float(np.finfo(np.float64).eps), float(np.finfo(np.float64).tiny)

Index = NDArray[np.intp]


def merged(count: Array, mean: Array, scatter: Array, first: Index, second: Index) -> tuple[Array, Array, Array]:
    """Counts (P,), means (P, D), scatters (P, D, D): the moments of P pairs of components, each merged into one."""
    total = count[first] + count[second]
    apart = mean[second] - mean[first]
    between = (count[first] * count[second] / total)[:, None, None] * apart[:, :, None] * apart[:, None, :]
    return total, mean[first] + (count[second] / total)[:, None] * apart, scatter[first] + scatter[second] + between


def _costs(own: Array, count: Array, mean: Array, scatter: Array, first: Index, second: Index) -> Array:
    """Bound on what merging each pair loses of the log likelihood (Runnalls 2007, eq. 16); from each one's own term."""
    total, _, joint = merged(count, mean, scatter, first, second)
    return 0.5 * (_terms(total, joint) - own[first] - own[second])


def _terms(count: Array, scatter: Array) -> Array:
    """n_k log |S_k|."""
    return count * _log_determinants(scatter / count[:, None, None])


def merge_costs(count: Array, mean: Array, scatter: Array) -> Array:
    """Runnalls's cost of each merge: (K, K), infinite on and above the diagonal. Counts are positive."""
    costs = np.full((count.size, count.size), np.inf)
    own = _terms(count, scatter)
    first, second = np.tril_indices(count.size, -1)
    together = max(1, MOST_NUMBERS // scatter[0].size)
    for begin in range(0, first.size, together):
        pairs = first[begin : begin + together], second[begin : begin + together]
        costs[pairs] = _costs(own, count, mean, scatter, *pairs)
    return costs


def reduce_to(n_components: int, weights: Array, means: Array, covariances: Array) -> tuple[Array, Array, Array]:
    """Weights, means and dense covariances after merging the cheapest pair again and again; weights are positive."""
    scatter = weights[:, None, None] * covariances
    means, weights = means.copy(), weights.copy()
    costs = merge_costs(weights, means, scatter)
    while weights.size > n_components:
        second, first = divmod(int(costs.argmin()), weights.size)
        total, mean, joint = merged(weights, means, scatter, np.array([first]), np.array([second]))
        weights[first], means[first], scatter[first] = total[0], mean[0], joint[0]
        weights, means, scatter = (np.delete(part, second, axis=0) for part in (weights, means, scatter))
        costs = np.delete(np.delete(costs, second, axis=0), second, axis=1)
        others = np.delete(np.arange(weights.size), first)
        renewed = _costs(_terms(weights, scatter), weights, means, scatter, np.full(others.size, first), others)
        costs[first, :first], costs[first + 1 :, first] = renewed[:first], renewed[first:]
    return weights, means, scatter / weights[:, None, None]


def _log_determinants(covariances: Array) -> NDArray[np.float64]:
    """log |S_k|; a singular one counts as one rounding error of its trace along what it lacks."""
    n_features = covariances.shape[-1]
    ridge = EPSILON * np.trace(covariances, axis1=1, axis2=2) + SMALLEST
    return np.linalg.slogdet(covariances + ridge[:, None, None] * np.eye(n_features))[1]
