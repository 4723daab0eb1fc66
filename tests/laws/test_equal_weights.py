"""Proportions held equal: the M-step of that constraint, its parameter count, and a fit that keeps it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import mixtura
from laws.problems import Engines, random_mixture, random_rows, random_start, standardization_of
from mixtura import GaussianMixture, Mixture
from mixtura.covariance import covariance_model
from mixtura.em import EMOptions, Trajectory, run
from mixtura.estep import block_statistics
from mixtura.mstep import MStep
from mixtura.shape import Array


def held_equal(mixture: Mixture) -> Mixture:
    k = mixture.n_components
    return Mixture(np.full(k, 1 / k), mixture.means, mixture.covariances, mixture.covariance_type, True)


def test_only_the_weights_differ_from_the_free_m_step(covariance_type: str, rng: np.random.Generator) -> None:
    """The expected log likelihood separates: means and covariances do not know about the weights."""
    mixture = random_mixture(rng, covariance_type, 4)
    statistics = block_statistics(mixture.forms, random_rows(rng, mixture, 200), None)
    free = MStep(covariance_type)(statistics).mixture
    equal = MStep(covariance_type, equal_weights=True)(statistics).mixture
    assert equal.weights.tolist() == [0.25] * 4 and equal.equal_weights and not free.equal_weights
    np.testing.assert_array_equal(equal.means, free.means)
    np.testing.assert_array_equal(equal.covariances, free.covariances)
    assert free.n_parameters - equal.n_parameters == 3


@pytest.mark.parametrize("accelerate", [False, True], ids=["plain", "accelerated"])
def test_the_likelihood_never_falls(
    covariance_type: str, loop_engine: Engines, rng: np.random.Generator, accelerate: bool
) -> None:
    rows = random_rows(rng, random_mixture(rng, covariance_type, 3), 300)
    to = standardization_of(rows, covariance_type)
    start = held_equal(to.forward(random_start(rng, rows, covariance_type, 3)))
    options = EMOptions(tol=0, max_iter=40, accelerate=accelerate)
    trajectory = Trajectory(start, MStep(covariance_type, equal_weights=True), options)
    run(loop_engine(rows, None, to), [trajectory])
    assert np.all(np.diff(trajectory.history) >= -1e-12)
    assert trajectory.mixture.weights.tolist() == [1 / 3] * 3
    own = to.backward(trajectory.mixture).logpdf(rows).mean()
    assert trajectory.log_likelihood - to.log_jacobian == pytest.approx(own, abs=1e-11)


def literal_step(rows: Array, means: Array, covariances: Array) -> tuple[Array, Array]:
    """One EM iteration with equal proportions, as the textbook has it."""
    density = np.column_stack([multivariate_normal(m, s).pdf(rows) for m, s in zip(means, covariances, strict=True)])
    resp = density / density.sum(axis=1, keepdims=True)
    count = resp.sum(axis=0)
    means = (resp.T @ rows) / count[:, None]
    covariances = np.array([np.cov(rows.T, aweights=r, bias=True) for r in resp.T])
    return means, covariances


def test_plain_em_is_the_textbook_s(rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, "full", 3, 2)
    rows = random_rows(rng, mixture, 400)
    means, covariances = mixture.means, mixture.covariances
    for _ in range(6):
        means, covariances = literal_step(rows, means, covariances)
    start = {"means_init": mixture.means, "precisions_init": np.linalg.inv(mixture.covariances)}
    model = GaussianMixture(3, equal_weights=True, algorithm="em", tol=0, max_iter=6, reg_covar=0, **start)
    model.fit(rows)
    np.testing.assert_allclose(model.means_, means, atol=1e-10)
    np.testing.assert_allclose(model.covariances_, covariances, atol=1e-10)


def test_a_fit_keeps_counts_saves_and_says_it(covariance_type: str, rng: np.random.Generator, tmp_path: Path) -> None:
    rows = random_rows(rng, random_mixture(rng, covariance_type, 3, reach=4.0), 300)
    free = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(rows)
    model = GaussianMixture(3, covariance_type=covariance_type, equal_weights=True, random_state=0).fit(rows)
    assert model.weights_.tolist() == [1 / 3] * 3
    n_parameters = 3 * 3 + covariance_model(covariance_type).n_parameters(3, 3)
    assert model.mixture_.n_parameters == n_parameters == free.mixture_.n_parameters - 2
    total = model.score(rows) * len(rows)
    assert model.bic(rows) == pytest.approx(-2 * total + n_parameters * np.log(300), rel=1e-12)
    assert model.aic(rows) == pytest.approx(-2 * total + 2 * n_parameters, rel=1e-12)
    assert "held equal" in model.summary() and "held equal" not in free.summary()
    mixtura.save(model, tmp_path / "model.json")
    loaded = mixtura.load(tmp_path / "model.json")
    assert loaded.equal_weights is True and loaded.mixture_.equal_weights is True
    assert loaded.bic(rows) == model.bic(rows) and loaded.summary() == model.summary()


def test_unequal_weights_are_refused_where_they_have_to_be_equal(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="weights must be equal"):
        Mixture.from_parameters([0.4, 0.6], [[0.0], [1.0]], [1.0, 1.0], "spherical", equal_weights=True)
    sound = Mixture.from_parameters([0.5, 0.5], [[0.0], [1.0]], [1.0, 1.0], "spherical", equal_weights=True)
    assert sound.affine(np.array([2.0]), np.array([1.0])).equal_weights and sound.take([1]).equal_weights
    unequal = Mixture(np.array([0.4, 0.6]), sound.means, sound.covariances, "spherical", True)
    with pytest.raises(ValueError, match=r"mixture\.weights: must be equal"):
        mixtura.save(unequal, tmp_path / "mixture.json")
    rows = np.arange(10.0).reshape(-1, 1)
    with pytest.raises(ValueError, match="weights must be equal"):
        GaussianMixture(2, equal_weights=True, weights_init=[0.3, 0.7]).fit(rows)
    with pytest.raises(TypeError, match="equal_weights must be True or False"):
        GaussianMixture(2, equal_weights="yes").fit(rows)
