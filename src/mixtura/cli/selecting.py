"""The work behind ``mixtura select`` and ``mixtura fit -k 1:9``: a choice, its table and its picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import GaussianMixtureIC
from mixtura.atomic import replacing
from mixtura.cli.console import progress
from mixtura.selection import ROUNDS
from mixtura.table import Table

__all__ = ["cells_of", "choose", "draw", "numbers_text", "ranking_text", "with_names"]

#: Cells that are listed by rank.
BEST_SHOWN = 10


def choose(rows: Any, weights: Any, numbers: Sequence[int], options: dict[str, Any]) -> GaussianMixtureIC:
    """A fitted choice among numbers of components and covariance models, for rows in memory or in files."""
    model = GaussianMixtureIC(numbers, **options)
    with progress(ROUNDS + 2) as advance:
        model.on_step = lambda done, total: advance(f"step {done} of {total}")
        return model.fit(rows, sample_weight=weights)


def cells_of(model: GaussianMixtureIC) -> list[dict[str, Any]]:
    """For JSON: a document a cell."""
    columns = {name: column.tolist() for name, column in model.results_.items() if name != "status"}
    cells = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [{**cell, "error": cell.pop("reason") or None} for cell in cells]


def numbers_text(model: GaussianMixtureIC) -> str:
    """A line a number of components, the chosen one marked."""
    lines = [f"{'components':>10}  {'BIC':>14}"]
    for place, cell in enumerate(cells_of(model)):
        note = cell["error"] or ("" if cell["converged"] else "did not converge")
        mark = "best" if place == model.best_index_ else note
        lines.append(f"{cell['n_components']:>10}  {cell['bic']:>14.4f}  {mark}".rstrip())
    return "\n".join(lines)


def ranking_text(model: GaussianMixtureIC) -> str:
    """The best cells by rank, then a line a covariance model."""
    cells, criterion = cells_of(model), model.criterion
    ranked = sorted((cell for cell in cells if np.isfinite(cell[criterion])), key=lambda cell: cell[criterion])
    title = f"{criterion.upper():>14}"
    head = f"{'rank':>4}  {'covariance':<10}  {'components':>10}  {'parameters':>10}  {'log likelihood':>14}"
    lines = [f"{head}  {title}"]
    for rank, cell in enumerate(ranked[:BEST_SHOWN], 1):
        note = "" if cell["converged"] else "  did not converge"
        lines.append(
            f"{rank:>4}  {cell['covariance_type']:<10}  {cell['n_components']:>10}  {cell['n_parameters']:>10}  "
            f"{cell['log_likelihood']:>14.4f}  {cell[criterion]:>14.4f}{note}"
        )
    lines += ["", f"{'covariance':<10}  {'components':>10}  {title}  without a sound fit"]
    lines += [_line(name, cells, criterion) for name in dict.fromkeys(model.results_["covariance_type"])]
    return "\n".join(lines)


def _line(name: str, cells: list[dict[str, Any]], criterion: str) -> str:
    """The best number of components under one covariance model, and those that have no sound fit."""
    own = [cell for cell in cells if cell["covariance_type"] == name]
    failed = ", ".join(str(cell["n_components"]) for cell in own if cell["error"]) or "none"
    sound = [cell for cell in own if np.isfinite(cell[criterion])]
    if not sound:
        return f"{name:<10}  {'-':>10}  {'-':>14}  {failed}"
    best = min(sound, key=lambda cell: cell[criterion])
    return f"{name:<10}  {best['n_components']:>10}  {best[criterion]:>14.4f}  {failed}"


def with_names(model: Any, names: Sequence[str] | None) -> Any:
    """The model, knowing what its features are called."""
    if names is not None:
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


def draw(
    path: str | os.PathLike[str], model: Any, choice: GaussianMixtureIC | None, table: Table, labels: NDArray[Any]
) -> None:
    """Draw the classification, and beside it the criterion where there was a choice, to an image file."""
    os.environ.setdefault("MPLBACKEND", "agg")
    from mixtura.plot import ClassificationDisplay, ModelSelectionDisplay

    names = list(table.names or ())
    display = ClassificationDisplay(model.mixture_, table.frame, labels, feature_names=names).plot()
    figure = display.figure_
    if choice is not None:
        figure.clear()
        figure.set_size_inches(13.0, 5.0)
        left, right = figure.subplots(1, 2)
        ModelSelectionDisplay.from_selection(choice, ax=left)
        display.plot(ax=right)
    with replacing(path, "wb") as stream:
        figure.savefig(stream, format=Path(path).suffix.lower().removeprefix("."), dpi=150)
