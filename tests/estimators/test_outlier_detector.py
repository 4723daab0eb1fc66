"""Outliers: the promised rate of false alarms, thresholds from rows, contributions, and others' detectors."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from mixtura import (
    CollapsedComponentWarning,
    ConstantFeatureWarning,
    GaussianMixtureOutlierDetector,
    Mixture,
    datasets,
)
from mixtura.estimators.contributions import conditional_contributions, expected_contributions
from mixtura.estimators.false_alarms import threshold_of_mixture, threshold_of_rows

SHAPES = {
    "spherical": [0.5, 2.0, 0.1],
    "diag": [[1.0, 0.3], [0.2, 2.0], [1.0, 1.0]],
    "tied": [[1.0, 0.8], [0.8, 2.0]],
    "full": [[[1.0, 0.8], [0.8, 2.0]], [[0.3, -0.2], [-0.2, 0.4]], [[2.0, 0.0], [0.0, 0.1]]],
}


def three_components(covariance_type="full"):
    means = [[0.0, 0.0], [3.0, 1.0], [-2.0, 4.0]]
    return Mixture.from_parameters([0.6, 0.3, 0.1], means, SHAPES[covariance_type], covariance_type)


# The promise


@pytest.mark.parametrize("rate", [0.2, 0.01, 0.001])
@pytest.mark.parametrize("covariance_type", SHAPES)
def test_a_mixture_draws_the_stated_share_of_its_rows_below_the_threshold(covariance_type, rate, rng):
    mixture = three_components(covariance_type)
    threshold, error = threshold_of_mixture(mixture, rate)
    rows, _ = mixture.rvs(1_000_000, random_state=rng)
    seen = np.mean(mixture.logpdf(rows) < threshold)
    assert 0 < error < 0.04 * rate if rate < 0.1 else error < 0.002
    assert abs(seen - rate) < 4.5 * np.hypot(error, np.sqrt(rate / rows.shape[0]))


def test_the_threshold_is_where_an_integral_of_the_density_has_it():
    mixture = Mixture.from_parameters([0.7, 0.3], [[0.0], [5.0]], [1.0, 0.25], "spherical")
    for rate in (0.1, 0.01):
        threshold, error = threshold_of_mixture(mixture, rate)
        grid = np.linspace(-12, 14, 400_001)[:, None]
        density = mixture.pdf(grid)
        below = integrate.trapezoid(np.where(np.log(density) < threshold, density, 0.0), grid[:, 0])
        assert abs(below - rate) < 4.5 * error


@pytest.mark.parametrize("covariance_type", SHAPES)
def test_the_threshold_of_one_component_is_a_quantile_of_chi_square(covariance_type):
    mixture = three_components(covariance_type).take([0])
    threshold, error = threshold_of_mixture(mixture, 0.03)
    covariance = mixture.dense_covariances[0]
    peak = stats.multivariate_normal(mixture.means[0], covariance).logpdf(mixture.means[0])
    assert error == 0
    assert threshold == pytest.approx(peak - 0.5 * stats.chi2.isf(0.03, 2), rel=1e-12)


@pytest.mark.parametrize("n_components", [1, 3])
def test_a_fit_keeps_the_promise_on_new_rows_of_its_model(n_components, rng):
    truth = three_components().take(range(n_components))
    rows, _ = truth.rvs(40_000, random_state=rng)
    detector = GaussianMixtureOutlierDetector(n_components, false_alarm_rate=0.02, random_state=0).fit(rows)
    new, _ = truth.rvs(400_000, random_state=rng)
    seen = np.mean(detector.predict(new) == -1)
    # new rows, the draws behind the threshold, and the fitted rows that stand for the model
    error = np.sqrt(0.02 / 400_000 + 0.02 / 40_000 + detector.false_alarm_error_**2)
    assert abs(seen - 0.02) < 4.5 * error


def test_the_threshold_is_the_same_each_time():
    assert threshold_of_mixture(three_components(), 0.01) == threshold_of_mixture(three_components(), 0.01)


# Thresholds from rows


def test_contamination_is_the_share_of_fitted_rows_below(rng):
    rows = rng.normal(size=(400, 3))
    for share in (0.5, 0.1, 0.0025):
        detector = GaussianMixtureOutlierDetector(1, contamination=share)
        assert np.sum(detector.fit_predict(rows) == -1) == round(share * 400)
        assert np.isnan(detector.false_alarm_error_)
    assert np.all(GaussianMixtureOutlierDetector(1, contamination=0.002).fit_predict(rows) == 1)


def test_weights_count_as_rows(rng):
    rows, weights = rng.normal(size=(60, 2)), rng.integers(0, 4, 60)
    weighted = GaussianMixtureOutlierDetector(1, contamination=0.2).fit(rows, sample_weight=weights)
    repeated = GaussianMixtureOutlierDetector(1, contamination=0.2).fit(np.repeat(rows, weights, axis=0))
    assert weighted.offset_ == pytest.approx(repeated.offset_, rel=1e-9)
    flagged = weights[weighted.predict(rows) == -1].sum()
    assert flagged <= 0.2 * weights.sum()
    one = GaussianMixtureOutlierDetector(1, contamination=0.2).fit(rows, sample_weight=2.0)
    assert one.offset_ == pytest.approx(GaussianMixtureOutlierDetector(1, contamination=0.2).fit(rows).offset_)


def test_rows_of_one_density_are_outliers_together_or_not_at_all():
    log_density = np.array([-9.0, -5.0, -5.0, -5.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0])
    assert -9.0 < threshold_of_rows(log_density, None, 0.1) < -5.0
    assert -9.0 < threshold_of_rows(log_density, None, 0.3) < -5.0
    assert -5.0 < threshold_of_rows(log_density, None, 0.4) < -1.0
    assert threshold_of_rows(log_density, None, 0.05) < -9.0
    assert -5.0 < threshold_of_rows(log_density, np.array([0, 1, 1, 1, 1, 1, 1, 1, 1, 1.0]), 0.34) < -1.0


# Contributions


@pytest.mark.parametrize("covariance_type", SHAPES)
def test_contributions_are_conditional_densities(covariance_type, rng):
    mixture = three_components(covariance_type)
    rows = rng.normal(0, 3, (50, 2))
    found = conditional_contributions(mixture, rows)
    covariances = mixture.dense_covariances
    for feature in (0, 1):
        other = 1 - feature
        marginal = logsumexp(
            [
                np.log(weight) + stats.norm(mean[other], np.sqrt(covariance[other, other])).logpdf(rows[:, other])
                for weight, mean, covariance in zip(mixture.weights, mixture.means, covariances, strict=True)
            ],
            axis=0,
        )
        np.testing.assert_allclose(found[:, feature], marginal - mixture.logpdf(rows), rtol=1e-9, atol=1e-9)


def test_contributions_of_one_component_are_the_regression_of_a_feature_on_the_others(rng):
    factor = rng.normal(size=(5, 5))
    covariance, mean = factor @ factor.T + np.eye(5), rng.normal(size=5)
    mixture = Mixture.from_parameters([1.0], [mean], [covariance])
    rows = rng.normal(0, 3, (20, 5))
    found = conditional_contributions(mixture, rows)
    for j in range(5):
        rest = np.delete(np.arange(5), j)
        slope = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, j])
        variance = covariance[j, j] - slope @ covariance[rest, j]
        expected = mean[j] + (rows[:, rest] - mean[rest]) @ slope
        np.testing.assert_allclose(-found[:, j], stats.norm(expected, np.sqrt(variance)).logpdf(rows[:, j]), rtol=1e-8)


def test_one_wild_value_does_not_drown_what_the_rest_of_the_row_says():
    mixture = Mixture.from_parameters([0.5, 0.5], [[0.0, 0.0], [0.0, 8.0]], [[[1.0, 0.6], [0.6, 1.0]]] * 2)
    # of the second feature alone the row belongs to the first component: its marginal there is known
    value = conditional_contributions(mixture, np.array([[1e9, 0.5]]))[0, 0]
    slopes = 1e9 - 0.6 * 0.5
    expected = 0.5 * np.log(2 * np.pi * 0.64) + 0.5 * slopes**2 / 0.64
    near_second = 0.5 * np.log(2 * np.pi * 0.64) + 0.5 * (1e9 - 0.6 * (0.5 - 8.0)) ** 2 / 0.64
    assert value == pytest.approx(min(expected, near_second), rel=1e-12)
    assert np.isfinite(conditional_contributions(mixture, np.array([[1e150, -1e150]]))).all()


@pytest.mark.parametrize("n_components", [1, 3])
def test_the_excess_is_zero_on_average(n_components, rng):
    mixture = three_components().take(range(n_components))
    rows, _ = mixture.rvs(100_000, random_state=rng)
    found = conditional_contributions(mixture, rows)
    error = found.std(axis=0) * np.sqrt(1 / 100_000 + (1 / 10_000 if n_components > 1 else 0))
    assert np.all(np.abs(found.mean(axis=0) - expected_contributions(mixture)) < 4.5 * error)


def test_the_excess_names_the_feature_whatever_its_units(rng):
    rows = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4)) * [1e-6, 1.0, 1e6, 3.0]
    detector = GaussianMixtureOutlierDetector(1).fit(rows)
    spread = np.sqrt(detector.mixture_.dense_covariances[0].diagonal())
    wrong = rows[:4] + 20 * np.diag(spread)
    assert detector.contributions(wrong, excess=True).argmax(axis=1).tolist() == [0, 1, 2, 3]


# What a user sees


def test_faults_of_parameters_name_them(rng):
    rows = rng.normal(size=(30, 2))
    for parameters, message in [
        ({"contamination": 0.0}, "contamination must be above 0"),
        ({"contamination": 0.6}, "at most 0.5"),
        ({"false_alarm_rate": 1.0}, "below 1"),
        ({"n_components": "many"}, "n_components must be 'auto' or integers"),
    ]:
        with pytest.raises(ValueError, match=message):
            GaussianMixtureOutlierDetector(**parameters).fit(rows)
    with pytest.raises(TypeError, match="contamination must be a number"):
        GaussianMixtureOutlierDetector(contamination="auto").fit(rows)
    for ask in ("predict", "contributions"):
        with pytest.raises(ValueError, match="infinity at row 0, column 1"):
            getattr(GaussianMixtureOutlierDetector(2).fit(rows), ask)([[0.0, np.inf]])


def test_bic_chooses_where_there_is_a_choice():
    detector = GaussianMixtureOutlierDetector(covariance_type="auto", random_state=0).fit(load_iris().data)
    assert detector.mixture_.covariance_type == "VEV" and detector.mixture_.n_components == 2
    fixed = GaussianMixtureOutlierDetector(3, covariance_type="tied", random_state=0).fit(load_iris().data)
    assert fixed.mixture_.covariance_type == "tied" and fixed.mixture_.n_components == 3


def test_names_of_features_and_pickles_come_through():
    frame = pd.DataFrame(load_iris().data, columns=list("abcd"))
    detector = GaussianMixtureOutlierDetector(2, random_state=0).fit(frame)
    assert detector.feature_names_in_.tolist() == list("abcd") and detector.threshold_ == detector.offset_
    again = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(again.decision_function(frame), detector.decision_function(frame))
    with pytest.warns(UserWarning, match="feature names"):
        detector.predict(frame.to_numpy())
    assert not hasattr(detector.fit(frame.to_numpy()), "feature_names_in_")


@pytest.mark.parametrize("load", [datasets.load_old_faithful, load_iris, load_wine, load_digits])
def test_known_data(load):
    rows = load().data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantFeatureWarning)  # corners of the digits are always white
        warnings.simplefilter("ignore", CollapsedComponentWarning)
        detector = GaussianMixtureOutlierDetector(random_state=0).fit(rows)
    assert np.mean(detector.predict(rows) == -1) < 0.2
    far = rows[:1] + 100 * (rows.std(axis=0) + 1.0)
    assert detector.predict(far).tolist() == [-1]
    assert np.isfinite(detector.contributions(rows)).all()


def test_malignant_tumours_are_found_better_than_by_two_others():
    rows, target = load_breast_cancer(return_X_y=True)
    benign, malignant = rows[target == 1], rows[target == 0]

    def score(make):
        values = []
        for fitted, held in KFold(5, shuffle=True, random_state=0).split(benign):
            detector = make().fit(benign[fitted])
            shown = np.vstack([benign[held], malignant])
            truth = np.repeat([0, 1], [held.size, malignant.shape[0]])
            values.append(roc_auc_score(truth, -detector.decision_function(shown)))
        return np.mean(values)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="sklearn.covariance")  # of the other's fit
        others = [score(lambda: IsolationForest(random_state=0)), score(lambda: EllipticEnvelope(random_state=0))]
    ours = score(lambda: GaussianMixtureOutlierDetector(random_state=0))
    assert ours >= max(others)  # 0.968 against 0.959 and 0.933
