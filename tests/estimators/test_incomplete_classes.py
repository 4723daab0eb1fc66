"""GaussianMixtureClassifier on rows with missing values: Bayes' rule with what was observed."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris, load_wine

from mixtura import GaussianMixture, GaussianMixtureClassifier
from mixtura.estimators.incomplete import UnobservedRowWarning

IRIS, SPECIES = load_iris(return_X_y=True)


def holes(rows, share, seed=0):
    holed = np.where(np.random.default_rng(seed).random(rows.shape) < share, np.nan, rows)
    empty = np.isnan(holed).all(axis=1)
    holed[empty] = rows[empty]
    return holed


def literal_joint(model, rows):
    """log prior + log density of the observed features, row by row: (N, C)."""
    joint = np.empty((len(rows), model.classes_.size))
    for c, mixture in enumerate(model.mixtures_):
        for r, row in enumerate(rows):
            o = ~np.isnan(row)
            parts = [
                np.log(w) + multivariate_normal.logpdf(row[o], m[o], s[np.ix_(o, o)])
                for w, m, s in zip(mixture.weights, mixture.means, mixture.dense_covariances, strict=True)
            ]
            joint[r, c] = np.log(model.priors_[c]) + logsumexp(parts)
    return joint


@pytest.mark.parametrize(
    "options", [{"covariance_type": "VEV"}, {"covariance_type": "EEE"}, {"n_components": 2, "covariance_type": "VVI"}]
)
def test_probabilities_are_those_of_the_observed_features(options):
    rows = holes(IRIS, 0.2)
    model = GaussianMixtureClassifier(random_state=0, **options).fit(rows, SPECIES)
    joint = literal_joint(model, rows)
    np.testing.assert_allclose(model.score_samples(rows), logsumexp(joint, axis=1), rtol=1e-8)
    expected = joint - logsumexp(joint, axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_log_proba(rows), expected, rtol=1e-7, atol=1e-7)
    assert model.log_likelihood_ == pytest.approx(logsumexp(joint, axis=1).sum(), rel=1e-9)
    assert model.score(rows, SPECIES) > 0.88


def test_classes_of_their_own_covariance_are_fitted_as_mixtures_of_one_component():
    rows = holes(IRIS, 0.15, seed=1)
    model = GaussianMixtureClassifier(covariance_type="VVV", tol=1e-10).fit(rows, SPECIES)
    for code, mixture in enumerate(model.mixtures_):
        alone = GaussianMixture(1, tol=1e-10).fit(rows[code == SPECIES])
        np.testing.assert_allclose(mixture.means, alone.means_, atol=1e-4)
        np.testing.assert_allclose(mixture.covariances, alone.covariances_, atol=1e-4)


def test_the_observed_likelihood_is_at_its_optimum():
    """Against a numerical optimiser that knows nothing of EM: two classes, one covariance, two features."""
    rows, target = holes(IRIS[50:, :2], 0.25, seed=2), SPECIES[50:]
    model = GaussianMixtureClassifier(covariance_type="EEE", tol=1e-12, max_iter=5000).fit(rows, target)
    seen = ~np.isnan(rows)
    kinds = [(label, o) for label in (1, 2) for o in np.unique(seen, axis=0)]
    groups = [(label, o, (target == label) & (seen == o).all(axis=1)) for label, o in kinds]

    def loss(p):
        factor = np.array([[np.exp(p[4]), 0.0], [p[5], np.exp(p[6])]])
        covariance, means = factor @ factor.T, p[:4].reshape(2, 2)
        return -sum(
            np.sum(multivariate_normal.logpdf(rows[mine][:, o], means[label - 1][o], covariance[np.ix_(o, o)]))
            for label, o, mine in groups
            if mine.any()
        )

    start = np.concatenate([np.nanmean(rows[:50], axis=0), np.nanmean(rows[50:], axis=0), [-1.0, 0.0, -1.0]])
    best = minimize(loss, start, method="BFGS", options={"gtol": 1e-6})
    joint = literal_joint(model, rows)
    own = joint[np.arange(100), target - 1] - np.log(model.priors_[target - 1])
    assert -own.sum() == pytest.approx(best.fun, abs=1e-6)
    np.testing.assert_allclose(np.concatenate([one.means[0] for one in model.mixtures_]), best.x[:4], atol=1e-4)


def test_unlabelled_rows_with_holes_take_part():
    rows, rng = holes(IRIS, 0.1, seed=3), np.random.default_rng(4)
    some = np.where(rng.random(150) < 0.8, -1, SPECIES)
    few = GaussianMixtureClassifier(covariance_type="EEE").fit(rows[some >= 0], some[some >= 0])
    more = GaussianMixtureClassifier(covariance_type="EEE").fit(rows, some)
    assert more.converged_ and more.score(rows, SPECIES) > 0.95
    assert more.score_samples(rows).mean() > few.score_samples(rows).mean()
    separate = GaussianMixtureClassifier(2, covariance_type="VVI", random_state=0).fit(rows, some)
    assert separate.score(rows, SPECIES) > 0.85


def test_few_holes_change_little():
    rows = IRIS.copy()
    rows[7, 2] = np.nan
    whole = GaussianMixtureClassifier(covariance_type="VEV").fit(IRIS, SPECIES)
    holed = GaussianMixtureClassifier(covariance_type="VEV").fit(rows, SPECIES)
    np.testing.assert_allclose(holed.predict_proba(IRIS), whole.predict_proba(IRIS), atol=0.05)
    again = GaussianMixtureClassifier(covariance_type="VEV").fit(IRIS.astype(np.float32), SPECIES)
    assert again.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=1e-2)


def test_holes_cost_less_than_the_rows_that_have_them():
    rows, target = load_wine(return_X_y=True)
    holed, fold = holes(rows, 0.1, seed=5), np.arange(len(rows)) % 2 == 0
    complete = fold & ~np.isnan(holed).any(axis=1)
    by_all = GaussianMixtureClassifier(covariance_type="EEE").fit(holed[fold], target[fold])
    by_few = GaussianMixtureClassifier(covariance_type="EEE").fit(holed[complete], target[complete])
    assert by_all.score(holed[~fold], target[~fold]) > max(0.93, by_few.score(holed[~fold], target[~fold]))


def test_a_row_without_values_has_the_priors():
    model = GaussianMixtureClassifier(covariance_type="VVV", priors=[0.2, 0.3, 0.5]).fit(IRIS, SPECIES)
    with pytest.warns(UnobservedRowWarning, match="row 1"):
        shares = model.predict_proba([IRIS[0], [np.nan] * 4])
    np.testing.assert_allclose(shares[1], [0.2, 0.3, 0.5], rtol=1e-12)
    with pytest.warns(UnobservedRowWarning):
        assert model.score_samples([[np.nan] * 4])[0] == pytest.approx(0.0, abs=1e-12)
    rows = np.vstack([IRIS, [np.nan] * 4])
    for options in ({"covariance_type": "VVV"}, {"n_components": 2, "covariance_type": "EEI"}):
        with pytest.warns(UnobservedRowWarning, match="row 150"):
            told = GaussianMixtureClassifier(random_state=0, **options).fit(rows, np.append(SPECIES, 2))
        np.testing.assert_allclose(told.priors_, [50 / 151, 50 / 151, 51 / 151], rtol=1e-10)


def test_what_cannot_be_known_is_named():
    rows = IRIS.copy()
    rows[SPECIES == 1, 3] = np.nan
    with pytest.raises(ValueError, match="feature 3 has no observed value in class 1"):
        GaussianMixtureClassifier().fit(rows, SPECIES)
    frame = pd.DataFrame(rows, columns=["a", "b", "c", "petal width"])
    with pytest.raises(ValueError, match="'petal width'"):
        GaussianMixtureClassifier().fit(frame, SPECIES)
    rows[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity at row 0, column 0"):
        GaussianMixtureClassifier().fit(rows, SPECIES)
