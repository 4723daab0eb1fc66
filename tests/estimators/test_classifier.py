"""Classes as mixtures: mclust's numbers, scikit-learn's discriminant analyses, unlabelled rows, calibration."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold, cross_val_score

from mixtura import (
    CollapsedComponentWarning,
    ConstantFeatureWarning,
    GaussianMixture,
    GaussianMixtureClassifier,
    Mixture,
)
from mixtura.covariance import model_names
from mixtura.estimators.class_mixtures import Family, LabelledRows, climb, log_likelihood
from mixtura.mstep import MStep

IRIS, SPECIES = load_iris(return_X_y=True)


def two_classes(rng, size):
    """Rows, classes, and the probability of the second class; each class is a mixture of two."""
    parts = [
        Mixture.from_parameters([0.5, 0.5], [[0.0, 0.0], [3.0, 3.0]], [[[1.0, 0.3], [0.3, 1.0]]] * 2),
        Mixture.from_parameters([0.7, 0.3], [[0.0, 3.0], [3.0, 0.0]], [[[0.5, 0.0], [0.0, 1.5]]] * 2),
    ]
    target = (rng.random(size) < 0.4).astype(int)
    rows = np.empty((size, 2))
    for code, part in enumerate(parts):
        drawn, _ = part.rvs(int(np.sum(target == code)), random_state=rng)
        rows[target == code] = rng.permutation(drawn)
    joint = np.stack([np.log(0.6) + parts[0].logpdf(rows), np.log(0.4) + parts[1].logpdf(rows)], axis=1)
    return rows, target, np.exp(joint[:, 1] - logsumexp(joint, axis=1))


# Numbers from outside


def test_iris_is_as_mclust_has_it():
    # mclust, MclustDA(iris[, 1:4], iris$Species, modelType = "EDDA"): VEV, log likelihood, BIC, training error
    model = GaussianMixtureClassifier(covariance_type="auto").fit(IRIS, SPECIES)
    assert model.covariance_types_ == ["VEV"] * 3
    assert model.log_likelihood_ == pytest.approx(-187.7097, abs=5e-5)
    assert -model.bic_ == pytest.approx(-565.8236, abs=5e-4)
    assert np.mean(model.predict(IRIS) != SPECIES) == pytest.approx(0.02)


def test_auto_has_the_lowest_bic_of_all_models():
    values = {name: GaussianMixtureClassifier(covariance_type=name).fit(IRIS, SPECIES).bic_ for name in model_names(4)}
    assert min(values, key=values.get) == "VEV"
    chosen = GaussianMixtureClassifier(covariance_type="auto").fit(IRIS, SPECIES)
    assert chosen.bic_ == pytest.approx(values["VEV"], rel=1e-12)


@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_one_shared_full_covariance_is_linear_discriminant_analysis(load):
    rows, target = load(return_X_y=True)
    other = LinearDiscriminantAnalysis(solver="lsqr").fit(rows, target)
    model = GaussianMixtureClassifier(covariance_type="EEE").fit(rows, target)
    np.testing.assert_allclose(model.predict_proba(rows), other.predict_proba(rows), atol=1e-7)


def test_a_full_covariance_a_class_is_quadratic_discriminant_analysis_by_its_formula():
    model = GaussianMixtureClassifier(covariance_type="VVV").fit(IRIS, SPECIES)
    parts = [IRIS[code == SPECIES] for code in range(3)]
    densities = [stats.multivariate_normal(part.mean(axis=0), np.cov(part.T, bias=True)) for part in parts]
    joint = np.stack([density.logpdf(IRIS) for density in densities], axis=1) - np.log(3)
    np.testing.assert_allclose(model.predict_log_proba(IRIS), joint - logsumexp(joint, axis=1)[:, None], atol=1e-8)
    np.testing.assert_allclose(model.score_samples(IRIS), logsumexp(joint, axis=1), rtol=1e-9)


def errors_of(model, rows, target):
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    return 1.0 - cross_val_score(model, rows, target, cv=folds).mean()


# Several components a class


def test_each_class_has_the_mixture_of_its_own_rows(rng):
    rows, target, _ = two_classes(rng, 600)
    model = GaussianMixtureClassifier({0: 2, 1: 1}, covariance_type="full", random_state=0).fit(rows, target)
    assert [mixture.n_components for mixture in model.mixtures_] == [2, 1]
    for code, number in enumerate((2, 1)):
        own = rows[target == code]
        alone = GaussianMixture(number, random_state=0).fit(own)
        assert model.mixtures_[code].logpdf(own).mean() == pytest.approx(alone.score(own), abs=1e-4)
    assert model.n_parameters_ == (2 * 5 + 1) + 5 + 1
    assert model.priors_ == pytest.approx(np.bincount(target) / 600)
    joint = np.stack([np.log(p) + m.logpdf(rows) for p, m in zip(model.priors_, model.mixtures_, strict=True)])
    assert model.log_likelihood_ == pytest.approx(logsumexp(joint, axis=0).sum(), rel=1e-9)


def test_probabilities_are_calibrated_and_near_the_truth(rng):
    rows, target, _ = two_classes(rng, 4_000)
    model = GaussianMixtureClassifier("auto", covariance_type="full", random_state=0).fit(rows, target)
    assert [mixture.n_components for mixture in model.mixtures_] == [2, 2]
    new, truth, chance = two_classes(rng, 50_000)
    found = model.predict_proba(new)[:, 1]
    assert np.abs(found - chance).mean() < 0.02
    for low in np.arange(0.0, 1.0, 0.1):
        chosen = (found >= low) & (found < low + 0.1)
        error = np.sqrt(np.mean(found[chosen] * (1 - found[chosen])) / chosen.sum())
        assert abs(truth[chosen].mean() - found[chosen].mean()) < 4.5 * error + 0.04


# Unlabelled rows


def test_unlabelled_rows_help(rng):
    rows, target, _ = two_classes(rng, 3_000)
    rows, target = np.vstack([rows, rng.normal(8, 1, (1_000, 2))]), np.append(target, np.full(1_000, 2))
    few = np.where(rng.random(4_000) < 0.02, target, -1)
    parameters = {"n_components": {0: 2, 1: 2, 2: 1}, "covariance_type": "tied", "random_state": 0}
    known = GaussianMixtureClassifier(**parameters).fit(rows[few >= 0], few[few >= 0])
    both = GaussianMixtureClassifier(**parameters).fit(rows, few)
    assert both.classes_.tolist() == [0, 1, 2] and both.converged_
    assert both.score_samples(rows).mean() > known.score_samples(rows).mean()
    assert both.score(rows, target) >= known.score(rows, target)
    assert both.predict_proba(rows).shape == (4_000, 3)


@pytest.mark.parametrize("covariance_type", ["EEE", "VEV", "VVI", "VII"])
def test_em_with_unlabelled_rows_never_falls(covariance_type, rng):
    codes = np.where(rng.random(150) < 0.2, SPECIES, -1)
    rows = (IRIS - IRIS.mean(axis=0)) / IRIS.std(axis=0)
    start = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(rows).mixture_
    families = [Family(start, np.arange(3), MStep(covariance_type))]
    data = LabelledRows(rows, np.ones(150), codes)

    def objective(family):
        joint = np.log(family.mixture.weights) + np.stack(
            [family.of_class(code).logpdf(rows) for code in range(3)], axis=1
        )
        return np.where(codes >= 0, joint[np.arange(150), codes], logsumexp(joint, axis=1)).sum()

    values = [objective(families[0])]
    for _ in range(30):
        families, _, _ = climb(families, data, None, 0.0, 1)
        values.append(objective(families[0]))
    assert np.diff(values).min() > -1e-8
    assert values[-1] > values[0] + 1e-3


def test_without_labels_the_likelihood_is_that_of_a_mixture(rng):
    rows, _, _ = two_classes(rng, 300)
    mixture = GaussianMixture(3, random_state=0).fit(rows).mixture_
    data = LabelledRows(rows, np.ones(300), np.zeros(300, dtype=int))
    value = log_likelihood([Family(mixture, np.arange(3), MStep("full"))], data)
    assert value == pytest.approx(mixture.logpdf(rows).sum(), rel=1e-12)


def test_minus_one_is_a_class_where_there_is_but_one_other(rng):
    rows = np.vstack([rng.normal(0, 1, (30, 2)), rng.normal(5, 1, (30, 2))])
    target = np.repeat([-1, 1], 30)
    assert GaussianMixtureClassifier().fit(rows, target).classes_.tolist() == [-1, 1]


# Priors, weights, faults


def test_priors_are_as_given():
    given = [0.7, 0.2, 0.1]
    model = GaussianMixtureClassifier(covariance_type="VVV", priors=given).fit(IRIS, SPECIES)
    free = GaussianMixtureClassifier(covariance_type="VVV").fit(IRIS, SPECIES)
    np.testing.assert_allclose(model.priors_, given)
    assert model.n_parameters_ == free.n_parameters_ - 2
    ratio = model.predict_log_proba(IRIS) - free.predict_log_proba(IRIS) - np.log(given)
    np.testing.assert_allclose(ratio, ratio[:, :1] * np.ones(3), atol=1e-8)
    for wrong in ([0.5, 0.5], [0.5, 0.5, 0.5], [1.0, 0.0, 0.0]):
        with pytest.raises(ValueError, match="priors must"):
            GaussianMixtureClassifier(priors=wrong).fit(IRIS, SPECIES)


@pytest.mark.parametrize("parameters", [{}, {"n_components": 2, "covariance_type": "tied", "random_state": 0}])
def test_weights_count_as_rows(parameters, rng):
    weights = rng.integers(0, 4, 150)
    weighted = GaussianMixtureClassifier(**parameters).fit(IRIS, SPECIES, sample_weight=weights)
    rows, target = np.repeat(IRIS, weights, axis=0), np.repeat(SPECIES, weights)
    repeated = GaussianMixtureClassifier(**parameters).fit(rows, target)
    assert weighted.bic_ == pytest.approx(repeated.bic_, rel=1e-6)
    np.testing.assert_allclose(weighted.predict_proba(IRIS), repeated.predict_proba(IRIS), atol=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of covariances at the floor, beside the one that is tested
def test_faults_are_named():
    for parameters, error, message in [
        ({"n_components": "many"}, ValueError, "must be 'auto', an integer or a dictionary"),
        ({"n_components": 0}, ValueError, "at least 1"),
        ({"n_components": 1.5}, TypeError, "integer"),
        ({"n_components": {0: 1, 1: 1}}, ValueError, "no number for class 2"),
        ({"covariance_type": "XXX"}, ValueError, "XXX"),
    ]:
        with pytest.raises(error, match=message):
            GaussianMixtureClassifier(**parameters).fit(IRIS, SPECIES)
    with pytest.raises(ValueError, match="infinity at row 0, column 1"):
        GaussianMixtureClassifier(covariance_type="EEE").fit(IRIS, SPECIES).predict([[1.0, np.inf, 1.0, 1.0]])
    with pytest.warns(CollapsedComponentWarning, match="class 'b' has 2 distinct rows"):
        GaussianMixtureClassifier(3, covariance_type="EII", random_state=0).fit(
            np.vstack([IRIS[:20], IRIS[60:62]]), np.repeat(["a", "b"], [20, 2])
        )


def test_names_of_classes_and_features_and_pickles_come_through():
    frame, names = pd.DataFrame(IRIS, columns=list("abcd")), load_iris().target_names[SPECIES]
    model = GaussianMixtureClassifier(covariance_type="EEE").fit(frame, names)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert model.feature_names_in_.tolist() == list("abcd")
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert again.score(frame, names) > 0.95


def test_digits_with_their_constant_corners():
    rows, target = load_digits(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantFeatureWarning)
        warnings.simplefilter("ignore", CollapsedComponentWarning)
        model = GaussianMixtureClassifier(covariance_type="EEE").fit(rows[::2], target[::2])
    assert model.score(rows[1::2], target[1::2]) > 0.9


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_held_out_rows_are_told_apart_as_well_as_by_discriminant_analysis(load):
    rows, target = load(return_X_y=True)
    # scikit-learn's own tolerance of rank refuses the breast cancer data
    others = LinearDiscriminantAnalysis(), QuadraticDiscriminantAnalysis(tol=1e-12)
    ours = errors_of(GaussianMixtureClassifier(), rows, target)
    assert ours <= min(errors_of(other, rows, target) for other in others)
