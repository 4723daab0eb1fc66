"""What a user sees of GaussianMixtureIC: criteria, columns, faults of single cells, delegation, saving."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import mixtura
from mixtura import ConstantFeatureWarning, GaussianMixture, GaussianMixtureIC
from mixtura.covariance import MODELS, model_names

IRIS = load_iris().data
SMALL = {"n_components": range(1, 4), "covariance_type": ["EEI", "VEV", "VVV"], "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    return GaussianMixtureIC(**SMALL).fit(IRIS)


def test_criteria_follow_from_log_likelihood_and_responsibilities(fitted):
    table = pd.DataFrame(fitted.results_)
    assert list(table.columns) == [
        "covariance_type", "n_components", "n_parameters", "log_likelihood", "bic", "icl", "aic", "converged",
        "n_iter", "status", "reason",
    ]  # fmt: skip
    np.testing.assert_allclose(table.bic, -2 * table.log_likelihood + table.n_parameters * np.log(150))
    np.testing.assert_allclose(table.aic, -2 * table.log_likelihood + 2 * table.n_parameters)
    best = fitted.best_estimator_
    row = table.loc[fitted.best_index_]
    assert row.bic == table.bic.min()
    assert row.log_likelihood == pytest.approx(best.score(IRIS) * 150, rel=1e-9)
    assert row.bic == pytest.approx(fitted.bic(IRIS), rel=1e-9)
    chances = fitted.predict_proba(IRIS)
    assert row.icl == pytest.approx(row.bic - 2 * np.log(chances.max(axis=1)).sum(), rel=1e-9)
    assert (table.icl >= table.bic - 1e-9).all()


@pytest.mark.parametrize("criterion", ["bic", "icl", "aic"])
def test_the_lowest_criterion_is_chosen(criterion):
    model = GaussianMixtureIC(**SMALL, criterion=criterion).fit(IRIS)
    values = model.results_[criterion]
    assert model.best_index_ == np.argmin(values)
    assert model.best_params_["n_components"] == model.mixture_.n_components
    assert model.best_params_["covariance_type"] == model.mixture_.covariance_type


def test_cross_validation_is_minus_two_log_densities_of_held_out_rows(rng):
    rows = np.vstack([rng.normal(0, 1, (60, 2)), rng.normal(6, 1, (60, 2))])
    model = GaussianMixtureIC(range(1, 5), covariance_type="EII", criterion="cv", cv=4, random_state=3).fit(rows)
    assert model.best_params_["n_components"] == 2
    scores = model.results_["cv"]
    assert (scores > -2 * model.results_["log_likelihood"] - 1e-6).all()  # rows seen are described better
    # whatever the folds: five rows may each be a fold of their own
    few = rows[:5]
    alone = GaussianMixtureIC(1, covariance_type="EII", criterion="cv", cv=5).fit(few).results_["cv"][0]
    one = GaussianMixture(1, covariance_type="EII")
    left_out = [one.fit(np.delete(few, i, axis=0)).score(few[[i]]) for i in range(5)]
    assert alone == pytest.approx(-2 * sum(left_out), rel=1e-9)


def test_cross_validation_is_the_same_in_several_processes(rng):
    rows = rng.normal(size=(60, 2))
    one, two = (
        GaussianMixtureIC([1, 2], covariance_type="EEE", criterion="cv", random_state=0, n_jobs=jobs).fit(rows)
        for jobs in (None, 2)
    )
    np.testing.assert_array_equal(one.results_["cv"], two.results_["cv"])


def test_the_best_estimator_is_a_gaussian_mixture_that_can_be_saved(fitted, tmp_path):
    for name in ("weights_", "means_", "covariances_", "n_iter_", "lower_bound_", "converged_", "status_"):
        assert np.all(getattr(fitted, name) == getattr(fitted.best_estimator_, name)), name
    np.testing.assert_array_equal(fitted.predict(IRIS), fitted.best_estimator_.predict(IRIS))
    np.testing.assert_array_equal(fitted.score_samples(IRIS), fitted.best_estimator_.score_samples(IRIS))
    assert fitted.sample(5)[0].shape == (5, 4) and "VEV" in fitted.summary()
    assert fitted.aic(IRIS) == pytest.approx(fitted.results_["aic"][fitted.best_index_])
    for one in (fitted.best_estimator_, fitted):
        mixtura.save(one, tmp_path / "best.json")
        np.testing.assert_array_equal(mixtura.load(tmp_path / "best.json").predict(IRIS), fitted.predict(IRIS))
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(IRIS), fitted.predict(IRIS))
    assert clone(fitted).get_params() == fitted.get_params()


def test_the_best_estimator_refitted_from_its_own_parameters_stays_there(fitted):
    best = fitted.best_estimator_
    again = clone(best).set_params(
        weights_init=best.weights_, means_init=best.means_, precisions_init=best.precisions_
    ).fit(IRIS)  # fmt: skip
    assert again.score(IRIS) == pytest.approx(best.score(IRIS), abs=1e-6)


def test_feature_names_are_kept():
    frame = pd.DataFrame(IRIS, columns=list("abcd"))
    model = GaussianMixtureIC(2, covariance_type="EII", random_state=0).fit(frame)
    for one in (model, model.best_estimator_):
        assert list(one.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c", "d"]])


def test_a_row_of_weight_two_is_two_rows(rng):
    rows = rng.normal(size=(60, 2)) + np.repeat([[0, 0], [5, 5]], 30, axis=0)
    weights = rng.integers(0, 3, 60).astype(float)
    options = {"n_components": range(1, 4), "covariance_type": ["EII", "VVV"], "random_state": 0}
    weighted = GaussianMixtureIC(**options).fit(rows, sample_weight=weights)
    repeated = GaussianMixtureIC(**options).fit(np.repeat(rows, weights.astype(int), axis=0))
    for name in ("log_likelihood", "bic", "icl"):
        np.testing.assert_allclose(weighted.results_[name], repeated.results_[name], rtol=1e-5)


def test_any_number_of_threads_gives_the_same_bits():
    one, two = (GaussianMixtureIC(**SMALL, n_threads=threads).fit(IRIS) for threads in (1, 2))
    np.testing.assert_array_equal(one.results_["log_likelihood"], two.results_["log_likelihood"])


def test_all_means_fourteen_models_and_in_one_dimension_two():
    assert len(model_names(4)) == 14 and set(model_names(4)) < set(MODELS)
    model = GaussianMixtureIC(range(1, 3), random_state=0).fit(IRIS[:, :1])
    assert model.results_["covariance_type"].tolist() == ["E", "E", "V", "V"]


FAULTS = {
    "more components than rows": (IRIS[::30], "5 rows cannot hold"),
    "duplicates": (np.repeat(IRIS[[0, 60, 120]], 20, axis=0), "3 distinct rows cannot hold"),
    "constant column": (np.c_[IRIS[:, :2], np.ones(150)], "collapsed onto too few distinct rows or directions"),
    "collinear columns": (np.c_[IRIS[:, :2], IRIS[:, 0] + IRIS[:, 1]], "collapsed"),
    "few rows": (IRIS[::12], "13 rows are fewer than D + 1 = 5 a component"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.filterwarnings("ignore::mixtura.ConstantFeatureWarning")
def test_cells_that_fail_say_why_and_never_win(name):
    rows, reason = FAULTS[name]
    model = GaussianMixtureIC(range(1, 8), random_state=0).fit(rows)
    table = pd.DataFrame(model.results_)
    assert len(table) == 14 * 7
    failed = table.reason != ""
    assert table[failed].reason.str.contains(reason, regex=False).any(), table.reason.unique()
    assert table[failed].log_likelihood.isna().all() and table[failed].bic.isna().all()
    assert (table[failed].status == "FAILED").all() and not table[failed].converged.any()
    assert table[~failed].bic.notna().all() and not failed[model.best_index_]
    assert np.isfinite(model.score(rows))


def test_where_every_cell_fails_the_error_and_the_table_say_why():
    model = GaussianMixtureIC(range(1, 4), random_state=0)
    with pytest.warns(ConstantFeatureWarning), pytest.raises(ValueError, match=r"sound fit.*collapsed"):
        model.fit(np.ones((20, 2)))
    assert all(model.results_["reason"])
    with pytest.raises(NotFittedError):
        model.predict(np.ones((20, 2)))


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"n_components": []}, ValueError, "at least one"),
        ({"n_components": [1, 0]}, ValueError, "n_components"),
        ({"n_components": "3"}, TypeError, "n_components"),
        ({"n_components": [1.5]}, TypeError, "n_components"),
        ({"covariance_type": "round"}, ValueError, "covariance_type"),
        ({"covariance_type": []}, ValueError, "covariance_type"),
        ({"criterion": "r2"}, ValueError, "criterion"),
        ({"criterion": "cv", "cv": 1}, ValueError, "cv"),
        ({"n_init": 0}, ValueError, "n_init"),
        ({"tol": -1.0}, ValueError, "tol"),
        ({"init_params": np.zeros(150, dtype=int)}, TypeError, "init_params"),
    ],
)
def test_wrong_parameters_are_named(wrong, error, text):
    with pytest.raises(error, match=text):
        GaussianMixtureIC(**{**SMALL, **wrong}).fit(IRIS)


def test_a_callable_gives_the_partitions():
    asked = []

    def halves(rows, n_components, random_state):
        asked.append(n_components)
        return np.arange(len(rows)) * n_components // len(rows)

    GaussianMixtureIC([1, 2, 3], covariance_type="VVV", init_params=halves).fit(IRIS)
    assert asked == [1, 2, 3]


def test_a_prior_saves_cells_that_collapse():
    plain, prior = (
        GaussianMixtureIC([8], covariance_type="VVV", random_state=0, prior=prior) for prior in (None, "default")
    )
    rows = IRIS[::6]
    with pytest.raises(ValueError, match="fewer than D"):
        plain.fit(rows)
    assert np.isfinite(prior.fit(rows).results_["bic"]).all()


def test_equal_weights_are_passed_on():
    model = GaussianMixtureIC(3, covariance_type="EEE", equal_weights=True, random_state=0).fit(IRIS)
    np.testing.assert_allclose(model.weights_, 1 / 3)
    assert model.results_["n_parameters"][0] == model.mixture_.n_parameters == 22


def test_what_did_not_converge_is_said():
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        model = GaussianMixtureIC(4, covariance_type="VVV", max_iter=2, random_state=0).fit(IRIS)
    assert not model.results_["converged"][0] and model.results_["status"][0] == "MAX_ITERATIONS"


def test_progress_is_on_standard_error(capsys):
    GaussianMixtureIC(2, covariance_type="EII", verbose=1, random_state=0).fit(IRIS)
    text = capsys.readouterr()
    assert "step 0 of" in text.err and not text.out


def test_large_data_are_searched_on_a_subsample_and_fitted_on_all_rows(rng):
    rows = rng.normal(size=(90_000, 2)) + rng.choice([0.0, 6.0, 12.0], 90_000)[:, None]
    model = GaussianMixtureIC(range(2, 5), covariance_type=["EII", "EEE"], random_state=0).fit(rows)
    assert model.best_params_ == {"covariance_type": "EII", "n_components": 3}
    expected = GaussianMixture(3, covariance_type="EII", random_state=0).fit(rows)
    assert model.score(rows) == pytest.approx(expected.score(rows), abs=1e-5)


@pytest.mark.slow
def test_bic_finds_the_number_of_components_of_well_separated_samples():
    """At least 95 of 100: one to five ellipsoids of one random covariance, in one to three dimensions."""
    rng, hits = np.random.default_rng(20261), 0
    for _ in range(100):
        number, n_features = int(rng.integers(1, 6)), int(rng.integers(1, 4))
        means = 9.0 * np.array([rng.permutation(12)[:number] for _ in range(n_features)]).T
        root = np.eye(n_features) + 0.5 * np.tril(rng.standard_normal((n_features, n_features)))
        rows = np.vstack([mean + rng.standard_normal((80, n_features)) @ root.T for mean in means])
        names = "all" if n_features == 1 else ["EEE", "VVV"]
        model = GaussianMixtureIC(range(1, 8), covariance_type=names, random_state=0).fit(rows)
        hits += model.best_params_["n_components"] == number
    assert hits >= 95


def test_fitting_is_silent_where_nothing_is_wrong():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GaussianMixtureIC(**SMALL).fit(IRIS)
