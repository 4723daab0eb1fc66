"""Hard partitions around centres: k-means, k-means++ seeds alone, or random rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.initialization.seeding import seeds
from mixtura.shape import Array

__all__ = ["k_means", "k_means_plus_plus", "nearest", "random_from_data"]

MAX_LLOYD_STEPS = 50  # EM goes on from here: a k-means that has nearly settled is enough


def k_means(rows: Array, weights: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """The partition of Lloyd's algorithm from k-means++ seeds (Arthur and Vassilvitskii 2007)."""
    centers = seeds(rows, weights, n_components, 1, rng)[0][0]
    labels = nearest(rows, centers)
    for _ in range(MAX_LLOYD_STEPS):
        membership = _membership(labels, weights, n_components)
        count = membership.sum(axis=0)
        filled = count > 0
        centers[filled] = (membership.T @ rows)[filled] / count[filled, None]
        moved = nearest(rows, centers)
        if np.array_equal(moved, labels):
            break
        labels = moved
    return _membership(labels, np.ones_like(weights), n_components)


def k_means_plus_plus(rows: Array, weights: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """The partition around k-means++ seeds, without moving them."""
    labels = nearest(rows, seeds(rows, weights, n_components, 1, rng)[0][0])
    return _membership(labels, np.ones_like(weights), n_components)


def random_from_data(rows: Array, weights: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """The partition around rows drawn at random, with their weights, without replacement."""
    positive = min(n_components, rows.shape[0])
    keys = rng.exponential(size=rows.shape[0]) / weights
    labels = nearest(rows, rows[np.argpartition(keys, positive - 1)[:positive]])
    return _membership(labels, np.ones_like(weights), n_components)


def nearest(rows: Array, centers: Array) -> NDArray[np.intp]:
    """Index of the nearest centre (K, D) for each row (n, D)."""
    # ||x||^2 is common to all centres; standardised rows keep the expansion accurate enough to choose
    norms = np.einsum("kd,kd->k", centers, centers)
    return np.asarray((norms - 2.0 * (rows @ centers.T)).argmin(axis=1))


def _membership(labels: NDArray[np.intp], weights: Array, n_components: int) -> Array:
    membership = np.zeros((labels.size, n_components))
    membership[np.arange(labels.size), labels] = weights
    return membership
