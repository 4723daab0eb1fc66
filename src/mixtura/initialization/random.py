"""Random responsibilities: every row shared at random."""

from __future__ import annotations

import numpy as np

from mixtura.shape import Array

__all__ = ["random"]


def random(rows: Array, weights: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """Uniform responsibilities, normalised: all components start near the overall mean."""
    shares = rng.uniform(size=(rows.shape[0], n_components))
    return shares / shares.sum(axis=1, keepdims=True)
