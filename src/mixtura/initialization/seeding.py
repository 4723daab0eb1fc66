"""Seeding: rows that lie far apart, drawn by greedy k-means++ (Arthur and Vassilvitskii 2007, section 4.2).

`seeds` is what starts are made from: compiled where the native kernel is
installed, else `seed`, which is also the oracle that it is tested against.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array

__all__ = ["seed", "seeds"]


def seeds(
    rows: Array, weights: Array, n_components: int, n_starts: int, rng: np.random.RandomState, n_threads: int = 1
) -> tuple[Array, Array]:
    """Several sets of seeds of rows (n, D): (S, K, D), and the mean squared distance of the rows to the nearest (S,).

    Each seed is the best of 2 + log K candidates drawn with probability
    proportional to weight times squared distance to the seeds so far. The draw
    inverts the cumulative weight, so that a row of weight two is as two rows.
    Compiled, the sets are shared among threads.
    """
    first = rng.uniform(size=n_starts)
    rest = rng.uniform(size=(n_components - 1, n_starts, 2 + int(np.log(n_components))))
    chosen = np.empty((n_starts, n_components), dtype=np.int64)
    given = np.ascontiguousarray(rows), np.ascontiguousarray(weights), first, rest, chosen
    compiled = _compiled()
    spread = seed(*given) if compiled is None else compiled(*given, n_threads)
    return rows[chosen], spread


@lru_cache(maxsize=1)
def _compiled() -> Any | None:
    """What does the same as `seed`, where there is one that this processor can run."""
    try:
        from mixtura import _native
    except ImportError:
        return None
    return _native.seed if _native.levels() else None


def seed(rows: Array, weights: Array, first: Array, rest: Array, chosen: NDArray[np.int64]) -> Array:
    """What the compiled one does, in NumPy; ``first`` (S,) and ``rest`` (K - 1, S, candidates) are uniform draws."""
    spread = np.empty(len(first))
    for s, begin in enumerate(first):
        distances = np.full(len(rows), np.inf)
        mass = weights
        for k, uniforms in enumerate([np.array([begin]), *rest[:, s]]):
            candidates = _draw(mass, uniforms)
            trial = np.minimum(distances, _squared_distances(rows[candidates], rows))
            best = int((trial @ weights).argmin())
            chosen[s, k], distances = candidates[best], trial[best]
            mass = weights * distances
        spread[s] = distances @ weights / weights.sum()
    return spread


def _draw(mass: Array, uniforms: Array) -> NDArray[np.intp]:
    """Rows drawn in proportion to their mass, by inverting the cumulative sum."""
    cumulative = np.cumsum(mass)
    if not cumulative[-1] > 0:  # fewer distinct rows than components
        cumulative = np.arange(1.0, mass.size + 1.0)
    return np.minimum(np.searchsorted(cumulative, uniforms * cumulative[-1], side="right"), mass.size - 1)


def _squared_distances(points: Array, rows: Array) -> Array:
    """(m, n) squared distances."""
    return np.stack([np.square(rows - point).sum(axis=1) for point in points])
