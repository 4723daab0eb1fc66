"""The M-step with a prior against the formulas of Fraley and Raftery (2007), one model at a time.

``n`` counts, ``ybar`` means, ``W`` scatter matrices (K, D, D); the prior has mean ``m``, shrinkage ``kappa``,
degrees of freedom ``nu``, and scale ``Lambda``, of which models of variances take the diagonal and balls its mean.
"""

from __future__ import annotations

import numpy as np
import pytest
from laws.problems import random_spd

from mixtura import GaussianMixture
from mixtura.covariance import MODELS
from mixtura.estep import statistics_of_partition
from mixtura.mstep import MStep
from mixtura.prior import Prior
from mixtura.shape import Array

Moments = tuple[Array, Array, Array, Array, float, float, Array]


def shrunken(k: int, moments: Moments) -> Array:
    """kappa n_k / (kappa + n_k) (ybar_k - m)(ybar_k - m)^T + W_k."""
    n, ybar, scatter, m, kappa, _, _ = moments
    return kappa * n[k] / (kappa + n[k]) * np.outer(ybar[k] - m, ybar[k] - m) + scatter[k]


def vvv(moments: Moments) -> Array:
    n, _, _, m, _, nu, scale = moments
    return np.array([(scale + shrunken(k, moments)) / (nu + m.size + n[k] + 2) for k in range(n.size)])


def eee(moments: Moments) -> Array:
    n, _, _, m, _, nu, scale = moments
    total = scale + sum(shrunken(k, moments) for k in range(n.size))
    return total / (nu + m.size + n.sum() + n.size + 1)


def vvi(moments: Moments) -> Array:
    n, _, _, _, _, nu, scale = moments
    return np.array([np.diag(scale + shrunken(k, moments)) / (nu + n[k] + 3) for k in range(n.size)])


def eei(moments: Moments) -> Array:
    n, _, _, _, _, nu, scale = moments
    total = np.diag(scale + sum(shrunken(k, moments) for k in range(n.size)))
    return np.tile(total / (nu + n.sum() + n.size + 2), (n.size, 1))


def vii(moments: Moments) -> Array:
    n, _, _, m, _, nu, scale = moments
    ball, d = np.diag(scale).mean(), m.size
    return np.array([(ball + np.trace(shrunken(k, moments))) / (nu + (n[k] + 1) * d + 2) for k in range(n.size)])


def eii(moments: Moments) -> Array:
    n, _, _, m, _, nu, scale = moments
    total = np.diag(scale).mean() + sum(np.trace(shrunken(k, moments)) for k in range(n.size))
    return np.full(n.size, total / (nu + (n.sum() + n.size) * m.size + 2))


FORMULAS = {"VVV": vvv, "EEE": eee, "VVI": vvi, "EEI": eei, "VII": vii, "EII": eii}


@pytest.mark.parametrize("model", [name for name in FORMULAS if name in MODELS])
def test_the_m_step_is_the_published_one(model: str, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((50, 3)) @ np.diag([1.0, 2.0, 0.5])
    resp = rng.dirichlet(np.ones(4), len(rows))
    n = resp.sum(axis=0)
    ybar = resp.T @ rows / n[:, None]
    scatter = np.array([(rows - y).T @ ((rows - y) * r[:, None]) for y, r in zip(ybar, resp.T, strict=True)])
    prior = Prior(rng.standard_normal(3), 0.3, 6.5, random_spd(rng, 1, 3)[0])
    moments = (n, ybar, scatter, prior.mean, prior.shrinkage, prior.degrees_of_freedom, prior.scale)
    statistics = statistics_of_partition(rows, resp, MODELS[model].shape)
    found = MStep(model, prior=prior)(statistics).mixture
    means = (n[:, None] * ybar + prior.shrinkage * prior.mean) / (prior.shrinkage + n[:, None])
    np.testing.assert_allclose(found.means, means, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found.covariances, FORMULAS[model](moments), rtol=1e-12, atol=1e-14)


def test_one_component_by_hand(rng: np.random.Generator) -> None:
    """The default prior of one component: kappa = 0.01 about the mean itself, so only the covariance moves."""
    rows = rng.standard_normal((25, 3)) * [1.0, 50.0, 0.01] + 7.0
    covariance = np.cov(rows.T, bias=True)
    model = GaussianMixture(1, prior="default").fit(rows)
    np.testing.assert_allclose(model.means_[0], rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.covariances_[0], 26 * covariance / (5 + 3 + 25 + 2), rtol=1e-9)
