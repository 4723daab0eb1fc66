"""Agglomeration: from every row alone to one group, the cheapest merge of all pairs first.

`merges_of` is what the tree is built with: compiled where the native kernel is
installed, else `agglomerate`, which is also the oracle that it is tested against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array

__all__ = ["CRITERIA", "Groups", "agglomerate", "merges_of"]

#: What a merge costs: the increase of the squares (Ward), or of the logarithms of determinants or traces.
CRITERIA = ("EII", "VVV", "VII")

#: Costs this close, relative, count as equal, and the first rows are merged: tied rows (data are rounded) would
#: otherwise be merged in an order that rounding decides.
TIE = 1e-9


def merges_of(rows: Array, weights: Array, criterion: str, prior: float) -> NDArray[np.int64]:
    """Merges (n - 1, 2) of distinct rows (n, D) with positive weights (n,).

    Each merge names two groups by their lowest rows, the lower one first; the
    union goes by that one.
    """
    try:
        from mixtura._native import agglomerate as compiled
    except ImportError:
        return agglomerate(rows, weights, criterion, prior)
    merges = np.empty((len(rows) - 1, 2), dtype=np.int64)
    compiled(np.ascontiguousarray(rows), np.ascontiguousarray(weights), CRITERIA.index(criterion), prior, merges)
    return merges


def agglomerate(rows: Array, weights: Array, criterion: str, prior: float) -> NDArray[np.int64]:
    """What `merges_of` returns, in NumPy."""
    groups = Groups(rows, weights, criterion, prior)
    n_rows = len(rows)
    costs = np.full((n_rows, n_rows), np.inf)
    for i in range(n_rows):  # exactly symmetric, so that either row of a pair tells its cost
        costs[i, i + 1 :] = costs[i + 1 :, i] = groups.costs(i, np.arange(i + 1, n_rows))
    best = costs.min(axis=1)
    merges = np.empty((n_rows - 1, 2), dtype=np.int64)
    for step in range(n_rows - 1):
        i, j = merges[step] = _cheapest(costs, best, slack=0.0 if criterion == "EII" else 1.0)
        groups.merge(i, j)
        touched = np.isfinite(best) & (np.minimum(costs[i], costs[j]) <= best)  # their best partner may be gone
        costs[j] = costs[:, j] = np.inf
        others = np.flatnonzero(np.isfinite(costs[i]))
        costs[i, others] = costs[others, i] = groups.costs(i, others)
        best = np.minimum(best, costs[i])
        touched[[i, j]] = True
        best[touched] = costs[touched].min(axis=1)
    return merges


def _cheapest(costs: Array, best: Array, slack: float) -> tuple[int, int]:
    """The first pair, in order, whose cost is the least but for rounding."""
    least = best.min()
    limit = least + TIE * (slack + abs(least))
    i = int((best <= limit).argmax())
    return i, int((costs[i] <= limit).argmax())


@dataclass(eq=False)
class Groups:
    """Weight, mean and scatter of every group, at the index of its lowest row.

    With n the weight and W the scatter of a group, the criteria sum over groups

    - ``EII``: ``trace(W)``, Ward's (1963), the classification likelihood's for
      balls of equal size;
    - ``VII``: ``n log((trace(W) + p) / n)``, that for balls of their own size, with
      Fraley's (1998) constant for groups of one row;
    - ``VVV``: ``(n + p) log|(W + p I) / (n + p)|``, the classification
      likelihood's for free covariances (Scott and Symons 1971; Murtagh and Raftery
      1984; Fraley 1998) where each group has p rows more than its own, of covariance I: the
      mode under a Wishart prior (Fraley and Raftery 2007) without its constants.
      A group of few rows has no finite optimum of its own. Fraley adds traces to
      the determinant instead, which outweigh it the more, the more dimensions there are.
    """

    rows: Array
    weights: Array
    criterion: str
    prior: float

    def __post_init__(self) -> None:
        n_rows, n_features = self.rows.shape
        self.weight, self.mean = self.weights.astype(np.float64), self.rows.astype(np.float64)
        if self.criterion != "EII":
            self._prior_scatter = self.prior * (np.eye(n_features) if self.criterion == "VVV" else np.ones(()))
            # with the prior's, which a union has once
            self.scatter = np.tile(self._prior_scatter, (n_rows, *[1] * self._prior_scatter.ndim))
            self.term = self._term(self.weight, self.scatter)

    def _term(self, weight: Array, scatter: Array) -> Array:
        """The criterion's term of weights (...) and scatters, (..., D, D) or their traces, with the prior's."""
        if self.criterion == "VII":
            return np.asarray(weight * np.log(scatter / weight))
        total = weight + self.prior
        return np.asarray(total * (np.linalg.slogdet(scatter)[1] - scatter.shape[-1] * np.log(total)))

    def _between(self, lever: Array, difference: Array) -> Array:
        """Scatters between pairs of groups, or their traces, from differences (m, D) of the means."""
        if self.criterion == "VVV":
            return np.asarray(lever[:, None, None] * difference[:, :, None] * difference[:, None, :])
        return np.asarray(lever * np.einsum("md,md->m", difference, difference))

    def costs(self, i: int, others: NDArray[np.intp]) -> Array:
        """What merging group i with each of the others (m,) adds to the criterion."""
        total = self.weight[others] + self.weight[i]
        between = self._between(self.weight[others] * self.weight[i] / total, self.mean[i] - self.mean[others])
        if self.criterion == "EII":
            return between
        union = self.scatter[others] + (self.scatter[i] - self._prior_scatter) + between
        return np.asarray(self._term(total, union) - self.term[others] - self.term[i])

    def merge(self, i: int, j: int) -> None:
        """Group i becomes the union of i and j."""
        total = self.weight[i] + self.weight[j]
        difference = self.mean[i] - self.mean[j]
        if self.criterion != "EII":
            lever = np.array([self.weight[i] * self.weight[j] / total])
            self.scatter[i] += self.scatter[j] - self._prior_scatter + self._between(lever, difference[None])[0]
            self.term[i] = self._term(total, self.scatter[i])
        self.mean[i] -= self.weight[j] / total * difference
        self.weight[i] = total
