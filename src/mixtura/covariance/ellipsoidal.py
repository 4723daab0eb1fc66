"""Models that every linear map of the features leaves as they are."""

from __future__ import annotations

import numpy as np

from mixtura.covariance.model import Decomposed
from mixtura.covariance.volumes import RIDGE, equal_volume, proportional, spread_of_matrices
from mixtura.shape import FULL, TIED, Array

__all__ = ["EEE", "EVV", "VEE", "VVV"]


class EEE(Decomposed):
    """One ellipsoid for all: Sigma_k = Sigma (Celeux and Govaert 1995, section 4.1)."""

    name = "EEE"
    shape = TIED
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        return scatter / count.sum()


class VEE(Decomposed):
    """Ellipsoids that differ in volume only: Sigma_k = lambda_k C (Celeux and Govaert 1995, section 4.1)."""

    name = "VEE"
    shape = FULL
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        covariances = scatter / count[:, None, None]
        sizes = np.trace(covariances, axis1=1, axis2=2) / n_features
        previous_sizes = None if previous is None else np.trace(previous, axis1=1, axis2=2)
        try:
            volumes, common = proportional(count, covariances, sizes, previous_sizes, spread_of_matrices)
        except np.linalg.LinAlgError:
            return self._nearly_singular(count, covariances, sizes)
        return np.multiply.outer(volumes, 0.5 * (common + common.T))

    @staticmethod
    def _nearly_singular(count: Array, covariances: Array, sizes: Array) -> Array:
        """For components that all lie in one hyperplane, or extrapolated statistics, which are moments of no data."""
        ridge = np.multiply.outer(RIDGE * np.abs(sizes), np.eye(covariances.shape[-1]))
        try:
            volumes, common = proportional(count, covariances + ridge, sizes, None, spread_of_matrices)
        except np.linalg.LinAlgError:
            return covariances
        return np.multiply.outer(volumes, 0.5 * (common + common.T))


class EVV(Decomposed):
    """Ellipsoids of one volume: Sigma_k = lambda C_k (Celeux and Govaert 1995, section 4.1)."""

    name = "EVV"
    shape = FULL
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        covariances = scatter / count[:, None, None]
        volume, factors = equal_volume(count, np.asarray(np.linalg.eigvalsh(covariances), dtype=np.float64))
        factors = factors[:, None, None]
        return np.where(factors > 0, factors * covariances, volume * np.eye(n_features))


class VVV(Decomposed):
    """An ellipsoid of its own for each: Sigma_k unconstrained (Celeux and Govaert 1995, section 4.1)."""

    name = "VVV"
    shape = FULL
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        return scatter / count[:, None, None]
