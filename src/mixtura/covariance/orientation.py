"""The common orientation of components whose shapes differ: a minimisation over rotations."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from mixtura.covariance.volumes import NO_SPREAD, RIDGE, ROUNDING, SMALLEST_SPREAD
from mixtura.shape import Array

__all__ = ["Objective", "common_orientation", "equal_volumes", "free_volumes"]

#: The search for an orientation ends with a rotation by less than this angle, in radians.
ANGLE_TOLERANCE = 1e-7
ANGLE_STEPS = 200
LARGEST_ANGLE = 0.5

#: A step that does not lower the objective is shortened by this factor, this many times at most.
SHORTENING = 0.25
SHORTENINGS = 15

#: Curvatures of single rotations are taken for no less than this share of the largest.
SMALLEST_CURVATURE = 1e-3

#: From shares n_k / n and log determinants (both (K,)) of diag(Q^T S_k Q), and from D: what is to be minimised,
#: its derivatives by the log determinants, and how much it curves with their variance.
Objective = Callable[[Array, Array, int], tuple[float, Array, float]]


def free_volumes(share: Array, logs: Array, n_features: int) -> tuple[float, Array, float]:
    """For VVE: sum_k n_k / n log |diag(Q^T S_k Q)| (Flury 1984, eq. 2.7)."""
    return float(share @ logs), share, 0.0


def equal_volumes(share: Array, logs: Array, n_features: int) -> tuple[float, Array, float]:
    """For EVE: D log sum_k n_k / n |diag(Q^T S_k Q)|^(1/D) (Celeux and Govaert 1995, section 4.1)."""
    levels = logs / n_features
    top = levels.max()
    parts = share * np.exp(levels - top)
    total = float(np.add.reduce(parts))
    return n_features * float(top + np.log(total)), parts / total, 1.0 / n_features


def common_orientation(objective: Objective, count: Array, covariances: Array, previous: Array | None) -> Array:
    """The rotation Q (D, D) that minimises an objective of the variances along its axes.

    Conjugate gradients on the group of rotations (Polak and Ribiere, restarted
    where they would go uphill), preconditioned by the curvature of each
    rotation in a plane, with the Newton step along each direction. Where some Q
    makes all covariances diagonal the preconditioner is the Hessian there, and
    the method is Newton's. It took a third to a tenth of the steps of rotations
    in all planes at once by their own Newton steps, and like every method here finds a
    local minimum, near to where it starts.

    Parameters
    ----------
    objective : callable
        `free_volumes` or `equal_volumes`.
    count : array of shape (K,)
    covariances : array of shape (K, D, D)
        S_k = W_k / n_k.
    previous : array of shape (K, D, D), optional
        The last solution, in whose orientation the search starts.
    """
    n_features = covariances.shape[-1]
    identity = _identity(n_features)
    sizes = np.trace(covariances, axis1=1, axis2=2) / n_features
    active = sizes > max(NO_SPREAD * float(sizes.max()), SMALLEST_SPREAD)
    if n_features == 1 or not active.any():
        return identity.copy()
    share = count[active] / count[active].sum()
    # relative to the largest, so that squares of variances do not leave float64
    relative = covariances[active] / sizes.max()
    ridged = relative + np.multiply.outer(RIDGE * sizes[active] / sizes.max(), identity)
    start = _axes(ridged if previous is None else previous)
    return _conjugate_gradients(objective, share, ridged, start)


def _axes(matrices: Array) -> Array:
    """Common eigenvectors of (K, D, D) matrices that have them; a compromise between those of others.

    Unequal weights: with equal ones, eigenvalues of mirrored components could add up to ties.
    """
    sizes = np.maximum(np.trace(matrices, axis1=1, axis2=2), np.finfo(np.float64).tiny)
    weights = np.sqrt(np.arange(1.0, len(matrices) + 1.0)) / sizes
    vectors: Array = np.linalg.eigh(np.tensordot(weights, matrices, 1))[1]
    return vectors


class _Point:
    """An orientation, and what the objective does there."""

    def __init__(self, objective: Objective, share: Array, covariances: Array, vectors: Array) -> None:
        self.vectors = vectors
        self.rotated = vectors.T @ covariances @ vectors
        variances = self.rotated.diagonal(axis1=1, axis2=2)
        self.sound = bool(variances.min() > 0)  # not so where extrapolated statistics are moments of no data
        self.variances = variances if self.sound else np.ones_like(variances)
        logs = np.add.reduce(np.log(self.variances), axis=1)
        self.value, self.pull, self.bend = objective(share, logs, vectors.shape[0])

    def gradient(self) -> tuple[Array, Array]:
        """Antisymmetric derivatives (D, D) by the angle of the rotation in each plane, and positive curvatures."""
        scaled = self.pull[:, None] / self.variances
        weighted = scaled[:, :, None] * self.rotated
        slopes = np.add.reduce(weighted)
        turns = np.add.reduce(weighted * (self.rotated / self.variances[:, :, None]))
        ratios = scaled.T @ self.variances
        curvatures = np.abs(2 * (ratios + ratios.T) - 4 * np.add.reduce(self.pull) - 4 * (turns + turns.T))
        curvatures.flat[:: len(curvatures) + 1] = 0.0
        floor = max(SMALLEST_CURVATURE * float(curvatures.max()), np.finfo(np.float64).tiny)
        return 2 * (slopes - slopes.T), np.maximum(curvatures, floor)

    def curvature(self, rotation: Array) -> float:
        """Second derivative along exp(t X), X antisymmetric (D, D)."""
        product = self.rotated @ rotation
        first = 2 * product.diagonal(axis1=1, axis2=2) / self.variances
        twice = (product @ rotation).diagonal(axis1=1, axis2=2) - (rotation @ product).diagonal(axis1=1, axis2=2)
        along = np.add.reduce(2 * twice / self.variances - np.square(first), axis=1)
        sums = np.add.reduce(first, axis=1)
        variance = self.pull @ np.square(sums) - (self.pull @ sums) ** 2
        return float(self.pull @ along + self.bend * variance)


def _conjugate_gradients(objective: Objective, share: Array, covariances: Array, vectors: Array) -> Array:
    """Minimise from an orientation (D, D); a plane (j, l) stands twice in each matrix, so sums over it are halved."""
    here = _Point(objective, share, covariances, vectors)
    if not here.sound:
        return vectors
    direction: Array | None = None
    old_gradient, old_product = np.zeros_like(vectors), 1.0
    for _ in range(ANGLE_STEPS):
        gradient, curvatures = here.gradient()
        downhill = -gradient / curvatures
        product = -float(np.vdot(gradient, downhill))
        if direction is not None and old_product > 0:
            turn = -float(np.vdot(gradient - old_gradient, downhill)) / old_product
            direction = downhill + max(turn, 0.0) * direction
        if direction is None or np.vdot(gradient, direction) >= 0:
            direction = downhill
        angle = float(np.abs(direction).max())
        if angle == 0.0:
            break
        there, step = _line_search(objective, share, covariances, here, gradient, direction, angle)
        if there is None:
            break
        here, old_gradient, old_product = there, gradient, product
        if step * angle <= ANGLE_TOLERANCE:
            break
    return here.vectors


@lru_cache(maxsize=8)
def _identity(size: int) -> Array:
    return np.eye(size)


def _line_search(
    objective: Objective,
    share: Array,
    covariances: Array,
    here: _Point,
    gradient: Array,
    direction: Array,
    angle: float,
) -> tuple[_Point | None, float]:
    """Newton's step along a direction, shortened until the objective does not rise."""
    rotation = -direction  # the derivative by the angle in plane (j, l) belongs to X[l, j] = 1, X[j, l] = -1
    curvature = here.curvature(rotation)
    slope = 0.5 * float(np.vdot(gradient, direction))
    step = -slope / curvature if curvature > 0 else 1.0
    step = min(step, LARGEST_ANGLE / angle)
    identity = _identity(len(rotation))
    for _ in range(SHORTENINGS):
        half = 0.5 * step * rotation
        turned = here.vectors @ np.linalg.solve(identity - half, identity + half)  # Cayley's rotation
        there = _Point(objective, share, covariances, turned)
        if there.sound and there.value <= here.value + ROUNDING * (1.0 + abs(here.value)):
            return there, step
        step *= SHORTENING
    return None, 0.0
