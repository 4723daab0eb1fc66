"""The command line on a cluster at a tcp:// address: its scheduler and workers are processes of their own."""

from __future__ import annotations

import itertools
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from mixtura import load
from mixtura.cli.commands import application
from mixtura.engine.dask import DaskEngine
from sources.cluster import N_PARTITIONS, in_memory, processes_of, rows_of

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(application, [str(one) for one in arguments])


def bits(place: Path) -> list[bytes]:
    model = load(place)
    return [np.asarray(values).tobytes() for values in (model.weights_, model.means_, model.covariances_)]


def test_a_scheduler_lost_in_mid_fit(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The result is that in memory of the same partitions; without its scheduler a fit ends, and goes on by another."""
    rows = rows_of(rng)
    for number, part in enumerate(np.split(rows, N_PARTITIONS)):
        pd.DataFrame(part, columns=list("abc")).to_parquet(tmp_path / f"{number:02}.parquet")
    wanted, found, checkpoint = tmp_path / "wanted.json", tmp_path / "found.json", tmp_path / "checkpoint"
    fit = ["fit", tmp_path / "*.parquet", "-k", 4, "--seed", 0, "--n-init", 1, "--tol", 1e-12, "--max-iter", 15]
    fit += ["--init", "random_from_data", "--checkpoint", checkpoint]
    with pytest.warns(match="EM stopped at max_iter"):
        expected = in_memory(rows, monkeypatch, n_components=4, random_state=0, n_init=1, tol=1e-12, max_iter=15,
                             init_params="random_from_data")  # fmt: skip
    caplog.set_level(logging.ERROR)
    original, passes = DaskEngine.reduce, itertools.count()
    with processes_of(2) as (scheduler, address):
        done = run(*fit[:-2], "--dask", address, "-o", wanted)
        assert done.exit_code == 3, done.output

        def reduce(engine: DaskEngine, forms: Any) -> Any:
            if next(passes) == 8:
                threading.Timer(0.01, scheduler.kill).start()
            return original(engine, forms)

        monkeypatch.setattr(DaskEngine, "reduce", reduce)
        done = run(*fit, "--dask", address, "-o", found)
        assert done.exit_code == 1
        assert done.stderr == (
            f"mixtura: error: the Dask scheduler at {address} was lost, and the fit with it; "
            "one with a checkpoint goes on from there\n"
        )
        assert not caplog.records
        assert not found.exists() and checkpoint.exists()
    before = next(passes)
    with processes_of(1) as (_, address):
        done = run(*fit, "--resume", "--dask", address, "-o", found)
        assert done.exit_code == 3, done.output
        assert next(passes) - before < 15, "it began anew"
    assert bits(found) == bits(wanted)
    assert bits(wanted) == [values.tobytes() for values in (expected.weights_, expected.means_, expected.covariances_)]
