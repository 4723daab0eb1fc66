"""The four shapes that a covariance, a whitener or a second moment can take.

Covariance models, quadratic forms, sufficient statistics and kernels agree on
these four, so an engine written for four shapes serves every covariance model.
With K components and D features:

========== ================= ==================================================
shape      array             meaning
========== ================= ==================================================
FULL       (K, D, D)         one dense matrix per component
TIED       (D, D)            one dense matrix shared by all components
DIAGONAL   (K, D)            one axis-aligned ellipsoid per component
SPHERICAL  (K,)              one sphere per component
========== ================= ==================================================

A whitener ``U`` of a covariance ``S`` satisfies ``U @ U.T == inv(S)``; it is
computed as the transposed inverse of the Cholesky factor, never from ``inv(S)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtri

Array = NDArray[np.float64]

#: More triangles than this, times their size, are faster to invert side by side than one by one.
LAPACK_CALLS = 8

#: Numbers in triangles that are inverted side by side: what that takes beside them stays in the cache.
TOGETHER = 1 << 15

__all__ = ["Array", "DIAGONAL", "FULL", "SHAPES", "SPHERICAL", "Shape", "TIED"]


class Shape(ABC):
    """What differs between dense, shared, axis-aligned and isotropic matrices."""

    name: str
    code: int  # the number by which the native kernel knows the shape

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.name  # pickles as the module's constant: identity is kept

    @abstractmethod
    def array_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Shape of the array that holds K such matrices."""

    @abstractmethod
    def whiten(self, covariances: Array) -> Array:
        """Whiteners of covariances; raises numpy.linalg.LinAlgError if one is not positive definite."""

    @abstractmethod
    def log_determinant(self, whitener: Array, n_features: int) -> Array:
        """log |U_k|: (K,), or (1,) where one matrix is shared."""

    @abstractmethod
    def squared_norm(self, whitener: Array, n_features: int) -> Array:
        """||U_k||_F^2, an upper bound of the largest eigenvalue of the precision: (K,) or (1,)."""

    @abstractmethod
    def project(self, centred: Array, whitener: Array, component: int) -> Array:
        """(n, D) deviations from a component's centre, whitened."""

    @abstractmethod
    def dense(self, matrices: Array, n_components: int, n_features: int) -> Array:
        """The same matrices as a (K, D, D) array."""

    @abstractmethod
    def compress(self, matrices: Array) -> Array:
        """What this shape keeps of (K, D, D) second moments: their sum, their diagonals or their traces."""

    @abstractmethod
    def rescale(self, covariances: Array, scale: Array) -> Array:
        """Covariances of features multiplied by ``scale`` (D,)."""

    @abstractmethod
    def take(self, matrices: Array, components: NDArray[np.intp]) -> Array:
        """The matrices of some components."""

    @abstractmethod
    def select(self, matrices: Array, features: NDArray[np.intp]) -> Array:
        """The blocks of some features, in the order given."""

    @abstractmethod
    def outer(self, left: Array, right: Array) -> Array:
        """left_k right_k^T for (K, D) vectors, in this shape (summed over k where shared)."""

    @abstractmethod
    def weighted_outer(self, centred: Array, responsibilities: Array, component: int) -> Array:
        """sum_r resp_r x_r x_r^T over (n, D) rows of one component, in one matrix of this shape."""

    @abstractmethod
    def floor(self, covariances: Array, minimum: float) -> Array:
        """The nearest covariances whose eigenvalues are at least ``minimum``.

        Clipping eigenvalues is the exact maximiser of the expected log
        likelihood under that constraint, so EM stays monotone (Ingrassia and
        Rocci 2007, section 3).
        """

    def precision(self, whitener: Array) -> Array:
        """Precisions from whiteners: U U^T, in this shape."""
        return np.square(whitener)

    def invert(self, precisions: Array) -> Array:
        """Covariances from precisions, by Cholesky; raises numpy.linalg.LinAlgError."""
        # the whitener of a precision P = L L^T is V = L^-T, and inv(P) = V V^T
        return self.precision(self.whiten(precisions))

    @property
    def shared(self) -> bool:
        """Whether one matrix serves all components."""
        return False


class _Full(Shape):
    name = "FULL"
    code = 0

    def array_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features, n_features)

    def whiten(self, covariances: Array) -> Array:
        factors: Array = np.asarray(np.linalg.cholesky(covariances), dtype=np.float64)
        if len(factors) > LAPACK_CALLS * factors.shape[-1]:
            together = max(1, TOGETHER // factors[0].size)
            for begin in range(0, len(factors), together):
                some = factors[begin : begin + together]
                some[:] = _transposed_inverses(some)
            return factors
        for k, factor in enumerate(factors):
            factors[k] = dtrtri(factor, lower=1)[0].T
        return factors

    def precision(self, whitener: Array) -> Array:
        return whitener @ np.swapaxes(whitener, -1, -2)

    def log_determinant(self, whitener: Array, n_features: int) -> Array:
        return np.add.reduce(np.log(whitener.diagonal(axis1=1, axis2=2)), axis=1)

    def squared_norm(self, whitener: Array, n_features: int) -> Array:
        return np.einsum("kij,kij->k", whitener, whitener)

    def project(self, centred: Array, whitener: Array, component: int) -> Array:
        return centred @ whitener[component]

    def dense(self, matrices: Array, n_components: int, n_features: int) -> Array:
        return matrices

    def compress(self, matrices: Array) -> Array:
        return matrices

    def rescale(self, covariances: Array, scale: Array) -> Array:
        return covariances * np.multiply.outer(scale, scale)

    def take(self, matrices: Array, components: NDArray[np.intp]) -> Array:
        return matrices[components]

    def select(self, matrices: Array, features: NDArray[np.intp]) -> Array:
        return matrices[:, features[:, None], features]

    def outer(self, left: Array, right: Array) -> Array:
        return left[:, :, None] * right[:, None, :]

    def weighted_outer(self, centred: Array, responsibilities: Array, component: int) -> Array:
        return (centred * responsibilities[:, None]).T @ centred

    def floor(self, covariances: Array, minimum: float) -> Array:
        least = minimum * np.eye(covariances.shape[-1])
        # what is left has a Cholesky factor where no eigenvalue is lower, and that costs a twentieth of them
        suspects = [k for k, matrix in enumerate(covariances) if not _is_above(matrix, least)]
        eigenvalues, vectors = np.linalg.eigh(covariances[suspects])
        clipped = np.maximum(eigenvalues, minimum)
        rebuilt = (vectors * clipped[..., None, :]) @ np.swapaxes(vectors, -1, -2)
        rebuilt = 0.5 * (rebuilt + np.swapaxes(rebuilt, -1, -2))
        low = eigenvalues[..., 0] < minimum
        floored: Array = covariances.copy()
        floored[suspects] = np.where(low[..., None, None], rebuilt, covariances[suspects])
        return floored


class _Tied(Shape):
    name = "TIED"
    code = 1

    def array_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_features, n_features)

    def whiten(self, covariances: Array) -> Array:
        return FULL.whiten(covariances[None])[0]

    def precision(self, whitener: Array) -> Array:
        return FULL.precision(whitener)

    def log_determinant(self, whitener: Array, n_features: int) -> Array:
        return FULL.log_determinant(whitener[None], n_features)

    def squared_norm(self, whitener: Array, n_features: int) -> Array:
        return FULL.squared_norm(whitener[None], n_features)

    def project(self, centred: Array, whitener: Array, component: int) -> Array:
        return centred @ whitener

    def dense(self, matrices: Array, n_components: int, n_features: int) -> Array:
        return np.broadcast_to(matrices, (n_components, n_features, n_features))

    def compress(self, matrices: Array) -> Array:
        return np.asarray(matrices.sum(axis=0))

    def rescale(self, covariances: Array, scale: Array) -> Array:
        return covariances * np.multiply.outer(scale, scale)

    def take(self, matrices: Array, components: NDArray[np.intp]) -> Array:
        return matrices

    def select(self, matrices: Array, features: NDArray[np.intp]) -> Array:
        return matrices[features[:, None], features]

    def outer(self, left: Array, right: Array) -> Array:
        return left.T @ right

    def weighted_outer(self, centred: Array, responsibilities: Array, component: int) -> Array:
        return FULL.weighted_outer(centred, responsibilities, component)

    def floor(self, covariances: Array, minimum: float) -> Array:
        return FULL.floor(covariances[None], minimum)[0]

    @property
    def shared(self) -> bool:
        return True


class _Diagonal(Shape):
    name = "DIAGONAL"
    code = 2

    def array_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features)

    def whiten(self, covariances: Array) -> Array:
        return _inverse_root(covariances)

    def log_determinant(self, whitener: Array, n_features: int) -> Array:
        return np.log(whitener).sum(axis=1)

    def squared_norm(self, whitener: Array, n_features: int) -> Array:
        return np.square(whitener).max(axis=1)

    def project(self, centred: Array, whitener: Array, component: int) -> Array:
        return centred * whitener[component]

    def dense(self, matrices: Array, n_components: int, n_features: int) -> Array:
        return matrices[:, :, None] * np.eye(n_features)

    def compress(self, matrices: Array) -> Array:
        return np.ascontiguousarray(matrices.diagonal(axis1=1, axis2=2))

    def rescale(self, covariances: Array, scale: Array) -> Array:
        return covariances * np.square(scale)

    def take(self, matrices: Array, components: NDArray[np.intp]) -> Array:
        return matrices[components]

    def select(self, matrices: Array, features: NDArray[np.intp]) -> Array:
        return matrices[:, features]

    def outer(self, left: Array, right: Array) -> Array:
        return left * right

    def weighted_outer(self, centred: Array, responsibilities: Array, component: int) -> Array:
        return responsibilities @ np.square(centred)

    def floor(self, covariances: Array, minimum: float) -> Array:
        return np.maximum(covariances, minimum)


class _Spherical(Shape):
    name = "SPHERICAL"
    code = 3

    def array_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components,)

    def whiten(self, covariances: Array) -> Array:
        return _inverse_root(covariances)

    def log_determinant(self, whitener: Array, n_features: int) -> Array:
        return n_features * np.log(whitener)

    def squared_norm(self, whitener: Array, n_features: int) -> Array:
        return np.square(whitener)

    def project(self, centred: Array, whitener: Array, component: int) -> Array:
        return centred * whitener[component]

    def dense(self, matrices: Array, n_components: int, n_features: int) -> Array:
        return matrices[:, None, None] * np.eye(n_features)

    def compress(self, matrices: Array) -> Array:
        return np.asarray(np.trace(matrices, axis1=1, axis2=2))

    def rescale(self, covariances: Array, scale: Array) -> Array:
        if np.any(scale != scale[0]):
            raise ValueError("a spherical covariance stays spherical only if every feature has the same scale")
        return covariances * scale[0] ** 2

    def take(self, matrices: Array, components: NDArray[np.intp]) -> Array:
        return matrices[components]

    def select(self, matrices: Array, features: NDArray[np.intp]) -> Array:
        return matrices

    def outer(self, left: Array, right: Array) -> Array:
        return np.einsum("kd,kd->k", left, right)

    def weighted_outer(self, centred: Array, responsibilities: Array, component: int) -> Array:
        return np.asarray(responsibilities @ np.einsum("nd,nd->n", centred, centred))

    def floor(self, covariances: Array, minimum: float) -> Array:
        return np.maximum(covariances, minimum)


def _is_above(matrix: Array, least: Array) -> bool:
    """Whether all eigenvalues of their difference are positive; False where that cannot be told."""
    factor, failed = dpotrf(matrix - least, lower=1)
    return not failed and bool(np.isfinite(factor).all())


def _transposed_inverses(lower: Array) -> Array:
    """L^-T of lower triangular matrices (K, D, D), by forward substitution in all of them at once."""
    inverse = 1.0 / lower.diagonal(axis1=1, axis2=2)
    upper = np.zeros_like(lower)
    for i in range(lower.shape[-1]):
        upper[:, :i, i] = -np.einsum("kji,ki->kj", upper[:, :i, :i], lower[:, i, :i]) * inverse[:, i, None]
        upper[:, i, i] = inverse[:, i]
    return upper


def _inverse_root(variances: Array) -> Array:
    if not np.all(variances > 0):
        raise np.linalg.LinAlgError("a variance is not positive")
    return 1.0 / np.sqrt(variances)


FULL: Shape = _Full()
TIED: Shape = _Tied()
DIAGONAL: Shape = _Diagonal()
SPHERICAL: Shape = _Spherical()
SHAPES = (FULL, TIED, DIAGONAL, SPHERICAL)
