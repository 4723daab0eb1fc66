"""The reference kernel: one block of rows in, sufficient statistics out, in NumPy.

This is the E-step as the textbooks write it: literal, centred, and never
optimised past legibility. Every other engine is tested against it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.quadratic import QuadraticForms, log_joint
from mixtura.shape import Array, Shape
from mixtura.suffstats import SufficientStats

__all__ = ["block_statistics", "labels", "moments_of", "normalised", "responsibilities", "statistics_of_partition"]


def responsibilities(forms: QuadraticForms, rows: Array) -> tuple[Array, Array]:
    """(n, K) responsibilities and (n,) log densities of (n, D) rows.

    A row so far from every component that all densities underflow even in
    logarithms has log density -inf and is shared equally.
    """
    return normalised(log_joint(forms, rows))


def normalised(joint: Array) -> tuple[Array, Array]:
    """Responsibilities (n, K) and log densities (n,) from joint log densities (n, K)."""
    peak = joint.max(axis=1, keepdims=True)
    lost = ~np.isfinite(peak)
    shifted = np.exp(joint - np.where(lost, 0.0, peak), where=~lost, out=np.ones_like(joint))
    total = shifted.sum(axis=1, keepdims=True)
    log_density = np.where(lost, -np.inf, peak + np.log(total))
    return shifted / total, log_density[:, 0]


def labels(forms: QuadraticForms, rows: Array) -> NDArray[np.int64]:
    """(n,) index of the most responsible component; the first among equals."""
    return log_joint(forms, rows).argmax(axis=1).astype(np.int64)


def block_statistics(forms: QuadraticForms, rows: Array, weights: Array | None) -> SufficientStats:
    """Statistics of (n, D) rows with weights (n,), about the forms' centres."""
    resp, log_density = responsibilities(forms, rows)
    if weights is None:
        log_likelihood, total = log_density.sum(), float(rows.shape[0])
    else:
        resp = resp * weights[:, None]
        log_likelihood, total = weights @ log_density, weights.sum()
    return moments_of(rows, resp, forms.center, forms.shape, float(log_likelihood), float(total))


def moments_of(
    rows: Array, resp: Array, reference: Array, shape: Shape, log_likelihood: float, total_weight: float
) -> SufficientStats:
    """Moments of (n, D) rows under weighted responsibilities (n, K), about (K, D) references."""
    n_components, n_features = reference.shape
    first = np.empty((n_components, n_features))
    second = np.zeros(shape.array_shape(n_components, n_features))
    for k in range(n_components):
        centred = rows - reference[k]
        first[k] = resp[:, k] @ centred
        moment = shape.weighted_outer(centred, resp[:, k], k)
        if shape.shared:
            second += moment
        else:
            second[k] = moment
    return SufficientStats(resp.sum(axis=0), first, second, reference, log_likelihood, total_weight, shape)


def statistics_of_partition(rows: Array, resp: Array, shape: Shape) -> SufficientStats:
    """Statistics of rows whose weighted responsibilities (n, K) are given, about the components' means."""
    count = resp.sum(axis=0)
    means = (resp.T @ rows) / np.where(count > 0, count, 1.0)[:, None]
    return moments_of(rows, resp, means, shape, 0.0, float(count.sum()))
