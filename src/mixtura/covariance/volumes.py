"""The volumes of components: proportional covariances, and covariances of equal determinant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtrtri

from mixtura.shape import Array

__all__ = ["Spread", "equal_volume", "proportional", "spread_along_axes", "spread_of_matrices", "with_ridge"]

#: A component whose variances are below this share of the largest has no spread: its rows coincide.
NO_SPREAD = 1e-14

#: Nor has one with a mean variance below this: shares of it would leave float64.
SMALLEST_SPREAD = 1e-250

#: A component whose variance in some direction is below this share of its largest has no determinant.
NO_DETERMINANT = 1e-12

#: Least variance, as a share of the component's own mean variance, where a model divides by variances: a
#: direction in which no component varies would otherwise end in 0 / 0.
RIDGE = 1e-13

#: Newton's method for log volumes ends with a step below this, whose square is the error that is left.
VOLUME_TOLERANCE = 1e-9
VOLUME_STEPS = 50
LARGEST_VOLUME_STEP = 3.0

#: The objective may rise by this much, relative, from rounding.
ROUNDING = 1e-14


def with_ridge(variances: Array) -> Array:
    """(K, D) variances, none of them zero or negative where the component has any spread."""
    positive = np.maximum(variances, 0.0)
    return np.maximum(positive, RIDGE * positive.mean(axis=1, keepdims=True))


def equal_volume(count: Array, variances: Array) -> tuple[float, Array]:
    """Volume and factors of components with one determinant (Celeux and Govaert 1995, section 4.2, model [lambda B_k]).

    With S_k = W_k / n_k, the maximiser is ``Sigma_k = lambda S_k / |S_k|^(1/D)``
    with ``lambda = sum_k n_k |S_k|^(1/D) / n``.

    Parameters
    ----------
    count : array of shape (K,)
    variances : array of shape (K, D)
        Eigenvalues of S_k, in any order.

    Returns
    -------
    volume : float
        lambda.
    factors : array of shape (K,)
        What S_k has to be multiplied by. A component without spread, which any
        shape fits as well, has 0 and should become a ball of that volume. One
        with spread but no determinant has 1: the likelihood grows without
        bound in its shape, so it keeps its own singular scatter, for the M-step
        to hold at the floor.
    """
    smallest, largest = variances.min(axis=1), variances.max(axis=1)
    noise = NO_SPREAD * largest.max()
    empty = largest <= noise
    singular = ~empty & (smallest <= np.maximum(noise, NO_DETERMINANT * largest))
    sound = ~(empty | singular)
    root = np.exp(np.log(np.where(sound[:, None], variances, 1.0)).mean(axis=1))
    weight = count[~singular].sum()
    volume = float(count[sound] @ root[sound] / weight) if weight > 0 else 0.0
    return volume, np.where(sound, volume / root, np.where(singular, 1.0, 0.0))


@dataclass(frozen=True, eq=False)
class Spread:
    """What Newton's method needs of M = sum_k V_k: ``log |M|``, ``tr(M^-1 V_k)`` and ``tr(M^-1 V_k M^-1 V_l)``."""

    log_determinant: float
    traces: Array
    products: Array


def spread_along_axes(parts: Array) -> Spread:
    """Of diagonal matrices V_k, given as (K, D)."""
    whole = np.add.reduce(parts)
    ratios = parts / whole
    return Spread(float(np.add.reduce(np.log(whole))), np.add.reduce(ratios, axis=1), ratios @ ratios.T)


def spread_of_matrices(parts: Array) -> Spread:
    """Of dense matrices V_k (K, D, D); raises numpy.linalg.LinAlgError where their sum is not positive definite."""
    factor = np.linalg.cholesky(np.add.reduce(parts))
    inverse = dtrtri(factor, lower=1)[0]
    ratios = inverse @ parts @ inverse.T
    flat = ratios.reshape(len(parts), -1)
    log_determinant = 2.0 * float(np.add.reduce(np.log(factor.diagonal())))
    return Spread(log_determinant, np.trace(ratios, axis1=1, axis2=2), flat @ flat.T)


def proportional(
    count: Array, covariances: Array, sizes: Array, previous_sizes: Array | None, spread: Callable[[Array], Spread]
) -> tuple[Array, Array]:
    """Proportional covariances Sigma_k = lambda_k C that maximise the expected log likelihood (Flury 1986).

    With S_k = W_k / n_k and levels l_k = log lambda_k, the best C is
    ``sum_k n_k / n S_k exp(-l_k)``, and what is left to minimise is
    ``log |C| + D sum_k n_k / n l_k``. That is convex in l, because a
    determinant of a sum is a polynomial with coefficients that are not
    negative. So Newton's method finds the one minimum; where a step of it
    fails, the alternation of Celeux and Govaert (1995, section 4.1), which
    never makes things worse, takes one.

    Parameters
    ----------
    count : array of shape (K,)
    covariances : array of shape (K, D) or (K, D, D)
        S_k.
    sizes : array of shape (K,)
        Mean variance of each S_k.
    previous_sizes : array of shape (K,), optional
        The same of the last solution, whose ratios are where Newton starts.
    spread : callable
        `spread_along_axes` or `spread_of_matrices`.

    Returns
    -------
    volumes : array of shape (K,)
        lambda_k; 0 for a component without spread.
    common : array of shape (D,) or (D, D)
        C.
    """
    active = sizes > max(NO_SPREAD * float(sizes.max()), SMALLEST_SPREAD)
    volumes = np.zeros_like(sizes)
    if not active.any():
        return volumes, covariances[0]
    share = count[active] / count[active].sum()
    expand = (slice(None),) + (None,) * (covariances.ndim - 1)
    weighted = covariances[active] * share[expand]
    start = sizes if previous_sizes is None else previous_sizes
    level = np.log(np.where(start > 0, start, sizes)[active])
    level = _newton(share, level, covariances.shape[-1], lambda level: spread(weighted * np.exp(-level)[expand]))
    volumes[active] = np.exp(level)
    return volumes, np.add.reduce(weighted * np.exp(-level)[expand])


def _newton(share: Array, level: Array, n_features: int, spread: Callable[[Array], Spread]) -> Array:
    """The level (K,) at the minimum of log |C| + D share @ level."""
    target = n_features * share
    here = spread(level)
    value = here.log_determinant + target @ level
    # The objective does not change along (1, ..., 1), so that direction gets a curvature of its own.
    pinned = np.multiply.outer(share, share)
    for _ in range(VOLUME_STEPS):
        curvature = pinned - here.products
        curvature.flat[:: share.size + 1] += here.traces * (1.0 + RIDGE)
        step = np.linalg.solve(curvature, here.traces - target)
        step *= min(1.0, LARGEST_VOLUME_STEP / max(float(np.abs(step).max()), LARGEST_VOLUME_STEP))
        there = spread(level + step)
        found = there.log_determinant + target @ (level + step)
        if not found <= value + ROUNDING * (1.0 + abs(value)):
            step = np.log(np.maximum(here.traces, RIDGE) / target)
            there = spread(level + step)
            found = there.log_determinant + target @ (level + step)
        level, here, value = level + step, there, found
        if np.abs(step).max() <= VOLUME_TOLERANCE:
            break
    return level
