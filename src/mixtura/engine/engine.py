"""The protocol of the rack: the two verbs of an engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol

from numpy.typing import NDArray

from mixtura.quadratic import QuadraticForms
from mixtura.source import Block
from mixtura.suffstats import SufficientStats

__all__ = ["Engine", "RowOutput"]


class RowOutput(Enum):
    """What `Engine.map_rows` can return for every row."""

    LOG_DENSITY = "log_density"  # (N,) float64
    RESPONSIBILITIES = "responsibilities"  # (N, K) float64
    LABELS = "labels"  # (N,) int64


class Engine(Protocol):
    """Takes sums over the blocks of one source, in standardised coordinates.

    An engine never sees the name of a covariance model: forms tell it all.
    """

    def reduce(self, forms: Sequence[QuadraticForms]) -> list[SufficientStats]:
        """One E-step of each of several mixtures (of one shape) in a single pass over the rows."""

    def map_rows(
        self, forms: QuadraticForms, output: RowOutput, inspect: Callable[[Block], None] | None = None
    ) -> NDArray[Any]:
        """A value for every row, in the order of the rows.

        ``inspect`` is called with each block as it is about to be used, on any
        thread; what it raises ends the pass.
        """
