"""Entropy, divergence, regions, modes and reduction, against closed forms, integrals and simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from laws.problems import random_mixture
from mixtura import Background, Mixture
from mixtura.covariance import UNIVARIATE


def with_oblique_box(rng: np.random.Generator, mixture: Mixture) -> Mixture:
    size = mixture.n_features
    background = Background(0.2, np.zeros(size), 10 * (np.eye(size) + 0.2 * rng.standard_normal((size, size))))
    return replace(mixture, weights=0.8 * mixture.weights, background=background)


def test_entropy_and_divergence_of_gaussians(covariance_type: str, rng: np.random.Generator) -> None:
    one, other = random_mixture(rng, covariance_type, 1, 3), random_mixture(rng, covariance_type, 1, 3)
    s, t = one.dense_covariances[0], other.dense_covariances[0]
    entropy = multivariate_normal(one.means[0], s).entropy()
    assert one.entropy() == (pytest.approx(entropy, rel=1e-12), 0.0)
    assert one.entropy_bounds() == pytest.approx((entropy, entropy), rel=1e-12)
    apart = other.means[0] - one.means[0]
    log_ratio = np.linalg.slogdet(t)[1] - np.linalg.slogdet(s)[1]
    wanted = 0.5 * (np.trace(np.linalg.solve(t, s)) + apart @ np.linalg.solve(t, apart) - 3 + log_ratio)
    assert one.kl_divergence(other) == (pytest.approx(wanted, rel=1e-10), 0.0)
    assert one.kl_divergence_variational(other) == pytest.approx(wanted, rel=1e-10)
    assert one.kl_divergence(one).value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("reach", [0.3, 1.5, 6.0])
def test_bounds_bracket_the_entropy(covariance_type: str, rng: np.random.Generator, reach: float) -> None:
    mixture = random_mixture(rng, covariance_type, 4, 2, reach)
    lower, upper = mixture.entropy_bounds()
    value, error = mixture.entropy(random_state=rng)
    assert lower <= upper
    assert lower - 5 * error <= value <= upper + 5 * error
    assert upper - lower < 1.0


@pytest.mark.parametrize("noisy", [False, True])
def test_entropy_and_divergence_are_integrals(rng: np.random.Generator, noisy: bool) -> None:
    """On a grid, where a background ends at its box."""
    one, other = random_mixture(rng, "VVV", 3, 2), random_mixture(rng, "VEV", 2, 2)
    density = one.pdf
    across = np.linspace(-16.0, 16.0, 1201)
    points = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
    if noisy:
        one = with_oblique_box(rng, one)
        inside = np.abs((points - one.background.center) @ np.linalg.inv(one.background.edges)).max(axis=1) <= 0.5
        p = 0.8 * density(points) + 0.2 * inside / abs(np.linalg.det(one.background.edges))
    else:
        p = density(points)
    cell = (across[1] - across[0]) ** 2
    assert p.sum() * cell == pytest.approx(1.0, abs=2e-3)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = np.where(p > 0, np.log(p), 0.0)
    value, error = one.entropy(random_state=rng)
    assert abs(value + p @ log_p * cell) < 5 * error + 5e-3 * noisy
    value, error = one.kl_divergence(other, random_state=rng)
    assert abs(value - p @ (log_p - other.logpdf(points)) * cell) < 5 * error + 5e-2 * noisy


def literal_variational(one: Mixture, other: Mixture) -> float:
    """Hershey and Olsen's (2007) equation as it is written."""
    parts = [one.take([k]) for k in range(one.n_components)]
    others = [other.take([k]) for k in range(other.n_components)]
    total = 0.0
    for weight, part in zip(one.weights, parts, strict=True):
        above = sum(w * np.exp(-part.kl_divergence(p).value) for w, p in zip(one.weights, parts, strict=True))
        below = sum(w * np.exp(-part.kl_divergence(p).value) for w, p in zip(other.weights, others, strict=True))
        total += weight * np.log(above / below)
    return float(total)


def test_no_divergence_from_itself(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type, 3, 3)
    assert mixture.kl_divergence(mixture, n_draws=100) == (0.0, 0.0)
    assert mixture.kl_divergence_variational(mixture) == pytest.approx(0.0, abs=1e-12)
    other = random_mixture(rng, covariance_type, 4, 3)
    value, error = mixture.kl_divergence(other)
    assert value > 5 * error
    assert mixture.kl_divergence_variational(other) == pytest.approx(literal_variational(mixture, other), rel=1e-10)


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("noisy", [False, True])
def test_regions_hold_their_probability(
    covariance_type: str, rng: np.random.Generator, probability: float, noisy: bool
) -> None:
    mixture = random_mixture(rng, covariance_type, 3, 2)
    mixture = with_oblique_box(rng, mixture) if noisy else mixture
    rows = mixture.rvs(20_000, random_state=rng)[0]
    share = mixture.in_hdr(rows, probability, n_draws=40_000).mean()
    assert abs(share - probability) < 5 * np.sqrt(probability * (1 - probability) * (1 / 20_000 + 1 / 40_000))


def test_the_level_s_error_is_its_spread(rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, "VVV", 3, 2)
    found = [mixture.hdr_log_level(0.8, n_draws=2000, random_state=seed) for seed in range(100)]
    spread = np.std([one.value for one in found])
    assert 0.7 < spread / np.mean([one.error for one in found]) < 1.4
    level = mixture.hdr_level(0.8)
    assert np.log(level.value) == pytest.approx(mixture.hdr_log_level(0.8).value)


@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_the_region_of_a_gaussian_is_its_ellipsoid(rng: np.random.Generator, n_features: int) -> None:
    mixture = random_mixture(rng, "VVV", 1, n_features)
    exact = mixture.hdr_log_level(0.9)
    twice = replace(
        mixture, weights=np.full(2, 0.5), means=mixture.means[[0, 0]], covariances=mixture.covariances[[0, 0]]
    )
    drawn = twice.hdr_log_level(0.9, random_state=rng)
    assert exact.error == 0
    assert abs(drawn.value - exact.value) < max(5 * drawn.error, 1e-9)
    assert (drawn.error == 0) == (n_features == 1)


@pytest.mark.parametrize("model", UNIVARIATE)
@pytest.mark.parametrize("probability", [0.01, 0.5, 0.9, 1 - 1e-6])
def test_regions_on_a_line_are_exact(rng: np.random.Generator, model: str, probability: float) -> None:
    mixture = random_mixture(rng, model, 4, 1, reach=4.0)
    value, error = mixture.hdr_log_level(probability)
    assert error == 0
    grid = np.linspace(-40.0, 40.0, 400_001)
    density = mixture.pdf(grid[:, None])
    held = density[density >= np.exp(value)].sum() * (grid[1] - grid[0])
    assert held == pytest.approx(probability, abs=4e-4 * density.max())
    assert mixture.in_hdr(grid[:, None], probability).mean() == np.mean(mixture.logpdf(grid[:, None]) >= value)


def slopes(mixture: Mixture, point: np.ndarray, width: float = 1e-4) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and Hessian of the log density by differences."""
    size = point.size
    steps = width * np.eye(size)

    def f(x: np.ndarray) -> float:
        return float(mixture.logpdf(x[None])[0])

    gradient = np.array([(f(point + s) - f(point - s)) / (2 * width) for s in steps])
    hessian = np.array(
        [[(f(point + a + b) - f(point + a - b) - f(point - a + b) + f(point - a - b)) for a in steps] for b in steps]
    )
    return gradient, hessian / (4 * width**2)


@pytest.mark.parametrize("noisy", [False, True])
def test_modes_are_local_maxima(covariance_type: str, rng: np.random.Generator, noisy: bool) -> None:
    mixture = random_mixture(rng, covariance_type, 5, 2, reach=3.0)
    mixture = with_oblique_box(rng, mixture) if noisy else mixture
    found = mixture.modes()
    assert len(found) >= 1
    assert np.all(np.diff(mixture.pdf(found)) <= 0)
    for point in found:
        gradient, hessian = slopes(mixture, point)
        np.testing.assert_allclose(gradient, 0.0, atol=1e-6)
        assert np.linalg.eigvalsh(hessian).max() < 1e-5
    assert mixture.pdf(found).max() >= mixture.pdf(mixture.means).max()
    apart = np.linalg.norm(found[:, None] - found, axis=2) + np.eye(len(found))
    assert apart.min() > 1e-3


@pytest.mark.parametrize("model", UNIVARIATE)
def test_modes_on_a_line_are_all_there(rng: np.random.Generator, model: str) -> None:
    for _ in range(10):
        mixture = random_mixture(rng, model, 5, 1, reach=4.0)
        grid = np.linspace(-25.0, 25.0, 100_001)
        density = mixture.logpdf(grid[:, None])
        peaks = grid[1:-1][(density[1:-1] > density[:-2]) & (density[1:-1] >= density[2:])]
        np.testing.assert_allclose(np.sort(mixture.modes()[:, 0]), peaks, atol=1e-3)


def test_two_balls_have_two_modes_from_two_deviations_on() -> None:
    """Equal weights and variances: unimodal up to means two deviations apart, where the middle is flat."""
    for distance, number in [(1.9, 1), (2.0, 1), (2.1, 2), (60.0, 2)]:
        pair = Mixture.from_parameters([0.5, 0.5], [[0.0, 1e6], [distance, 1e6]], [1.0, 1.0], "spherical")
        found = pair.modes()
        assert len(found) == number, distance
        assert found[:, 0].mean() == pytest.approx(distance / 2, abs=1e-3)


def test_a_climb_that_starts_on_a_saddle_leaves_it() -> None:
    """A wide component in the middle of two narrow ones: its mean is stationary by symmetry, and no maximum."""
    weights, means = [0.45, 0.1, 0.45], [[-1.5, 0.0], [0.0, 0.0], [1.5, 0.0]]
    mixture = Mixture.from_parameters(weights, means, [0.25, 100.0, 0.25], "spherical")
    assert np.sort(mixture.modes()[:, 0]) == pytest.approx([-1.5, 1.5], abs=0.01)
    only_the_middle = mixture.take([1, 0, 2])
    assert len(only_the_middle.modes()) == 2


def test_reduction_keeps_the_moments(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = with_oblique_box(rng, random_mixture(rng, covariance_type, 6, 3))
    assert mixture.reduce(6) is mixture
    for number in range(1, 6):
        fewer = mixture.reduce(number)
        fewer._check()
        assert fewer.n_components == number
        np.testing.assert_allclose(fewer.mean, mixture.mean, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(fewer.covariance, mixture.covariance, rtol=1e-12, atol=1e-12)


def test_reduction_merges_the_cheapest_pair(rng: np.random.Generator) -> None:
    """By brute force over pairs, one merge at a time; and far components lose no digits."""
    mixture = random_mixture(rng, "VVV", 6, 2)
    current = mixture
    for number in range(5, 0, -1):
        costs = {}
        for i in range(current.n_components):
            for j in range(i):
                total = current.weights[[i, j]].sum()
                both = current.take([i, j]).covariance
                logs = np.linalg.slogdet(current.covariances)[1]
                own = current.weights[i] * logs[i] + current.weights[j] * logs[j]
                costs[i, j] = total * np.linalg.slogdet(both)[1] - own
        i, j = min(costs, key=costs.__getitem__)
        pair = current.take([i, j])
        rest = [k for k in range(current.n_components) if k not in (i, j)]
        current = Mixture(
            np.append(current.weights[rest], current.weights[[i, j]].sum()),
            np.vstack([current.means[rest], pair.mean]),
            np.concatenate([current.covariances[rest], pair.covariance[None]]),
        )
        rows = rng.normal(size=(20, 2))
        np.testing.assert_allclose(mixture.reduce(number).logpdf(rows), current.logpdf(rows), rtol=1e-10)
    far = Mixture.from_parameters([0.2, 0.2, 0.6], [[0.0], [0.0], [1e9]], [1.0, 1.0, 1e-3], "spherical").reduce(2)
    assert (far.covariances.tolist(), far.covariance_type) == ([1.0, pytest.approx(1e-3, rel=1e-12)], "spherical")


def test_wrong_requests_say_what_is_wrong(rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, "VVV", 3, 2)
    noisy = with_oblique_box(rng, mixture)
    for ask in (noisy.entropy_bounds, lambda: mixture.kl_divergence_variational(noisy)):
        with pytest.raises(ValueError, match="has a background"):
            ask()
    with pytest.raises(ValueError, match="2 and 1 features"):
        mixture.kl_divergence(mixture.marginal(0))
    for probability in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1, exclusive"):
            mixture.hdr_level(probability)
    for number in (0, 4):
        with pytest.raises(ValueError, match="from 1 to 3"):
            mixture.reduce(number)
    for number in (True, 2.0):
        with pytest.raises(ValueError, match="an integer"):
            mixture.reduce(number)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 2"):
        mixture.entropy(n_draws=1)


def test_components_without_weight_say_nothing() -> None:
    plain = Mixture.from_parameters([0.5, 0.5], [[0.0], [5.0]], [1.0, 1.0], "spherical")
    ghost = Mixture.from_parameters([0.5, 0.5, 0.0], [[0.0], [5.0], [50.0]], [1.0] * 3, "spherical")
    assert ghost.entropy_bounds() == pytest.approx(plain.entropy_bounds(), rel=1e-14)
    assert ghost.modes().tolist() == plain.modes().tolist()
    assert ghost.reduce(2).means.tolist() == plain.means.tolist()
    assert ghost.ppf(0.9) == plain.ppf(0.9)
    assert ghost.hdr_log_level(0.9).value == pytest.approx(plain.hdr_log_level(0.9).value, rel=1e-12)
    tail = quad(norm.pdf, 1.0, np.inf)[0]
    assert 1 - plain.cdf([6.0])[0] == pytest.approx(0.5 * tail, abs=1e-6)
