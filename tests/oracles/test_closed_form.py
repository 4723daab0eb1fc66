"""One component: the maximum-likelihood fit and its log likelihood are known in closed form for every model."""

from __future__ import annotations

import numpy as np
import pytest
from laws.problems import random_spd

import mixtura
from mixtura.shape import Array


def expected_covariance(covariance_type: str, covariance: Array) -> Array:
    """mclust's letters say what one component may be: a ball, axis-aligned, or anything."""
    if covariance_type[1:] == "II":
        return np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
    if covariance_type[2] == "I":
        return np.diag(np.diag(covariance))
    return covariance


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_one_component(covariance_type: str, rng: np.random.Generator, engine: str, weighted: bool) -> None:
    n_rows, d = 500, 4
    factor = np.linalg.cholesky(random_spd(rng, 1, d, 10.0)[0])
    rows = rng.standard_t(4, (n_rows, d)) @ factor.T * [1.0, 30.0, 0.1, 2.0] + [5.0, -2e3, 0.0, 1e2]
    weights = rng.uniform(0.0, 3.0, n_rows) if weighted else None
    mean = np.average(rows, axis=0, weights=weights)
    covariance = np.cov(rows.T, aweights=weights, ddof=0)
    expected = expected_covariance(covariance_type, covariance)
    model = mixtura.GaussianMixture(1, covariance_type=covariance_type, reg_covar=0, engine=engine)
    model.fit(rows, sample_weight=weights)
    fitted = model.mixture_
    spread = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((fitted.means[0] - mean) / spread, 0.0, atol=1e-12)
    error = (fitted.dense_covariances[0] - expected) / np.multiply.outer(spread, spread)
    np.testing.assert_allclose(error, 0.0, atol=1e-10 * float(np.max(np.diag(expected) / spread**2)))
    spread_term = np.trace(np.linalg.solve(expected, covariance))
    per_row = -0.5 * (d * np.log(2 * np.pi) + np.linalg.slogdet(expected)[1] + spread_term)
    assert model.lower_bound_ == pytest.approx(per_row, rel=1e-12)
    assert model.score(rows, sample_weight=weights) == pytest.approx(per_row, rel=1e-12)
    assert np.array_equal(fitted.weights, [1.0])


def test_information_criteria(covariance_type: str, rng: np.random.Generator) -> None:
    """-2 log L + p log n and -2 log L + 2 p, with p counted by hand for the four models of scikit-learn."""
    d = 3
    counted = {"VII": 1, "VVI": d, "EEE": d * (d + 1) // 2, "VVV": d * (d + 1) // 2}
    if covariance_type not in counted:
        counted[covariance_type] = mixtura.Mixture(
            np.ones(1), np.zeros((1, d)), np.zeros(0), covariance_type
        ).model.n_parameters(1, d)
    rows = rng.standard_normal((100, d)) * [1.0, 2.0, 3.0]
    model = mixtura.GaussianMixture(1, covariance_type=covariance_type).fit(rows)
    total, free = model.score(rows) * len(rows), d + counted[covariance_type]
    assert model.bic(rows) == pytest.approx(-2 * total + free * np.log(100), rel=1e-12)
    assert model.aic(rows) == pytest.approx(-2 * total + 2 * free, rel=1e-12)
