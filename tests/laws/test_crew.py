"""The threads of compiled code help any number of callers and forked children, and are gone when they are to be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

from laws.problems import Engines
from laws.test_climb import NATIVE, problem, starts_near
from mixtura import _native, climb, native_climb
from mixtura.em import EMOptions, Status, Trajectory
from mixtura.engine import native
from mixtura.mstep import MStep

ENDLESS = EMOptions(tol=0.0, max_iter=50_000_000)

FORKING = """
import os, sys
import numpy as np
from mixtura import GaussianMixture

rows = np.random.default_rng(0).standard_normal((600, 3)) + 4.0 * np.repeat(np.arange(3), 200)[:, None]

def fitted():
    return GaussianMixture(9, random_state=0, n_threads=3).fit(rows).lower_bound_

def threads():
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 3

before = fitted()
for _ in range(10):
    child = os.fork()
    if child == 0:
        os._exit(0 if fitted() == before and threads() >= 3 else 3)
    if os.waitpid(child, 0)[1] != 0 or fitted() != before:
        sys.exit(4)
"""


def fresh(engine: Any, number: int, options: EMOptions) -> list[Trajectory]:
    """Runs on an engine over the iris data."""
    rows, weights, k = problem("iris", np.random.default_rng(0))
    _, starts = starts_near(rows, weights, "VVV", k, number)
    return [Trajectory(start, MStep("VVV"), options) for start in starts]


def iris_engine(threads: int) -> Any:
    rows, weights, k = problem("iris", np.random.default_rng(0))
    return NATIVE[0](rows, weights, starts_near(rows, weights, "VVV", k, 1)[0], threads)


def soon(condition: Callable[[], bool]) -> bool:
    """Whether something comes to be within a minute."""
    until = monotonic() + 60
    while not condition() and monotonic() < until:
        sleep(0.001)
    return condition()


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_a_forked_child_has_threads_of_its_own() -> None:
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=alone)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("engine", NATIVE, ids=str)
def test_callers_share_the_threads(engine: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """More callers than threads, each asking for more than there are."""
    monkeypatch.setattr(native, "SHARED_WORK", 1)
    rows, weights, k = problem("iris", np.random.default_rng(0))
    to, starts = starts_near(rows, weights, "VVV", k, 6)

    def histories(threads: int) -> list[list[float]]:
        runs = climb.run_starts(engine(rows, weights, to, threads), starts, MStep("VVV"), EMOptions(max_iter=30))
        return [one.history for one in runs]

    expected = histories(1)
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(histories, [2, 5, 3] * 20):
            assert found == expected


def test_helpers_help_and_go_when_they_are_told_to() -> None:
    """Without the caller; a second one comes when it is asked for."""
    engine = iris_engine(1)
    settings = native_climb.Settings(engine)
    climbs = [settings.climb(one) for one in fresh(engine, 3, ENDLESS)]
    natives = [one.native for one in climbs if one is not None]
    queue = _native.Climbs(100_000)
    for one in natives:
        queue.add(one)
    assert queue.left(0.0), "nobody was asked"
    queue.ask(1)
    assert soon(lambda: natives[0].passes > 10)
    assert natives[1].passes == 0, "it has one run after the other"
    queue.ask(1)
    assert soon(lambda: natives[1].passes > 10)
    assert not queue.left(0.0)
    queue.stop()
    assert soon(lambda: queue.left(0.01))
    passes = [one.passes for one in natives]
    sleep(0.02)
    assert passes == [one.passes for one in natives] and passes[2] == 0
    assert not queue.advance(), "nothing more is begun"


def test_a_queue_that_is_dropped_waits_for_its_helpers() -> None:
    engine = iris_engine(1)
    made = native_climb.Settings(engine).climb(fresh(engine, 1, ENDLESS)[0])
    assert made is not None
    queue = _native.Climbs(100_000)
    queue.add(made.native)
    queue.ask(1)
    assert soon(lambda: made.native.passes > 0)
    del queue
    passes = made.native.passes
    sleep(0.02)
    assert made.native.passes == passes


def test_control_c_while_helpers_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have gone when it comes out."""
    monkeypatch.setattr(native, "SHARED_WORK", 1)
    queues = []

    class Interrupted:
        """A queue in whose call for help Ctrl-C is noticed."""

        def __init__(self) -> None:
            self.queue = _native.Climbs(100_000)
            queues.append(self.queue)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.queue, name)

        def ask(self, helpers: int) -> None:
            self.queue.ask(helpers)
            raise KeyboardInterrupt

    made = cached_property(lambda _: Interrupted())
    made.__set_name__(native_climb.Crowd, "_queue")
    monkeypatch.setattr(native_climb.Crowd, "_queue", made)
    for _ in range(20):
        engine = iris_engine(3)
        runs = fresh(engine, 3, ENDLESS)
        with pytest.raises(KeyboardInterrupt):
            climb.run_each((engine, one) for one in runs)
        assert queues.pop().left(0.0), "a helper is still at work"
        assert {one.status for one in runs} <= {Status.INTERRUPTED, Status.RUNNING}
