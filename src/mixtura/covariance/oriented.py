"""Models that share a shape or an orientation: every rotation of the features leaves them, scaling does not."""

from __future__ import annotations

import numpy as np

from mixtura.covariance.model import Decomposed
from mixtura.covariance.orientation import Objective, common_orientation, equal_volumes, free_volumes
from mixtura.covariance.volumes import equal_volume, proportional, spread_along_axes, with_ridge
from mixtura.shape import FULL, Array

__all__ = ["EEV", "EVE", "VEV", "VVE"]


class EEV(Decomposed):
    """Ellipsoids that differ in orientation only: Sigma_k = lambda Q_k A Q_k^T (Celeux and Govaert 1995, 4.1)."""

    name = "EEV"
    shape = FULL
    unit_free = False

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        eigenvalues, vectors = np.linalg.eigh(scatter)
        common = np.add.reduce(eigenvalues) / count.sum()
        return _assemble(vectors, np.broadcast_to(common, eigenvalues.shape))


class VEV(Decomposed):
    """Ellipsoids of one shape: Sigma_k = lambda_k Q_k A Q_k^T (Celeux and Govaert 1995, section 4.1).

    Given any shape with axes in ascending order, the best orientation takes
    the eigenvectors of the scatter in that order, so volumes and shape are
    those of VEI with the eigenvalues as variances.
    """

    name = "VEV"
    shape = FULL
    unit_free = False

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        eigenvalues, vectors = np.linalg.eigh(scatter / count[:, None, None])
        variances = with_ridge(eigenvalues)
        sizes = None if previous is None else np.trace(previous, axis1=1, axis2=2)
        volumes, common = proportional(count, variances, variances.mean(axis=1), sizes, spread_along_axes)
        return _assemble(vectors, np.multiply.outer(volumes, common))


class EVE(Decomposed):
    """Ellipsoids of one volume and orientation: Sigma_k = lambda Q A_k Q^T (Celeux and Govaert 1995, section 4.1)."""

    name = "EVE"
    shape = FULL
    unit_free = False

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        vectors, variances = _along_common_axes(equal_volumes, count, scatter, previous)
        volume, factors = equal_volume(count, variances)
        return _assemble(vectors, np.where(factors[:, None] > 0, factors[:, None] * variances, volume))


class VVE(Decomposed):
    """Ellipsoids of one orientation: Sigma_k = lambda_k Q A_k Q^T (Flury 1984; Celeux and Govaert 1995, 4.1)."""

    name = "VVE"
    shape = FULL
    unit_free = False

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        vectors, variances = _along_common_axes(free_volumes, count, scatter, previous)
        return _assemble(vectors, variances)


def _along_common_axes(
    objective: Objective, count: Array, scatter: Array, previous: Array | None
) -> tuple[Array, Array]:
    """The best common orientation (D, D), and each component's variances (K, D) along its axes."""
    covariances = scatter / count[:, None, None]
    vectors = common_orientation(objective, count, covariances, previous)
    return vectors, np.einsum("ij,kil,lj->kj", vectors, covariances, vectors, optimize=True)


def _assemble(vectors: Array, variances: Array) -> Array:
    """Q diag(variances_k) Q^T, exactly symmetric: (K, D, D)."""
    product = (vectors * variances[:, None, :]) @ np.swapaxes(vectors, -1, -2)
    return 0.5 * (product + np.swapaxes(product, -1, -2))
