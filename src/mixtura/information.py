"""Entropy and divergence of Gaussian mixtures, which have no closed form, from those of Gaussians, which have."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from mixtura.shape import FULL, Array

__all__ = ["divergences", "entropies", "entropy_bounds", "variational_divergence"]

LOG_TWO_PI = float(np.log(2 * np.pi))


def entropies(covariances: Array) -> Array:
    """Entropies (K,) of Gaussians: log |2 pi e S| / 2."""
    log_det = -2 * FULL.log_determinant(FULL.whiten(covariances), covariances.shape[-1])
    return np.asarray(0.5 * (covariances.shape[-1] * (1.0 + LOG_TWO_PI) + log_det))


def divergences(means: Array, covariances: Array, to_means: Array, to_covariances: Array) -> Array:
    """Kullback-Leibler divergences (K, L) of Gaussians to others (Kullback 1959, chapter 9), by Cholesky factors."""
    factors = np.linalg.cholesky(covariances)
    whiteners = FULL.whiten(to_covariances)
    n_features = means.shape[1]
    spread = np.array([[np.sum(np.square(u.T @ f)) for u in whiteners] for f in factors])
    apart = np.einsum("klf,lfg->klg", means[:, None] - to_means, whiteners)
    own = FULL.log_determinant(FULL.whiten(covariances), n_features)
    log_ratio = own[:, None] - FULL.log_determinant(whiteners, n_features)
    return np.asarray(0.5 * (spread - n_features + np.square(apart).sum(axis=2)) + log_ratio)


def entropy_bounds(weights: Array, means: Array, covariances: Array, overall: Array) -> tuple[float, float]:
    """The largest of two lower bounds, and the least of two upper ones; weights are positive.

    Below: pairwise Bhattacharyya distances (Kolchinsky and Tracey 2017,
    Chernoff's alpha being 1/2), and the logarithm of expected densities (Huber et al.
    2008, theorem 2). Above: pairwise Kullback-Leibler divergences (Kolchinsky
    and Tracey 2017), and the Gaussian of the same overall covariance.
    """
    within = float(weights @ entropies(covariances))
    log_weights = np.log(weights)
    near, overlap = _pairs(means, covariances)
    lower = within - float(weights @ logsumexp(log_weights - near, axis=1))
    huber = -float(weights @ logsumexp(log_weights + overlap, axis=1))
    apart = divergences(means, covariances, means, covariances)
    upper = within - float(weights @ logsumexp(log_weights - apart, axis=1))
    return max(lower, huber), min(upper, float(entropies(overall[None])[0]))


def _pairs(means: Array, covariances: Array) -> tuple[Array, Array]:
    """Bhattacharyya distances of all pairs, and log N(mean_i; mean_j, S_i + S_j)."""
    n_components, n_features = means.shape
    own = FULL.log_determinant(FULL.whiten(covariances), n_features)
    near, overlap = np.empty((2, n_components, n_components))
    for i in range(n_components):
        whiteners = FULL.whiten(covariances[i] + covariances)
        log_det = -2 * FULL.log_determinant(whiteners, n_features)
        squared = np.square(np.einsum("jf,jfg->jg", means[i] - means, whiteners)).sum(axis=1)
        near[i] = 0.25 * squared + 0.5 * (log_det - n_features * np.log(2.0)) + 0.5 * (own[i] + own)
        overlap[i] = -0.5 * (squared + log_det + n_features * LOG_TWO_PI)
    return near, overlap


def variational_divergence(
    weights: Array, means: Array, covariances: Array, to_weights: Array, to_means: Array, to_covariances: Array
) -> float:
    """Variational approximation of the divergence between mixtures (Hershey and Olsen 2007, eq. 20)."""
    same = divergences(means, covariances, means, covariances)
    other = divergences(means, covariances, to_means, to_covariances)
    return float(weights @ (logsumexp(np.log(weights) - same, axis=1) - logsumexp(np.log(to_weights) - other, axis=1)))
