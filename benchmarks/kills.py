"""SIGKILL at random moments of a checkpointed fit: does what is resumed end where the undisturbed fit does, bitwise?

``python benchmarks/kills.py [--kills N] [--seed S] [--store]``

Each case is fitted once undisturbed and without a checkpoint. Then a process
fits it with one written after every pass, is killed at a random moment, and the
next goes on, until one ends. Wrong: a result with other bits. Lost: an error, or no sound
checkpoint. Stores kills.json if asked to; fails if anything was wrong or lost.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mixtura import GaussianMixture
from mixtura.estimators import resuming

HERE = Path(__file__).parent

Case = tuple[Callable[..., GaussianMixture], dict[str, Any]]


def cases() -> dict[str, Case]:
    """Name: an estimator, and what its `fit` is given."""
    rng = np.random.default_rng(3)
    rows = np.concatenate([rng.normal(size=(3000, 4)) * s + m for s, m in ((1, 0), (1.5, 2), (0.7, -2), (1, 4))])
    few, holes = rows[::8], np.where(rng.random(rows.shape) < 0.1, np.nan, rows)
    weights = rng.integers(1, 5, len(rows)).astype(float)

    def model(**given: Any) -> GaussianMixture:
        return GaussianMixture(**{"n_components": 5, "random_state": 0, "max_iter": 120, "tol": 1e-12, **given})

    return {
        "accelerated, after a search": (model, {"X": rows}),
        "plain EM from three starts": (lambda **g: model(algorithm="em", n_init=3, **g), {"X": rows}),
        "shared shape, weighted": (
            lambda **g: model(covariance_type="VEE", n_init=2, **g), {"X": rows, "sample_weight": weights}
        ),
        "missing values": (lambda **g: model(n_init=1, max_iter=40, **g), {"X": holes}),
        "noise, and a prior": (lambda **g: model(noise=True, prior="default", n_init=2, **g), {"X": rows}),
        "native climbs": (lambda **g: model(n_init=4, **g), {"X": few}),
    }


def bits(model: GaussianMixture) -> str:
    """A hash of all that a fit returns."""
    state = hashlib.sha256()
    for array in (model.weights_, model.means_, model.covariances_, np.array(model.lower_bounds_)):
        state.update(np.ascontiguousarray(array).tobytes())
    state.update(repr((model.n_iter_, model.status_, model.search_, float(model.lower_bound_).hex())).encode())
    return state.hexdigest()


def child(case: Case, checkpoint: str | None, answer: str) -> int:
    """A process that fits, and writes the bits of its result when it is done."""
    process = os.fork()
    if process:
        return process
    try:
        warnings.simplefilter("ignore")
        resuming.SECONDS = resuming.LEAST_RATIO = 0.0
        make, given = case
        Path(answer).write_text(bits(make(checkpoint=checkpoint).fit(**given)))
        os._exit(0)
    except BaseException as error:
        print(f"  {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def finished(process: int, seconds: float) -> int | None:
    """Exit status of a process; None if it did not end in that time and was killed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def killed_and_resumed(case: Case, folder: str, kills: int, draw: random.Random) -> dict[str, int | float]:
    """So many kills, over as many fits as they need."""
    answer, checkpoint = os.path.join(folder, "answer"), os.path.join(folder, "checkpoint.json")
    began = time.monotonic()
    assert finished(child(case, None, answer), 600.0) == 0
    usual, expected = time.monotonic() - began, Path(answer).read_text()
    counts = {"kills": 0, "before_a_run": 0, "fits": 0, "wrong": 0, "lost": 0}
    while counts["kills"] < kills:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        while True:
            left = 600.0 if counts["kills"] >= kills else draw.uniform(0.0, 1.2 * usual)
            code = finished(child(case, checkpoint, answer), left)
            if code is not None:
                break
            counts["kills"] += 1
            counts["before_a_run"] += not os.path.exists(checkpoint + ".previous")
        counts["fits"] += 1
        counts["lost"] += code != 0
        counts["wrong"] += code == 0 and Path(answer).read_text() != expected
    return {**counts, "undisturbed_seconds": round(usual, 2)}


def main() -> int:
    """Kill, store, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20261)
    parser.add_argument("--store", action="store_true")
    arguments = parser.parse_args()
    draw, results = random.Random(arguments.seed), []
    known = cases()
    for i, (name, case) in enumerate(known.items()):
        share = (arguments.kills + i) // len(known)
        if share:
            with tempfile.TemporaryDirectory() as folder:
                results.append({"case": name, **killed_and_resumed(case, folder, share, draw)})
            print(results[-1], flush=True)
    if arguments.store:
        (HERE / "kills.json").write_text(json.dumps(results, indent=1) + "\n")
    wrong, lost = (sum(one[what] for one in results) for what in ("wrong", "lost"))
    print(f"{sum(one['kills'] for one in results)} kills: {wrong} wrong, {lost} lost")
    return 1 if wrong or lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
