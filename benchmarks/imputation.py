"""Missing values filled in: how wrong, how fast, and how unlike the truth, beside scikit-learn's imputers.

``python benchmarks/imputation.py [--repeats N] [--readme]``

Breast cancer and wine, standardised; of each, 20 % of the cells are removed
completely at random, 20 times over. Every contender fills each table in turn.
Reported are means over the repeats: the root mean square error of the removed
cells, the energy distance (Szekely and Rizzo 2013) between the filled rows and
the true ones for those that draw (KNNImputer has only its means to show), the
median CPU time of one thread, and in how many repeats ours is at least as good. Writes
imputation.json; fails where ours loses to a contender. ``--readme`` writes the
stored numbers into README.md and stops.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from run import README, machine
from scipy.spatial.distance import cdist
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (scikit-learn's IterativeImputer needs it)
from sklearn.impute import IterativeImputer, KNNImputer
from threadpoolctl import threadpool_limits

from mixtura import GaussianMixtureImputer

RESULTS = Path(__file__).parent / "imputation.json"
MARKS = ("<!-- imputation -->", "<!-- /imputation -->")
SHARE = 0.2
DATA: dict[str, Callable[[], Any]] = {"breast cancer": load_breast_cancer, "wine": load_wine}

#: A name, an imputer of means, and one that draws; the first is ours, and judged.
CONTENDERS: list[tuple[str, Callable[[int], Any], Callable[[int], Any] | None]] = [
    (
        "GaussianMixtureImputer",
        lambda seed: GaussianMixtureImputer(random_state=seed, n_threads=1),
        lambda seed: GaussianMixtureImputer(strategy="draw", random_state=seed, n_threads=1),
    ),
    (
        "GaussianMixtureImputer(1)",
        lambda seed: GaussianMixtureImputer(1, random_state=seed, n_threads=1),
        lambda seed: GaussianMixtureImputer(1, strategy="draw", random_state=seed, n_threads=1),
    ),
    (
        "IterativeImputer (BayesianRidge)",
        lambda seed: IterativeImputer(random_state=seed),
        lambda seed: IterativeImputer(random_state=seed, sample_posterior=True),
    ),
    ("KNNImputer", lambda seed: KNNImputer(), lambda seed: KNNImputer()),
]
OURS, THEIRS = CONTENDERS[0][0], [name for name, *_ in CONTENDERS if not name.startswith("GaussianMixture")]


def energy_distance(left: np.ndarray, right: np.ndarray) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| of two samples."""
    within = cdist(left, left).mean() + cdist(right, right).mean()
    return float(2 * cdist(left, right).mean() - within)


def fill(imputer: Any, holed: np.ndarray) -> tuple[np.ndarray, float]:
    """The filled rows, and CPU seconds."""
    started = time.process_time()
    filled = imputer.fit_transform(holed)
    return filled, time.process_time() - started


def measure(name: str, repeats: int) -> list[dict[str, Any]]:
    """A row for each contender on one data set."""
    rows = DATA[name]().data
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    errors, seconds, distances = ({one: [] for one, *_ in CONTENDERS} for _ in range(3))
    for seed in range(repeats):
        removed = np.random.default_rng(seed).random(rows.shape) < SHARE
        holed = np.where(removed, np.nan, rows)
        for one, mean, draw in CONTENDERS:
            filled, spent = fill(mean(seed), holed)
            errors[one].append(float(np.sqrt(np.mean(np.square(filled - rows)[removed]))))
            seconds[one].append(spent)
            distances[one].append(energy_distance(fill(draw(seed), holed)[0], rows))
        print(name, seed, *(f"{one}: {errors[one][-1]:.4f} {seconds[one][-1]:.2f} s" for one in errors), flush=True)
    return [
        {
            "data": name,
            "imputer": one,
            "rmse": statistics.mean(errors[one]),
            "energy_distance": statistics.mean(distances[one]),
            "seconds": statistics.median(seconds[one]),
            "repeats": repeats,
            "ours_at_most": {
                "rmse": sum(a <= b for a, b in zip(errors[OURS], errors[one], strict=True)),
                "energy_distance": sum(a <= b for a, b in zip(distances[OURS], distances[one], strict=True)),
                "seconds": sum(a <= b for a, b in zip(seconds[OURS], seconds[one], strict=True)),
            },
        }
        for one in errors
    ]


def losses(rows: list[dict[str, Any]]) -> list[str]:
    """What ours was asked to win and does not."""
    lost = []
    for row in rows:
        if row["imputer"] in THEIRS:
            ours = next(one for one in rows if one["data"] == row["data"] and one["imputer"] == OURS)
            measures = [key for key in ("rmse", "energy_distance", "seconds") if ours[key] > row[key]]
            lost += [f"{key} of {row['data']} to {row['imputer']}" for key in measures]
    return lost


def table(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    facts = report["machine"]
    lines = [
        f"Measured on {facts['processor']}, Python {facts['python']}, NumPy {facts['numpy']}, scikit-learn "
        f"{facts['scikit-learn']}. Means of {report['rows'][0]['repeats']} tables; in brackets, in how many of "
        "them ours was at least as good.",
        "",
        "| data | imputer | error of means | energy distance of draws | CPU seconds |",
        "|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        names = ("rmse", "energy_distance", "seconds")
        own = row["imputer"] == OURS
        shown = [f"{row[name]:.3g}" + ("" if own else f" ({row['ours_at_most'][name]})") for name in names]
        lines.append(f"| {row['data']} | {row['imputer']} | {' | '.join(shown)} |")
    lost = losses(report["rows"])
    return "\n".join([*lines, "", f"Lost: {'; '.join(lost)}." if lost else "Nothing that was asked is lost."])


def write_readme(report: dict[str, Any]) -> None:
    """Put the table between the marks in the README."""
    text = README.read_text()
    before, rest = text.split(MARKS[0], 1)
    after = rest.split(MARKS[1], 1)[1]
    README.write_text(f"{before}{MARKS[0]}\n{table(report)}\n{MARKS[1]}{after}")


def main() -> int:
    """Measure, store, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--readme", action="store_true")
    arguments = parser.parse_args()
    if arguments.readme:
        write_readme(json.loads(RESULTS.read_text()))
        return 0
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        rows = [row for name in DATA for row in measure(name, arguments.repeats)]
    report = {"machine": machine(), "rows": rows}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))
    return 1 if losses(rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
