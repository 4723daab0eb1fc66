"""GaussianMixtureOutlierDetector on rows with missing values: the promise holds for what was observed."""

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.metrics import roc_auc_score

from mixtura import GaussianMixtureOutlierDetector, Mixture
from mixtura.estimators.contributions import conditional_contributions, expected_contributions
from mixtura.estimators.false_alarms import ThresholdShifts, threshold_of_mixture
from mixtura.estimators.incomplete import UnobservedRowWarning

IRIS = load_iris().data


def holes(rows, share, rng):
    holed = np.where(rng.random(rows.shape) < share, np.nan, rows)
    empty = np.isnan(holed).all(axis=1)
    holed[empty] = rows[empty]
    return holed


def two_components():
    factor = np.array([[1.0, 0.0, 0.0], [0.8, 0.5, 0.0], [-0.5, 0.3, 1.0]])
    covariances = [factor @ factor.T, 0.3 * np.eye(3)]
    return Mixture.from_parameters([0.7, 0.3], [[0.0, 0.0, 0.0], [4.0, -3.0, 5.0]], covariances)


def shift_of(mixture, missing, rate):
    """What is added to the threshold of rows that miss these features (1, D)."""
    return ThresholdShifts(mixture, rate)(np.where(missing, np.nan, 0.0))[0]


PATTERNS = [[True, False, False], [False, True, True], [True, True, False]]


@pytest.mark.parametrize("rate", [0.1, 0.01])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_promise_holds_for_each_pattern(rate, pattern, rng):
    mixture, missing = two_components(), np.array([pattern])
    threshold = threshold_of_mixture(mixture, rate)[0] + shift_of(mixture, missing, rate)
    seen = np.flatnonzero(~missing[0])
    rows, _ = mixture.marginal(seen).rvs(400_000, random_state=rng)
    found = np.mean(mixture.marginal(seen).logpdf(rows) < threshold)
    assert abs(found - rate) < 4.5 * np.sqrt(rate * (1 / 400_000 + 1 / min(max(500 / rate, 20_000), 200_000)))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_threshold_of_a_part_of_one_component_is_a_quantile_of_chi_square(pattern):
    mixture, missing = two_components().take([0]), np.array([pattern])
    seen = np.flatnonzero(~missing[0])
    part = stats.multivariate_normal(mixture.means[0][seen], mixture.covariances[0][np.ix_(seen, seen)])
    expected = part.logpdf(part.mean) - 0.5 * stats.chi2.isf(0.02, seen.size)
    found = threshold_of_mixture(mixture, 0.02)[0] + shift_of(mixture, missing, 0.02)
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("n_components", [1, 2])
def test_a_fit_keeps_the_promise_on_new_rows_with_holes(n_components, rng):
    mixture = two_components().take(range(n_components))
    rows = holes(rng.permutation(mixture.rvs(20_000, random_state=rng)[0]), 0.2, rng)
    detector = GaussianMixtureOutlierDetector(n_components, false_alarm_rate=0.05, random_state=0).fit(rows)
    new = holes(mixture.rvs(60_000, random_state=rng)[0], 0.2, rng)
    error = np.sqrt(0.05 * (1 / 60_000 + 1 / 20_000 + 1 / 20_000))  # new rows, fitted rows, draws
    assert abs(np.mean(detector.predict(new) == -1) - 0.05) < 4.5 * error


@pytest.mark.parametrize("contamination", [0.02, 0.1])
def test_a_share_of_the_rows_is_kept_with_holes(contamination, rng):
    rows = holes(IRIS, 0.1, rng)
    detector = GaussianMixtureOutlierDetector(2, contamination=contamination, random_state=0).fit(rows)
    assert np.mean(detector.predict(rows) == -1) == pytest.approx(contamination, abs=1 / 150)
    assert np.isnan(detector.false_alarm_error_)
    np.testing.assert_array_equal(detector.predict(rows) == -1, detector.decision_function(rows) < 0)


def test_complete_rows_are_judged_as_without_holes(rng):
    detector = GaussianMixtureOutlierDetector(2, random_state=0).fit(IRIS)
    rows = np.vstack([IRIS, [np.nan, 3.0, 1.4, 0.2]])
    np.testing.assert_allclose(detector.decision_function(rows)[:-1], detector.decision_function(IRIS), atol=1e-9)
    np.testing.assert_allclose(detector.decision_function(IRIS), detector.score_samples(IRIS) - detector.offset_)
    far = np.array([[np.nan, np.nan, 30.0, np.nan], [np.nan, np.nan, 1.4, np.nan]])
    assert detector.predict(far).tolist() == [-1, 1]
    with pytest.warns(UnobservedRowWarning):
        assert detector.predict(np.full((1, 4), np.nan)).tolist() == [1]


def test_contributions_are_those_of_the_observed_values(rng):
    mixture = two_components()
    detector = GaussianMixtureOutlierDetector(2, random_state=0).fit(mixture.rvs(500, random_state=rng)[0])
    rows = holes(rng.normal(0.0, 3.0, (40, 3)), 0.3, rng)
    rows[0] = np.nan
    found, excess = detector.contributions(rows), detector.contributions(rows, excess=True)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(rows))
    for row, value, beyond in zip(rows[1:], found[1:], excess[1:], strict=True):
        seen = np.flatnonzero(~np.isnan(row))
        part = detector.mixture_.marginal(seen)
        expected = conditional_contributions(part, row[None, seen])[0]
        np.testing.assert_allclose(value[seen], expected, rtol=1e-10)
        np.testing.assert_allclose(beyond[seen], expected - expected_contributions(part), rtol=1e-10)
        if seen.size == 1:  # nothing else to know it from: its own density
            np.testing.assert_allclose(expected, -part.logpdf(row[None, seen]), rtol=1e-9)


def test_tumours_are_still_told_apart_behind_holes(rng):
    rows, target = load_breast_cancer(return_X_y=True)
    holed = holes(rows, 0.1, rng)
    detector = GaussianMixtureOutlierDetector(1, random_state=0).fit(holed[target == 1][::2])
    shown = np.vstack([holed[target == 1][1::2], holed[target == 0]])
    truth = np.repeat([0, 1], [(target == 1).sum() // 2, (target == 0).sum()])
    assert roc_auc_score(truth, -detector.decision_function(shown)) > 0.9
