"""mclust 6.0.0: parameters of every cell it could fit, and the fits of one component, which are in closed form."""

from __future__ import annotations

import pytest

import mixtura
from mixtura.covariance import covariance_model, model_names
from oracles.tables import mclust_cells, mclust_rows

CELLS = mclust_cells()
SINGLE = [(name, model) for name, models in CELLS.items() for model in models]


@pytest.mark.parametrize("name", CELLS)
def test_parameters_of_every_cell(name: str) -> None:
    """K - 1 weights, K D means and the covariances."""
    d = mclust_rows(name).shape[1]
    assert tuple(sorted(CELLS[name])) == tuple(sorted(model_names(d)))
    for model, row in CELLS[name].items():
        assert len(row) >= 5
        for k, (expected, _) in row.items():
            assert (k - 1) + k * d + covariance_model(model).n_parameters(k, d) == expected, (model, k)


@pytest.mark.parametrize(("name", "model"), SINGLE, ids=str)
def test_one_component(name: str, model: str) -> None:
    rows = mclust_rows(name)
    fitted = mixtura.GaussianMixture(1, covariance_type=model, reg_covar=0).fit(rows)
    expected_parameters, expected = CELLS[name][model][1]
    assert fitted.lower_bound_ * len(rows) == pytest.approx(expected, abs=1e-6)
    assert fitted.mixture_.n_parameters == expected_parameters
