"""The threads of compiled code: any number of callers, forked children, and an end that need not wait for them."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from laws.problems import Engines
from laws.test_climb import NATIVE, problem, starts_near
from mixtura import climb
from mixtura.em import EMOptions
from mixtura.engine import native
from mixtura.mstep import MStep

FORKING = """
import os, sys
import numpy as np
from mixtura import GaussianMixture

rows = np.random.default_rng(0).standard_normal((600, 3)) + 4.0 * np.repeat(np.arange(3), 200)[:, None]

def fitted():
    return GaussianMixture(9, random_state=0, n_threads=3).fit(rows).lower_bound_

before = fitted()
child = os.fork()
if child == 0:
    os._exit(0 if fitted() == before else 3)
while fitted() != before:
    sys.exit(4)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_forked_child_has_threads_of_its_own() -> None:
    ended = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60, check=False)
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
