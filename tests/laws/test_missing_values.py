"""Missing values: what is expected of them given the observed ones, by the literal formulas of the textbooks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from laws.problems import Engines, assert_same_statistics, random_mixture, random_rows
from mixtura import Background
from mixtura.em import EMOptions, Trajectory, run
from mixtura.engine import missing as patterns
from mixtura.engine.engine import Engine, RowOutput
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import FULL, TIED, Array
from mixtura.source import ArraySource
from mixtura.standardization import Standardization
from mixtura.suffstats import SufficientStats

#: All rows in batches; patterns of many rows apart; every pattern apart.
GROUPINGS = [10**9, 8, 1]


def incomplete(engine: Engines, rows: Array, weights: Array | None = None, threads: int = 1) -> Engine:
    from mixtura.engine import create_engine

    to = Standardization.identity(rows.shape[1])
    return create_engine(engine.name, ArraySource(rows, weights, incomplete=True), to, threads)


def with_holes(rng: np.random.Generator, rows: Array, share: float = 0.3) -> Array:
    holed = np.where(rng.random(rows.shape) < share, np.nan, rows)
    holed[0] = np.nan
    holed[1] = rows[1]
    return holed


def literal(mixture: Mixture, rows: Array, weights: Array) -> tuple[Array, Array, SufficientStats]:
    """Responsibilities, log densities and expected statistics, row by row (Little and Rubin 2002, section 11.2)."""
    n, (k, d) = rows.shape[0], mixture.means.shape
    joint, expected, residual = np.empty((n, k)), np.empty((n, k, d)), np.zeros((n, k, d, d))
    for r, row in enumerate(rows):
        o = ~np.isnan(row)
        m = ~o
        for c, (mean, covariance) in enumerate(zip(mixture.means, mixture.dense_covariances, strict=True)):
            inner = covariance[np.ix_(o, o)]
            density = multivariate_normal.logpdf(row[o], mean[o], inner) if o.any() else 0.0
            joint[r, c] = np.log(mixture.weights[c]) + density
            slope = covariance[np.ix_(m, o)] @ np.linalg.inv(inner) if o.any() else np.zeros((m.sum(), 0))
            expected[r, c] = np.where(o, row, 0.0)
            expected[r, c, m] = mean[m] + slope @ (row[o] - mean[o])
            residual[r, c][np.ix_(m, m)] = covariance[np.ix_(m, m)] - slope @ covariance[np.ix_(o, m)]
    log_density = np.logaddexp.reduce(joint, axis=1)
    resp = np.exp(joint - log_density[:, None])
    shares = resp * weights[:, None]
    away = expected - mixture.means
    second = np.einsum("rk,rkd,rke->kde", shares, away, away) + np.einsum("rk,rkde->kde", shares, residual)
    statistics = SufficientStats(
        shares.sum(axis=0),
        np.einsum("rk,rkd->kd", shares, away),
        second,
        mixture.means,
        float(weights @ log_density),
        float(weights.sum()),
        FULL,
    )
    return resp, log_density, statistics


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_expected_statistics_are_those_of_the_textbook(
    engine: Engines, covariance_type: str, grouping: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "PATTERN_ROWS", grouping)
    mixture = random_mixture(rng, covariance_type, 3, 4)
    rows = with_holes(rng, random_rows(rng, mixture, 60))
    weights = rng.uniform(0.5, 2.0, 60)
    resp, log_density, expected = literal(mixture, rows, weights)
    over = incomplete(engine, rows, weights)
    assert_same_statistics(over.reduce([mixture.forms])[0], expected.compress(mixture.shape), 1e-11)
    np.testing.assert_allclose(over.map_rows(mixture.forms, RowOutput.LOG_DENSITY), log_density, atol=1e-11)
    np.testing.assert_allclose(over.map_rows(mixture.forms, RowOutput.RESPONSIBILITIES), resp, atol=1e-11)
    np.testing.assert_array_equal(over.map_rows(mixture.forms, RowOutput.LABELS), resp.argmax(axis=1))


def with_box(rng: np.random.Generator, mixture: Mixture, oblique: bool = False) -> Mixture:
    edges = np.diag(rng.uniform(8.0, 14.0, mixture.n_features))
    edges = edges @ np.linalg.qr(rng.standard_normal(edges.shape))[0] if oblique else edges
    return replace(mixture, weights=0.7 * mixture.weights, background=Background(0.3, np.zeros(len(edges)), edges))


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_a_background_is_uniform_over_the_observed_sides_of_its_box(
    engine: Engines, covariance_type: str, grouping: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "PATTERN_ROWS", grouping)
    mixture = with_box(rng, random_mixture(rng, covariance_type, 3, 4))
    rows = with_holes(rng, random_rows(rng, mixture, 60))
    weights = rng.uniform(0.5, 2.0, 60)
    of_components, density, _ = literal(mixture, rows, weights)
    seen = ~np.isnan(rows)
    flat = np.log(0.3) - seen @ np.log(np.diagonal(mixture.background.edges))
    total = np.logaddexp(density, flat)
    resp = np.column_stack([of_components * np.exp(density - total)[:, None], np.exp(flat - total)])
    over = incomplete(engine, rows, weights)
    found = over.reduce([mixture.forms])[0]
    assert found.log_likelihood == pytest.approx(float(weights @ total), rel=1e-11)
    np.testing.assert_allclose(found.count, weights @ resp, rtol=1e-10)
    assert found.total_weight == pytest.approx(weights.sum())
    # the components' sums are those of rows of which they have only their share
    alone = replace(mixture, weights=mixture.proportions, background=None)
    _, _, shared = literal(alone, rows, weights * resp[:, :-1].sum(axis=1))
    inner = MStep(covariance_type).gaussians(found) if mixture.shape is TIED else found
    if mixture.shape is TIED:
        np.testing.assert_allclose(inner.second, shared.mean_and_scatter()[1].sum(axis=0), rtol=1e-9, atol=1e-9)
    else:
        second = shared.compress(mixture.shape).second
        np.testing.assert_allclose(inner.second[:3], second, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(over.map_rows(mixture.forms, RowOutput.RESPONSIBILITIES), resp, atol=1e-11)
    np.testing.assert_allclose(over.map_rows(mixture.forms, RowOutput.LOG_DENSITY), total, atol=1e-11)
    np.testing.assert_array_equal(over.map_rows(mixture.forms, RowOutput.LABELS), resp.argmax(axis=1))


def test_of_an_oblique_box_a_part_is_as_wide_as_its_covariance_says(engine: Engines, rng: np.random.Generator) -> None:
    mixture = with_box(rng, random_mixture(rng, "VVV", 2, 3), oblique=True)
    drawn = mixture.background.draw(200_000, rng)
    rows = np.full((1, 3), 1e3)  # beyond every component
    assert incomplete(engine, rows).map_rows(mixture.forms, RowOutput.LOG_DENSITY)[0] == pytest.approx(
        mixture.background.log_density
    )
    for seen in ([0], [1, 2], [0, 2]):
        holed = np.full((1, 3), np.nan)
        holed[:, seen] = 1e3
        volume = np.sqrt(np.linalg.det(12.0 * np.atleast_2d(np.cov(drawn[:, seen].T))))
        found = incomplete(engine, holed).map_rows(mixture.forms, RowOutput.LOG_DENSITY)[0]
        assert found == pytest.approx(np.log(0.3 / volume), abs=0.01)


def test_complete_rows_give_what_the_engine_of_complete_rows_gives(
    engine: Engines, covariance_type: str, rng: np.random.Generator
) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 80)
    found, expected = incomplete(engine, rows).reduce([mixture.forms])[0], engine(rows).reduce([mixture.forms])[0]
    assert_same_statistics(found, expected, 1e-11)


def test_the_observed_likelihood_never_falls(
    loop_engine: Engines, covariance_type: str, rng: np.random.Generator
) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = with_holes(rng, random_rows(rng, mixture, 120), 0.2)
    start = random_mixture(rng, covariance_type)
    one = Trajectory(start, MStep(covariance_type), EMOptions(0.0, 25, accelerate=False))
    run(incomplete(loop_engine, rows), [one])
    history = np.array(one.history)
    assert np.all(np.diff(history) >= -1e-9 * (1 + np.abs(history[:-1])))


def test_one_component_reaches_the_optimum_of_the_observed_likelihood(
    loop_engine: Engines, rng: np.random.Generator
) -> None:
    """Against a numerical optimiser that knows nothing of EM, over means and Cholesky factors."""
    from scipy.optimize import minimize

    mixture = random_mixture(rng, "VVV", 1, 2)
    rows = with_holes(rng, random_rows(rng, mixture, 60), 0.3)[1:]

    def height(parameters: Array) -> float:
        factor = np.array([[np.exp(parameters[2]), 0.0], [parameters[3], np.exp(parameters[4])]])
        covariance = factor @ factor.T
        seen = ~np.isnan(rows)
        parts = [
            multivariate_normal.logpdf(row[o], parameters[:2][o], covariance[np.ix_(o, o)])
            for row, o in zip(rows, seen, strict=True)
            if o.any()
        ]
        return -float(np.sum(parts)) / len(rows)

    best = minimize(height, np.zeros(5), method="BFGS", options={"gtol": 1e-9})
    one = Trajectory(random_mixture(rng, "VVV", 1, 2), MStep("VVV"), EMOptions(1e-12, 5000))
    run(incomplete(loop_engine, rows), [one])
    assert one.log_likelihood == pytest.approx(-best.fun, abs=1e-6)
    np.testing.assert_allclose(one.mixture.means[0], best.x[:2], atol=1e-4)


def test_threads_change_no_bit(rng: np.random.Generator) -> None:
    from laws.problems import ENGINES

    mixture = random_mixture(rng, "VVV", 3, 5)
    rows = with_holes(rng, random_rows(rng, mixture, 9000), 0.3)
    for engine in ENGINES:
        one, three = (incomplete(engine, rows, threads=n).reduce([mixture.forms])[0] for n in (1, 3))
        assert_same_statistics(one, three, 0.0)
