"""Fewer components: pairs merged, the least loss first, with the mixture's moments kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array

__all__ = ["merge_costs", "merged", "reduce_to"]


def merged(
    count: Array, mean: Array, scatter: Array, first: int, others: NDArray[np.intp]
) -> tuple[Array, Array, Array]:
    """Counts, means and scatters of one component merged with each of others: their moments together."""
    total = count[first] + count[others]
    apart = mean[others] - mean[first]
    between = (count[first] * count[others] / total)[:, None, None] * apart[:, :, None] * apart[:, None, :]
    return total, mean[first] + (count[others] / total)[:, None] * apart, scatter[first] + scatter[others] + between


def _costs_with(count: Array, mean: Array, scatter: Array, first: int, others: NDArray[np.intp]) -> Array:
    """Bound on the log likelihood that merging one component with each of others loses (Runnalls 2007, eq. 16)."""
    total, _, joint = merged(count, mean, scatter, first, others)
    after = total * _log_determinants(joint / total[:, None, None])
    own = count[others] * _log_determinants(scatter[others] / count[others, None, None])
    mine = count[first] * _log_determinants(scatter[[first]] / count[first])[0]
    return np.asarray(0.5 * (after - mine - own))


def merge_costs(count: Array, mean: Array, scatter: Array) -> Array:
    """Runnalls's cost of each merge: (K, K), infinite on and above the diagonal. Counts are positive."""
    costs = np.full((count.size, count.size), np.inf)
    for i in range(1, count.size):
        costs[i, :i] = _costs_with(count, mean, scatter, i, np.arange(i))
    return costs


def reduce_to(n_components: int, weights: Array, means: Array, covariances: Array) -> tuple[Array, Array, Array]:
    """Weights, means and dense covariances after merging the cheapest pair again and again; weights are positive."""
    scatter = weights[:, None, None] * covariances
    means, weights = means.copy(), weights.copy()
    costs = merge_costs(weights, means, scatter)
    while weights.size > n_components:
        second, first = divmod(int(costs.argmin()), weights.size)
        total, mean, joint = merged(weights, means, scatter, first, np.array([second]))
        weights[first], means[first], scatter[first] = total[0], mean[0], joint[0]
        weights, means, scatter = (np.delete(part, second, axis=0) for part in (weights, means, scatter))
        costs = np.delete(np.delete(costs, second, axis=0), second, axis=1)
        others = np.delete(np.arange(weights.size), first)
        renewed = _costs_with(weights, means, scatter, first, others)
        costs[first, :first], costs[first + 1 :, first] = renewed[:first], renewed[first:]
    return weights, means, scatter / weights[:, None, None]


def _log_determinants(covariances: Array) -> NDArray[np.float64]:
    """log |S_k|; a singular one counts as one rounding error of its trace along what it lacks."""
    n_features = covariances.shape[-1]
    ridge = np.finfo(np.float64).eps * np.trace(covariances, axis1=1, axis2=2) + np.finfo(np.float64).tiny
    return np.linalg.slogdet(covariances + ridge[:, None, None] * np.eye(n_features))[1]
