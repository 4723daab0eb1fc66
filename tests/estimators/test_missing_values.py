"""GaussianMixture on rows with missing values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from mixtura import GaussianMixture, GaussianMixtureIC, datasets
from mixtura.estimators.incomplete import UnobservedRowWarning
from mixtura.estimators.selecting import cross_validate
from mixtura.source import ArraySource

IRIS = load_iris().data
TYPES = ["full", "tied", "diag", "spherical", "VEV", "EVE", "EEI"]


def holes(rows: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    holed = np.where(rng.random(rows.shape) < share, np.nan, rows)
    return holed[~np.isnan(holed).all(axis=1)]


@pytest.mark.parametrize("covariance_type", TYPES)
def test_the_reported_likelihood_is_that_of_the_observed_values(covariance_type):
    rows = holes(IRIS, 0.15)
    model = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(rows)
    assert model.converged_
    assert model.score(rows) == pytest.approx(model.lower_bound_, abs=1e-10)
    dense = model.mixture_.dense_covariances
    literal = []
    for row in rows:
        seen = ~np.isnan(row)
        parts = [
            np.log(w) + multivariate_normal.logpdf(row[seen], m[seen], c[np.ix_(seen, seen)])
            for w, m, c in zip(model.weights_, model.means_, dense, strict=True)
        ]
        literal.append(np.logaddexp.reduce(parts))
    np.testing.assert_allclose(model.score_samples(rows), literal, rtol=1e-8)
    shares = model.predict_proba(rows)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(rows), shares.argmax(axis=1))


def test_few_holes_change_little():
    whole = GaussianMixture(3, random_state=0).fit(IRIS)
    rows = IRIS.copy()
    rows[7, 2] = np.nan
    holed = GaussianMixture(3, random_state=0).fit(rows)
    order = [np.argsort(one.means_[:, 0]) for one in (whole, holed)]
    np.testing.assert_allclose(holed.means_[order[1]], whole.means_[order[0]], atol=0.02)
    complete = np.delete(np.arange(150), 7)
    np.testing.assert_allclose(holed.score_samples(IRIS[complete]), whole.score_samples(IRIS[complete]), atol=0.1)


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer, datasets.load_old_faithful])
@pytest.mark.parametrize("prior", [None, "default"])
def test_real_data_are_fitted(load, prior):
    rows = holes(np.asarray(load().data), 0.1)
    model = GaussianMixture(2, covariance_type="VVI", prior=prior, random_state=0).fit(rows)
    assert model.converged_ and np.isfinite(model.score(rows)) and np.isfinite(model.bic(rows))


def test_units_do_not_matter_and_order_neither():
    rows = holes(IRIS, 0.1)
    scale = np.array([1e-3, 1.0, 50.0, 7.0])
    plain = GaussianMixture(2, random_state=0).fit(rows)
    scaled = GaussianMixture(2, random_state=0).fit(rows * scale)
    observed = (~np.isnan(rows)).mean(axis=0)
    assert scaled.lower_bound_ + observed @ np.log(scale) == pytest.approx(plain.lower_bound_, abs=1e-6)
    shuffled = GaussianMixture(2, random_state=0).fit(rows[::-1])
    assert shuffled.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-5)


def test_weights_are_repetitions():
    rows = holes(IRIS, 0.1)
    weights = np.random.default_rng(1).integers(1, 4, len(rows))
    weighted = GaussianMixture(2, random_state=0).fit(rows, sample_weight=weights)
    repeated = GaussianMixture(2, random_state=0).fit(np.repeat(rows, weights, axis=0))
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, abs=1e-5)


def test_a_row_without_values_gets_the_prior_weights_and_says_so():
    model = GaussianMixture(3, random_state=0).fit(IRIS)
    rows = np.array([[np.nan] * 4, IRIS[0]])
    with pytest.warns(UnobservedRowWarning, match="row 0"):
        shares = model.predict_proba(rows)
    np.testing.assert_allclose(shares[0], model.weights_, rtol=1e-10)
    with pytest.warns(UnobservedRowWarning):
        assert model.score_samples(rows)[0] == pytest.approx(0.0, abs=1e-12)


def test_a_column_without_values_is_named():
    rows = IRIS.copy()
    rows[:, 2] = np.nan
    with pytest.raises(ValueError, match="feature 2 has no observed value"):
        GaussianMixture(2).fit(rows)
    with pytest.raises(ValueError, match="'petal length'"):
        GaussianMixture(2).fit(pd.DataFrame(rows, columns=["a", "b", "petal length", "d"]))


def test_infinity_beside_nan_is_still_an_error():
    rows = holes(IRIS, 0.1)
    rows[3, 1] = np.inf
    with pytest.raises(ValueError, match="infinity at row 3, column 1"):
        GaussianMixture(2).fit(rows)
    model = GaussianMixture(2, random_state=0).fit(IRIS)
    with pytest.raises(ValueError, match="infinity at row 3, column 1"):
        model.predict(rows)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_a_noise_component_is_found_behind_holes(covariance_type):
    """Two balls of unit variance and a tenth of uniform noise: as without holes, within four standard errors."""
    rng = np.random.default_rng(20264)
    balls = rng.standard_normal((2, 450, 3)) + np.array([[[0.0] * 3], [[7.0, 4.0, -3.0]]])
    rows = np.concatenate([*balls, rng.uniform(-15, 20, (100, 3))])
    truth = np.repeat([0, 1, -1], [450, 450, 100])
    rows[rng.random(rows.shape) < 0.15] = np.nan
    kept = ~np.isnan(rows).all(axis=1)
    rows, truth = rows[kept], truth[kept]
    model = GaussianMixture(2, covariance_type=covariance_type, noise=True, random_state=0).fit(rows)
    assert model.converged_ and model.score(rows) == pytest.approx(model.lower_bound_, abs=1e-10)
    assert np.all(np.abs(np.linalg.eigvalsh(model.mixture_.dense_covariances) - 1.0) < 4 * np.sqrt(2 / (0.85 * 450)))
    assert model.mixture_.noise_weight == pytest.approx(0.1, abs=0.03)
    found = model.predict(rows) == -1
    assert np.mean(found[truth == -1]) > 0.8 and np.mean(truth[found] == -1) > 0.9
    whole = ~np.isnan(rows).any(axis=1)
    np.testing.assert_allclose(model.score_samples(rows[whole]), model.mixture_.logpdf(rows[whole]), rtol=1e-9)


def test_a_background_without_holes_in_its_fit_predicts_rows_with_holes():
    rng = np.random.default_rng(20265)
    rows = np.concatenate([rng.standard_normal((300, 2)), rng.uniform(-15, 20, (40, 2))])
    model = GaussianMixture(1, noise=True, random_state=0).fit(rows)
    assert model.predict([[np.nan, 12.0], [np.nan, 0.0], [0.0, 12.0]]).tolist() == [-1, 0, -1]
    with pytest.warns(UnobservedRowWarning):
        shares = model.predict_proba([[np.nan, np.nan]])
    np.testing.assert_allclose(shares, [[*model.weights_, model.mixture_.noise_weight]], rtol=1e-10)


def _polars(rows: np.ndarray, kind: type = float) -> pl.DataFrame:
    columns = {n: [None if np.isnan(v) else kind(v) for v in rows[:, j]] for j, n in enumerate("abcd")}
    return pl.DataFrame(columns)


FRAMES = {
    "nullable": lambda rows: pd.DataFrame(rows, columns=list("abcd")).astype("Int64"),
    "pandas by arrow": lambda rows: pd.DataFrame(rows, columns=list("abcd")).astype("double[pyarrow]"),
    "objects and NA": lambda rows: pd.DataFrame(rows, columns=list("abcd")).astype("Int64").astype(object),
    "array of objects and NA": lambda rows: pd.DataFrame(rows).astype("Int64").to_numpy(),
    "objects and None": lambda rows: np.where(np.isnan(rows), None, rows.astype(object)),
    "mixed types": lambda rows: pd.DataFrame(rows, columns=list("abcd")).astype({"b": "Int32", "d": "Float32"}),
    "polars": _polars,
    "polars integers": lambda rows: _polars(rows, int),
    "polars with NaN": lambda rows: pl.DataFrame(rows, schema=list("abcd")),
    "arrow": lambda rows: _polars(rows).to_arrow(),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_with_missing_values(kind):
    rows = holes(np.round(10 * IRIS), 0.1)
    expected = GaussianMixture(2, random_state=0).fit(rows)
    frame = FRAMES[kind](rows)
    model = GaussianMixture(2, random_state=0).fit(frame)
    assert model.lower_bound_ == pytest.approx(expected.lower_bound_, abs=1e-12)
    np.testing.assert_array_equal(model.score_samples(frame), expected.score_samples(rows))
    assert not hasattr(frame, "columns") or model.feature_names_in_.tolist() == list("abcd")


def test_a_boolean_and_its_missing_values():
    frame = pd.DataFrame({"a": IRIS[:, 0], "b": pd.array([True, None, False] * 50, dtype="boolean")})
    rows = np.column_stack([IRIS[:, 0], [1.0, np.nan, 0.0] * 50])
    assert GaussianMixture().fit(frame).lower_bound_ == GaussianMixture().fit(rows).lower_bound_


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_a_column_of_a_frame_without_values_is_named(frame):
    with pytest.raises(ValueError, match=r"'b'\) has no observed value"):
        GaussianMixture(2).fit(frame({"a": IRIS[:, 0], "b": [None] * 150}))


def test_float32_rows():
    rows = holes(IRIS, 0.1)
    single = GaussianMixture(2, random_state=0).fit(rows.astype(np.float32))
    assert single.lower_bound_ == pytest.approx(GaussianMixture(2, random_state=0).fit(rows).lower_bound_, abs=1e-4)


def test_a_choice_is_made_on_what_was_observed():
    rows = holes(IRIS, 0.1)
    names = ["EEE", "VEV", "VVI"]
    model = GaussianMixtureIC(range(1, 4), covariance_type=names, random_state=0).fit(rows)
    assert model.best_params_ == {"covariance_type": "VEV", "n_components": 2}
    assert model.results_["bic"][model.best_index_] == pytest.approx(model.bic(rows), rel=1e-9)
    for place in (0, 4, 8):
        cell = {name: model.results_[name][place] for name in ("covariance_type", "n_components")}
        alone = GaussianMixture(**cell, random_state=0).fit(rows)
        assert model.results_["bic"][place] <= alone.bic(rows) + 1e-3
    shares = model.predict_proba(rows)
    entropy = -2.0 * np.log(shares.max(axis=1)).sum()
    place = model.best_index_
    assert model.results_["icl"][place] - model.results_["bic"][place] == pytest.approx(entropy, rel=1e-6)


def test_held_out_rows_are_scored_by_what_was_observed():
    rows = holes(IRIS, 0.1)
    model = GaussianMixtureIC([1, 3], covariance_type="VVI", criterion="cv", cv=3, random_state=0).fit(rows)
    assert model.best_params_["n_components"] == 3
    found = cross_validate(model, ArraySource(rows, None, True), [("VVI", 1)], np.random.RandomState(5))
    fold = np.random.RandomState(5).permutation(len(rows)) % 3
    one = [GaussianMixture(1, covariance_type="VVI").fit(rows[fold != f]) for f in range(3)]
    held = [fit.score_samples(rows[fold == f]).sum() for f, fit in enumerate(one)]
    assert found == pytest.approx(-2.0 * sum(held), rel=1e-6)


def test_a_choice_knows_noise_behind_holes():
    rng = np.random.default_rng(20266)
    rows = np.concatenate([rng.standard_normal((200, 2)), rng.uniform(-15, 20, (30, 2))])
    rows = holes(rows, 0.1)
    model = GaussianMixtureIC([1, 2], covariance_type=["VVI", "VII"], noise=True, random_state=0).fit(rows)
    assert model.best_params_["n_components"] == 1
    assert model.mixture_.noise_weight == pytest.approx(30 / 230, abs=0.06)
    assert model.best_estimator_.bic(rows) == pytest.approx(model.results_["bic"][model.best_index_], rel=1e-9)
