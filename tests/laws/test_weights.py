"""A weight is a number of repetitions: integer weights equal repeated rows, zero weights equal removed rows."""

from __future__ import annotations

import numpy as np

from laws.problems import (
    Engines,
    assert_same_mixture,
    assert_same_statistics,
    fit_all,
    random_mixture,
    random_rows,
    random_start,
)


def test_integer_weights_equal_repeated_rows(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 2500)
    times = rng.integers(0, 4, len(rows))
    (weighted,) = engine(rows, times.astype(np.float64)).reduce([mixture.forms])
    (repeated,) = engine(np.repeat(rows, times, axis=0)).reduce([mixture.forms])
    assert_same_statistics(weighted, repeated, 1e-13)


def test_zero_weights_equal_removed_rows(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    """Even rows whose densities underflow: nothing of them may leak in, not even 0 * inf."""
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 2500)
    kept = rng.random(len(rows)) < 0.5
    rows[~kept] *= 1e160
    weights = np.where(kept, rng.uniform(0.5, 2.0, len(rows)), 0.0)
    near = np.where(kept[:, None], rows, 0.0)
    (removed,) = engine(rows[kept], weights[kept]).reduce([mixture.forms])
    (zeroed,) = engine(near, weights).reduce([mixture.forms])
    assert_same_statistics(zeroed, removed, 1e-13)


def test_rows_that_count_once_or_not_at_all(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 2500)
    kept = rng.random(len(rows)) < 0.5
    (removed,) = engine(rows[kept]).reduce([mixture.forms])
    (zeroed,) = engine(rows, kept.astype(np.float64)).reduce([mixture.forms])
    assert_same_statistics(zeroed, removed, 1e-13)


def test_unit_weights_equal_no_weights(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 2500)
    (plain,) = engine(rows).reduce([mixture.forms])
    (weighted,) = engine(rows, np.ones(len(rows))).reduce([mixture.forms])
    assert_same_statistics(weighted, plain, 1e-15)


def test_a_fit_with_weights_equals_the_fit_of_repeated_rows(
    covariance_type: str, engine: Engines, rng: np.random.Generator
) -> None:
    rows = random_rows(rng, random_mixture(rng, covariance_type), 300)
    start = random_start(rng, rows, covariance_type, 3)
    times = rng.integers(0, 4, len(rows))
    options = {"tol": 0, "max_iter": 12, "accelerate": False}
    (repeated,) = fit_all(engine, np.repeat(rows, times, axis=0), [start], **options)
    (weighted,) = fit_all(engine, rows, [start], times.astype(np.float64), **options)
    assert_same_mixture(weighted.mixture, repeated.mixture, 1e-9)
    jacobian = weighted.history - repeated.history
    np.testing.assert_allclose(jacobian, 0.0, atol=1e-10)
