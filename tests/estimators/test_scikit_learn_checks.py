"""scikit-learn's own estimator checks, with no expected failures, over the estimator's variants."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtura import (
    GaussianMixture,
    GaussianMixtureClassifier,
    GaussianMixtureIC,
    GaussianMixtureImputer,
    GaussianMixtureOutlierDetector,
    GaussianMixtureRegressor,
)

VARIANTS = [
    GaussianMixture(),
    GaussianMixture(n_components=2),
    GaussianMixture(n_components=2, covariance_type="tied", init_params="k-means++"),
    GaussianMixture(n_components=2, covariance_type="diag", init_params="random_from_data"),
    GaussianMixture(n_components=2, covariance_type="spherical", init_params="random"),
    GaussianMixture(n_components=2, algorithm="em", n_init=2),
    GaussianMixture(n_components=2, engine="numpy"),
    GaussianMixture(n_components=2, equal_weights=True),
    GaussianMixture(n_components=2, prior="default"),
    GaussianMixture(n_components=2, noise=True),
    GaussianMixture(n_components=2, fixed={0: {"covariance": 0.5}}),
    GaussianMixtureIC((1, 2)),
    GaussianMixtureIC(2, covariance_type=["EII", "VVV"], criterion="icl", n_init=2),
    GaussianMixtureClassifier(),
    GaussianMixtureClassifier(covariance_type="auto"),
    GaussianMixtureClassifier(2, covariance_type="diag"),
    GaussianMixtureOutlierDetector(),
    GaussianMixtureOutlierDetector(2, contamination=0.1),
    GaussianMixtureOutlierDetector(1, covariance_type="diag", false_alarm_rate=0.2),
    GaussianMixtureImputer(),
    GaussianMixtureImputer("auto"),
    GaussianMixtureImputer(2, strategy="draw", covariance_type="full", add_indicator=True),
    GaussianMixtureRegressor(),
    GaussianMixtureRegressor(2),
]


@parametrize_with_checks(VARIANTS)
@pytest.mark.filterwarnings("ignore::UserWarning")  # the checks' own data are degenerate on purpose
def test_scikit_learn_check(estimator, check):
    check(estimator)
