"""Workers killed at random moments of a fit: ``python tests/sources/kill_matrix.py [--fits 20] [--schedulers 5]``.

Each fit runs on a cluster of three processes; in a random pass, after a random
part of a second, one or two of them are killed, or one is added. Every result is
compared, bit by bit, with the fit of the same partitions on threads of one
process. Then schedulers are killed, in processes of their own: that fit must end
with an error, and goes on from its checkpoint on another cluster. What was found
goes to kill_matrix.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np
from distributed import Client

sys.path.insert(0, str(Path(__file__).parents[1]))

from mixtura import GaussianMixture
from sources.cluster import (
    N_PARTITIONS,
    N_ROWS,
    OPTIONS,
    add_one,
    cluster_of,
    fitted,
    kill,
    processes,
    processes_of,
    rows_of,
    same,
)

RESULTS = Path(__file__).with_suffix(".json")
MISCHIEF = {"one killed": kill(1), "two of three killed": kill(2), "one added": add_one}


def main() -> None:
    """Run the matrix."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--fits", type=int, default=20)
    asked.add_argument("--schedulers", type=int, default=5)
    asked.add_argument("--seed", type=int, default=20261)
    options = asked.parse_args()
    rng = np.random.default_rng(options.seed)
    rows = rows_of(rng)
    expected = GaussianMixture(**OPTIONS).fit(da.from_array(rows, chunks=(N_ROWS // N_PARTITIONS, -1)))
    found = [one_fit(rows, expected, rng) for _ in range(options.fits)]
    found += [one_scheduler(rows, expected, rng) for _ in range(options.schedulers)]
    killed = sum(one["killed"] for one in found)
    summary = {
        "fits": len(found),
        "workers_killed": killed,
        "schedulers_killed": sum(one.get("left_with", "nothing") != "nothing" for one in found),
        "wrong_results": sum(not one["same"] for one in found),
        "lost_fits": sum(one["lost"] for one in found),
        "seed": options.seed,
    }
    print(json.dumps(summary, indent=1))
    RESULTS.write_text(json.dumps({**summary, "each": found}, indent=1) + "\n", encoding="utf-8")
    if summary["wrong_results"] or summary["lost_fits"] or not killed:
        sys.exit(1)


def one_scheduler(rows: np.ndarray, expected: GaussianMixture, rng: np.random.Generator) -> dict[str, object]:
    """A fit that loses its scheduler, and goes on with another."""
    number, delay = int(rng.integers(0, OPTIONS["max_iter"])), float(np.round(rng.uniform(0, 0.05), 4))
    facts = {"what": "scheduler killed", "in_pass": number, "after_seconds": delay, "killed": 0, "left_with": "nothing"}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / "checkpoint")
        try:
            with processes_of(2) as (scheduler, address), Client(address) as client:
                fitted(rows, None, client, {number: lambda *_: scheduler.kill()}, delay, checkpoint=place)
        except ConnectionError as error:
            facts["left_with"] = str(error)
        with processes_of(2) as (_, address), Client(address) as client:
            model = fitted(rows, None, client, {}, checkpoint=place)
    facts["seconds"] = round(time.perf_counter() - started, 2)
    print(facts)
    return {**facts, "lost": False, "same": same(model, expected)}


def one_fit(rows: np.ndarray, expected: GaussianMixture, rng: np.random.Generator) -> dict[str, object]:
    """A fit with something done to its cluster."""
    name = str(rng.choice(list(MISCHIEF), p=[0.5, 0.4, 0.1]))
    number, delay = int(rng.integers(0, OPTIONS["max_iter"])), float(np.round(rng.uniform(0, 0.1), 4))
    with cluster_of(3) as (cluster, client):
        before, started = set(processes(cluster)), time.perf_counter()
        try:
            model = fitted(rows, cluster, client, {number: MISCHIEF[name]}, delay)
        except Exception as error:
            print(f"lost: {type(error).__name__}: {error}")
            model = None
        seconds, killed = time.perf_counter() - started, len(before - set(processes(cluster)))
    facts = {"what": name, "in_pass": number, "after_seconds": delay, "killed": killed, "seconds": round(seconds, 2)}
    print(facts)
    return {**facts, "lost": model is None, "same": model is not None and same(model, expected)}


if __name__ == "__main__":
    main()
