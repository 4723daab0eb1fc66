"""Merging: from the components that fit a density to the clusters that a reader would count.

BIC chooses as many components as the density needs; a cluster that is not
Gaussian takes several of them. Merging those that overlap most keeps the density
and lowers the entropy of the classification (Baudry, Raftery, Celeux, Lo and
Gottardo 2010).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from mixtura.estimators.base import check_is_fitted, check_weights
from mixtura.shape import Array

__all__ = ["Merging", "merge_components"]


@dataclass(frozen=True, eq=False)
class Merging:
    """Components merged into ever fewer clusters, from K down to one.

    Attributes
    ----------
    n_clusters : array of shape (K,)
        1, 2, ..., K.
    entropy : array of shape (K,)
        Entropy of the soft classification of the rows with that many clusters.
    merges : tuple of (int, int)
        The K - 1 merges, from K clusters down: cluster ``b`` joins ``a < b``,
        and the clusters after ``b`` move down by one.
    assignments : array of shape (K, K)
        Row ``m - 1`` holds the cluster of each component where there are m.
    suggested : int
        Number of clusters at the elbow of the entropy's curve.
    estimator : fitted estimator
        Whose components were merged.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianMixture, merge_components
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.uniform(-1, 1, (300, 1)), rng.normal(6, 0.5, (300, 1)), rng.normal(12, 0.5, (300, 1))])
    >>> model = GaussianMixture(4, random_state=0).fit(X)
    >>> merging = merge_components(model, X)
    >>> merging.suggested
    3
    >>> np.bincount(merging.predict(X)).tolist()
    [300, 300, 300]
    """

    n_clusters: NDArray[np.intp]
    entropy: Array
    merges: tuple[tuple[int, int], ...]
    assignments: NDArray[np.intp]
    suggested: int
    estimator: Any = field(repr=False)

    @property
    def columns(self) -> dict[str, Any]:
        """Columns for a table of the curve: ``pandas.DataFrame(merging.columns)``."""
        return {"n_clusters": self.n_clusters, "entropy": self.entropy}

    def clusters(self, n_clusters: int | None = None) -> NDArray[np.intp]:
        """The cluster of each component (K,), where there are ``n_clusters``; the suggested number by default.

        Raises
        ------
        ValueError
            If the number is not between 1 and K.
        """
        number = self.suggested if n_clusters is None else n_clusters
        if number not in self.n_clusters:
            raise ValueError(f"n_clusters must be between 1 and {self.n_clusters[-1]}; got {n_clusters!r}")
        return self.assignments[number - 1]

    def predict_proba(self, X: Any, n_clusters: int | None = None) -> Array:
        """Probability of each cluster for each row (n, m): the sum of its components' responsibilities."""
        clusters = self.clusters(n_clusters)
        # what a model adds after its components, a noise component, is left out: it is no cluster
        shares = self.estimator.predict_proba(X)[:, : clusters.size]
        return shares @ np.eye(clusters.max() + 1)[clusters]

    def predict(self, X: Any, n_clusters: int | None = None) -> NDArray[np.intp]:
        """Most probable cluster of each row (n,)."""
        return np.asarray(self.predict_proba(X, n_clusters).argmax(axis=1))


def merge_components(estimator: Any, X: Any, sample_weight: ArrayLike | None = None) -> Merging:
    """Merge the components of a fitted mixture one pair at a time, always the pair that lowers entropy most.

    Parameters
    ----------
    estimator : fitted estimator
        With ``predict_proba``.
    X : array or data frame of shape (N, D)
        Rows over which the entropy is taken: those of the fit.
    sample_weight : array of shape (N,), optional

    Returns
    -------
    Merging

    Notes
    -----
    The entropy of clusters with probabilities t is ``-sum_nk t_nk log t_nk``
    (Baudry et al. 2010, eq. 7); merging a and b lowers it by
    ``sum_n (t_a + t_b) log(t_a + t_b) - t_a log t_a - t_b log t_b >= 0``.
    The suggested number is where two straight lines meet that fit the curve
    with the least squares (their section 4, a piecewise linear regression with
    one break). That asks for three components; of fewer, all are kept.

    Examples
    --------
    >>> import mixtura
    >>> from mixtura.datasets import load_old_faithful
    >>> data = load_old_faithful().data
    >>> model = mixtura.GaussianMixture(3, covariance_type="tied", random_state=0).fit(data)
    >>> mixtura.merge_components(model, data).suggested
    2
    """
    check_is_fitted(estimator)
    shares = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    weights = check_weights(sample_weight, shares.shape[0])
    weights = np.ones(shares.shape[0]) if weights is None else weights
    number = estimator.mixture_.n_components
    shares, assignment = shares[:, :number], np.arange(number)
    entropy, merges, assignments = [_entropy(shares, weights)], [], [assignment]
    while shares.shape[1] > 1:
        a, b = _closest(shares, weights)
        shares = np.delete(shares, b, axis=1) + np.eye(shares.shape[1] - 1)[a] * shares[:, [b]]
        assignment = np.where(assignment == b, a, assignment - (assignment > b))
        merges.append((a, b))
        assignments.append(assignment)
        entropy.append(_entropy(shares, weights))
    curve = np.array(entropy[::-1])
    return Merging(
        np.arange(1, number + 1), curve, tuple(merges), np.array(assignments[::-1]), elbow(curve), estimator
    )


def elbow(curve: Array) -> int:
    """Number of clusters, counted from 1, at the break of the best two straight lines through a curve (K,)."""
    number = curve.size
    if number < 3:
        return number
    x = np.arange(1.0, number + 1.0)
    misfits = [_misfit(x[:c], curve[:c]) + _misfit(x[c - 1 :], curve[c - 1 :]) for c in range(2, number)]
    return 2 + int(np.argmin(misfits))


def _misfit(x: Array, y: Array) -> float:
    """Sum of squares about the least-squares line."""
    centred = x - x.mean()
    slope = centred @ (y - y.mean()) / (centred @ centred)
    return float(np.square(y - y.mean() - slope * centred).sum())


def _entropy(shares: Array, weights: Array) -> float:
    return max(0.0, -float(weights @ xlogy(shares, shares).sum(axis=1)))


def _closest(shares: Array, weights: Array) -> tuple[int, int]:
    """The pair of clusters whose merging lowers the entropy most."""
    own = weights @ xlogy(shares, shares)
    best, pair = -np.inf, (0, 1)
    for a in range(shares.shape[1] - 1):
        together = shares[:, [a]] + shares[:, a + 1 :]
        gain = weights @ xlogy(together, together) - own[a] - own[a + 1 :]
        if gain.max() > best:
            best, pair = gain.max(), (a, a + 1 + int(gain.argmax()))
    return pair
