"""Hard partitions around centres: k-means, k-means++ seeds alone, or random rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array

__all__ = ["k_means", "k_means_plus_plus", "nearest", "random_from_data", "seeds"]

MAX_LLOYD_STEPS = 50  # EM goes on from here: a k-means that has nearly settled is enough


def k_means(rows: Array, weights: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """The partition of Lloyd's algorithm from k-means++ seeds (Arthur and Vassilvitskii 2007)."""
    centers = seeds(rows, weights, n_components, rng)
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
    labels = nearest(rows, seeds(rows, weights, n_components, rng))
    return _membership(labels, np.ones_like(weights), n_components)


def random_from_data(rows: Array, weights: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """The partition around rows drawn at random, with their weights, without replacement."""
    positive = min(n_components, rows.shape[0])
    keys = rng.exponential(size=rows.shape[0]) / weights
    labels = nearest(rows, rows[np.argpartition(keys, positive - 1)[:positive]])
    return _membership(labels, np.ones_like(weights), n_components)


def seeds(rows: Array, weights: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """Greedy k-means++ seeds: (K, D).

    Each seed is the best of 2 + log K candidates drawn with probability
    proportional to weight times squared distance to the seeds so far.
    """
    candidates = 2 + int(np.log(n_components))
    centers = np.empty((n_components, rows.shape[1]))
    centers[0] = rows[_draw(weights, rng.uniform(size=1))[0]]
    distances = np.square(rows - centers[0]).sum(axis=1)
    for k in range(1, n_components):
        chosen = _draw(weights * distances, rng.uniform(size=candidates))
        trial = np.minimum(distances, _squared_distances(rows[chosen], rows))
        best = int((trial @ weights).argmin())
        centers[k], distances = rows[chosen[best]], trial[best]
    return centers


def nearest(rows: Array, centers: Array) -> NDArray[np.intp]:
    """Index of the nearest centre (K, D) for each row (n, D)."""
    # ||x||^2 is common to all centres; standardised rows keep the expansion accurate enough to choose
    norms = np.einsum("kd,kd->k", centers, centers)
    return np.asarray((norms - 2.0 * (rows @ centers.T)).argmin(axis=1))


def _squared_distances(points: Array, rows: Array) -> Array:
    """(m, n) squared distances."""
    return np.stack([np.square(rows - point).sum(axis=1) for point in points])


def _draw(mass: Array, uniforms: Array) -> NDArray[np.intp]:
    """Rows drawn in proportion to their mass, by inverting the cumulative sum.

    The draw depends on the cumulative weight only, so a row of weight two is as
    two rows of weight one.
    """
    cumulative = np.cumsum(mass)
    if cumulative[-1] <= 0:  # fewer distinct rows than components
        cumulative = np.arange(1.0, mass.size + 1.0)
    return np.minimum(np.searchsorted(cumulative, uniforms * cumulative[-1], side="right"), mass.size - 1)


def _draw_each(mass: Array, uniforms: Array) -> NDArray[np.intp]:
    """`_draw` for several rows of mass (S, n) and uniforms (S, m) at once."""
    cumulative = np.cumsum(mass, axis=1)
    cumulative[cumulative[:, -1] <= 0] = np.arange(1.0, mass.shape[1] + 1.0)
    # one search for all: each row of cumulative masses, as shares, moved into its own unit interval
    ahead = np.arange(mass.shape[0])[:, None]
    shares = cumulative / cumulative[:, -1:] + ahead
    found = np.searchsorted(shares.ravel(), (uniforms + ahead).ravel(), side="right").reshape(uniforms.shape)
    return np.minimum(found - ahead * mass.shape[1], mass.shape[1] - 1)


def _membership(labels: NDArray[np.intp], weights: Array, n_components: int) -> Array:
    membership = np.zeros((labels.size, n_components))
    membership[np.arange(labels.size), labels] = weights
    return membership


def many_seeds(
    rows: Array, weights: Array, n_components: int, n_starts: int, rng: np.random.RandomState
) -> tuple[Array, Array]:
    """Several sets of greedy k-means++ seeds at once: (S, K, D), and the mean squared distance of the rows (S,)."""
    candidates = 2 + int(np.log(n_components))
    n_rows, n_features = rows.shape
    centers = np.empty((n_starts, n_components, n_features))
    norms = np.einsum("nd,nd->n", rows, rows)
    distances = np.full((n_starts, n_rows), np.inf)
    every = np.arange(n_starts)
    for k in range(n_components):
        mass = np.broadcast_to(weights, distances.shape) if k == 0 else distances * weights
        wanted = 1 if k == 0 else candidates
        chosen = _draw_each(mass, rng.uniform(size=(n_starts, wanted)))
        points = rows[chosen.ravel()]
        # the expanded square keeps this one matrix product; what it rounds to below zero is a row on its seed
        apart = points @ rows.T
        apart *= -2.0
        apart += norms
        apart += np.einsum("pd,pd->p", points, points)[:, None]
        trial = np.maximum(apart, 0.0, out=apart).reshape(n_starts, wanted, n_rows)
        np.minimum(distances[:, None, :], trial, out=trial)
        best = (trial @ weights).argmin(axis=1)
        centers[:, k] = rows[chosen[every, best]]
        distances = trial[every, best]
    return centers, distances @ weights / weights.sum()
