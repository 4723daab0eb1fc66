"""The work behind ``mixtura fit``: one fit, or one for each number of components and the best of them by BIC."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import GaussianMixture
from mixtura.atomic import replacing
from mixtura.cli.console import message
from mixtura.table import Table

__all__ = ["DRAWINGS", "Candidate", "best_of", "draw", "fit_candidate", "selection_text", "with_names"]

DRAWINGS = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Candidate:
    """One number of components: its fit, or why there is none.

    Parameters
    ----------
    n_components : int
    model : GaussianMixture or None
    bic : float
        NaN where the fit failed.
    error : str or None
    """

    n_components: int
    model: Any = None
    bic: float = float("nan")
    error: str | None = None

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        converged = None if self.model is None else self.model.converged_
        return {"n_components": self.n_components, "bic": self.bic, "converged": converged, "error": self.error}


def fit_candidate(table: Table, n_components: int, options: dict[str, Any], several: bool) -> Candidate:
    """Fit one number of components; among several, a failure is a fact about that number and no error."""
    model = GaussianMixture(n_components, **options)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            model.fit(table.frame, sample_weight=table.weights)
            bic = model.bic(table.frame, sample_weight=table.weights)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        if not several:
            raise
        return Candidate(n_components, error=str(error))
    for text in dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning)):
        message(f"warning: {f'{n_components} components: ' if several else ''}{text}")
    return Candidate(n_components, model, bic)


def best_of(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate of the lowest BIC.

    Raises
    ------
    ValueError
        If every fit failed; the message says why the first did.
    """
    fitted = [one for one in candidates if np.isfinite(one.bic)]
    if not fitted:
        raise ValueError(f"no number of components could be fitted; {candidates[0].error}")
    return min(fitted, key=lambda one: one.bic)


def selection_text(candidates: Sequence[Candidate], best: Candidate) -> str:
    """A line a candidate, the best one marked."""
    lines = [f"{'components':>10}  {'BIC':>14}"]
    for one in candidates:
        note = one.error or ("" if one.model.converged_ else "did not converge")
        mark = "best" if one is best else note
        lines.append(f"{one.n_components:>10}  {one.bic:>14.4f}  {mark}".rstrip())
    return "\n".join(lines)


def with_names(model: Any, names: Sequence[str] | None) -> Any:
    """The model, knowing what its features are called."""
    if names is not None:
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


def draw(
    path: str | os.PathLike[str], candidates: Sequence[Candidate], best: Candidate, table: Table, labels: NDArray[Any]
) -> None:
    """Draw the classification, and beside it BIC where there was a choice, to an image file."""
    os.environ.setdefault("MPLBACKEND", "agg")
    from mixtura.plot import ClassificationDisplay, ModelSelectionDisplay

    names = list(table.names or ())
    display = ClassificationDisplay(best.model.mixture_, table.frame, labels, feature_names=names).plot()
    figure = display.figure_
    if len(candidates) > 1:
        figure.clear()
        figure.set_size_inches(12.0, 4.5)
        left, right = figure.subplots(1, 2)
        bics = [one.bic for one in candidates]
        ModelSelectionDisplay([one.n_components for one in candidates], bics).plot(ax=left)
        display.plot(ax=right)
    with replacing(path, "wb") as stream:
        figure.savefig(stream, format=Path(path).suffix.lower().removeprefix("."), dpi=150)
