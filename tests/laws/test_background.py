"""A uniform background is one more component: of constant density, in every engine and in every covariance model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal

import mixtura
from laws.problems import (
    ORACLE,
    Engines,
    assert_same_mixture,
    assert_same_statistics,
    random_mixture,
    random_rows,
    random_start,
    standardization_of,
)
from mixtura import Background, Mixture
from mixtura.em import EMOptions, Trajectory, run
from mixtura.engine import RowOutput
from mixtura.mstep import MStep
from mixtura.shape import Array


def random_background(rng: np.random.Generator, n_features: int, weight: float = 0.2) -> Background:
    edges = 12.0 * (np.eye(n_features) + 0.2 * rng.standard_normal((n_features, n_features)))
    return Background(weight, rng.normal(0.0, 0.3, n_features), edges)


def with_background(rng: np.random.Generator, mixture: Mixture, weight: float = 0.2) -> Mixture:
    background = random_background(rng, mixture.n_features, weight)
    return replace(mixture, weights=mixture.weights * (1 - weight), background=background)


def literal_joint(mixture: Mixture, rows: Array) -> Array:
    """Weight times density: (n, K + 1), the background's last."""
    assert mixture.background is not None
    parts = zip(mixture.weights, mixture.means, mixture.dense_covariances, strict=True)
    columns = [w * multivariate_normal(mean, sigma).pdf(rows) for w, mean, sigma in parts]
    volume = abs(np.linalg.det(mixture.background.edges))
    return np.column_stack([*columns, np.full(len(rows), mixture.background.weight / volume)])


@pytest.mark.parametrize("width", [1.0, 1e-4], ids=["quadratic", "centred"])
def test_engines_agree(covariance_type: str, engine: Engines, rng: np.random.Generator, width: float) -> None:
    """Both arithmetics; for the dense shapes the background's whitener is a matrix of zeros among others."""
    mixture = with_background(rng, random_mixture(rng, covariance_type))
    mixture = replace(mixture, covariances=mixture.covariances * width**2)
    rows = random_rows(rng, mixture, 2500)
    weights = rng.uniform(0.5, 2.0, len(rows))
    tested, oracle = engine(rows, weights), ORACLE(rows, weights)
    (statistics,), (expected,) = tested.reduce([mixture.forms]), oracle.reduce([mixture.forms])
    assert statistics.count.shape == (4,) and statistics.count[-1] > 0
    assert_same_statistics(statistics, expected, 1e-9 if width < 1 else 1e-11)
    for output in RowOutput:
        found, wanted = tested.map_rows(mixture.forms, output), oracle.map_rows(mixture.forms, output)
        np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)
    joint = literal_joint(mixture, rows)
    resp = tested.map_rows(mixture.forms, RowOutput.RESPONSIBILITIES)
    np.testing.assert_allclose(resp, joint / joint.sum(axis=1, keepdims=True), atol=1e-7)
    np.testing.assert_allclose(mixture.logpdf(rows), np.log(joint.sum(axis=1)), rtol=1e-9, atol=1e-9)


def test_the_density_integrates_to_one_over_the_box(rng: np.random.Generator) -> None:
    background = Background(0.3, np.array([1.0]), np.array([[40.0]]))
    mixture = Mixture.from_parameters([0.5, 0.2], [[0.0], [3.0]], [1.0, 0.2], "spherical", background=background)
    integral = quad(lambda x: mixture.pdf([[x]])[0], -19.0, 21.0, points=[0.0, 3.0], limit=200)[0]
    assert integral == pytest.approx(1.0, abs=1e-7)


def test_the_volume_follows_the_units(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = with_background(rng, random_mixture(rng, covariance_type))
    rows = random_rows(rng, mixture, 50)
    scale, shift = np.array([1e-3, 2.0, 50.0]) if mixture.model.unit_free else np.full(3, 25.0), np.arange(3.0)
    moved = mixture.affine(scale, shift).logpdf(rows * scale + shift)
    np.testing.assert_allclose(moved, mixture.logpdf(rows) - np.log(scale).sum(), atol=1e-9)


def literal_step(mixture: Mixture, rows: Array, shared: bool) -> Mixture:
    """One EM iteration as the textbook has it, of free covariances or of one in common."""
    joint = literal_joint(mixture, rows)
    resp = joint / joint.sum(axis=1, keepdims=True)
    count, gaussian = resp.sum(axis=0), resp[:, :-1]
    means = gaussian.T @ rows / count[:-1, None]
    scatter = np.array([(rows - m).T @ ((rows - m) * r[:, None]) for m, r in zip(means, gaussian.T, strict=True)])
    covariances = scatter.sum(axis=0) / count[:-1].sum() if shared else scatter / count[:-1, None, None]
    weights = count / len(rows)
    assert mixture.background is not None
    background = replace(mixture.background, weight=float(weights[-1]))
    return replace(mixture, weights=weights[:-1], means=means, covariances=covariances, background=background)


@pytest.mark.parametrize("model", ["VVV", "EEE"])
def test_plain_em_is_the_textbook_s(model: str, loop_engine: Engines, rng: np.random.Generator) -> None:
    """The box stays where it is and the background gains weight; a shared covariance is that of the components."""
    mixture = with_background(rng, random_mixture(rng, model, 2, 2))
    rows = random_rows(rng, mixture, 400)
    start = with_background(rng, random_mixture(rng, model, 2, 2))
    expected = start
    for _ in range(5):
        expected = literal_step(expected, rows, shared=model == "EEE")
    mstep = MStep(model, floor=0.0, background=start.background)
    trajectory = Trajectory(start, mstep, EMOptions(tol=0, max_iter=5, accelerate=False))
    run(loop_engine(rows), [trajectory])
    assert_same_mixture(trajectory.mixture, expected, 1e-9)
    assert expected.background is not None and trajectory.mixture.background is not None
    assert trajectory.mixture.background.weight == pytest.approx(expected.background.weight, rel=1e-9)
    assert trajectory.log_likelihood == pytest.approx(expected.logpdf(rows).mean(), rel=1e-10)


@pytest.mark.parametrize("accelerate", [False, True], ids=["plain", "accelerated"])
def test_the_likelihood_never_falls(
    covariance_type: str, loop_engine: Engines, rng: np.random.Generator, accelerate: bool
) -> None:
    rows = random_rows(rng, with_background(rng, random_mixture(rng, covariance_type)), 300)
    to = standardization_of(rows, covariance_type)
    start = to.forward(random_start(rng, rows, covariance_type, 3))
    background = random_background(rng, 3, 0.1).affine(1 / to.scale, -to.shift / to.scale)
    mstep = MStep(covariance_type, background=background)
    trajectory = Trajectory(start, mstep, EMOptions(tol=0, max_iter=60, accelerate=accelerate))
    run(loop_engine(rows, None, to), [trajectory])
    history = np.array(trajectory.history)
    assert np.all(np.diff(history) >= -1e-12 * (1 + np.abs(history[:-1])))
    mixture = trajectory.mixture
    assert mixture.background is not None and mixture.background.weight != 0.1
    assert mixture.weights.sum() + mixture.background.weight == pytest.approx(1.0, abs=1e-12)
    assert trajectory.log_likelihood == pytest.approx(mixture.logpdf(to.rows(rows)).mean(), abs=1e-11)


def test_equal_weights_share_what_the_background_leaves(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = with_background(rng, random_mixture(rng, covariance_type))
    rows = random_rows(rng, mixture, 300)
    mstep = MStep(covariance_type, equal_weights=True, background=mixture.background)
    trajectory = Trajectory(mixture, mstep, EMOptions(tol=0, max_iter=5))
    run(ORACLE(rows), [trajectory])
    found = trajectory.mixture
    np.testing.assert_allclose(found.weights, (1 - found.noise_weight) / 3, rtol=1e-14)
    assert found.n_parameters == 2 + 9 + found.model.n_parameters(3, 3)
    assert mixture.n_parameters == found.n_parameters + 2
    assert replace(mixture, background=None).n_parameters == mixture.n_parameters - 2


def test_a_background_that_takes_every_row_leaves_sound_components(
    covariance_type: str, rng: np.random.Generator
) -> None:
    mixture = with_background(rng, random_mixture(rng, covariance_type))
    statistics = ORACLE(np.full((20, 3), 1e4)).reduce([mixture.forms])[0]
    assert statistics.count[:-1].sum() == 0
    found = MStep(covariance_type, background=mixture.background)(statistics, mixture).mixture
    assert np.all(np.isfinite(found.covariances)) and np.all(np.isfinite(found.forms.const))
    assert 0 < found.weights.sum() < 1e-9 and found.noise_weight < 1
    np.testing.assert_allclose(found.proportions.sum(), 1.0)


def test_draws_come_from_the_components_and_the_box(rng: np.random.Generator) -> None:
    mixture = with_background(rng, random_mixture(rng, "full"), weight=0.4)
    rows, components = mixture.rvs(40_000, random_state=rng)
    assert mixture.background is not None
    assert np.mean(components == -1) == pytest.approx(0.4, abs=0.015)
    noise = rows[components == -1]
    places = np.linalg.solve(mixture.background.edges.T, (noise - mixture.background.center).T)
    assert np.abs(places).max() <= 0.5
    np.testing.assert_allclose(places.mean(axis=1), 0.0, atol=0.01)
    np.testing.assert_allclose(np.cov(places), np.eye(3) / 12, atol=0.003)
    first = rows[components == 0]
    np.testing.assert_allclose(first.mean(axis=0), mixture.means[0], atol=0.2)


def test_a_file_holds_the_background_bit_for_bit(
    covariance_type: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    mixture = with_background(rng, random_mixture(rng, covariance_type))
    mixtura.save(mixture, tmp_path / "mixture.json")
    loaded = mixtura.load(tmp_path / "mixture.json")
    assert_same_mixture(loaded, mixture, 0.0)
    assert loaded.background.weight == mixture.background.weight  # type: ignore[union-attr]
    rows = random_rows(rng, mixture, 20)
    np.testing.assert_array_equal(loaded.logpdf(rows), mixture.logpdf(rows))
    for change in ({"weight": -0.1}, {"weight": 0.1}, {"weight": 1.5}, {"edges": np.zeros((3, 3))}):
        wrong = replace(mixture, background=replace(mixture.background, **change))
        with pytest.raises(ValueError, match=r"mixture\.(background|weights)"):
            mixtura.save(wrong, tmp_path / "wrong.json")


@pytest.mark.parametrize(
    "background, words",
    [
        (Background(0.5, np.zeros(2), np.eye(2)), "center"),
        (Background(1.0, np.zeros(1), np.eye(1)), "weight of a background"),
        (Background(0.5, np.zeros(1), np.zeros((1, 1))), "have a volume"),
        (Background(0.5, np.array([np.nan]), np.eye(1)), "finite"),
        (Background(0.1, np.zeros(1), np.eye(1)), "sum to 1"),
    ],
)
def test_a_background_that_makes_no_sense_is_refused(background: Background, words: str) -> None:
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match=words):
        Mixture.from_parameters([0.5], [[0.0]], [1.0], "spherical", background=background)
