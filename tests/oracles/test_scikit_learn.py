"""scikit-learn, from equal starts: the same path, and an optimum that it cannot improve on.

Wine and breast cancer are standardised first, for scikit-learn's sake: it takes second moments about the
origin of the data, and their features' scales differ by up to 1e5, with correlations of 0.998 on top. We
standardise inside, so ours would not need it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as TheirMixture

import mixtura
from mixtura.estep import statistics_of_partition
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import Array

TYPES = ("full", "tied", "diag", "spherical")
ITERATIONS = 100


def standardized(rows: Array) -> Array:
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


DATA: dict[str, tuple[Callable[[], Array], int]] = {
    "iris": (lambda: load_iris().data, 3),
    "wine": (lambda: standardized(load_wine().data), 3),
    "breast cancer": (lambda: standardized(load_breast_cancer().data), 2),
    "digits": (lambda: PCA(20, random_state=0).fit_transform(load_digits().data), 5),
}


@lru_cache
def problem(name: str) -> tuple[Array, Array]:
    """Rows, and hard responsibilities by k-means."""
    load, n_components = DATA[name]
    rows = load()
    labels = KMeans(n_components, n_init=3, random_state=0).fit_predict(rows)
    return rows, np.eye(n_components)[labels]


def starting_point(name: str, covariance_type: str) -> Mixture:
    rows, resp = problem(name)
    empty = Mixture(np.ones(1), np.zeros((1, 1)), np.ones(1), covariance_type)
    return MStep(covariance_type, 0.0)(statistics_of_partition(rows, resp, empty.shape)).mixture


def parameters(start: Mixture) -> dict[str, Any]:
    return {
        "n_components": start.n_components,
        "covariance_type": start.covariance_type,
        "weights_init": start.weights,
        "means_init": start.means,
        "precisions_init": start.shape.precision(start.whitener),
        "reg_covar": 0,
    }


def theirs(start: Mixture, rows: Array, max_iter: int) -> TheirMixture:
    """scikit-learn's fit after exactly that many iterations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return TheirMixture(**parameters(start), tol=0, max_iter=max_iter).fit(rows)


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("name", list(DATA))
def test_the_same_path(name: str, covariance_type: str, engine: str) -> None:
    rows, _ = problem(name)
    start = starting_point(name, covariance_type)
    expected = theirs(start, rows, ITERATIONS)
    model = mixtura.GaussianMixture(
        **parameters(start), tol=0, max_iter=expected.n_iter_, algorithm="em", engine=engine
    ).fit(rows)
    spread = rows.std(axis=0).mean()
    assert model.score(rows) == pytest.approx(expected.score(rows), abs=1e-8)
    assert model.lower_bound_ == pytest.approx(expected.score(rows), abs=1e-8)
    np.testing.assert_allclose(model.weights_, expected.weights_, atol=1e-8)
    np.testing.assert_allclose(model.means_ / spread, expected.means_ / spread, atol=1e-8)
    np.testing.assert_allclose(model.covariances_ / spread**2, expected.covariances_ / spread**2, atol=1e-8)
    assert model.covariances_.shape == expected.covariances_.shape
    assert model.precisions_cholesky_.shape == expected.precisions_cholesky_.shape
    np.testing.assert_allclose(model.predict_proba(rows), expected.predict_proba(rows), atol=1e-6)
    assert model.bic(rows) == pytest.approx(expected.bic(rows), rel=1e-8)
    assert model.aic(rows) == pytest.approx(expected.aic(rows), rel=1e-8)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("name", list(DATA))
def test_an_optimum_that_scikit_learn_cannot_improve(name: str, covariance_type: str) -> None:
    """Ours, accelerated and stopped by its own rule, is a fixed point of their EM."""
    rows, _ = problem(name)
    start = starting_point(name, covariance_type)
    model = mixtura.GaussianMixture(**parameters(start), tol=1e-12, max_iter=5000).fit(rows)
    assert model.converged_
    onwards = theirs(model.mixture_, rows, 50)
    assert onwards.score(rows) == pytest.approx(model.lower_bound_, abs=1e-10)
    spread = rows.std(axis=0).mean()
    np.testing.assert_allclose(onwards.weights_, model.weights_, atol=1e-5)
    np.testing.assert_allclose(onwards.means_ / spread, model.means_ / spread, atol=1e-5)
    np.testing.assert_allclose(onwards.covariances_ / spread**2, model.covariances_ / spread**2, atol=1e-5)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_densities_and_labels_of_given_parameters(covariance_type: str) -> None:
    """No fit at all: the same distribution, read by both."""
    rows, _ = problem("wine")
    start = starting_point("wine", covariance_type)
    reader = theirs(start, rows, 1)
    mixture = Mixture(reader.weights_, reader.means_, reader.covariances_, covariance_type)
    np.testing.assert_allclose(mixture.logpdf(rows), reader.score_samples(rows), rtol=1e-10)
    assert mixture.n_parameters == reader._n_parameters()
