"""Axis-aligned models: features independent within a component."""

from __future__ import annotations

import numpy as np

from mixtura.covariance.model import Decomposed
from mixtura.covariance.volumes import equal_volume, proportional, spread_along_axes, with_ridge
from mixtura.shape import DIAGONAL, Array

__all__ = ["EEI", "EVI", "VEI", "VVI"]


class EEI(Decomposed):
    """One axis-aligned ellipsoid for all: Sigma_k = lambda B (Celeux and Govaert 1995, section 4.2)."""

    name = "EEI"
    shape = DIAGONAL
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        return np.tile(np.add.reduce(scatter) / count.sum(), (count.size, 1))


class VEI(Decomposed):
    """Axis-aligned ellipsoids of one shape: Sigma_k = lambda_k B (Celeux and Govaert 1995, section 4.2)."""

    name = "VEI"
    shape = DIAGONAL
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        variances = with_ridge(scatter / count[:, None])
        sizes = None if previous is None else previous.mean(axis=1)
        volumes, common = proportional(count, variances, variances.mean(axis=1), sizes, spread_along_axes)
        return np.multiply.outer(volumes, common)


class EVI(Decomposed):
    """Axis-aligned ellipsoids of one volume: Sigma_k = lambda B_k (Celeux and Govaert 1995, section 4.2)."""

    name = "EVI"
    shape = DIAGONAL
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        variances = scatter / count[:, None]
        volume, factors = equal_volume(count, variances)
        return np.where(factors[:, None] > 0, factors[:, None] * variances, volume)


class VVI(Decomposed):
    """Axis-aligned ellipsoids of their own volume and shape: Sigma_k = lambda_k B_k (Celeux and Govaert 1995, 4.2)."""

    name = "VVI"
    shape = DIAGONAL
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        return scatter / count[:, None]
