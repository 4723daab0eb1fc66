"""Our best optimum beside mclust's, cell by cell, on its five reference sets; writes docs/mclust_comparison.md.

    python benchmarks/mclust.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from mixtura import GaussianMixtureIC
from mixtura.engine.threads import thread_count

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "mclust_comparison.md"
sys.path.insert(0, str(ROOT / "tests"))

from oracles.tables import mclust_cells, mclust_rows  # noqa: E402

#: Seconds of `mclustBIC` on the machine of the reference results, of one hierarchical start for each cell.
THEIR_SECONDS = {"acidity": 0.029, "diabetes": 0.202, "faithful": 0.495, "iris": 0.474, "wreath": 1.144}

#: A log likelihood higher by this is another optimum, and not the same one reached more closely.
BETTER = 0.1

HEAD = """# Beside mclust, cell by cell

Written by `python benchmarks/mclust.py`; do not edit. `GaussianMixtureIC(random_state=0)`, that is BIC over all
covariance models with 1 to 9 components, against `mclustBIC` (R's mclust 6.0.0, its defaults: one hierarchical start
for each cell, and a stop at a relative change of 1e-5). The number of parameters is the same in every cell.

- *below*: cells in which our log likelihood is more than 0.001 lower. *better*: higher by more than 0.1.
- *only ours*: cells that mclust could not fit and we can without a degenerate component.
- A higher likelihood is not a better description of other rows: components of few rows are found by any good
  search. What BIC chooses is in the first table.
"""


def compare(name: str) -> tuple[str, list[str]]:
    """A line of the summary, and the lines of the list of cells."""
    rows, theirs = mclust_rows(name), mclust_cells()[name]
    started = time.perf_counter()
    model = GaussianMixtureIC(random_state=0).fit(rows)
    seconds = time.perf_counter() - started
    columns = (model.results_[part].tolist() for part in ("covariance_type", "n_components", "log_likelihood"))
    ours = {(kind, number): value for kind, number, value in zip(*columns, strict=True)}
    gains = {
        (kind, number): ours[kind, number] - value for kind, row in theirs.items() for number, (_, value) in row.items()
    }
    below = [cell for cell, gain in gains.items() if not gain >= -1e-3]
    better = [cell for cell, gain in gains.items() if gain > BETTER]
    alone = [cell for cell, value in ours.items() if np.isfinite(value) and cell not in gains]
    best = model.best_params_
    line = (
        f"| {name} | {rows.shape[0]} x {rows.shape[1]} | {len(gains)} | {len(below)} | "
        f"{len(gains) - len(below) - len(better)} | {len(better)} | {len(alone)} | {best['covariance_type']}, "
        f"{best['n_components']} | {model.results_['bic'][model.best_index_]:.3f} | {seconds:.2f} | "
        f"{THEIR_SECONDS[name]:.2f} |"
    )
    return line, _cells(name, gains, ours)


def _cells(name: str, gains: dict[tuple[str, int], float], ours: dict[tuple[str, int], float]) -> list[str]:
    """A table of gains in log likelihood: a line a model, a column a number of components."""
    numbers = sorted({number for _, number in ours})
    lines = [f"\n## {name}\n", "| model | " + " | ".join(map(str, numbers)) + " |", "|---" * (len(numbers) + 1) + "|"]
    for kind in dict.fromkeys(kind for kind, _ in ours):
        lines.append(f"| {kind} | " + " | ".join(_cell(gains, ours, (kind, number)) for number in numbers) + " |")
    return lines


def _cell(gains: dict[tuple[str, int], float], ours: dict[tuple[str, int], float], cell: tuple[str, int]) -> str:
    if not np.isfinite(ours[cell]):
        return "no sound fit"
    if cell not in gains:
        return "only ours"
    if abs(gains[cell]) <= BETTER:
        return "="
    return f"{gains[cell]:+.1f}"


def main() -> None:
    """Compare on all sets, and write the page."""
    summary, cells = [], []
    for name in mclust_cells():
        line, table = compare(name)
        print(line, flush=True)
        summary.append(line)
        cells += table
    title = "data | rows | cells | below | equal | better | only ours | chosen | BIC | seconds | mclust's seconds"
    where = f"Seconds are ours on {thread_count()} threads; those of mclust stand in its reference results."
    note = "Each cell: our log likelihood less mclust's; `=` where they are within 0.1."
    text = [HEAD, f"| {title} |", "|---" * 11 + "|", *summary, "", where, "", note, *cells]
    PAGE.write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
