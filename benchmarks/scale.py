"""Larger than memory, and on more than one worker: ``python benchmarks/scale.py [--only files|dask]``.

Run it on an idle machine. Writes scale.json beside this file, and docs/scale.md
from that. The generated files are removed in the end.

1. Files: a Parquet set of so many gigabytes, fitted with K=10 and D=10 under a
   limit of 1 GB; rows per second of passes after the first, each between passes
   over rows in memory; and the log likelihood of a part that fits into memory,
   from the file and in memory.
2. Dask: passes of one and of two workers of one thread, each in turn with the engine on one and on two threads
   over the same rows; and what a task costs, from passes over next to no rows.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from mixtura import GaussianMixture, open_rows
from mixtura.engine import create_engine
from mixtura.mixture import Mixture
from mixtura.shape import Array
from mixtura.source import ArraySource
from mixtura.standardization import Standardization

HERE = Path(__file__).parent
RESULTS = HERE / "scale.json"
PAGE = HERE.parent / "docs" / "scale.md"

K, D = 10, 10
LIMIT = 1_000_000_000
FILE_ROWS = 5_000_000
FIT = {"n_components": K, "random_state": 0, "max_iter": 6, "tol": 0.0, "n_init": 1}


ASSUMPTIONS = """\
A pass over 1e9 rows, from the measured seconds a row of one thread, the measured bytes, and the measured cost of a
task: passes over next to no rows take {fixed:.0f} ms and {task:.1f} ms a task. Assumed: workers of one thread with four
partitions each, which are one task; one scheduler hands out all tasks one after the other, and all that travels goes
into it and out again over one link of 1 Gbit/s; workers are alike, and none is lost."""

#: Turns of a comparison on Dask, for each repeat: a processor that is lent changes its speed from one pass to the next.
TURNS = 8

#: Partitions of a worker, in the model.
EACH = 4


def truth() -> Mixture:
    """Overlapping components."""
    rng = np.random.default_rng(0)
    factors = rng.normal(0, 0.4, (K, D, D))
    covariances = np.eye(D) + factors @ factors.transpose(0, 2, 1)
    return Mixture(np.full(K, 1 / K), rng.normal(0, 3, (K, D)), covariances, "VVV")


def rows_of(number: int, n_rows: int) -> Array:
    """Rows of a file, in random order."""
    rng = np.random.default_rng([1, number])
    mixture = truth()
    factors = np.linalg.cholesky(mixture.covariances)
    rows = rng.standard_normal((n_rows, D))
    labels = rng.integers(0, K, n_rows)
    for k in range(K):
        mine = labels == k
        rows[mine] = rows[mine] @ factors[k].T + mixture.means[k]
    return rows


def write_files(folder: str, gigabytes: float) -> int:
    """So many gigabytes of Parquet; bytes."""
    import pyarrow
    from pyarrow import parquet

    size = number = 0
    while size < gigabytes * 1e9:
        left = int((gigabytes * 1e9 - size) / (8 * D)) + 1
        rows = rows_of(number, min(FILE_ROWS, left))
        table = pyarrow.table({f"x{j}": rows[:, j] for j in range(D)})
        path = os.path.join(folder, f"part-{number:04}.parquet")
        parquet.write_table(table, path, compression="none", use_dictionary=False, row_group_size=500_000)
        size, number = size + os.path.getsize(path), number + 1
    return size


def seconds_of_passes(engine: Any, forms: Any, repeats: int) -> float:
    """Median seconds of a pass."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        engine.reduce([forms])
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def peak_bytes() -> int:
    """Peak of resident memory, from /proc: getrusage's begins with the parent's (Linux keeps it across exec)."""
    return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def files_under_a_limit(folder: str, repeats: int) -> dict[str, Any]:
    """The part that runs in a process of its own, so that its peak of memory is its own."""
    import warnings

    GaussianMixture(2, max_iter=2, tol=1.0, random_state=0).fit(rows_of(0, 5000))
    places = os.path.join(folder, "*.parquet")
    before, started = peak_bytes(), time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GaussianMixture(**FIT).fit(open_rows(places, memory_limit=LIMIT))
    found = {
        "fit_seconds": time.perf_counter() - started,
        "fit_log_likelihood": model.lower_bound_,
        "peak_bytes_beyond_imports": peak_bytes() - before,
    }
    started = time.perf_counter()
    with open_rows(places, memory_limit=LIMIT).source() as source:
        decoded = time.perf_counter() - started
        turns = passes_in_turn(source, len(os.listdir(folder)), repeats)
        n_rows = source.n_rows
    return {
        **found,
        "rows": n_rows,
        "seconds_to_decode": decoded,
        "rows_per_second": statistics.median(turn["files"] for turn in turns),
        "rows_per_second_in_memory": statistics.median(turn["memory"] for turn in turns),
        "share_of_in_memory": statistics.median(turn["files"] / turn["memory"] for turn in turns),
        "each": turns,
    }


def passes_in_turn(source: Any, n_files: int, repeats: int) -> list[dict[str, float]]:
    """Rows a second of a pass over all files, and of passes over rows in memory before and after it."""
    to, forms = Standardization.of_mixture(truth()), forms_of_truth()
    part = np.concatenate([rows_of(i, FILE_ROWS) for i in range(min(2, n_files))])
    here, there = create_engine("auto", ArraySource(part), to), create_engine("auto", source, to)
    for engine in (here, there):
        engine.reduce([forms])

    def some_passes() -> list[float]:
        return [len(part) / seconds_of_passes(here, forms, 1) for _ in range(repeats)]

    turns, memory = [], some_passes()
    for _ in range(repeats):
        files = source.n_rows / seconds_of_passes(there, forms, 1)
        after = some_passes()
        turns.append({"files": files, "memory": statistics.median(memory + after)})
        memory = after
    return turns


def files(gigabytes: float, repeats: int) -> dict[str, Any]:
    """Rows per second from files under the limit, and in memory; a part's log likelihood both ways."""
    folder = tempfile.mkdtemp(prefix="mixtura-scale-")
    try:
        size = write_files(folder, gigabytes)
        command = [sys.executable, __file__, "--child", folder, "--repeats", str(repeats)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        agreement = same_log_likelihood(folder)
    finally:
        shutil.rmtree(folder)
    return {"bytes": size, "limit_bytes": LIMIT, **found, **agreement}


def same_log_likelihood(folder: str) -> dict[str, Any]:
    """The fit of one file's rows, from the file within 100 MB and in memory."""
    import warnings

    from pyarrow import parquet

    path = os.path.join(folder, "part-0000.parquet")
    table = parquet.read_table(path)
    rows = np.column_stack([table[name].to_numpy() for name in table.column_names])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = GaussianMixture(**FIT).fit(rows).lower_bound_
        found = GaussianMixture(**FIT).fit(open_rows(path, memory_limit="100MB")).lower_bound_
    return {"part_rows": len(rows), "log_likelihood_file": found, "log_likelihood_memory": expected}


def passes_on_dask(workers: int, partitions: list[int]) -> Any:
    """A context: the engine and the source of so many rows in each partition, on workers of one thread."""
    import contextlib

    import dask.array as da
    from distributed import Client, LocalCluster

    from mixtura.engine.dask import on_cluster

    @contextlib.contextmanager
    def opened() -> Any:
        blocks = [da.from_delayed(delayed_rows(i, n), (n, D), float) for i, n in enumerate(partitions)]
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0", memory_limit=0,
                         silence_logs=logging.CRITICAL) as cluster,
            Client(cluster),
            on_cluster(da.concatenate(blocks), None, None) as source,
        ):  # fmt: skip
            engine = source.create_engine("auto", Standardization.of_mixture(truth()), None)
            for _ in range(2):  # in the first one, partitions may still move
                engine.reduce([forms_of_truth()])
            yield engine, source

    return opened()


def forms_of_truth() -> Any:
    """The forms of the mixture that the rows are from."""
    return Standardization.of_mixture(truth()).forward(truth()).forms


def sizes(n_rows: int) -> list[int]:
    """Rows of each of 16 partitions."""
    step = -(-n_rows // 16)
    return [min(step, n_rows - i * step) for i in range(16)]


def small_passes(repeats: int) -> dict[str, float]:
    """Seconds of a pass over next to no rows, and of a task in it."""
    seconds = {}
    for tasks in (2, 64):  # tasks of eight partitions each
        with passes_on_dask(2, [20] * 8 * tasks) as (engine, _):
            seconds[tasks] = seconds_of_passes(engine, forms_of_truth(), 4 * repeats)
    each = (seconds[64] - seconds[2]) / 62
    return {"seconds_a_task": each, "seconds_of_an_empty_pass": seconds[2] - 2 * each}


def on_dask(n_rows: int, repeats: int) -> dict[str, Any]:
    """Passes of one and of two workers of one thread, each in turn with the engine on one and on two threads.

    Ratios are medians of those of a turn: a machine that is slower for a while is so for all of a turn.
    """
    rows = np.concatenate([rows_of(i, n) for i, n in enumerate(sizes(n_rows))])
    alone = {t: create_engine("auto", ArraySource(rows), Standardization.of_mixture(truth()), t) for t in (1, 2)}
    turns: dict[int, list[dict[str, float]]] = {}
    for workers in (1, 2):
        with passes_on_dask(workers, sizes(n_rows)) as (engine, source):
            kinds = {"workers": engine, "2_threads": alone[2], "1_threads": alone[1]}
            turns[workers] = [
                {name: seconds_of_passes(one, forms_of_truth(), 1) for name, one in kinds.items()}
                for _ in range(TURNS * repeats)
            ]

    def ratio(workers: int, of: str, to: str) -> float:
        return statistics.median(turn[of] / turn[to] for turn in turns[workers])

    def seconds(workers: int, of: str) -> float:
        return statistics.median(turn[of] for turn in turns[workers])

    return {
        "rows": n_rows,
        "partitions": 16,
        "bytes_per_pass": source.bytes_per_pass,
        "seconds_a_pass_1_workers": seconds(1, "workers"),
        "seconds_a_pass_2_workers": seconds(2, "workers"),
        "seconds_a_pass_1_threads": seconds(2, "1_threads"),
        "seconds_a_pass_2_threads": seconds(2, "2_threads"),
        "speedup": ratio(1, "workers", "1_threads") / ratio(2, "workers", "1_threads"),
        "speedup_of_threads": ratio(2, "1_threads", "2_threads"),
        "overhead": ratio(2, "workers", "2_threads") - 1,
        "load_average": os.getloadavg()[0],
        "each": turns,
        **small_passes(repeats),
    }


def delayed_rows(number: int, n_rows: int) -> Any:
    """Rows that are made on a worker."""
    import dask

    return dask.delayed(rows_of)(number, n_rows)


def cost_model(dask: dict[str, Any]) -> list[dict[str, float]]:
    """A pass over 1e9 rows on 10, 100 and 1000 workers, from what was measured."""
    per_row = dask["seconds_a_pass_1_threads"] / dask["rows"]
    per_partition = dask["bytes_per_pass"] / dask["partitions"]
    table = []
    for workers in (10, 100, 1000):
        compute = 1e9 * per_row / workers
        schedule = dask["seconds_of_an_empty_pass"] + workers * dask["seconds_a_task"]
        network = 2 * per_partition * EACH * workers / 1.25e8
        beyond = schedule + network
        table.append(
            {"workers": workers, "compute": compute, "schedule": schedule, "network": network,
             "efficiency": compute / (compute + beyond), "bytes": per_partition * EACH * workers,
             "rows_for_80_percent": 4 * beyond * workers / per_row}
        )  # fmt: skip
    return table


def page(found: dict[str, Any]) -> str:
    """What was measured, as text."""
    lines = ["# Larger than memory, larger than a machine", ""]
    lines += ["Measured by `make scale`; `benchmarks/scale.json` has all.", ""]
    if found["machine"]["load_average"] > 1:
        busy = "load average {load_average:.0f} on {cpus} processors".format(**found["machine"])
        lines += [f"The machine was busy with other work ({busy}): these are no times of an idle one.", ""]
    lines += ["| | asked | measured |", "|---|---|---|"]
    if "files" in found:
        one = found["files"]
        gap = abs(one["log_likelihood_file"] - one["log_likelihood_memory"])
        lines += [
            f"| Parquet files, {one['bytes'] / 1e9:.1f} GB ({one['rows']:.3g} rows, D = {D}, K = {K}), limit 1 GB: "
            f"rows a second of a pass, against those in memory | at least 70 % | {one['share_of_in_memory']:.0%} "
            f"({one['rows_per_second'] / 1e6:.2f} against {one['rows_per_second_in_memory'] / 1e6:.2f} million) |",
            f"| peak of memory beyond imports | below 1 GB | {one['peak_bytes_beyond_imports'] / 1e6:.0f} MB |",
            f"| log likelihood of {one['part_rows']:.3g} rows, from the file and in memory | 1e-9 | {gap:.1g} |",
            f"| decoding into the block cache, once | | {one['seconds_to_decode']:.1f} s |",
        ]
    if "dask" in found:
        lines += dask_lines(found)
    return "\n".join(lines) + "\n"


def dask_lines(found: dict[str, Any]) -> list[str]:
    """What was measured of Dask, and the model of more workers."""
    two = found["dask"]
    lines = [
        f"| Dask, {two['rows']:.3g} rows: a pass of two workers of one thread, against the engine on two threads | "
        f"at most 15 % more | {two['overhead']:+.1%} ({two['seconds_a_pass_2_workers']:.3f} s against "
        f"{two['seconds_a_pass_2_threads']:.3f} s) |",
        f"| Dask, two workers of one thread against one (two threads of the engine against one: "
        f"{two['speedup_of_threads']:.2f}) | at least 1.7 | {two['speedup']:.2f} |",
        f"| Dask, bytes that travel in an iteration, at most | statistics and parameters only | "
        f"{two['bytes_per_pass'] / 1e3:.0f} kB |",
        *["", "## More workers, simulated", ""],
        ASSUMPTIONS.format(fixed=1e3 * two["seconds_of_an_empty_pass"], task=1e3 * two["seconds_a_task"]),
        "",
        "| workers | computing, s | scheduling, s | network, s | efficiency | bytes an iteration | "
        "rows for an efficiency of 80 % |",
        "|---|---|---|---|---|---|---|",
    ]
    return lines + [
        f"| {row['workers']} | {row['compute']:.2f} | {row['schedule']:.2f} | {row['network']:.3f} | "
        f"{row['efficiency']:.0%} | {row['bytes'] / 1e6:.1f} MB | {row['rows_for_80_percent']:.1g} |"
        for row in found["cost_model"]
    ]


def main() -> None:
    """Measure, and write what was found."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--gigabytes", type=float, default=10.0)
    asked.add_argument("--rows", type=int, default=10_000_000)
    asked.add_argument("--repeats", type=int, default=5)
    asked.add_argument("--only", choices=["files", "dask"])
    asked.add_argument("--child")
    asked.add_argument("--dry", action="store_true", help="store nothing")
    options = asked.parse_args()
    if options.child:
        print(json.dumps(files_under_a_limit(options.child, options.repeats)))
        return
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if options.only and RESULTS.exists() else {}
    found["machine"] = {"processor": platform.processor() or platform.machine(), "cpus": os.cpu_count()}
    found["machine"]["load_average"] = os.getloadavg()[0]  # before
    if options.only in (None, "files"):
        found["files"] = files(options.gigabytes, options.repeats)
    if options.only in (None, "dask"):
        found["dask"] = on_dask(options.rows, options.repeats)
        found["cost_model"] = cost_model(found["dask"])
    print(page(found))
    if not options.dry:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
