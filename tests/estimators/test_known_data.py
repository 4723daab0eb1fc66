"""Every estimator on the five data sets that everyone knows, with weights: a row of weight two is two rows."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

import mixtura
from mixtura import CollapsedComponentWarning, ConstantFeatureWarning, datasets


def _old_faithful():
    rows = datasets.load_old_faithful().data
    return rows, (rows[:, 0] > 3.0).astype(int)


DATA = {
    "old faithful": _old_faithful,
    "iris": lambda: load_iris(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
}
#: Made of settings that are cheap on 1797 rows of 64 features, and how a fit is measured.
ESTIMATORS = {
    "mixture": lambda: mixtura.GaussianMixture(2, covariance_type="diag", n_init=1, random_state=0),
    "choice": lambda: mixtura.GaussianMixtureIC(
        (1, 2), covariance_type=["EII", "VII"], n_init=1, init_params="ward", random_state=0
    ),
    "classifier": lambda: mixtura.GaussianMixtureClassifier(covariance_type="EII"),
    "detector": lambda: mixtura.GaussianMixtureOutlierDetector(1, covariance_type="diag", contamination=0.05),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_weight_is_a_number_of_rows(name, kind, rng):
    rows, target = DATA[name]()
    weights = rng.integers(0, 3, len(rows))
    with warnings.catch_warnings():
        for expected in (ConstantFeatureWarning, CollapsedComponentWarning):  # corners of the digits are always white
            warnings.simplefilter("ignore", expected)
        weighted = ESTIMATORS[kind]().fit(rows, target, sample_weight=weights)
        repeated = ESTIMATORS[kind]().fit(np.repeat(rows, weights, axis=0), np.repeat(target, weights))
    density = weighted.score_samples(rows)
    assert density.shape == (len(rows),) and np.all(np.isfinite(density))
    assert density.mean() == pytest.approx(repeated.score_samples(rows).mean(), rel=1e-3)
    labels, others = weighted.predict(rows), repeated.predict(rows)
    assert np.mean(labels == others) > 0.99
    if kind == "classifier":
        assert np.mean(labels == target) > {"digits": 0.85, "wine": 0.6, "breast cancer": 0.85}.get(name, 0.9)
    if kind == "detector":
        assert weights[labels == -1].sum() / weights.sum() == pytest.approx(0.05, abs=2.5 / weights.sum())
        assert np.isfinite(weighted.contributions(rows[:5])).all()
    if kind == "mixture":
        assert weighted.converged_ and weighted.n_observations_ == weights.sum()
    if kind == "choice":
        assert weighted.best_params_ == repeated.best_params_


@pytest.mark.parametrize("name", DATA)
def test_the_last_feature_follows_from_the_others(name, rng):
    """The regressor, with weights, beside their mean."""
    rows, _ = DATA[name]()
    rows = rows[:, rows.std(axis=0) > 0]
    weights = rng.integers(0, 3, len(rows))
    kept = np.repeat(np.arange(len(rows)), weights)
    shared = {"n_components": 1, "covariance_type": "full", "prior": "default"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapsedComponentWarning)
        weighted = mixtura.GaussianMixtureRegressor(**shared).fit(rows[:, :-1], rows[:, -1], sample_weight=weights)
        repeated = mixtura.GaussianMixtureRegressor(**shared).fit(rows[kept, :-1], rows[kept, -1])
    np.testing.assert_allclose(weighted.predict(rows[:9, :-1]), repeated.predict(rows[:9, :-1]), rtol=1e-6, atol=1e-8)
    assert weighted.score(rows[:, :-1], rows[:, -1]) > 0.3
