"""What ``estimator.plot(kind=...)`` draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mixtura.plot.classification import ClassificationDisplay
from mixtura.plot.convergence import ConvergenceDisplay
from mixtura.plot.density import DensityDisplay
from mixtura.plot.iterations import IterationsDisplay
from mixtura.plot.k_means import KMeansComparisonDisplay
from mixtura.plot.merging import MergeDisplay
from mixtura.plot.outliers import OutlierDisplay
from mixtura.plot.profile import ProfileDisplay
from mixtura.plot.selection import ModelSelectionDisplay
from mixtura.plot.uncertainty import UncertaintyDisplay

__all__ = ["KINDS", "draw"]

KINDS: dict[str, Callable[..., Any]] = {
    "classification": ClassificationDisplay.from_estimator,
    "uncertainty": UncertaintyDisplay.from_estimator,
    "density": DensityDisplay.from_estimator,
    "profile": ProfileDisplay.from_estimator,
    "convergence": ConvergenceDisplay.from_estimator,
    "iterations": IterationsDisplay.from_estimator,
    "k_means": KMeansComparisonDisplay.from_estimator,
    "outliers": OutlierDisplay.from_estimator,
    "merging": MergeDisplay.from_estimator,
    "selection": lambda estimator, X=None, **options: ModelSelectionDisplay.from_selection(estimator, **options),
}

#: These need no rows.
WITHOUT_ROWS = {"profile", "convergence", "iterations", "selection"}


def draw(estimator: Any, X: Any, kind: str, **options: Any) -> Any:
    """Make and draw the display of that kind."""
    possible = [name for name in KINDS if possible_for(estimator, name)]
    if kind not in possible:
        raise ValueError(f"kind must be one of {', '.join(possible)}; got {kind!r}")
    if X is None and kind not in WITHOUT_ROWS:
        raise ValueError(f"kind={kind!r} draws rows: pass them as X")
    return KINDS[kind](estimator, X, **options)


def possible_for(estimator: Any, kind: str) -> bool:
    """Whether an estimator has what a kind of display draws."""
    if kind == "selection":
        return hasattr(estimator, "results_")
    if hasattr(estimator, "mixtures_"):
        return kind in ("classification", "density")
    return True
