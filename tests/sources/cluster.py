"""A fit on a cluster whose workers are killed, lost and added while it runs."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from mixtura import GaussianMixture
from mixtura.engine.dask import DaskEngine
from mixtura.estimators import gaussian_mixture
from mixtura.quadratic import QuadraticForms
from mixtura.source import ArraySource, PartedSource
from mixtura.suffstats import SufficientStats

N_ROWS, N_PARTITIONS = 24_000, 12
STEP = N_ROWS // N_PARTITIONS
OPTIONS = {"n_components": 4, "random_state": 0, "n_init": 1, "init_params": "random_from_data", "max_iter": 8,
           "tol": 0.0}  # fmt: skip

Mischief = Callable[[Any, Client], None]


def rows_of(rng: np.random.Generator) -> NDArray[np.float64]:
    """Overlapping components, on which EM takes its time."""
    return rng.normal(size=(N_ROWS, 3)) + 1.5 * rng.integers(0, 4, N_ROWS)[:, None]


def in_memory(rows: Any, monkeypatch: pytest.MonkeyPatch, weights: Any = None, **options: Any) -> GaussianMixture:
    """The fit of the same partitions, with nothing of dask's in it."""
    parts = []
    for start in range(0, len(rows), STEP):
        part = slice(start, start + STEP)
        kept = np.ones(STEP, bool) if weights is None else weights[part] > 0
        mass = None if weights is None else weights[part][kept]
        parts.append(ArraySource(rows[part][kept], mass, bool(np.isnan(rows).any())))

    @contextlib.contextmanager
    def opened(estimator: Any, X: Any, sample_weight: Any) -> Iterator[tuple[PartedSource, None]]:
        estimator.n_features_in_ = X.shape[1]
        yield PartedSource(parts), None

    with monkeypatch.context() as patch:
        patch.setattr(gaussian_mixture, "opened", opened)
        return GaussianMixture(**options).fit(rows)


@contextlib.contextmanager
def cluster_of(n_workers: int) -> Iterator[tuple[LocalCluster, Client]]:
    """Processes of one thread each, which say nothing of what is done to them."""
    settings = {
        "distributed.scheduler.allowed-failures": 100,
        "distributed.comm.timeouts.connect": "5s",
        "distributed.worker.memory.terminate": False,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as cluster,
        Client(cluster) as client,
    ):
        yield cluster, client


def fitted(
    rows: NDArray[np.float64],
    cluster: LocalCluster | None,
    client: Client,
    mischief: Mapping[int, Mischief],
    delay: float = 0.0,
    **more: object,
) -> GaussianMixture:
    """A fit of rows in partitions; in passes of given numbers, something is done to the cluster after a delay."""
    original, passes, timers = DaskEngine.reduce, itertools.count(), []

    def reduce(engine: DaskEngine, forms: Sequence[QuadraticForms]) -> list[SufficientStats]:
        if (strike := mischief.get(next(passes))) is not None:
            timers.append(threading.Timer(delay, strike, (cluster, client)))
            timers[-1].start()
        return original(engine, forms)

    DaskEngine.reduce = reduce  # type: ignore[method-assign]
    try:
        return GaussianMixture(**{**OPTIONS, **more}).fit(da.from_array(rows, chunks=(N_ROWS // N_PARTITIONS, -1)))
    finally:
        DaskEngine.reduce = original  # type: ignore[method-assign]
        for timer in timers:
            timer.join()


def local_scheduler(seconds: float = 30.0) -> tuple[subprocess.Popen[bytes], str]:
    """A scheduler in a process of its own, and its address."""
    with tempfile.TemporaryDirectory() as folder:
        facts = Path(folder) / "scheduler.json"
        process = started("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(facts))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                return process, json.loads(facts.read_text())["address"]
            time.sleep(0.02)
        process.kill()
        raise AssertionError("the scheduler did not start")


def local_worker(address: str) -> subprocess.Popen[bytes]:
    """A worker of one thread in a process of its own, which ends some time after its scheduler."""
    return started("dask_worker", address, "--nthreads", "1", "--no-nanny", "--death-timeout", "30")


def started(command: str, *options: str) -> subprocess.Popen[bytes]:
    """A command of distributed's that says nothing and shows nothing."""
    words = [sys.executable, "-m", f"distributed.cli.{command}", *options, "--no-dashboard"]
    return subprocess.Popen(words, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def processes_of(n_workers: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler at an address, with so many workers: all in processes of their own, killed in the end."""
    scheduler, address = local_scheduler()
    workers = [local_worker(address) for _ in range(n_workers)]
    try:
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(n_workers, timeout=60)
        yield scheduler, address
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def processes(cluster: LocalCluster) -> list[int]:
    """Of the workers that live."""
    return [nanny.pid for nanny in cluster.workers.values() if getattr(nanny, "pid", None)]


def kill(number: int) -> Mischief:
    """SIGKILL to so many workers at once; their nannies start others."""

    def strike(cluster: LocalCluster, client: Client) -> None:
        for process in processes(cluster)[:number]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    return strike


def add_one(cluster: LocalCluster, client: Client) -> None:
    """One more worker."""
    cluster.scale(len(cluster.workers) + 1)


def same(one: GaussianMixture, other: GaussianMixture) -> bool:
    """Whether two fits are the same to the last bit."""
    names = ("weights_", "means_", "covariances_", "lower_bounds_", "n_iter_")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
