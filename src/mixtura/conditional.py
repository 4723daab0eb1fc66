"""Marginals and conditionals: what some features say, and what they say of the others.

Of a Gaussian with blocks a (given) and b (kept), and the Cholesky factor of its
covariance in that order, ``[[L_aa, 0], [L_ba, L_bb]]``, the conditional is::

    mean_b + L_ba L_aa^-1 (x_a - mean_a),  covariance L_bb L_bb^T

(Anderson 2003, An Introduction to Multivariate Statistical Analysis, theorem
2.5.1, written by factors): nothing is inverted or subtracted, so the covariance
is positive definite however strongly the blocks depend on one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpotrf

from mixtura.background import Background
from mixtura.shape import FULL, TIED, Array, Shape

__all__ = ["Conditionals", "conditional_moments", "feature_positions", "normalise", "require_definite"]

Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Conditionals:
    """The distributions of some features given others, one a row, with covariances that all rows share.

    Attributes
    ----------
    weights : array of shape (n, K)
    means : array of shape (n, K, D)
    covariances : array of shape (K, D, D)
    features : array of shape (D,)
        The features that these are distributions of.
    log_density : array of shape (n,)
        Log density of what was given.
    noise : array of shape (n,)
        Weight of the background; with `weights` it sums to 1.
    background : Background or None
        Its box, in the features that are left.

    Examples
    --------
    >>> from mixtura import Mixture
    >>> joint = Mixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0.8], [0.8, 1.0]]])
    >>> found = joint.condition_rows([0], [[1.0], [2.0]])
    >>> found.mean.round(4).tolist(), found.covariance.round(4).ravel().tolist()
    ([[0.8], [1.6]], [0.36, 0.36])
    """

    weights: Array
    means: Array
    covariances: Array
    features: Positions
    log_density: Array
    noise: Array
    background: Background | None

    @property
    def mean(self) -> Array:
        """Conditional means (n, D)."""
        center = 0.0 if self.background is None else self.noise[:, None] * self.background.center
        return np.einsum("nk,nkd->nd", self.weights, self.means) + center

    @property
    def covariance(self) -> Array:
        """Conditional covariances (n, D, D), over all components (and the background)."""
        mean = self.mean
        apart = self.means - mean[:, None]
        total = np.einsum("nk,kij->nij", self.weights, self.covariances)
        total += np.einsum("nk,nki,nkj->nij", self.weights, apart, apart)
        if self.background is not None:
            away = self.background.center - mean
            total += self.noise[:, None, None] * (self.background.covariance + away[:, :, None] * away[:, None, :])
        return total


def feature_positions(features: int | Sequence[int] | NDArray[np.intp], n_features: int, what: str) -> Positions:
    """Distinct positions of features, checked.

    Raises
    ------
    ValueError
        If one is no integer, out of range (a negative one is), or there twice; the message names it.
    """
    listed = [features] if isinstance(features, int | np.integer | str) else list(features)
    if not listed:
        raise ValueError(f"{what}: name at least one feature")
    for position, one in enumerate(listed):
        if isinstance(one, str):
            raise ValueError(f"{what}: a mixture has no names of features, only positions; got {one!r}")
        if isinstance(one, bool | np.bool_) or not isinstance(one, int | np.integer):
            raise ValueError(f"{what}: features are integers; got {one!r}")
        if not 0 <= one < n_features:
            raise ValueError(f"{what}: features are positions from 0 to {n_features - 1}; got {one}")
        if one in listed[:position]:
            raise ValueError(f"{what}: feature {one} is there twice")
    return np.array(listed, dtype=np.intp)


def conditional_moments(
    shape: Shape, means: Array, covariances: Array, given: Positions, kept: Positions, rows: Array
) -> tuple[Array, Array]:
    """Means (n, K, b) of the kept features at rows (n, a) of the given ones, and covariances in the same shape."""
    n_components = means.shape[0]
    found = np.repeat(means[None][:, :, kept], len(rows), axis=0)
    if shape not in (FULL, TIED):  # features of a component are then independent
        return found, shape.select(covariances, kept)
    order = np.concatenate([given, kept])
    blocks = covariances.reshape(-1, order.size, order.size)[:, order[:, None], order]
    factors = [_factor(block, order, k) for k, block in enumerate(blocks)]
    size = given.size
    for k in range(n_components):
        factor = factors[k % len(factors)]
        whitened = solve_triangular(factor[:size, :size], (rows - means[k, given]).T, lower=True, check_finite=False)
        found[:, k] += (factor[size:, :size] @ whitened).T
    left = np.array([factor[size:, size:] @ factor[size:, size:].T for factor in factors])
    return found, left.reshape(shape.array_shape(n_components, kept.size))


def _factor(covariance: Array, order: Positions, component: int) -> Array:
    factor, failed = dpotrf(covariance, lower=1, clean=1)
    if failed:
        feature = int(order[failed - 1])
        raise ValueError(
            f"the covariance of component {component} is not positive definite: "
            f"feature {feature} has no variance of its own beside features {order[: failed - 1].tolist()}"
        )
    return np.asarray(factor)


def require_definite(shape: Shape, covariances: Array, features: Positions) -> None:
    """Raise ValueError, naming component and feature, if a covariance of these features is not positive definite."""
    if shape in (FULL, TIED):
        for k, block in enumerate(covariances.reshape(-1, features.size, features.size)):
            _factor(block, features, k)
        return
    variances = np.broadcast_to(covariances.reshape(len(covariances), -1), (len(covariances), features.size))
    for component, position in np.argwhere(~(variances > 0)):
        raise ValueError(f"the variance of feature {features[position]} in component {component} is not positive")


def normalise(joint: Array, rows: Array, given: Positions) -> tuple[Array, Array]:
    """Shares (n, K), each row's sum 1, and log densities (n,) of joint log densities (n, K).

    Raises
    ------
    ValueError
        If a row is so far from every component that its distance overflows; the message names the feature.
    """
    top = joint.max(axis=1)
    for row in np.flatnonzero(~np.isfinite(top)):
        feature = int(np.abs(rows[row]).argmax())
        raise ValueError(
            f"feature {int(given[feature])} = {rows[row, feature]:g} is too far from every component: "
            "its squared distance overflows"
        )
    shares = np.exp(joint - top[:, None])
    total = shares.sum(axis=1)
    return shares / total[:, None], top + np.log(total)
