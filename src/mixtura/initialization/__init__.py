"""Initialization: a rack of ways to give rows to components before the first E-step.

Each is a function ``(rows, weights, n_components, rng) -> responsibilities`` of
standardised rows (n, D) and positive weights (n,), returning (n, K).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mixtura.initialization.hierarchical import hierarchical as model_based
from mixtura.initialization.hierarchical import hierarchical_vii, ward
from mixtura.initialization.k_means import k_means, k_means_plus_plus, random_from_data
from mixtura.initialization.random import random
from mixtura.shape import Array

__all__ = ["DETERMINISTIC", "INITIALIZERS", "SEEDED", "Initializer", "initializer"]

Initializer = Callable[[Array, Array, int, np.random.RandomState], Array]

INITIALIZERS: dict[str, Initializer] = {
    "kmeans": k_means,
    "k-means++": k_means_plus_plus,
    "random": random,
    "random_from_data": random_from_data,
    "hierarchical": model_based,
    "hierarchical_vii": hierarchical_vii,
    "ward": ward,
}

#: Those that begin with k-means++ seeds. A search takes seeds alone: EM moves them as well as k-means does.
SEEDED = ("kmeans", "k-means++")

#: Those that draw nothing: one start says all.
DETERMINISTIC = ("hierarchical", "ward")


def initializer(name: str) -> Initializer:
    """The initialisation of that name.

    Raises
    ------
    ValueError
        If there is none; the message lists those there are.
    """
    if name not in INITIALIZERS:
        raise ValueError(f"init_params must be one of {', '.join(INITIALIZERS)}; got {name!r}")
    return INITIALIZERS[name]
