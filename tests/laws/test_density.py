"""A mixture is a distribution: it integrates to one, and its draws have its moments."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import random_mixture, random_rows


@pytest.mark.parametrize("n_features", [1, 2])
def test_density_integrates_to_one(covariance_type: str, rng: np.random.Generator, n_features: int) -> None:
    """The trapezoid rule on a grid far wider than the mixture is exact to rounding for Gaussians."""
    mixture = random_mixture(rng, covariance_type, 3, n_features)
    grid = np.linspace(-25.0, 25.0, 501)
    points = np.stack(np.meshgrid(*[grid] * n_features), axis=-1).reshape(-1, n_features)
    total = mixture.pdf(points).sum() * (grid[1] - grid[0]) ** n_features
    assert total == pytest.approx(1.0, abs=1e-10)


def test_mean_and_covariance_by_integration(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type, 3, 2)
    grid = np.linspace(-25.0, 25.0, 501)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    mass = mixture.pdf(points) * (grid[1] - grid[0]) ** 2
    mean = mixture.weights @ mixture.means
    np.testing.assert_allclose(mass @ points, mean, atol=1e-10)
    centred = mixture.means - mean
    expected = np.einsum("k,kij->ij", mixture.weights, mixture.dense_covariances)
    expected = expected + np.einsum("k,ki,kj->ij", mixture.weights, centred, centred)
    np.testing.assert_allclose(np.einsum("n,ni,nj->ij", mass, points - mean, points - mean), expected, atol=1e-9)


def test_draws_have_the_moments_of_the_mixture(covariance_type: str, rng: np.random.Generator) -> None:
    """Within six standard errors, component by component."""
    mixture = random_mixture(rng, covariance_type, 3, 2)
    rows, components = mixture.rvs(60_000, random_state=rng)
    for k in range(3):
        mine = rows[components == k]
        spread = np.sqrt(np.diag(mixture.dense_covariances[k]))
        assert np.all(np.abs(mine.mean(axis=0) - mixture.means[k]) < 6 * spread / np.sqrt(len(mine)))
        error = np.cov(mine.T) - mixture.dense_covariances[k]
        assert np.all(np.abs(error) < 6 * np.sqrt(2 / len(mine)) * np.outer(spread, spread))
        share = mixture.weights[k]
        assert abs(len(mine) - 60_000 * share) < 6 * np.sqrt(60_000 * share * (1 - share))


def test_reordering_components_changes_no_density(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type, 5)
    rows = random_rows(rng, mixture, 100)
    order = rng.permutation(5)
    np.testing.assert_allclose(mixture.take(order).logpdf(rows), mixture.logpdf(rows), rtol=1e-13, atol=1e-13)
