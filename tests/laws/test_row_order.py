"""The order of the rows and the size of the blocks change nothing beyond rounding."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import Engines, assert_same_statistics, random_mixture, random_rows
from mixtura.engine import RowOutput
from mixtura.engine import numpy as numpy_engine
from mixtura.source import partition


def test_order_of_rows(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 4500)
    weights = rng.uniform(0.0, 3.0, len(rows))
    order = rng.permutation(len(rows))
    (straight,) = engine(rows, weights).reduce([mixture.forms])
    (shuffled,) = engine(rows[order], weights[order]).reduce([mixture.forms])
    assert_same_statistics(shuffled, straight, 1e-13)


def test_a_row_gets_the_same_value_wherever_it_stands(
    covariance_type: str, engine: Engines, rng: np.random.Generator
) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 4500)
    order = rng.permutation(len(rows))
    for output in RowOutput:
        straight = engine(rows).map_rows(mixture.forms, output)
        shuffled = engine(rows[order]).map_rows(mixture.forms, output)
        np.testing.assert_allclose(shuffled, straight[order], rtol=1e-12, atol=1e-14, err_msg=output.name)


@pytest.mark.parametrize("block_rows", [7, 192, 1000, 10_000])
def test_size_of_blocks(
    covariance_type: str,
    engine: Engines,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    block_rows: int,
) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 4500)
    made = engine(rows)
    (usual,) = made.reduce([mixture.forms])
    usual_labels = made.map_rows(mixture.forms, RowOutput.LABELS)
    n_blocks = len(partition.block_slices(len(rows)))
    monkeypatch.setattr(partition, "MIN_BLOCK_ROWS", block_rows)
    monkeypatch.setattr(partition, "MAX_BLOCKS", 10**9)
    monkeypatch.setattr(partition, "TILE_ROWS", 1)
    monkeypatch.setattr(numpy_engine, "TILE_BYTES", 1)
    assert len(partition.block_slices(len(rows))) != n_blocks, "the patch must change the blocks"
    (other,) = made.reduce([mixture.forms])
    assert_same_statistics(other, usual, 1e-13)
    assert np.array_equal(made.map_rows(mixture.forms, RowOutput.LABELS), usual_labels)


def test_blocks_cover_the_rows_once() -> None:
    for n_rows in (0, 1, 191, 1920, 1921, 122_880, 122_881, 10**6, 10**9 + 7):
        slices = partition.block_slices(n_rows)
        edges = [0, *(part.stop for part in slices)]
        assert [part.start for part in slices] == edges[:-1]
        assert edges[-1] == n_rows
        longest = max(part.stop - part.start for part in slices) if slices else 0
        assert longest <= partition.MAX_BLOCK_ROWS
        assert len(slices) <= partition.MAX_BLOCKS or longest == partition.MAX_BLOCK_ROWS
        assert all(part.stop > part.start for part in slices)
