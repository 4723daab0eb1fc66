"""What does one iteration cost where values are missing, in iterations on complete rows?

``python benchmarks/missing.py [--rows N]``

One E-step and one M-step (full covariances) of 100 000 rows with 20 features and
five components: complete; with every fifth cell missing completely at random, so
that nearly all patterns of missing features are distinct; and with ten patterns.
All in one process, in turn; medians. Writes missing.json; fails if a promise is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cases import mixture_rows

from mixtura.engine import create_engine
from mixtura.estimators.incomplete import observed_moments
from mixtura.mstep import MStep
from mixtura.source import ArraySource
from mixtura.standardization import Standardization

RESULTS = Path(__file__).parent / "missing.json"
N_ROWS, N_FEATURES, N_COMPONENTS, SHARE, N_PATTERNS, REPEATS = 100_000, 20, 5, 0.2, 10, 5

#: Iterations on complete rows that one may cost: asked.
MOST = {"20 % of the cells": 40.0, "ten patterns": 2.0}


def holed(rows: np.ndarray) -> dict[str, np.ndarray]:
    """The rows, and what is left of them in two ways."""
    rng = np.random.default_rng(1)
    patterns = rng.random((N_PATTERNS, N_FEATURES)) < SHARE
    patterns[0] = False
    return {
        "complete": rows,
        "20 % of the cells": np.where(rng.random(rows.shape) < SHARE, np.nan, rows),
        "ten patterns": np.where(patterns[rng.integers(0, N_PATTERNS, rows.shape[0])], np.nan, rows),
    }


def iteration(rows: np.ndarray) -> Callable[[], float]:
    """One E-step and one M-step from the true parameters; returns the log likelihood per row."""
    _, truth = mixture_rows(N_ROWS, N_FEATURES, N_COMPONENTS)
    source = ArraySource(rows, None, bool(np.isnan(rows).any()))
    to = Standardization.of_moments(*observed_moments(source, None), True)
    engine, mstep, start = create_engine("auto", source, to), MStep("full"), to.forward(truth)

    def run() -> float:
        found = engine.reduce([start.forms])[0]
        mstep(found, start)
        return found.log_likelihood / rows.shape[0]

    return run


def measured(n_rows: int) -> dict[str, dict[str, float]]:
    """Seconds and ratios of each way."""
    rows = mixture_rows(N_ROWS, N_FEATURES, N_COMPONENTS)[0][:n_rows]
    runs = {name: iteration(part) for name, part in holed(rows).items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for name in [*runs] * (REPEATS + 1):
        started = time.perf_counter()
        value = runs[name]()
        times[name].append(time.perf_counter() - started)
        assert np.isfinite(value), name
    seconds = {name: statistics.median(each[1:]) for name, each in times.items()}  # the first is a warm-up
    return {name: {"seconds": one, "ratio": one / seconds["complete"]} for name, one in seconds.items()}


def main() -> None:
    """Measure, print, store, and fail where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=N_ROWS)
    rows = parser.parse_args().rows
    found = measured(rows)
    for name, one in found.items():
        asked = f" (asked: at most {MOST[name]:g})" if name in MOST else ""
        print(f"{name:20s} {1e3 * one['seconds']:9.1f} ms {one['ratio']:7.2f} iterations on complete rows{asked}")
    if rows == N_ROWS:
        shape = {"rows": N_ROWS, "features": N_FEATURES, "components": N_COMPONENTS}
        date = time.strftime("%Y-%m-%d")
        text = {"date": date, "processors": len(os.sched_getaffinity(0)), **shape, "measured": found}
        RESULTS.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    broken = [name for name, most in MOST.items() if found[name]["ratio"] > most]
    if broken:
        raise SystemExit(f"more than was asked: {', '.join(broken)}")


if __name__ == "__main__":
    main()
