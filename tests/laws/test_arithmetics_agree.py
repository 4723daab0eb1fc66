"""The native engine's quadratic and centred arithmetics agree to the error bound that chooses between them."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import ORACLE, Engines, assert_same_statistics, random_mixture, random_rows
from mixtura.engine import RowOutput, native
from mixtura.mixture import Mixture


@pytest.mark.parametrize("size", [(5, 1, 2), (700, 2, 3), (700, 7, 5), (300, 20, 11)], ids=str)
def test_quadratic_equals_centred(
    covariance_type: str,
    engine: Engines,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int, int],
) -> None:
    n_rows, n_features, n_components = size
    mixture = random_mixture(rng, covariance_type, n_components, n_features)
    rows = random_rows(rng, mixture, n_rows)
    weights = rng.uniform(0.0, 2.0, n_rows)
    results = {}
    for name, tolerance in (("quadratic", np.inf), ("centred", -1.0)):
        monkeypatch.setattr(native, "ERROR_TOLERANCE", tolerance)
        made = engine(rows, weights)
        results[name] = made.reduce([mixture.forms])[0], made.map_rows(mixture.forms, RowOutput.LOG_DENSITY)
    assert_same_statistics(results["quadratic"][0], results["centred"][0], 1e-12)
    np.testing.assert_allclose(results["quadratic"][1], results["centred"][1], rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("width", [1.0, 1e-2, 1e-4])
def test_the_bound_holds(
    covariance_type: str, engine: Engines, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, width: float
) -> None:
    """What `error_bound` promises of the quadratic arithmetic is kept, and is not absurdly cautious."""
    monkeypatch.setattr(native, "ERROR_TOLERANCE", np.inf)
    wide = random_mixture(rng, covariance_type, 3, 4)
    small = wide.affine(np.full(4, width), np.zeros(4))
    mixture = Mixture(wide.weights, wide.means, small.covariances, covariance_type)
    rows = random_rows(rng, mixture, 2000)
    exact = ORACLE(rows).map_rows(mixture.forms, RowOutput.LOG_DENSITY)
    error = np.abs(engine(rows).map_rows(mixture.forms, RowOutput.LOG_DENSITY) - exact).max()
    assert error <= mixture.forms.error_bound()
    assert mixture.forms.error_bound() < 1e-12 / width**2
