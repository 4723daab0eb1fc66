"""mixtura against scikit-learn (and pomegranate and mlpack where installed), in one process, in turn.

``python benchmarks/run.py [--only NAME ...] [--repeats N] [--readme]``

Every case is run by each contender in turn, several times; medians are reported,
with the ratio of medians, the peak of traced memory, iterations, and the final
log likelihood, so that "faster" cannot hide "worse". Losses stay in the table.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from cases import CASES, Case, Outcome

import mixtura

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
README = HERE.parent / "README.md"
MARKS = ("<!-- benchmark -->", "<!-- /benchmark -->")


#: A contender that allocates gigabytes an iteration should not be timed on how fast the system hands out fresh pages:
#: with these, glibc keeps and reuses what was freed.
WARM_HEAP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(10**11), "MALLOC_TOP_PAD_": str(2 * 10**9)}


#: Seconds before a contender starts. The threads of a BLAS spin on after their last product (OpenBLAS's: some 30 ms),
#: and whoever comes next would share the processors with them.
PAUSE = 0.1

#: Seconds that are timed at least: a call of milliseconds is one of many, as of timeit, or it would be a pause's cold
#: caches that are measured.
LEAST = 0.1


def with_warm_heap() -> None:
    """Start again with an allocator that keeps its memory, unless that is so already."""
    if any(os.environ.get(name) != value for name, value in WARM_HEAP.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **WARM_HEAP})


def matrix_product_rate(size: int = 2000, repeats: int = 7) -> float:
    """This machine's float64 matrix product, in operations a second: the best of several."""
    left = np.random.default_rng(0).standard_normal((size, size))
    left @ left
    best = np.inf
    for _ in range(repeats):
        started = time.perf_counter()
        left @ left
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best


def timed(action: Callable[[], Outcome]) -> tuple[float, Outcome]:
    """Seconds that an action took, and what it returned; of a short one, the mean of several."""
    gc.collect()
    time.sleep(PAUSE)
    started = time.perf_counter()
    outcome = action()
    seconds = time.perf_counter() - started
    number = int(LEAST / seconds)
    if number == 0:
        return seconds, outcome
    started = time.perf_counter()
    for _ in range(number):
        action()
    return (time.perf_counter() - started) / number, outcome


def traced_peak(action: Callable[[], Outcome]) -> float:
    """Peak of memory allocated through Python and NumPy during an action, in MB."""
    gc.collect()
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def measure(case: Case, repeats: int) -> dict[str, Any]:
    """One row of the table: each contender in turn, ``repeats`` times."""
    contenders = case.make()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    outcomes: dict[str, Outcome] = {}
    if case.warm:
        for action in contenders.values():
            action()
    shares = []
    for _ in range(repeats):
        for name, action in contenders.items():
            seconds, outcomes[name] = timed(action)
            times[name].append(seconds)
        if case.operations:  # the machine's speed drifts: compare with the product of the same moment
            rate = matrix_product_rate(repeats=3)
            shares.append(case.operations / times["mixtura"][-1] / rate)
    row: dict[str, Any] = {"case": case.name, "target": case.target, "contenders": {}}
    for name, action in contenders.items():
        outcome = outcomes[name]
        row["contenders"][name] = {
            "seconds": statistics.median(times[name]),
            "fastest": min(times[name]),
            "slowest": max(times[name]),
            "peak_mb": traced_peak(action) if case.memory else None,
            "iterations": outcome.iterations,
            "log_likelihood": outcome.log_likelihood,
            "success": outcome.success,
        }
    ours = row["contenders"]["mixtura"]["seconds"]
    theirs = row["contenders"].get("scikit-learn", {}).get("seconds")
    row["ratio"] = theirs / ours if theirs else None
    if shares:
        row["share_of_matrix_product"] = statistics.median(shares)
    return row


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].split(":", 1)[1].strip() if names else processor
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": processor,
        "processors_used": affinity,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "mixtura": mixtura.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def import_seconds(statement: str, repeats: int) -> float:
    """Median time of a statement in a fresh interpreter, beyond importing NumPy."""
    code = f"import numpy, time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(repeats)
    ]
    return statistics.median(runs)


def import_row(repeats: int) -> dict[str, Any]:
    """The import-time row: the bare import, and with the estimator in hand."""
    bare = import_seconds("import mixtura", repeats)
    estimator = import_seconds("from mixtura import GaussianMixture", repeats)
    theirs = import_seconds("from sklearn.mixture import GaussianMixture", repeats)
    return {
        "case": "import beyond NumPy",
        "target": "`import mixtura` <= 0.1 s",
        "ratio": theirs / estimator,
        "contenders": {
            "mixtura": {"seconds": bare, "with_estimator": estimator, "success": True},
            "scikit-learn": {"seconds": theirs, "success": True},
        },
    }


def table(report: dict[str, Any]) -> str:
    """The stored numbers as a Markdown table."""
    facts = report["machine"]
    lines = [
        f"Measured on {facts['processors_used']} processors of {facts['processor']}; float64 matrix product "
        f"{report['matrix_product_gflops']:.0f} GFLOP/s; Python {facts['python']}, NumPy {facts['numpy']}, "
        f"scikit-learn {facts['scikit-learn']}; {facts['date']}. "
        f"Medians of {report['repeats']}, in one process, in turn.",
        "",
        "| case | mixtura | scikit-learn | ratio | asked | share of matrix product "
        "| MB (ours, theirs) | mean log likelihood (ours, theirs) | others |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        ours, theirs = row["contenders"]["mixtura"], row["contenders"].get("scikit-learn", {})
        share, more = row.get("share_of_matrix_product"), ours.get("with_estimator")
        cells = [
            row["case"],
            _seconds(ours["seconds"]) + (f" ({_seconds(more)} with an estimator)" if more else ""),
            _seconds(theirs.get("seconds")),
            f"{row['ratio']:.1f}x" if row["ratio"] else "",
            row["target"],
            f"{100 * share:.0f} %" if share else "",
            _pair(ours.get("peak_mb"), theirs.get("peak_mb"), "{:.0f}"),
            _pair(ours.get("log_likelihood"), theirs.get("log_likelihood"), "{:.5f}"),
            _others(row["contenders"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _others(contenders: dict[str, Any]) -> str:
    """Libraries beside the two, with their times and log likelihoods."""
    rest = {name: one for name, one in contenders.items() if name not in ("mixtura", "scikit-learn")}
    return "; ".join(f"{name} {_seconds(one['seconds'])}, {one['log_likelihood']:.5f}" for name, one in rest.items())


def line(row: dict[str, Any]) -> str:
    """One row, for the terminal."""
    share = row.get("share_of_matrix_product")
    parts = [f"{row['case']:28s} ratio {row['ratio'] or 0:7.1f}  asked {row['target'] or '-':12s}"]
    parts += [f"share {share:.2f}"] if share else []
    for name, one in row["contenders"].items():
        facts = " ".join(f"{key} {one[key]:.6g}" for key in ("log_likelihood", "iterations", "peak_mb") if one.get(key))
        parts.append(f"{name} {_seconds(one['seconds'])} {facts}")
    return "  ".join(parts)


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def _pair(ours: float | None, theirs: float | None, style: str) -> str:
    return ", ".join(style.format(value) for value in (ours, theirs) if value is not None)


def write_readme(report: dict[str, Any]) -> None:
    """Put the table between the marks in the README."""
    text = README.read_text()
    before, rest = text.split(MARKS[0], 1)
    after = rest.split(MARKS[1], 1)[1]
    README.write_text(f"{before}{MARKS[0]}\n{table(report)}\n{MARKS[1]}{after}")


def main() -> None:
    """Run the cases asked for, print as they come, store everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="parts of case names; default: all")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--readme", action="store_true", help="write the stored results into README.md and stop")
    arguments = parser.parse_args()
    if arguments.readme:
        write_readme(json.loads(RESULTS.read_text()))
        return
    with_warm_heap()
    warnings.simplefilter("ignore")
    old = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": []}
    rows = {row["case"]: row for row in old["rows"]}
    rate = matrix_product_rate()

    def keep(row: dict[str, Any]) -> None:
        rows[row["case"]] = row
        report = {"machine": machine(), "matrix_product_gflops": rate / 1e9, "repeats": arguments.repeats}
        RESULTS.write_text(json.dumps({**report, "rows": list(rows.values())}, indent=1) + "\n")
        print(line(row), flush=True)

    print(f"matrix product {rate / 1e9:.1f} GFLOP/s")
    for case in CASES:
        if not arguments.only or any(part in case.name for part in arguments.only):
            rate = max(rate, matrix_product_rate(repeats=2))
            keep(measure(case, arguments.repeats))
    if not arguments.only or any("import" in part for part in arguments.only):
        keep(import_row(arguments.repeats))


if __name__ == "__main__":
    main()
