"""How surprising each feature of a row is, given the row's other features."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from mixtura.mixture import LOG_TWO_PI, Mixture
from mixtura.shape import Array

__all__ = ["conditional_contributions", "expected_contributions", "observed_contributions"]

BLOCK_VALUES = 2**20
DRAWS, SEED = 10_000, 20261


def conditional_contributions(mixture: Mixture, rows: Array) -> Array:
    """-log p(x_j | the other features of x) for (n, D) rows: (n, D).

    It is log p(x_rest) - log p(x), with x_rest free of feature j. With y the
    whitened deviation from component k and u_j the j-th row of its whitener,
    the precision of x_j given the rest is ||u_j||^2, and what is left of y
    without its part along u_j is the whitened deviation of x_rest: a square
    of its own and not the difference of two (conditional densities as in
    Anderson 2003, theorem 2.5.1).
    """
    whiteners = mixture.shape.dense(mixture.whitener, mixture.n_components, mixture.n_features)
    per_block = max(BLOCK_VALUES // (mixture.n_components * mixture.n_features), 1)
    blocks = [
        _of_block(mixture, whiteners, rows[start : start + per_block].astype(np.float64))
        for start in range(0, rows.shape[0], per_block)
    ]
    return np.concatenate(blocks) if blocks else np.empty(rows.shape)


def observed_contributions(mixture: Mixture, rows: Array, excess: bool) -> Array:
    """Contributions (n, D) of the observed values, given the other observed ones of the row; NaN where missing.

    With ``excess``, less what is usual of the feature where the same features were observed.
    """
    missing = np.isnan(rows)
    patterns, inverse = np.unique(missing, axis=0, return_inverse=True)
    found = np.full(rows.shape, np.nan)
    for place, pattern in enumerate(patterns):
        mine, seen = np.flatnonzero(inverse.reshape(-1) == place), np.flatnonzero(~pattern)
        if seen.size == 0:
            continue
        part = mixture.marginal(seen) if pattern.any() else mixture
        values = conditional_contributions(part, np.asarray(rows[np.ix_(mine, seen)]))
        found[np.ix_(mine, seen)] = values - expected_contributions(part) if excess else values
    return found


def _of_block(mixture: Mixture, whiteners: Array, rows: Array) -> Array:
    const = mixture.forms.const
    whole = np.empty((mixture.n_components, rows.shape[0]))
    rest = np.empty((mixture.n_components, *rows.shape))
    for k, whitener in enumerate(whiteners):
        white = (rows - mixture.means[k]) @ whitener
        whole[k] = const[k] - 0.5 * np.einsum("nd,nd->n", white, white)
        for j, direction in enumerate(whitener):
            precision = direction @ direction
            left = white - np.multiply.outer(white @ direction / precision, direction)
            log_scale = 0.5 * (np.log(precision) - LOG_TWO_PI)
            rest[k, :, j] = const[k] - log_scale - 0.5 * np.einsum("nd,nd->n", left, left)
    return np.asarray(logsumexp(rest, axis=0) - logsumexp(whole, axis=0)[:, None])


def expected_contributions(mixture: Mixture) -> Array:
    """Mean contribution (D,) of each feature over the mixture's own rows: its entropy given the others.

    Of one component it is (1 + log 2 pi - log precision) / 2; otherwise the mean over draws, always the same ones.
    """
    if mixture.n_components == 1:
        whitener = mixture.shape.dense(mixture.whitener, 1, mixture.n_features)[0]
        return np.asarray(0.5 * (1.0 + LOG_TWO_PI - np.log(np.einsum("jd,jd->j", whitener, whitener))))
    rows, _ = mixture.rvs(DRAWS, random_state=np.random.default_rng(SEED))
    return conditional_contributions(mixture, rows).mean(axis=0)
