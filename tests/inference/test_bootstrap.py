"""The weighted likelihood bootstrap: against closed forms, and its coverage."""

import json

import numpy as np
import pandas as pd
import pytest

from inference.coverage_of_intervals import RESULTS, coverage
from mixtura import GaussianMixture, Mixture, bootstrap_parameters
from mixtura.bootstrap import matching


@pytest.fixture
def pair(rng):
    rows = np.vstack([rng.normal(0, 1, (150, 2)), rng.normal([4, 2], [1.0, 0.5], (100, 2))])
    return rows, GaussianMixture(2, random_state=0).fit(rows)


def test_one_component_has_the_closed_form(rng):
    """Under a uniform Dirichlet, a weighted mean has variance s^2 / (N + 1) (Rubin 1981)."""
    rows = rng.gamma(2.0, size=(80, 2))
    result = bootstrap_parameters(GaussianMixture(1).fit(rows), rows, n_resamples=700, random_state=1)
    expected = np.sqrt(rows.var(axis=0) / (len(rows) + 1))
    np.testing.assert_allclose(result.standard_errors.means[0], expected, rtol=0.11)  # four standard errors of a spread
    assert result.standard_errors.weights[0] == 0


def test_frequency_weights_are_rows(rng):
    """Two copies of each row: the same spread as weights of two, and less than that of one copy."""
    rows = rng.normal(size=(60, 1))
    model = GaussianMixture(1).fit(rows)
    options = {"n_resamples": 500, "random_state": 2}
    weighted = bootstrap_parameters(model, rows, sample_weight=np.full(60, 2.0), **options)
    repeated = bootstrap_parameters(model, np.repeat(rows, 2, axis=0), **options)
    np.testing.assert_allclose(weighted.standard_errors.means, repeated.standard_errors.means, rtol=0.18)
    expected = np.sqrt(rows.var() / 121)
    assert weighted.standard_errors.means[0, 0] == pytest.approx(expected, rel=0.13)


def test_the_result_is_the_same_for_any_number_of_processes(pair):
    rows, model = pair
    before = model.means_.copy()
    one = bootstrap_parameters(model, rows, n_resamples=12, random_state=3)
    two = bootstrap_parameters(model, rows, n_resamples=12, random_state=3, n_jobs=2)
    np.testing.assert_array_equal(one.means, two.means)
    np.testing.assert_array_equal(one.covariances, two.covariances)
    np.testing.assert_array_equal(model.means_, before)  # the fitted estimator is left alone


def test_columns_make_a_table(pair):
    rows, model = pair
    heard = []
    result = bootstrap_parameters(
        model, pd.DataFrame(rows), n_resamples=40, random_state=4, progress=lambda *at: heard.append(at)
    )
    assert heard == [(done, 40) for done in range(1, 41)]
    table = pd.DataFrame(result.columns(0.9)).set_index("parameter")
    assert len(table) == 2 + 4 + 6
    assert table.loc["means[1, 0]", "estimate"] == model.means_[1, 0]
    assert table.loc["covariances[0, 0, 1]", "estimate"] == model.covariances_[0, 0, 1]
    assert (table.lower <= table.upper).all() and result.n_failed == 0 and result.n_resamples == 40
    wide = pd.DataFrame(result.columns(0.99)).set_index("parameter")
    assert (wide.lower <= table.lower).all() and (wide.upper >= table.upper).all()


@pytest.mark.parametrize("name", ["spherical", "diag", "tied", "full"])
def test_components_are_matched_however_they_are_ordered(rng, name):
    rows = np.vstack([rng.normal(0, 1, (80, 2)), rng.normal(5, 1, (80, 2)), rng.normal([0, 6], 0.5, (80, 2))])
    mixture = GaussianMixture(3, covariance_type=name, random_state=0).fit(rows).mixture_
    order = rng.permutation(3)
    moved = mixture.take(order)
    np.testing.assert_array_equal(moved.take(matching(mixture, moved)).means, mixture.means)


def test_matching_tells_components_of_one_mean_apart():
    mixture = Mixture.from_parameters([0.5, 0.5], [[0.0, 0.0]] * 2, [1.0, 25.0], "spherical")
    np.testing.assert_array_equal(matching(mixture, mixture.take([1, 0])), [1, 0])


def test_bad_arguments_are_named(pair):
    rows, model = pair
    with pytest.raises(ValueError, match="n_resamples"):
        bootstrap_parameters(model, rows, n_resamples=1)
    with pytest.raises(ValueError, match="level"):
        bootstrap_parameters(model, rows, n_resamples=3, random_state=0).intervals(95)


def test_intervals_cover_as_often_as_they_say():
    """Twenty-five samples here; the stored study has hundreds."""
    covered = coverage(n_samples=25, n_resamples=79, level=0.9, seed=5)
    assert 0.80 < covered.mean() < 0.97, covered.round(2)


def test_the_stored_study_is_near_its_level():
    """What `make coverage` wrote: every parameter near 0.95, covariances a little below as in any small sample."""
    study = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert study["samples"] >= 200 and study["level"] == 0.95
    assert 0.92 < study["mean"] < 0.97
    assert all(0.88 < value < 0.99 for part in study["coverage"].values() for value in part)
