"""Rows in parts whose boundaries someone else has drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixtura.source.arrays import ArraySource
from mixtura.source.protocol import Block

__all__ = ["PartedSource", "joined", "places_in"]

Result = TypeVar("Result")


class PartedSource:
    """Rows in memory, in given parts; each has blocks of its own. What a cluster's partitions are, in one place.

    Parameters
    ----------
    parts : sequence of ArraySource
        None of them empty, and all of them incomplete or none.
    """

    def __init__(self, parts: Sequence[ArraySource]) -> None:
        self._parts = tuple(parts)
        self.n_rows = sum(part.n_rows for part in parts)
        self.n_features = parts[0].n_features
        self.total_weight = float(sum(part.total_weight for part in parts))
        self.incomplete = parts[0].incomplete

    def parts(self) -> Iterator[ArraySource]:
        """The parts."""
        return iter(self._parts)

    def blocks(self) -> Iterator[Block]:
        """The blocks of all parts, in order."""
        start = 0
        for part in self._parts:
            for block in part.blocks():
                yield Block(start + block.start, block.rows, block.weights)
            start += part.n_rows

    def map(self, function: Callable[[Block], Result]) -> Iterator[Result]:
        """See `Source.map`."""
        return map(function, self.blocks())

    def take(self, rows: NDArray[Any] | slice) -> ArraySource:
        """See `Source.take`."""
        inside = places_in([part.n_rows for part in self._parts], rows)
        return joined([part.take(places) for part, places in zip(self._parts, inside, strict=True) if places.size])

    def at_hand(self) -> ArraySource:
        """All rows as one array."""
        return self.take(slice(None))


def places_in(sizes: Sequence[int], rows: NDArray[Any] | slice) -> list[NDArray[np.intp]]:
    """Places within each of several parts, of so many rows each, of rows given by increasing index or slice."""
    total = sum(sizes)
    chosen = np.arange(*rows.indices(total)) if isinstance(rows, slice) else np.asarray(rows, dtype=np.intp)
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(chosen, ends[:-1])
    return [part - start for part, start in zip(np.split(chosen, cuts), [0, *ends[:-1]], strict=True)]


def joined(parts: Sequence[ArraySource]) -> ArraySource:
    """Several parts as one array."""
    weights = [part.weights for part in parts if part.weights is not None]
    rows = np.concatenate([part.rows for part in parts])
    return ArraySource(rows, np.concatenate(weights) if weights else None, parts[0].incomplete)
