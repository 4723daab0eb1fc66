"""An engine that adds up what other engines find in parts of the rows, in a fixed tree.

The tree depends on the number of parts alone. So the sum is bitwise the same
wherever and whenever the parts are worked on: here, from a file, or on other
machines (`mixtura.engine.dask`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.engine.engine import Engine, RowOutput
from mixtura.quadratic import QuadraticForms
from mixtura.shape import Array
from mixtura.source import ArraySource, Block, PartedSource, Source
from mixtura.suffstats import SufficientStats

__all__ = ["BRANCHES", "PartsEngine", "TreeSum", "merged"]

#: Sums that are added together at each node of the tree.
BRANCHES = 8


def merged(parts: Sequence[list[SufficientStats]]) -> list[SufficientStats]:
    """A node of the tree: the sums of several forms over a few parts, in the order of the parts."""
    return [reduce(add, of_one_form) for of_one_form in zip(*parts, strict=True)]


class TreeSum:
    """A sum in the fixed tree, of terms that come one after the other; few of them are held at a time."""

    def __init__(self) -> None:
        self._levels: list[list[list[SufficientStats]]] = []

    def add(self, term: list[SufficientStats], level: int = 0) -> None:
        """Take the next term."""
        if level == len(self._levels):
            self._levels.append([])
        waiting = self._levels[level]
        waiting.append(term)
        if len(waiting) == BRANCHES:
            self._levels[level] = []
            self.add(merged(waiting), level + 1)

    def total(self) -> list[SufficientStats]:
        """The sum of all terms."""
        for level in range(len(self._levels)):
            waiting = self._levels[level]
            if len(waiting) == 1 and not any(self._levels[level + 1 :]):
                return waiting[0]
            if waiting:
                self._levels[level] = []
                self.add(merged(waiting), level + 1)
        return self._levels[-1][0]


class PartsEngine:
    """Sums over the parts of a source, each by an engine of its own.

    Parameters
    ----------
    source : Source
    make : callable
        Makes the engine of a part, as ``make(part)``.
    """

    def __init__(self, source: Source, make: Callable[[ArraySource], Engine]) -> None:
        self._source = source
        self._make = make
        in_memory = isinstance(source, ArraySource | PartedSource)
        self._kept = [make(part) for part in source.parts()] if in_memory else None

    def _engines(self) -> Iterator[Engine]:
        """Engines of the parts in order; where the rows are in memory, the same ones every time."""
        return (self._make(part) for part in self._source.parts()) if self._kept is None else iter(self._kept)

    def reduce(self, forms: Sequence[QuadraticForms]) -> list[SufficientStats]:
        """See `Engine.reduce`."""
        total = TreeSum()
        for engine in self._engines():
            total.add(engine.reduce(forms))
        return total.total()

    def map_rows(
        self, forms: QuadraticForms, output: RowOutput, inspect: Callable[[Block], None] | None = None
    ) -> NDArray[Any]:
        """See `Engine.map_rows`."""
        return np.concatenate([engine.map_rows(forms, output, inspect) for engine in self._engines()])

    @property
    def log_jacobian(self) -> Array:
        """See `MissingValuesEngine.log_jacobian`."""
        return np.concatenate([engine.log_jacobian for engine in self._engines()])

    def total_log_jacobian(self) -> float:
        """See `MissingValuesEngine.total_log_jacobian`."""
        return sum(engine.total_log_jacobian() for engine in self._engines())
