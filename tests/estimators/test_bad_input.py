"""Input that breaks mixture software: a clear error that says what and where, or a sound fit."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from mixtura import CollapsedComponentWarning, ConstantFeatureWarning, GaussianMixture, GaussianMixtureIC

TYPES = ("full", "tied", "diag", "spherical")


@pytest.fixture
def rows():
    generator = np.random.default_rng(11)
    return np.concatenate([generator.standard_normal((60, 3)), generator.standard_normal((40, 3)) + 5])


def is_sound(model, rows):
    """Finite parameters, a finite objective, responsibilities that sum to one."""
    assert np.all(np.isfinite(model.means_)) and np.all(np.isfinite(model.covariances_))
    assert np.isfinite(model.lower_bound_)
    np.testing.assert_allclose(model.predict_proba(rows).sum(axis=1), 1.0)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_infinite_values_are_named_by_row_and_column(rows, value, dtype):
    bad = rows.astype(dtype)
    bad[17, 2] = value
    model = GaussianMixture(2, random_state=0).fit(rows)
    for action in (lambda: GaussianMixture(2).fit(bad), lambda: model.predict(bad), lambda: model.score_samples(bad)):
        with pytest.raises(ValueError, match="infinity at row 17, column 2"):
            action()


def test_infinity_is_named_where_a_choice_is_made(rows):
    bad = np.where(np.arange(rows.size).reshape(rows.shape) == 17 * 3 + 2, np.inf, rows)
    model = GaussianMixtureIC(2, covariance_type="VVI", random_state=0).fit(rows)
    for action in (lambda: GaussianMixtureIC(2).fit(bad), lambda: model.predict(bad), lambda: model.score(bad)):
        with pytest.raises(ValueError, match="infinity at row 17, column 2"):
            action()


def test_a_text_column_is_named():
    with pytest.raises(ValueError, match="'species'"):
        GaussianMixture(1).fit(pl.DataFrame({"a": [1.0, 2.0, 3.0], "species": ["x", "y", "z"]}))
    with pytest.raises(ValueError, match="'species'"):
        GaussianMixture(1).fit(pd.DataFrame({"a": [1.0, 2.0, 3.0], "species": ["x", "y", "z"]}))


def test_too_few_rows_and_sparse_input_are_refused(rows):
    with pytest.raises(ValueError, match="minimum of 2"):
        GaussianMixture(1).fit(rows[:1])
    with pytest.raises(ValueError, match="0 sample"):
        GaussianMixture(1).fit(rows[:0])
    with pytest.raises(ValueError, match="n_samples >= n_components"):
        GaussianMixture(9).fit(rows[:5])
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        GaussianMixture(1).fit(sparse.csr_matrix(rows))
    with pytest.raises(ValueError, match="2D array"):
        GaussianMixture(1).fit(rows[0])


def test_a_wrong_number_of_features_at_predict_is_refused(rows):
    model = GaussianMixture(2, random_state=0).fit(rows)
    with pytest.raises(ValueError, match=r"2 features.*3 features"):
        model.predict(rows[:, :2])


@pytest.mark.parametrize(
    "weights, message",
    [
        (np.full(100, -1.0), "row 0"),
        (np.zeros(100), "zero"),
        (np.ones(99), r"shape \(100,\)"),
        (np.where(np.arange(100) == 7, np.nan, 1.0), "row 7"),
        (np.where(np.arange(100) == 8, np.inf, 1.0), "row 8"),
    ],
)
def test_bad_weights_are_refused(rows, weights, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2).fit(rows, sample_weight=weights)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_all_rows_equal(covariance_type):
    same = np.full((20, 2), 3.5)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(same)
    assert {one.category for one in seen} == {CollapsedComponentWarning, ConstantFeatureWarning}
    is_sound(model, same)
    np.testing.assert_allclose(model.means_, 3.5)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_constant_column(rows, covariance_type):
    flat = rows.copy()
    flat[:, 1] = 1e6
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(flat)
    assert any("feature 1 is constant" in str(one.message) for one in seen)
    is_sound(model, flat)
    np.testing.assert_allclose(model.means_[:, 1], 1e6)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_collinear_columns_are_floored_and_named(rows, covariance_type):
    collinear = np.column_stack([rows, rows[:, 0] + rows[:, 1]])
    with pytest.warns(CollapsedComponentWarning, match="component 0"):
        model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(collinear)
    is_sound(model, collinear)


def test_a_component_that_collapses_on_duplicates_is_floored_and_the_fit_goes_on(rows):
    spiked = np.concatenate([rows, np.repeat([[9.0, 9.0, 9.0]], 10, axis=0)])
    with pytest.warns(CollapsedComponentWarning, match="collapsed"):
        model = GaussianMixture(3, n_init=1, random_state=0).fit(spiked)
    is_sound(model, spiked)


def test_the_search_prefers_an_optimum_without_collapsed_components(rows):
    spiked = np.concatenate([rows, np.repeat([[9.0, 9.0, 9.0]], 10, axis=0)])
    model = GaussianMixture(3, random_state=0).fit(spiked)  # a warning would be an error
    assert np.linalg.eigvalsh(model.covariances_).min() > 1e-3


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("offset, rtol", [(1e4, 1e-9), (1e8, 1e-5)])
def test_an_offset_changes_nothing(rows, covariance_type, offset, rtol):
    moved = rows + offset  # rounds the data themselves to 1e-8 at 1e8
    plain = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(rows)
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(moved)
    np.testing.assert_allclose(model.covariances_, plain.covariances_, rtol=1e-4, atol=rtol)
    assert model.lower_bound_ == pytest.approx(plain.lower_bound_, abs=rtol)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_float32_with_an_offset(rows, covariance_type):
    single = (rows + 1000).astype(np.float32)
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(single)
    double = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(single.astype(np.float64))
    np.testing.assert_array_equal(model.covariances_, double.covariances_)
    is_sound(model, single)


@pytest.mark.parametrize("scale", [1e100, 1e-100])
def test_large_and_small_values_that_can_be_squared(rows, scale):
    plain = GaussianMixture(2, random_state=0).fit(rows)
    model = GaussianMixture(2, random_state=0).fit(rows * scale)
    np.testing.assert_allclose(model.means_, plain.means_ * scale, rtol=1e-6)


@pytest.mark.parametrize("scale, advice", [(1e300, "divide"), (1e-300, "multiply")])
def test_values_that_cannot_be_squared_are_refused_with_advice(rows, scale, advice):
    with pytest.raises(ValueError, match=advice):
        GaussianMixture(2, random_state=0).fit(rows * scale)


def test_integers_and_booleans_are_read_as_numbers():
    generator = np.random.default_rng(0)
    integers = np.concatenate([generator.integers(0, 5, (40, 2)), generator.integers(20, 30, (40, 2))])
    model = GaussianMixture(2, covariance_type="diag", random_state=0).fit(integers)
    is_sound(model, integers)
    booleans = generator.random((60, 2)) < 0.5
    is_sound(GaussianMixture(1, random_state=0).fit(booleans), booleans)


def test_a_row_absurdly_far_away_keeps_predictions_finite(rows):
    model = GaussianMixture(2, random_state=0).fit(rows)
    far = np.array([[1e10, 0.0, 0.0], [1e150, 1e150, -1e150]])
    for values in (model.predict_proba(far), model.predict(far)):
        assert np.all(np.isfinite(values))
    assert not np.any(np.isnan(model.score_samples(far)))


@pytest.mark.parametrize(
    "parameter, value",
    [
        ("n_components", 0),
        ("n_components", 2.5),
        ("max_iter", 0),
        ("tol", -1.0),
        ("reg_covar", np.nan),
        ("covariance_type", "oblong"),
        ("algorithm", "magic"),
        ("engine", "steam"),
        ("init_params", "guess"),
        ("n_threads", 0),
    ],
)
def test_wrong_parameters_are_named(rows, parameter, value):
    with pytest.raises((ValueError, TypeError), match=parameter):
        GaussianMixture(**{parameter: value}).fit(rows)


@pytest.mark.parametrize(
    "given",
    [
        {"weights_init": [0.5, 0.6]},
        {"means_init": [[0.0, 1.0, 2.0]]},
        {"precisions_init": np.zeros((2, 3, 3))},
        {"init_params": np.zeros(99)},
        {"init_params": np.full(100, 5)},
    ],
)
def test_wrong_starts_are_refused(rows, given):
    with pytest.raises(ValueError):
        GaussianMixture(2, **given).fit(rows)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_more_features_than_rows(covariance_type):
    wide = np.random.default_rng(0).standard_normal((15, 30))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapsedComponentWarning)
        model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(wide)
    is_sound(model, wide)


def test_the_callers_arrays_are_not_written_to(rows):
    weights = np.ones(100)
    rows.flags.writeable = weights.flags.writeable = False
    GaussianMixture(2, random_state=0).fit(rows, sample_weight=weights).predict(rows)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda a: a[::2], lambda a: a[:, ::-1]])
def test_any_memory_layout_gives_the_same_fit(rows, layout):
    view = layout(rows)
    first = GaussianMixture(2, random_state=0).fit(view)
    second = GaussianMixture(2, random_state=0).fit(np.ascontiguousarray(view))
    np.testing.assert_array_equal(first.means_, second.means_)
