"""Every engine returns what the NumPy oracle returns, for every size, layout and type of rows."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import ORACLE, Engines, assert_same_statistics, random_mixture, random_rows
from mixtura.engine import RowOutput
from mixtura.mixture import Mixture
from mixtura.shape import Array
from mixtura.standardization import Standardization

#: N, D, K around the edges of vectors, registers, tiles and chunks.
SIZES = [
    (1, 1, 1),
    (2, 1, 3),
    (7, 2, 1),
    (191, 3, 2),
    (192, 2, 5),
    (193, 5, 4),
    (1921, 4, 9),
    (600, 9, 3),
    (400, 17, 25),
    (300, 33, 2),
    (250, 2, 40),
    (210, 16, 16),
    (230, 18, 39),
]


def assert_agrees(engine: Engines, mixture: Mixture, rows: Array, weights: Array | None, to: Standardization) -> None:
    tested, oracle = engine(rows, weights, to), ORACLE(rows, weights, to)
    (statistics,), (expected,) = tested.reduce([mixture.forms]), oracle.reduce([mixture.forms])
    assert_same_statistics(statistics, expected, 1e-11)
    log_density = oracle.map_rows(mixture.forms, RowOutput.LOG_DENSITY)
    resp = oracle.map_rows(mixture.forms, RowOutput.RESPONSIBILITIES)
    np.testing.assert_allclose(
        tested.map_rows(mixture.forms, RowOutput.LOG_DENSITY), log_density, rtol=1e-11, atol=1e-10
    )
    np.testing.assert_allclose(tested.map_rows(mixture.forms, RowOutput.RESPONSIBILITIES), resp, rtol=0, atol=1e-10)
    top = np.sort(resp, axis=1)
    clear = np.ones(len(rows), bool) if resp.shape[1] == 1 else top[:, -1] - top[:, -2] > 1e-9
    labels = tested.map_rows(mixture.forms, RowOutput.LABELS)
    assert labels.dtype == np.int64
    assert np.array_equal(labels[clear], resp.argmax(axis=1)[clear])


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_engine_equals_oracle(
    covariance_type: str, engine: Engines, rng: np.random.Generator, size: tuple[int, int, int]
) -> None:
    n_rows, n_features, n_components = size
    mixture = random_mixture(rng, covariance_type, n_components, n_features)
    rows = random_rows(rng, mixture, n_rows)
    to = Standardization(rng.normal(0, 1, n_features), rng.uniform(0.5, 2.0, n_features))
    assert_agrees(engine, mixture, rows * to.scale + to.shift, rng.uniform(0.1, 2.0, n_rows), to)
    assert_agrees(engine, mixture, rows, None, Standardization.identity(n_features))


def test_rows_may_be_strided_and_read_only(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 2100)
    table = np.full((len(rows) * 2, 7), np.nan)
    table[::2, 2:5] = rows
    view = table[::2, 2:5]
    view.flags.writeable = False
    (statistics,), (expected,) = engine(view).reduce([mixture.forms]), engine(rows).reduce([mixture.forms])
    assert_same_statistics(statistics, expected, 0.0)
    assert np.array_equal(table[::2, 2:5], rows)


def test_float32_rows_equal_float64_rows_of_the_same_values(
    covariance_type: str, engine: Engines, rng: np.random.Generator
) -> None:
    """float32 is read, not computed in: offsets that float32 squares could not bear do no harm."""
    mixture = random_mixture(rng, covariance_type)
    rows = (random_rows(rng, mixture, 2100) + 1000.0).astype(np.float32)
    to = Standardization(np.full(3, 1000.0), np.ones(3))
    narrow, wide = engine(rows, None, to), engine(rows.astype(np.float64), None, to)
    (statistics,), (expected,) = narrow.reduce([mixture.forms]), wide.reduce([mixture.forms])
    assert_same_statistics(statistics, expected, 0.0)
    for output in RowOutput:
        assert np.array_equal(narrow.map_rows(mixture.forms, output), wide.map_rows(mixture.forms, output))


def test_components_of_no_weight_and_rows_far_away(
    covariance_type: str, engine: Engines, rng: np.random.Generator
) -> None:
    mixture = random_mixture(rng, covariance_type, 4)
    weights = mixture.weights.copy()
    weights[1] = 0.0
    mixture = Mixture(weights / weights.sum(), mixture.means, mixture.covariances, covariance_type)
    rows = random_rows(rng, mixture, 500)
    rows[::50] *= 1e4
    assert_agrees(engine, mixture, rows, None, Standardization.identity(3))
    (statistics,) = engine(rows).reduce([mixture.forms])
    assert statistics.count[1] == 0.0


@pytest.mark.parametrize("width", [1e-1, 1e-2, 1e-3, 1e-4, 1e-6])
def test_narrow_components(covariance_type: str, engine: Engines, rng: np.random.Generator, width: float) -> None:
    """Components much narrower than the data, where expanded squares would lose their digits."""
    wide = random_mixture(rng, covariance_type, 3)
    centres = wide.means.copy()
    small = wide.affine(np.full(3, width), np.zeros(3))
    mixture = Mixture(wide.weights, centres, small.covariances, covariance_type)
    rows = random_rows(rng, mixture, 600)
    tested, oracle = engine(rows), ORACLE(rows)
    actual = tested.map_rows(mixture.forms, RowOutput.LOG_DENSITY)
    np.testing.assert_allclose(actual, oracle.map_rows(mixture.forms, RowOutput.LOG_DENSITY), rtol=0, atol=1e-8)
    (statistics,), (expected,) = tested.reduce([mixture.forms]), oracle.reduce([mixture.forms])
    found, scatter = (one.mean_and_scatter()[1] for one in (statistics, expected))
    np.testing.assert_allclose(found, scatter, rtol=0, atol=1e-8 * float(np.abs(scatter).max()))
