"""Sufficient statistics are a vector space with a movable origin: `+`, `scale` and `recenter`."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import ORACLE, assert_same_statistics, random_mixture, random_rows
from mixtura.estep import moments_of, responsibilities
from mixtura.mixture import Mixture
from mixtura.shape import Array
from mixtura.suffstats import SufficientStats


def statistics(mixture: Mixture, rows: Array, weights: Array | None = None) -> SufficientStats:
    return ORACLE(rows, weights).reduce([mixture.forms])[0]


def three_samples(rng: np.random.Generator, covariance_type: str) -> tuple[Mixture, list[SufficientStats]]:
    mixture = random_mixture(rng, covariance_type)
    return mixture, [statistics(mixture, random_rows(rng, mixture, n)) for n in (40, 70, 110)]


def test_addition_commutes_and_associates(covariance_type: str, rng: np.random.Generator) -> None:
    _, (a, b, c) = three_samples(rng, covariance_type)
    assert_same_statistics(a + b, b + a, 0.0)
    assert_same_statistics((a + b) + c, a + (b + c), 1e-14)


def test_zero_adds_nothing(covariance_type: str, rng: np.random.Generator) -> None:
    mixture, (a, _, _) = three_samples(rng, covariance_type)
    zero = SufficientStats.zero(mixture.means, mixture.shape)
    assert_same_statistics(a + zero, a, 0.0)
    assert_same_statistics(zero + a, a, 0.0)


def test_addition_is_what_more_rows_do(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    left, right = random_rows(rng, mixture, 60), random_rows(rng, mixture, 90)
    both = statistics(mixture, np.vstack([left, right]))
    assert_same_statistics(statistics(mixture, left) + statistics(mixture, right), both, 1e-14)


def test_scale_multiplies_every_weight(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 80)
    weights = rng.uniform(0.0, 2.0, len(rows))
    once = statistics(mixture, rows, weights)
    assert_same_statistics(once.scale(0.3), statistics(mixture, rows, 0.3 * weights), 1e-14)


def test_scale_distributes_over_addition(covariance_type: str, rng: np.random.Generator) -> None:
    _, (a, b, _) = three_samples(rng, covariance_type)
    assert_same_statistics((a + b).scale(0.7), a.scale(0.7) + b.scale(0.7), 1e-14)
    assert_same_statistics(a.scale(0.7) + a.scale(0.3), a, 1e-14)


def test_statistics_about_different_references_do_not_add(covariance_type: str, rng: np.random.Generator) -> None:
    _, (a, b, _) = three_samples(rng, covariance_type)
    with pytest.raises(ValueError, match="recenter"):
        a + b.recenter(b.reference + 1e-9)


def test_recenter_there_and_back(covariance_type: str, rng: np.random.Generator) -> None:
    _, (a, _, _) = three_samples(rng, covariance_type)
    away = a.recenter(a.reference + rng.normal(0, 2, a.reference.shape))
    assert_same_statistics(away.recenter(a.reference), a, 1e-13)


def test_recenter_equals_moments_about_the_new_reference(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 120)
    weights = rng.uniform(0.0, 2.0, len(rows))
    reference = rng.normal(0, 2, mixture.means.shape)
    old = statistics(mixture, rows, weights)
    resp = responsibilities(mixture.forms, rows)[0] * weights[:, None]
    direct = moments_of(rows, resp, reference, mixture.shape, old.log_likelihood, old.total_weight)
    assert_same_statistics(old.recenter(reference), direct, 1e-13)


def test_recenter_is_linear(covariance_type: str, rng: np.random.Generator) -> None:
    _, (a, b, _) = three_samples(rng, covariance_type)
    reference = a.reference + rng.normal(0, 2, a.reference.shape)
    assert_same_statistics((a + b).recenter(reference), a.recenter(reference) + b.recenter(reference), 1e-13)
    assert_same_statistics(a.scale(0.4).recenter(reference), a.recenter(reference).scale(0.4), 1e-13)


def test_mean_and_scatter_do_not_depend_on_the_reference(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 150)
    resp = responsibilities(mixture.forms, rows)[0]
    means = resp.T @ rows / resp.sum(axis=0)[:, None]
    scatter = moments_of(rows, resp, means, mixture.shape, 0.0, 1.0).second
    away = statistics(mixture, rows).recenter(rng.normal(0, 2, means.shape))
    found = away.mean_and_scatter()
    np.testing.assert_allclose(found[0], means, atol=1e-12)
    np.testing.assert_allclose(found[1], scatter, atol=1e-12 * float(np.abs(scatter).max()))
