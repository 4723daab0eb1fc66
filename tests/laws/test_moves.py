"""Moves act on statistics: what they divide or join is still the same data."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import (
    ORACLE,
    Engines,
    assert_same_mixture,
    assert_same_statistics,
    compact,
    random_mixture,
    random_rows,
)
from laws.test_background import with_background
from mixtura import moves
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import FULL, SHAPES, Shape
from mixtura.suffstats import SufficientStats


def dense(rng: np.random.Generator, n_components: int = 4, covariance_type: str = "VVV") -> SufficientStats:
    mixture = random_mixture(rng, covariance_type, n_components)
    return moves.dense_statistics(ORACLE(random_rows(rng, mixture, 300)), mixture)


def test_halves_add_to_the_whole(rng: np.random.Generator) -> None:
    whole = dense(rng)
    halves = moves.split(whole, [1])
    assert halves.count.size == whole.count.size + 1
    assert_same_statistics(moves.merge(halves, [(1, 4)]), whole.recenter(halves.reference[[1] * 4]), 1e-12)


def test_halves_of_a_gaussian_have_its_half_moments(rng: np.random.Generator) -> None:
    """Against draws: rows of one Gaussian, cut through the mean across the longest axis."""
    covariance = np.array([[4.0, 1.0], [1.0, 1.0]])
    one = Mixture(np.ones(1), np.array([[3.0, -1.0]]), covariance[None], "full")
    rows = one.rvs(200_000, random_state=rng)[0]
    halves = moves.split(moves.dense_statistics(ORACLE(rows), one), [0])
    axis = np.linalg.eigh(covariance)[1][:, -1]
    upper = (rows - rows.mean(axis=0)) @ (axis * np.sign(axis[np.abs(axis).argmax()])) > 0
    parts = [rows[~upper], rows[upper]]
    mean, scatter = halves.mean_and_scatter()
    for k, part in enumerate(parts):
        np.testing.assert_allclose(mean[k], part.mean(axis=0), atol=0.03)
        np.testing.assert_allclose(scatter[k] / halves.count[k], np.cov(part.T), atol=0.05)


@pytest.mark.parametrize("pair", [(0, 1), (3, 1), (2, 3)])
def test_a_merged_component_has_the_moments_of_both(rng: np.random.Generator, pair: tuple[int, int]) -> None:
    before = dense(rng)
    after = moves.merge(before, [pair])
    mean, scatter = before.mean_and_scatter()
    i, j = pair
    total = before.count[i] + before.count[j]
    expected = (before.count[i] * mean[i] + before.count[j] * mean[j]) / total
    apart = mean[i] - mean[j]
    joint = scatter[i] + scatter[j] + before.count[i] * before.count[j] / total * np.outer(apart, apart)
    place = [k for k in range(4) if k != j].index(i)
    new_mean, new_scatter = after.mean_and_scatter()
    np.testing.assert_allclose(new_mean[place], expected, rtol=1e-12)
    np.testing.assert_allclose(new_scatter[place], joint, rtol=1e-9)
    assert after.count.sum() == pytest.approx(before.count.sum(), rel=1e-14)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_compressed_statistics_are_those_of_the_shape(rng: np.random.Generator, shape: Shape) -> None:
    whole = dense(rng)
    np.testing.assert_allclose(whole.compress(shape).second, compact(shape, whole.second), rtol=1e-14)


def test_dense_statistics_equal_those_of_the_engine(
    engine: Engines, covariance_type: str, rng: np.random.Generator
) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 100)
    found = moves.dense_statistics(engine(rows), mixture)
    expected = engine(rows).reduce([mixture.forms])[0]
    assert found.shape is FULL
    assert_same_statistics(found.compress(mixture.shape), expected, 1e-11)


@pytest.mark.parametrize("noisy", [False, True])
def test_dense_statistics_that_are_known_need_no_pass(
    engine: Engines, covariance_type: str, noisy: bool, rng: np.random.Generator
) -> None:
    mixture = random_mixture(rng, covariance_type)
    mixture = with_background(rng, mixture) if noisy else mixture
    one = engine(random_rows(rng, mixture, 100))
    expected = moves.dense_statistics(one, mixture)
    known = one.reduce([mixture.forms])[0]
    found = moves.dense_statistics(None if known.shape is FULL else one, mixture, known)
    assert found.count.size == mixture.n_components and found.shape is FULL
    assert_same_statistics(found, expected, 1e-11)


def test_what_moves_return_is_fit_for_every_m_step(covariance_type: str, rng: np.random.Generator) -> None:
    whole, mstep = dense(rng, covariance_type=covariance_type), MStep(covariance_type)
    split, twice = moves.split(whole, [2, 0]), moves.repeated(whole, 2)
    for moved in (split, moves.merge(twice, [(0, 3), (2, 1)]), moves.merge(split, [(0, 3), (1, 4)])):
        for one, statistics in zip(mstep.each(moved, 2), moved.apart(2), strict=True):
            one._check()
            assert one.n_components == statistics.count.size
            assert_same_mixture(one, mstep(statistics.compress(mstep.model.shape)).mixture, 1e-12)


def test_moves_at_once_are_those_one_by_one(rng: np.random.Generator) -> None:
    whole, places, pairs = dense(rng), [2, 0, 3], [(0, 3), (2, 4), (1, 0)]
    split = moves.split(whole, places)
    merged = moves.merge(split, pairs)
    for i, (half, one) in enumerate(zip(split.apart(3), merged.apart(3), strict=True)):
        assert_same_statistics(half, moves.split(whole, places[i : i + 1]), 1e-14)
        assert_same_statistics(one, moves.merge(half, pairs[i : i + 1]), 1e-14)


def test_merge_costs_are_what_the_joint_likelihood_loses(rng: np.random.Generator) -> None:
    """Each cost against the difference of maximised complete-data log likelihoods, component by component."""
    before = dense(rng)

    def height(statistics: SufficientStats) -> float:
        scatter = statistics.mean_and_scatter()[1]
        _, log_det = np.linalg.slogdet(scatter / statistics.count[:, None, None])
        return float(-0.5 * statistics.count @ log_det)

    costs = moves.merge_costs(before)
    pairs = [(i, j) for i in range(4) for j in range(i)]
    assert moves.cheapest_merges(before, 3) == sorted(pairs, key=lambda pair: float(costs[pair]))[:3]
    for i in range(4):
        assert np.all(np.isinf(costs[i, i:]))
        for j in range(i):
            assert costs[i, j] == pytest.approx(height(before) - height(moves.merge(before, [(i, j)])), rel=1e-9)
