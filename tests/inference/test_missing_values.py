"""Bootstrap, tests and merging on rows with missing values."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura import GaussianMixture, bootstrap_lrt, bootstrap_parameters, merge_components
from mixtura.likelihood_ratio import _Holes


def two_groups(rng: np.random.Generator, share: float = 0.15) -> np.ndarray:
    rows = np.concatenate([rng.standard_normal((90, 3)), rng.standard_normal((60, 3)) + 4.0])
    holed = np.where(rng.random(rows.shape) < share, np.nan, rows)
    return holed[~np.isnan(holed).all(axis=1)]


def test_standard_errors_know_what_was_not_seen(rng: np.random.Generator) -> None:
    """Of one component the error of a mean is sigma / sqrt(observed values), but for what other features tell."""
    rows = rng.standard_normal((400, 2))
    rows[:300, 1] = np.nan
    model = GaussianMixture(1, covariance_type="diag").fit(rows)
    result = bootstrap_parameters(model, rows, n_resamples=400, random_state=0)
    expected = np.nanstd(rows, axis=0) / np.sqrt([400, 100])
    np.testing.assert_allclose(result.standard_errors.means[0], expected, rtol=0.15)  # 4 / sqrt(2 * 400)


def test_one_more_component_is_tested(rng: np.random.Generator) -> None:
    rows = two_groups(rng)
    estimator = GaussianMixture(covariance_type="spherical", n_init=1, tol=1e-4)
    found = bootstrap_lrt(estimator, rows, max_components=2, n_resamples=19, stop_after=5, random_state=0)
    assert found.n_components == 2 and found.p_value[0] == pytest.approx(0.05)


def test_resamples_have_the_patterns_of_the_data(rng: np.random.Generator) -> None:
    rows = two_groups(rng)
    mixture = GaussianMixture(1).fit(rows).mixture_
    drawn = _Holes.of(rows, None, len(rows)).draw(mixture, np.random.RandomState(0))
    assert sorted(map(tuple, np.isnan(drawn))) == sorted(map(tuple, np.isnan(rows)))
    weights = np.where(np.isnan(rows).any(axis=1), 0.0, 1.0)
    assert not np.isnan(_Holes.of(rows, weights, 50).draw(mixture, np.random.RandomState(0))).any()


def test_components_are_merged_by_what_was_observed(rng: np.random.Generator) -> None:
    rows = two_groups(rng)
    model = GaussianMixture(4, covariance_type="spherical", random_state=0).fit(rows)
    merging = merge_components(model, rows)
    shares = merging.predict_proba(rows, 2)
    assert shares.shape == (len(rows), 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)
    assert np.all(np.diff(merging.entropy) >= -1e-9)
