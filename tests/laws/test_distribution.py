"""Marginals, conditionals and probabilities, against integrals, scipy's Gaussian and one another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from laws.problems import random_mixture
from mixtura import Background, Mixture
from mixtura.covariance import UNIVARIATE

GRID = np.linspace(-25.0, 25.0, 2001)
STEP = GRID[1] - GRID[0]


def on_a_line(rng: np.random.Generator, model: str = "V", weight: float = 0.0) -> Mixture:
    mixture = random_mixture(rng, model, 3, 1)
    if weight == 0:
        return mixture
    background = Background(weight, np.array([0.5]), np.array([[-9.0]]))
    return replace(mixture, weights=mixture.weights * (1 - weight), background=background)


def with_boxes(rng: np.random.Generator, mixture: Mixture) -> Mixture:
    """With a background whose sides follow the features, in another order."""
    edges = 12.0 * np.eye(mixture.n_features)[::-1]
    background = Background(0.2, rng.normal(0.0, 0.3, mixture.n_features), edges)
    return replace(mixture, weights=0.8 * mixture.weights, background=background)


def test_marginal_is_the_integral_over_the_others(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type, 3, 3)
    x = rng.normal(size=2)
    across = np.linspace(-25.0, 25.0, 401)
    points = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
    for feature in range(3):
        others = [f for f in range(3) if f != feature]
        rows = np.empty((len(across), 3))
        rows[:, feature], rows[:, others] = across, x
        assert mixture.pdf(rows).sum() * 0.125 == pytest.approx(mixture.marginal(others).pdf([x])[0], rel=1e-9)
        full = np.empty((len(points), 3))
        full[:, feature], full[:, others] = x[0], points
        assert mixture.pdf(full).sum() * 0.125**2 == pytest.approx(mixture.marginal(feature).pdf([x[:1]])[0], rel=1e-9)


def test_overall_moments_are_those_of_draws(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = with_boxes(rng, random_mixture(rng, covariance_type, 3, 3)).marginal([2, 0])
    rows = mixture.rvs(100_000, random_state=rng)[0]
    spread = np.sqrt(np.diag(mixture.covariance))
    assert np.all(np.abs(rows.mean(axis=0) - mixture.mean) < 6 * spread / np.sqrt(len(rows)))
    products = (rows - mixture.mean)[:, :, None] * (rows - mixture.mean)[:, None, :]
    assert np.all(np.abs(products.mean(axis=0) - mixture.covariance) < 6 * products.std(axis=0) / np.sqrt(len(rows)))


@pytest.mark.parametrize("noisy", [False, True])
def test_density_is_marginal_times_conditional(covariance_type: str, rng: np.random.Generator, noisy: bool) -> None:
    mixture = random_mixture(rng, covariance_type, 3, 4)
    mixture = with_boxes(rng, mixture) if noisy else mixture
    for row in rng.normal(size=(3, 4)) * [[1.0], [1.0], [5.0]]:
        conditional = mixture.condition({3: row[3], 1: row[1]})
        parts = mixture.marginal([3, 1]).logpdf([row[[3, 1]]]) + conditional.logpdf([row[[0, 2]]])
        np.testing.assert_allclose(parts, mixture.logpdf([row]), rtol=1e-11, atol=1e-11)
        assert conditional.weights.sum() + conditional.noise_weight == pytest.approx(1.0, abs=1e-14)
        conditional._check()


def test_one_component_conditions_as_the_formula_says(covariance_type: str, rng: np.random.Generator) -> None:
    """Against the inverse of the precision's block, another way to the conditional covariance."""
    mixture = random_mixture(rng, covariance_type, 1, 4)
    precision = np.linalg.inv(mixture.dense_covariances[0])
    x = rng.normal(size=2)
    found = mixture.condition({0: x[0], 2: x[1]})
    inner, cross = precision[[1, 3]][:, [1, 3]], precision[[1, 3]][:, [0, 2]]
    np.testing.assert_allclose(found.dense_covariances[0], np.linalg.inv(inner), rtol=1e-10, atol=1e-12)
    shift = -np.linalg.solve(inner, cross @ (x - mixture.means[0, [0, 2]]))
    np.testing.assert_allclose(found.means[0], mixture.means[0, [1, 3]] + shift, rtol=1e-10, atol=1e-12)


def test_rows_are_conditioned_as_one_by_one(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = with_boxes(rng, random_mixture(rng, covariance_type, 3, 4))
    rows = 2 * rng.normal(size=(5, 2))
    many = mixture.condition_rows([2, 0], rows)
    np.testing.assert_allclose(many.log_density, mixture.marginal([2, 0]).logpdf(rows), rtol=1e-12)
    for i, row in enumerate(rows):
        one = mixture.condition({2: row[0], 0: row[1]})
        np.testing.assert_allclose(many.weights[i], one.weights, rtol=1e-12)
        np.testing.assert_allclose(many.means[i], one.means, rtol=1e-12)
        np.testing.assert_allclose(many.covariances, one.dense_covariances, rtol=1e-12)
        np.testing.assert_allclose(many.mean[i], one.mean, rtol=1e-12)
        np.testing.assert_allclose(many.covariance[i], one.covariance, rtol=1e-12)


def test_conditional_moments_are_integrals(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type, 3, 2)
    density = mixture.pdf(np.column_stack([np.full_like(GRID, 0.7), GRID]))
    mass = density / density.sum()
    found = mixture.condition_rows(0, [[0.7]])
    mean = mass @ GRID
    assert found.mean[0, 0] == pytest.approx(mean, abs=1e-10)
    assert found.covariance[0, 0, 0] == pytest.approx(mass @ np.square(GRID - mean), abs=1e-10)
    assert np.exp(found.log_density[0]) == pytest.approx(density.sum() * STEP, rel=1e-10)


def test_far_values_are_no_trouble() -> None:
    """At 1e6 deviations every density underflows; the wider component has it."""
    mixture = Mixture.from_parameters([0.9, 0.1], [[0.0, 0.0], [0.0, 5.0]], [[1.0, 1.0], [4.0, 2.0]], "diag")
    found = mixture.condition({0: 1e6})
    assert found.weights.tolist() == [0.0, 1.0]
    assert found.mean.tolist() == [5.0]
    strong = Mixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 1 - 1e-12], [1 - 1e-12, 1.0]]])
    assert strong.condition({0: 1e6}).means[0, 0] == pytest.approx(1e6, rel=1e-9)
    assert strong.condition({0: 1e6}).covariances[0, 0, 0] == pytest.approx(2e-12, rel=1e-3)


def test_wrong_requests_say_what_is_wrong(rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, "VVV", 2, 3)
    for features, message in [
        ([0, -1], "got -1"), ([3], "from 0 to 2; got 3"), ([1, 1], "feature 1 is there twice"), ([], "at least one"),
        ([0.0], "integers"), ([True], "integers"), ("a", "no names"), (["a"], "no names"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            mixture.marginal(features)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="none is left"):
        mixture.condition({0: 0.0, 1: 0.0, 2: 0.0})
    with pytest.raises(ValueError, match="feature 2 is given a value that is not finite"):
        mixture.condition({0: 0.0, 2: np.nan})
    with pytest.raises(ValueError, match=r"feature 1 = 1e\+200 is too far"):
        mixture.condition({0: 0.0, 1: 1e200})
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        mixture.condition_rows([0, 1], [[0.0]])
    singular = replace(mixture, covariances=np.ones((2, 3, 3)))
    with pytest.raises(ValueError, match="component 0 is not positive definite: feature 2"):
        singular.condition({0: 1.0, 2: 1.0})
    with pytest.raises(ValueError, match="feature 1 in component 1"):
        Mixture(np.ones(2) / 2, np.zeros((2, 2)), np.array([[1.0, 1.0], [1.0, 0.0]]), "diag").condition({1: 1.0})
    with pytest.raises(ValueError, match="one feature only"):
        mixture.ppf(0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        on_a_line(rng).ppf([0.5, 1.5])
    with pytest.raises(ValueError, match="lower <= upper"):
        mixture.box_probability([0.0] * 3, [-1.0] * 3)
    with pytest.raises(ValueError, match="power of two"):
        mixture.box_probability([0.0] * 3, [1.0] * 3, n_points=1000)


def test_an_oblique_background_is_refused_where_it_is_not_uniform(rng: np.random.Generator) -> None:
    edges = 9.0 * np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    mixture = replace(with_boxes(rng, random_mixture(rng, "VVV")), background=Background(0.2, np.zeros(3), edges))
    assert mixture.marginal([2]).background.edges.tolist() == [[9.0]]
    assert mixture.condition({2: 0.0}).background.edges.shape == (2, 2)
    for ask in (lambda: mixture.marginal([0]), lambda: mixture.condition({0: 1.0}), lambda: mixture.cdf([[0.0] * 3])):
        with pytest.raises(ValueError, match="oblique"):
            ask()


@pytest.mark.parametrize("model", UNIVARIATE)
def test_the_slope_of_cdf_is_the_density(rng: np.random.Generator, model: str) -> None:
    mixture = on_a_line(rng, model, weight=0.25)
    points = np.append(np.linspace(-3.9, 4.9, 45), 0.5)  # within the background's box
    slope = (mixture.cdf(points + 1e-5) - mixture.cdf(points - 1e-5)) / 2e-5
    np.testing.assert_allclose(slope, mixture.pdf(points[:, None]), atol=1e-9)
    assert mixture.cdf([-60.0, 60.0]).tolist() == pytest.approx([0.0, 1.0], abs=1e-15)
    integral = quad(lambda x: mixture.pdf([[x]])[0], -4.0, 1.3, limit=200)[0]
    assert mixture.cdf([[1.3]])[0] - mixture.cdf([[-4.0]])[0] == pytest.approx(integral, abs=1e-8)


@pytest.mark.parametrize("weight", [0.0, 0.25])
@pytest.mark.parametrize("model", UNIVARIATE)
def test_ppf_inverts_cdf(rng: np.random.Generator, model: str, weight: float) -> None:
    mixture = on_a_line(rng, model, weight)
    probabilities = np.concatenate([[1e-300, 1e-30, 1e-9], np.linspace(0.01, 0.99, 51)])
    found = mixture.ppf(probabilities)
    np.testing.assert_allclose(mixture.cdf(found), probabilities, rtol=1e-9 if weight == 0 else 1e-7)
    assert np.all(np.diff(found) > 0)
    assert mixture.quantile([[0.0], [1.0]]).tolist() == [[-np.inf], [np.inf]]
    np.testing.assert_allclose(1 - mixture.cdf(mixture.ppf(1 - 1e-9)[None]), 1e-9, rtol=1e-5)


def test_quantiles_across_a_gap() -> None:
    """Between components 1e8 deviations apart the density is nothing, and Newton's step of no use."""
    apart = Mixture.from_parameters([0.3, 0.7], [[0.0], [1e8]], [1.0, 1e-6], "spherical")
    wanted = [norm.ppf(0.1 / 0.3), norm.ppf(0.2999 / 0.3), 1e8 + 1e-3 * norm.ppf(0.2 / 0.7)]
    np.testing.assert_allclose(apart.ppf([0.1, 0.2999, 0.5]), wanted, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("n_features", [2, 3, 6])
def test_a_box_against_scipy(rng: np.random.Generator, n_features: int) -> None:
    mixture = random_mixture(rng, "VVV", 1, n_features)
    lower, upper = mixture.means[0] - 1.0, mixture.means[0] + rng.uniform(0.5, 3.0, n_features)
    upper[0] = np.inf
    value, error = mixture.box_probability(lower, upper)
    precise = {"maxpts": 2_000_000, "abseps": 1e-8, "releps": 1e-8}
    wanted = multivariate_normal.cdf(upper, mixture.means[0], mixture.covariances[0], lower_limit=lower, **precise)
    assert error < 1e-4
    assert abs(value - wanted) < 8 * error + 1e-6


def test_boxes_against_draws(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = with_boxes(rng, random_mixture(rng, covariance_type, 3, 3))
    rows = mixture.rvs(40_000, random_state=rng)[0]
    lower, upper = np.array([-1.0, -np.inf, -0.5]), np.array([2.0, 1.0, 7.0])
    value, error = mixture.box_probability(lower, upper)
    share = np.all((rows >= lower) & (rows <= upper), axis=1).mean()
    assert abs(share - value) < 5 * np.sqrt(value * (1 - value) / len(rows)) + 5 * error
    below = np.all(rows <= 0.5, axis=1).mean()
    assert abs(below - mixture.cdf([[0.5] * 3])[0]) < 5 * np.sqrt(0.25 / len(rows))


def test_boxes_in_the_tail_keep_their_digits() -> None:
    """Of independent features, and of dependent ones far to the right."""
    ball = Mixture.from_parameters([1.0], [[0.0, 0.0]], [1.0], "spherical")
    wanted = norm.sf(20.0) ** 2
    assert ball.box_probability([20.0, 20.0], [np.inf] * 2) == (pytest.approx(wanted, rel=1e-12), 0.0)
    tilted = Mixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.5, 1.0]]])
    value, error = tilted.box_probability([6.0, 6.0], [np.inf] * 2)
    inner = quad(lambda x: norm.pdf(x) * norm.sf((6 - 0.5 * x) / np.sqrt(0.75)), 6.0, 20.0, epsabs=0, epsrel=1e-10)[0]
    assert abs(value - inner) < 8 * error + 1e-6 * inner
    assert error < 1e-3 * value
