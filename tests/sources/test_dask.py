"""Fits of dask collections: bitwise those in memory of the same partitions, whatever happens to the workers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from mixtura import GaussianMixture
from mixtura.engine import dask as engine_of_dask
from mixtura.engine.dask import DaskEngine
from sources.cluster import (
    N_ROWS,
    OPTIONS,
    STEP,
    add_one,
    cluster_of,
    fitted,
    in_memory,
    kill,
    processes,
    rows_of,
    same,
)

# what distributed and its dependencies leave open or call deprecated is theirs
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.mark.parametrize("covariance_type", ["VVV", "VEI"])
def test_fit_of_an_array(covariance_type: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """On threads of this process, where no client is active; columns in several chunks, weights in others."""
    rows, weights = rows_of(rng), rng.integers(0, 3, N_ROWS).astype(float)
    options = {"n_components": 3, "covariance_type": covariance_type, "random_state": 0, "tol": 1e-3}
    expected = in_memory(rows, monkeypatch, weights, **options)
    lazy = da.from_array(rows, chunks=(STEP, 2))
    found = GaussianMixture(**options).fit(lazy, sample_weight=da.from_array(weights, chunks=7000))
    assert same(found, expected)
    assert found.n_observations_ == weights.sum()
    assert same(GaussianMixture(**options).fit(lazy, sample_weight=weights), expected)


@pytest.mark.parametrize("options", [{"noise": True}, {"prior": "default", "means_init": np.eye(3)}], ids=str)
def test_options_of_a_fit(options: dict[str, Any], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(rng)
    options = {"n_components": 3, "random_state": 0, "tol": 1e-3, **options}
    expected = in_memory(rows, monkeypatch, **options)
    assert same(GaussianMixture(**options).fit(da.from_array(rows, chunks=(STEP, 3))), expected)


def test_predictions_are_lazy(rng: np.random.Generator) -> None:
    rows, weights = rows_of(rng), rng.uniform(size=N_ROWS)
    frame = pd.DataFrame(rows, columns=list("abc"))
    lazy = dd.from_pandas(frame.assign(d=1.0), npartitions=5)
    model = GaussianMixture(3, random_state=0, tol=1e-2).fit(lazy[["a", "b", "c"]])
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    for name in ("predict", "predict_proba", "score_samples"):
        found, expected = getattr(model, name)(lazy), getattr(model, name)(frame)
        assert isinstance(found, da.Array)
        assert found.dtype == expected.dtype
        assert np.array_equal(found.compute(), expected), name
    for name in ("score", "bic"):
        asked = getattr(model, name)
        assert asked(lazy) == pytest.approx(asked(frame), rel=1e-12)
        mass = dd.from_pandas(pd.Series(weights), npartitions=5)
        assert asked(lazy, sample_weight=mass) == pytest.approx(asked(frame, sample_weight=weights), rel=1e-12)


def test_what_is_wrong_with_a_collection(rng: np.random.Generator) -> None:
    rows = rows_of(rng)
    lazy = da.from_array(rows, chunks=(STEP, 3))
    model = GaussianMixture(2, tol=0.1, random_state=0)
    with pytest.raises(ValueError, match=r"column 'b' has type .*str"):
        model.fit(dd.from_pandas(pd.DataFrame({"a": [1.0, 2], "b": ["x", "y"]}), npartitions=1))
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(24000,\)"):
        model.fit(lazy, sample_weight=da.ones(5))
    with pytest.raises(ValueError, match="sample_weight of row 3 of a partition is -1"):
        model.fit(lazy, sample_weight=np.where(np.arange(N_ROWS) == 3, -1.0, 1.0))
    rows[14_000, 1] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity at row 14000, column 1"):
        model.fit(da.from_array(rows, chunks=(STEP, 3)))
    with pytest.raises(ValueError, match="Input X contains infinity at row 200, column 1"):  # and no warning
        model.fit(da.from_array(rows[13_800:14_100], chunks=(100, 3)))
    with pytest.raises(ValueError, match="init_params as an array or callable needs the rows in memory"):
        GaussianMixture(2, init_params=np.zeros(N_ROWS, int)).fit(lazy)


def test_missing_values_on_a_cluster(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(rng)
    rows[:: STEP // 7, 1] = np.nan  # a few in each partition
    options = {"n_components": 3, "random_state": 0, "n_init": 1, "max_iter": 5, "tol": 1e-2}
    expected = in_memory(rows, monkeypatch, **options)
    assert same(GaussianMixture(**options).fit(da.from_array(rows, chunks=(STEP, 3))), expected)


def test_a_checkpoint_of_a_fit_of_a_collection(rng: np.random.Generator, tmp_path: Path) -> None:
    """What goes on from a checkpoint ends where it would have ended; other rows are refused."""
    rows = rows_of(rng)
    place = tmp_path / "fit.checkpoint"
    options = {"n_components": 3, "random_state": 0, "n_init": 1, "tol": 1e-9, "max_iter": 20}
    lazy = da.from_array(rows, chunks=(STEP, 3))

    class Stopped(Exception):
        pass

    passes = iter(range(9))

    def stop(engine: DaskEngine, forms: Any) -> Any:
        if next(passes, None) is None:
            raise Stopped
        return original(engine, forms)

    original = DaskEngine.reduce
    with pytest.MonkeyPatch.context() as patch, pytest.warns(match="EM stopped at max_iter"):
        expected = GaussianMixture(**options).fit(lazy)
        patch.setattr(DaskEngine, "reduce", stop)
        with pytest.raises(Stopped):
            GaussianMixture(**options, checkpoint=place).fit(lazy)
    assert place.exists()
    with pytest.warns(match="EM stopped at max_iter"):
        assert same(GaussianMixture(**options, checkpoint=place).fit(lazy), expected)


@pytest.mark.parametrize("n_components", [1, 20])
def test_bytes_of_an_iteration(n_components: int, rng: np.random.Generator) -> None:
    """What is reported, against the lengths of what the tasks take and return."""
    sent: list[int] = []

    class Watched(engine_of_dask.DaskSource):
        def submit_group(self, group: Any, order: Any) -> Any:
            sent.append(len(pickle.dumps(order)))
            task = super().submit_group(group, order)
            sent.append(len(pickle.dumps(task.result())))
            return task

    lazy = da.from_array(rows_of(rng), chunks=(STEP, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_of_dask, "DaskSource", Watched)
        options = {"n_components": n_components, "init_params": "random_from_data", "n_init": 1, "tol": 10.0}
        model = GaussianMixture(**options, random_state=0, n_threads=2).fit(lazy)
    travelled = sum(sent[-4:])  # two groups, one a thread
    assert travelled <= model.bytes_per_iteration_ <= 2 * travelled + 10_000
    assert GaussianMixture(1).fit(rows_of(rng)).bytes_per_iteration_ == 0


@pytest.mark.parametrize(("here", "in_tasks"), [(0, 0), (0, 1 << 20), (1 << 26, 0)])
def test_sums_are_the_same_wherever_they_are_added(
    here: int, in_tasks: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the workers, where they are large, as here; and parameters as a task of their own as in the tasks."""
    rows = rows_of(rng)
    options = {"n_components": 3, "random_state": 0, "n_init": 1, "tol": 1e-2}
    expected = in_memory(rows, monkeypatch, **options)
    monkeypatch.setattr(engine_of_dask, "MOST_BYTES_HERE", here)
    monkeypatch.setattr(engine_of_dask, "MOST_BYTES_IN_TASKS", in_tasks)
    assert same(GaussianMixture(**options).fit(da.from_array(rows, chunks=(STEP, 3))), expected)


def test_workers_may_come_and_go(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """One killed in mid-iteration, then two of three lost at once, then one added: nothing of it shows."""
    rows = rows_of(rng)
    expected = in_memory(rows, monkeypatch, **OPTIONS)
    with cluster_of(3) as (cluster, client):
        before = processes(cluster)
        found = fitted(rows, cluster, client, {2: kill(1), 5: kill(2), 8: add_one})
        survivors = set(before) & set(processes(cluster))
    assert len(before) == 3
    assert len(survivors) <= 1, "nobody was killed"
    assert same(found, expected)


def test_weights_of_a_frame_of_files_weigh_their_rows(rng, tmp_path):
    """Dask reads the rows' columns and the weights' column in partitions of different sizes."""
    pandas, frames = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    tables = []
    for number in range(4):
        table = pandas.DataFrame(rng.normal(size=(300, 3)) + 3 * (number % 2), columns=list("abc"))
        table["w"] = rng.integers(0, 3, 300).astype(float)
        table.to_parquet(tmp_path / f"{number}.parquet")
        tables.append(table)
    lazy, whole = frames.read_parquet(tmp_path), pandas.concat(tables)
    model = GaussianMixture(2, random_state=0).fit(lazy[["a", "b", "c"]], sample_weight=lazy["w"])
    expected = GaussianMixture(2, random_state=0).fit(whole[["a", "b", "c"]], sample_weight=whole["w"].to_numpy())
    assert model.n_observations_ == whole["w"].sum()
    np.testing.assert_allclose(model.lower_bound_, expected.lower_bound_, rtol=1e-7)
    score = model.score(lazy[["a", "b", "c"]], sample_weight=lazy["w"])
    np.testing.assert_allclose(score, model.lower_bound_, rtol=1e-12)
