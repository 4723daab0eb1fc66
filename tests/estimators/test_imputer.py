"""Values filled in, against conditional distributions, scikit-learn's imputers, and what scikit-learn expects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mixtura
from mixtura import GaussianMixtureImputer, datasets
from mixtura.estimators import completion

IRIS, SPECIES = load_iris(return_X_y=True)
NAMES = ["sepal length", "sepal width", "petal length", "petal width"]


def holes(rows, share=0.2, seed=0):
    return np.where(np.random.default_rng(seed).random(rows.shape) < share, np.nan, rows)


HOLED = holes(IRIS)


def conditional(mixture, row):
    """Of the missing values of one row, by the distribution's own method."""
    seen = np.flatnonzero(~np.isnan(row))
    return mixture.condition_rows(seen, row[None, seen])


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV"])
@pytest.mark.parametrize("numbers", [2**21, 20])
def test_means_are_those_of_the_conditional_distribution(covariance_type, numbers, monkeypatch):
    monkeypatch.setattr(completion, "BATCH_NUMBERS", numbers)
    imputer = GaussianMixtureImputer(3, covariance_type=covariance_type, random_state=0)
    filled = imputer.fit_transform(HOLED)
    for row, found in zip(HOLED, filled, strict=True):
        missing = np.isnan(row)
        if missing.all():
            np.testing.assert_allclose(found, imputer.mixture_.mean, rtol=1e-9)
        elif missing.any():
            np.testing.assert_allclose(found[missing], conditional(imputer.mixture_, row).mean[0], rtol=1e-9)
    np.testing.assert_array_equal(filled[~np.isnan(HOLED)], HOLED[~np.isnan(HOLED)])


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_draws_have_the_moments_of_the_conditional_distribution(covariance_type):
    imputer = GaussianMixtureImputer(
        2, strategy="multiple", n_imputations=20_000, covariance_type=covariance_type, random_state=0
    ).fit(IRIS)
    row = np.array([np.nan, 3.0, np.nan, 1.0])
    draws = imputer.transform(row[None])[:, 0]
    assert np.all(draws[:, [1, 3]] == row[[1, 3]])
    expected = conditional(imputer.mixture_, row)
    spread = np.sqrt(np.diag(expected.covariance[0]))
    error = (draws[:, [0, 2]].mean(axis=0) - expected.mean[0]) / spread
    assert np.all(np.abs(error) < 4.5 / np.sqrt(20_000))
    scaled = np.cov(draws[:, [0, 2]].T) / np.outer(spread, spread)
    np.testing.assert_allclose(scaled, expected.covariance[0] / np.outer(spread, spread), atol=0.06)


def test_draws_of_a_row_without_values_are_draws_of_the_mixture():
    imputer = GaussianMixtureImputer(3, strategy="multiple", n_imputations=20_000, random_state=1).fit(IRIS)
    draws = imputer.transform(np.full((1, 4), np.nan))[:, 0]
    np.testing.assert_allclose(draws.mean(axis=0), imputer.mixture_.mean, atol=0.06)
    np.testing.assert_allclose(np.cov(draws.T), imputer.mixture_.covariance, atol=0.15)
    counts = np.bincount(imputer.estimator_.predict(draws), minlength=3) / 20_000
    shares = np.bincount(imputer.estimator_.predict(imputer.mixture_.rvs(20_000, random_state=0)[0])) / 20_000
    np.testing.assert_allclose(counts, shares, atol=0.025)


def test_draws_keep_the_spread_that_means_lose():
    from sklearn.datasets import make_spd_matrix

    rows = np.random.default_rng(0).multivariate_normal(np.zeros(4), make_spd_matrix(4, random_state=0), 3000)
    holed = holes(rows, 0.4)
    whole = np.cov(rows.T)
    drawn = np.cov(GaussianMixtureImputer(1, strategy="draw", random_state=0).fit_transform(holed).T)
    meant = np.cov(GaussianMixtureImputer(1).fit_transform(holed).T)
    assert np.abs(drawn - whole).max() < 0.15 * whole.max()
    assert np.all(np.diag(meant) < 0.95 * np.diag(whole)) and np.all(np.diag(meant) < np.diag(drawn))


def test_the_same_seed_draws_the_same():
    for strategy in ("draw", "multiple"):
        one = GaussianMixtureImputer(2, strategy=strategy, random_state=3).fit(HOLED)
        np.testing.assert_array_equal(one.transform(HOLED), one.transform(HOLED))
        other = one.transform(HOLED)
        assert not np.array_equal(one.set_params(random_state=4).transform(HOLED), other)
    sets = GaussianMixtureImputer(2, strategy="multiple", n_imputations=3, random_state=0).fit_transform(HOLED)
    assert sets.shape == (3, 150, 4) and not np.isnan(sets).any()
    missing = np.isnan(HOLED)
    assert np.all(sets[:, ~missing] == HOLED[~missing]) and not np.any(sets[0][missing] == sets[1][missing])


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, datasets.load_old_faithful, load_digits])
@pytest.mark.filterwarnings("ignore:feature .* is constant", "ignore:the covariance of component")
def test_real_data_are_filled_better_than_by_means_of_columns(load):
    rows = np.asarray(load().data, dtype=float)[:600]
    holed = holes(rows, 0.2)
    missing, spread = np.isnan(holed), rows.std(axis=0) + 1e-9
    error, other = (
        np.sqrt(np.mean(np.square(((one.fit_transform(holed) - rows) / spread)[missing])))
        for one in (GaussianMixtureImputer(1, prior="default", tol=1e-4, random_state=0), SimpleImputer())
    )
    assert error < 0.9 * other


def test_the_number_of_components_is_that_of_the_lowest_bic():
    rows = holes(datasets.load_old_faithful().data, 0.1)
    rows = rows[~np.isnan(rows).all(axis=1)]
    imputer = GaussianMixtureImputer("auto", random_state=0).fit(rows)
    tried = list(imputer.bic_)
    assert tried == list(range(1, len(tried) + 1)) and imputer.mixture_.n_components == len(tried) - 1 > 1
    assert imputer.bic_[len(tried) - 1] == min(imputer.bic_.values())
    assert imputer.bic_[1] == pytest.approx(imputer.set_params(n_components=1).fit(rows).estimator_.bic(rows))
    several = GaussianMixtureImputer([1, 3, 2], random_state=0).fit(rows)
    assert list(several.bic_) == [1, 2, 3]
    few = GaussianMixtureImputer("auto", random_state=0).fit([[0.0], [1.0], [np.nan]])  # two components would collapse
    assert list(few.bic_) == [1]


def test_weights_are_repetitions():
    weights = np.random.default_rng(1).integers(0, 4, 150)
    weighted = GaussianMixtureImputer(2, random_state=0).fit(HOLED, sample_weight=weights)
    repeated = GaussianMixtureImputer(2, random_state=0).fit(np.repeat(HOLED, weights, axis=0))
    np.testing.assert_allclose(weighted.transform(HOLED), repeated.transform(HOLED), atol=1e-2)
    assert weighted.estimator_.lower_bound_ == pytest.approx(repeated.estimator_.lower_bound_, abs=1e-5)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("add_indicator", [False, True])
def test_columns_are_those_of_scikit_learn(keep, add_indicator):
    frame = pd.DataFrame(HOLED, columns=NAMES).assign(empty=np.nan, whole=1.0 + SPECIES)
    frame = frame[["empty", *NAMES, "whole"]]
    ours = GaussianMixtureImputer(1, keep_empty_features=keep, add_indicator=add_indicator)
    theirs = SimpleImputer(keep_empty_features=keep, add_indicator=add_indicator)
    with pytest.warns(UserWarning, match=r"feature 0 \('empty'\) has no observed value"):
        ours.fit(frame)
    if keep:
        theirs.fit(frame)
    else:
        with pytest.warns(UserWarning, match="empty"):
            theirs.fit(frame)
            theirs_rows = theirs.transform(frame)
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    found, other = ours.transform(frame), theirs.transform(frame) if keep else theirs_rows
    assert found.shape == other.shape and not np.isnan(found).any()
    if keep:
        assert np.all(found[:, 0] == 0)
        assert ours.transform(frame.assign(empty=7.0))[3, 0] == 7.0
    if add_indicator:
        np.testing.assert_array_equal(found[:, -5:], other[:, -5:])


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_in_and_frames_out(kind):
    frame = pd.DataFrame(HOLED, columns=NAMES).astype("Float64")
    if kind == "polars":
        frame = pl.DataFrame({name: [None if np.isnan(v) else v for v in HOLED[:, j]] for j, name in enumerate(NAMES)})
    imputer = GaussianMixtureImputer(2, random_state=0, add_indicator=True).set_output(transform=kind)
    filled = imputer.fit_transform(frame)
    assert isinstance(filled, pd.DataFrame if kind == "pandas" else pl.DataFrame)
    assert list(filled.columns) == [*NAMES, *(f"missingindicator_{name}" for name in NAMES)]
    expected = GaussianMixtureImputer(2, random_state=0).fit_transform(HOLED)
    np.testing.assert_array_equal(filled.to_numpy()[:, :4], expected)
    np.testing.assert_array_equal(filled.to_numpy()[:, 4:], np.isnan(HOLED))
    with pytest.raises(ValueError, match="strategy 'multiple' returns an array"):
        imputer.set_params(strategy="multiple").transform(frame)


def test_a_mixture_fitted_before_fills_too(tmp_path):
    model = mixtura.GaussianMixture(3, covariance_type="VEV", random_state=0).fit(HOLED)
    imputer = GaussianMixtureImputer.of_fitted(model)
    own = GaussianMixtureImputer(3, covariance_type="VEV", random_state=0).fit(HOLED)
    np.testing.assert_array_equal(imputer.transform(HOLED), own.transform(HOLED))
    mixtura.save(imputer, tmp_path / "model.json")
    np.testing.assert_array_equal(mixtura.load(tmp_path / "model.json").transform(HOLED), own.transform(HOLED))
    with pytest.raises(ValueError, match="noise"):
        GaussianMixtureImputer.of_fitted(mixtura.GaussianMixture(noise=np.arange(150) < 9).fit(IRIS))


def test_in_pipelines_and_column_transformers():
    pipeline = make_pipeline(
        StandardScaler(), GaussianMixtureImputer(random_state=0, add_indicator=True), LogisticRegression(max_iter=500)
    )
    assert cross_val_score(pipeline, HOLED, SPECIES, cv=3).mean() > 0.85
    frame = pd.DataFrame(HOLED, columns=NAMES).assign(kind=SPECIES)
    columns = make_column_transformer(
        (GaussianMixtureImputer(2, random_state=0), NAMES), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    filled = columns.fit_transform(frame)
    assert list(filled.columns) == [*NAMES, "kind"] and not filled.isna().any().any()
    expected = GaussianMixtureImputer(2, random_state=0).fit_transform(HOLED)
    np.testing.assert_array_equal(filled[NAMES].to_numpy(), expected)


def test_single_precision_stays():
    single = GaussianMixtureImputer(2, random_state=0).fit_transform(HOLED.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(
        single, GaussianMixtureImputer(2, random_state=0).fit_transform(HOLED), rtol=1e-3
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "median"}, "strategy must be one of mean, draw, multiple"),
        ({"n_imputations": 0}, "n_imputations must be at least 1"),
        ({"n_imputations": 2.0}, "n_imputations must be an integer"),
        ({"add_indicator": "yes"}, "add_indicator must be True or False"),
        ({"n_components": "many"}, "n_components must be 'auto' or integers"),
        ({"n_components": []}, "at least one number"),
        ({"n_components": [1, 0]}, "n_components must be at least 1"),
        ({"covariance_type": "round"}, "round"),
        ({"reg_covar": -1.0}, "reg_covar"),
    ],
)
def test_wrong_parameters_are_named(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        GaussianMixtureImputer(**options).fit(HOLED)


@pytest.mark.parametrize("options", [{"strategy": "median"}, {"n_imputations": 0}])
def test_a_wrong_way_to_fill_is_named_when_it_is_set_after_the_fit(options):
    imputer = GaussianMixtureImputer(1, strategy="multiple").fit(HOLED).set_params(**options)
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        imputer.transform(HOLED)


def test_wrong_rows_are_named():
    with pytest.raises(ValueError, match=r"rows\.csv: cannot be read: No such file"):
        GaussianMixtureImputer().fit("rows.csv")
    with pytest.raises(ValueError, match="no feature has an observed value"):
        GaussianMixtureImputer().fit(np.full((5, 2), np.nan))
    rows = HOLED.copy()
    rows[3, 1] = np.inf
    with pytest.raises(ValueError, match="infinity at row 3, column 1"):
        GaussianMixtureImputer().fit(rows)
    with pytest.raises(ValueError, match="infinity at row 3, column 1"):
        GaussianMixtureImputer(1).fit(IRIS).transform(rows)


@pytest.mark.filterwarnings("ignore:feature .* has no observed value")
@pytest.mark.parametrize(
    "options", [{"n_components": "auto"}, {"n_components": 2, "strategy": "multiple", "add_indicator": True}]
)
def test_a_saved_imputer_comes_back_bit_for_bit(options, tmp_path):
    frame = pd.DataFrame(HOLED, columns=NAMES).assign(empty=np.nan)
    before = GaussianMixtureImputer(random_state=0, **options).fit(frame)
    mixtura.save(before, tmp_path / "model.json")
    after = mixtura.load(tmp_path / "model.json")
    assert type(after) is GaussianMixtureImputer and after.get_params() == before.get_params()
    assert after.bic_ == before.bic_ and after.n_iter_ == before.n_iter_
    assert after.transform(frame).tobytes() == before.transform(frame).tobytes()
    assert after.get_feature_names_out().tolist() == before.get_feature_names_out().tolist()
