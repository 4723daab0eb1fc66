"""A fit of rows in a file is bitwise that of the same rows in memory, whatever the kind of file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from laws.problems import Engines
from numpy.typing import NDArray

from mixtura import GaussianMixture, open_rows
from mixtura.shape import Array
from mixtura.source import FileSource, Matrix, partition

N_ROWS, N_FEATURES = 5_001, 3
NAMES = list("abc")

#: So little that no rows are kept in memory, and still enough for a block.
LIMIT = 1_000_000


@pytest.fixture
def problem(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> tuple[Array, Array]:
    """Rows and weights, some of them zero, in several blocks and parts; no file is small enough to be kept."""
    monkeypatch.setattr(partition, "PART_ROWS", 2_048)
    monkeypatch.setattr(partition, "MAX_BLOCK_ROWS", 1_920)
    monkeypatch.setattr(FileSource, "at_hand", lambda self: self)
    monkeypatch.setattr(FileSource, "check_limit", lambda self, threads: None)
    rows = rng.normal(size=(N_ROWS, N_FEATURES)) + 4.0 * rng.integers(0, 3, N_ROWS)[:, None]
    return rows, rng.integers(0, 3, N_ROWS).astype(float)


def assert_same_fit(one: GaussianMixture, other: GaussianMixture) -> None:
    for name in ("weights_", "means_", "covariances_", "lower_bound_", "lower_bounds_", "n_observations_", "n_iter_"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def halves(rows: Array, weights: Array) -> list[pd.DataFrame]:
    frame = pd.DataFrame(rows, columns=NAMES).assign(w=weights)
    return [frame[:2000], frame[2000:]]


def parquet(folder: Path, rows: Array, weights: Array) -> Any:
    for place, part in enumerate(halves(rows, weights)):
        part.to_parquet(folder / f"{place}.parquet", row_group_size=1234)
    return folder / "*.parquet"


def csv(folder: Path, rows: Array, weights: Array) -> Any:
    for place, part in enumerate(halves(rows, weights)):
        part.to_csv(folder / f"{place}.csv", index=False)
    return folder


def compressed(folder: Path, rows: Array, weights: Array) -> Any:
    first, second = (part.to_csv(index=False).encode() for part in halves(rows, weights))
    (folder / "0.csv.gz").write_bytes(gzip.compress(first))
    with pyarrow.output_stream(folder / "1.csv.zst", compression="zstd") as stream:
        stream.write(second)
    return [folder / "0.csv.gz", str(folder / "1.csv.zst")]


def blocks(folder: Path, rows: Array, weights: Array) -> Any:
    return halves(rows, weights)


def arrow_tables(folder: Path, rows: Array, weights: Array) -> Any:
    return (pyarrow.Table.from_pandas(part, preserve_index=False) for part in halves(rows, weights))


KINDS = [parquet, csv, compressed, blocks, arrow_tables]


@pytest.mark.parametrize("kind", KINDS)
def test_fit_of_files(
    kind: Callable[[Path, Array, Array], Any],
    loop_engine: Engines,
    problem: tuple[Array, Array],
    tmp_path: Path,
) -> None:
    rows, weights = problem
    made = GaussianMixture(3, random_state=0, engine=loop_engine.name)
    expected = made.fit(pd.DataFrame(rows, columns=NAMES), sample_weight=weights)
    reader = open_rows(kind(tmp_path, rows, weights), weights="w", memory_limit=LIMIT)
    found = GaussianMixture(3, random_state=0, engine=loop_engine.name).fit(reader)
    assert_same_fit(found, expected)
    assert found.feature_names_in_.tolist() == NAMES
    assert found.n_features_in_ == N_FEATURES


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
@pytest.mark.parametrize("order", ["C", "F"])
def test_fit_of_a_numpy_file(
    dtype: type, order: Any, loop_engine: Engines, problem: tuple[Array, Array], tmp_path: Path
) -> None:
    rows: NDArray[Any] = np.asarray((10 * problem[0]).astype(dtype), order=order)
    np.save(tmp_path / "rows.npy", rows)
    expected = GaussianMixture(3, random_state=0, engine=loop_engine.name).fit(rows)
    found = GaussianMixture(3, random_state=0, engine=loop_engine.name).fit(tmp_path / "rows.npy")
    assert_same_fit(found, expected)


@pytest.mark.parametrize("covariance_type", ["VVV", "EEI", "VEV"])
def test_missing_values_in_files(
    covariance_type: str, loop_engine: Engines, problem: tuple[Array, Array], rng: np.random.Generator, tmp_path: Path
) -> None:
    rows, weights = problem
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows = rows[~np.isnan(rows).all(axis=1)]
    weights = weights[: len(rows)]
    options = {"n_components": 3, "covariance_type": covariance_type, "random_state": 0, "max_iter": 9, "tol": 0.01}
    expected = GaussianMixture(**options, engine=loop_engine.name).fit(rows, sample_weight=weights)
    reader = open_rows(parquet(tmp_path, rows, weights), weights="w", memory_limit=LIMIT)
    found = GaussianMixture(**options, engine=loop_engine.name).fit(reader)
    assert_same_fit(found, expected)
    density = expected.score_samples(rows)
    np.testing.assert_allclose(found.score_samples(reader), density, rtol=1e-12)
    assert found.score(reader) == pytest.approx(weights @ density / weights.sum(), rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"noise": True},
        {"prior": "default"},
        {"n_init": 2, "init_params": "random"},
        {"init_params": "hierarchical"},
        {"means_init": np.arange(3.0)[:, None] * np.full(3, 4.0)},
        {"algorithm": "em", "equal_weights": True},
    ],
    ids=str,
)
def test_options_of_a_fit_of_files(
    options: dict[str, Any], problem: tuple[Array, Array], tmp_path: Path
) -> None:
    rows, weights = problem
    expected = GaussianMixture(3, random_state=0, **options).fit(rows, sample_weight=weights)
    reader = open_rows(parquet(tmp_path, rows, weights), weights="w", memory_limit=LIMIT)
    assert_same_fit(GaussianMixture(3, random_state=0, **options).fit(reader), expected)


def test_what_is_asked_of_files(problem: tuple[Array, Array], tmp_path: Path) -> None:
    rows, weights = problem
    model = GaussianMixture(3, random_state=0).fit(pd.DataFrame(rows, columns=NAMES))
    files = parquet(tmp_path, rows, weights)
    frame = pd.DataFrame(rows, columns=NAMES)
    reader = open_rows(files, weights="w", memory_limit=LIMIT)
    for name in ("predict", "predict_proba", "score_samples"):
        expected = getattr(model, name)(frame)
        assert np.array_equal(getattr(model, name)(reader), expected)
        assert np.array_equal(getattr(model, name)(files), expected), "the model's features are chosen by name"
    for name in ("score", "bic", "aic"):
        expected = getattr(model, name)(frame, sample_weight=weights)
        assert getattr(model, name)(reader) == pytest.approx(expected, rel=1e-12)


def test_rows_that_fit_into_memory_are_kept(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(500, 2))
    np.save(tmp_path / "rows.npy", rows)
    labels = np.arange(500) % 2  # only rows in memory can be given labels
    expected = GaussianMixture(2, init_params=labels).fit(rows)
    assert_same_fit(GaussianMixture(2, init_params=labels).fit(tmp_path / "rows.npy"), expected)


def test_columns_are_taken_in_the_order_of_their_names(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2, 4], "b": [5.0, 5, 7], "text": list("xyz")})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    model = GaussianMixture(1).fit(open_rows(tmp_path / "rows.csv", columns=["b", "a"]))
    expected = GaussianMixture(1).fit(frame[["b", "a"]])
    assert_same_fit(model, expected)
    assert model.feature_names_in_.tolist() == ["b", "a"]


def test_what_is_close_to_what_is_meant(tmp_path: Path) -> None:
    rows = np.arange(12.0).reshape(6, 2)
    deep = tmp_path / "year" / "month"
    deep.mkdir(parents=True)
    np.save(deep / "rows.npy", rows)
    pd.DataFrame(rows, columns=["price", "size"]).to_csv(tmp_path / "rows.csv", index=False)
    assert np.array_equal(next(iter(open_rows(str(tmp_path / "**" / "*.npy"))))[0], rows)  # any depth
    assert np.array_equal(next(iter(open_rows(deep / "rows.npy", columns=[1])))[0], rows[:, 1:])  # type: ignore[list-item]
    assert open_rows(tmp_path / "rows.csv", columns="price").names == ("price",)  # no sequence of letters
    for whole in (rows, pd.DataFrame(rows)):
        with pytest.raises(TypeError, match="is no iterable of blocks; give it to the estimator"):
            next(iter(open_rows(whole)))


def test_a_block_that_begins_a_row_early_is_seen(
    loop_engine: Engines, problem: tuple[Array, Array], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The law can fail."""
    original = Matrix.read

    def early(self: Matrix, start: int, stop: int) -> NDArray[Any]:
        late = start > 0 and self.shape[1] == N_FEATURES
        return original(self, start - late, stop - late)

    monkeypatch.setattr(Matrix, "read", early)
    with pytest.raises(AssertionError):
        test_fit_of_files(parquet, loop_engine, problem, tmp_path)
