"""NIST's certified means and standard deviations, as mixtures of one component."""

from __future__ import annotations

import numpy as np
import pytest

import mixtura
from mixtura.covariance import model_names
from oracles.nist import DATASETS, Certified, log_relative_error, standard_error_of_rounding

ENGINES = ("auto", "numpy")


@pytest.mark.parametrize("dataset", DATASETS, ids=str)
def test_the_data_are_the_certified_ones(dataset: Certified) -> None:
    """In exact arithmetic, to what rounding decimals to binary allows."""
    mean, variance = dataset.exact
    assert log_relative_error(float(mean), dataset.mean) > 14.9
    limit = standard_error_of_rounding(dataset) + 2e-15
    assert float(variance) == pytest.approx(dataset.certified_variance, rel=limit)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("covariance_type", model_names(1) + model_names(2))
@pytest.mark.parametrize("dataset", DATASETS, ids=str)
def test_mean_and_variance(dataset: Certified, covariance_type: str, engine: str) -> None:
    """Thirteen digits of the variance, where textbook formulas keep none (NumAcc4)."""
    model = mixtura.GaussianMixture(1, covariance_type=covariance_type, reg_covar=0, engine=engine)
    fitted = model.fit(dataset.array).mixture_
    mean, variance = (float(value) for value in dataset.exact)
    assert log_relative_error(float(fitted.means[0, 0]), mean) > 15
    assert log_relative_error(float(np.ravel(fitted.covariances)[0]), variance) > 13


@pytest.mark.parametrize("copies", [2, 5])
def test_several_features(copies: int) -> None:
    """Each certified set beside its own mirror image: variances hold in every column, covariances in sign."""
    for dataset in DATASETS:
        signs = np.where(np.arange(copies) % 2, -1.0, 1.0)
        model = mixtura.GaussianMixture(1, covariance_type="diag", reg_covar=0).fit(dataset.array * signs)
        variance = float(dataset.exact[1])
        for d in range(copies):
            assert log_relative_error(float(model.covariances_[0, d]), variance) > 13, f"{dataset}, feature {d}"
