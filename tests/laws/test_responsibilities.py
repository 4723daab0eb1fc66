"""Responsibilities are shares: not negative, of sum one, and proportional to weight times density."""

from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

from laws.problems import Engines, random_mixture, random_rows
from mixtura.engine import RowOutput


def test_responsibilities_sum_to_one(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    for n_components in (1, 2, 3, 17):
        mixture = random_mixture(rng, covariance_type, n_components, reach=4.0)
        rows = random_rows(rng, mixture, 500)
        rows[::100] *= 1e5
        resp = engine(rows).map_rows(mixture.forms, RowOutput.RESPONSIBILITIES)
        assert resp.shape == (len(rows), n_components)
        assert np.all(resp >= 0)
        np.testing.assert_allclose(resp.sum(axis=1), 1.0, rtol=0, atol=1e-14 * n_components)


def test_responsibilities_are_bayes_rule(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    """Against SciPy's densities, which share no code with ours."""
    mixture = random_mixture(rng, covariance_type, 4)
    rows = random_rows(rng, mixture, 300)
    joint = np.column_stack(
        [
            weight * multivariate_normal(mean, covariance).pdf(rows)
            for weight, mean, covariance in zip(mixture.weights, mixture.means, mixture.dense_covariances, strict=True)
        ]
    )
    made = engine(rows)
    resp = made.map_rows(mixture.forms, RowOutput.RESPONSIBILITIES)
    log_density = made.map_rows(mixture.forms, RowOutput.LOG_DENSITY)
    np.testing.assert_allclose(resp, joint / joint.sum(axis=1, keepdims=True), rtol=0, atol=1e-12)
    np.testing.assert_allclose(log_density, np.log(joint.sum(axis=1)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mixture.logpdf(rows), log_density, rtol=1e-12, atol=1e-12)


def test_rows_beyond_every_density_keep_shares(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    """A row at 1e200 has no finite log density; it still gets shares that sum to one, and no NaN."""
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 20)
    rows[3] = 1e200
    made = engine(rows)
    resp = made.map_rows(mixture.forms, RowOutput.RESPONSIBILITIES)
    assert np.all(resp >= 0)
    np.testing.assert_allclose(resp.sum(axis=1), 1.0, atol=1e-14)
    assert made.map_rows(mixture.forms, RowOutput.LOG_DENSITY)[3] == -np.inf
