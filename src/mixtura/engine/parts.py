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

__all__ = ["PartsEngine", "TreeSum"]


def merged(parts: Sequence[list[SufficientStats]]) -> list[SufficientStats]:
    """The sums of several forms over a few parts, in the order of the parts."""
    return [reduce(add, of_one_form) for of_one_form in zip(*parts, strict=True)]


class TreeSum:
    """A sum in a fixed tree of pairs, of terms that come in any order.

    The node ``i`` of level ``l`` is the sum of the terms ``i 2^l`` to
    ``(i + 1) 2^l - 1``, and is made as soon as both of its halves are there, so
    that few are held at a time where neighbours come together.
    """

    def __init__(self) -> None:
        self._nodes: dict[tuple[int, int], list[SufficientStats]] = {}

    def add(self, term: list[SufficientStats], place: int, level: int = 0) -> None:
        """Take the term, or node of a level, that stands in a place."""
        neighbour = self._nodes.pop((level, place ^ 1), None)
        if neighbour is None:
            self._nodes[level, place] = term
            return
        both = [neighbour, term] if place % 2 else [term, neighbour]
        self.add(merged(both), place // 2, level + 1)

    def __len__(self) -> int:
        """Sums that are held."""
        return len(self._nodes)

    def join(self, other: TreeSum) -> None:
        """Take all that another has."""
        for (level, place), term in other._nodes.items():
            self.add(term, place, level)

    def total(self) -> list[SufficientStats]:
        """The sum of all terms: the last nodes are added first, each being without a neighbour as large."""
        nodes = sorted(self._nodes.items(), key=lambda node: node[0][1] << node[0][0])
        return reduce(lambda after, before: merged([before, after]), [term for _, term in reversed(nodes)])


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
        for place, engine in enumerate(self._engines()):
            total.add(engine.reduce(forms), place)
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
