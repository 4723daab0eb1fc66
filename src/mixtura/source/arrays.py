"""Rows of an array in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array
from mixtura.source import partition
from mixtura.source.protocol import Block, Rows

__all__ = ["ArraySource"]

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Rows of an array in memory, float64 or float32, never copied.

    Parameters
    ----------
    rows : array of shape (N, D)
    weights : array of shape (N,) or None
    incomplete : bool
        Whether some values are NaN, which then stand for missing ones.
    """

    rows: Rows
    weights: Array | None = None
    incomplete: bool = False

    def take(self, rows: NDArray[Any] | slice) -> ArraySource:
        """Some of the rows, by index, flag or slice; itself where that is all of them."""
        if isinstance(rows, slice):
            if rows == slice(None):
                return self
            if rows.step not in (None, 1):  # side by side, as from a file: how rows lie in memory shows in a last bit
                rows = np.arange(self.n_rows)[rows]
        return ArraySource(self.rows[rows], None if self.weights is None else self.weights[rows], self.incomplete)

    def of_features(self, chosen: NDArray[np.bool_]) -> ArraySource:
        """The same rows with some of their features (D,)."""
        rows: Any = np.ascontiguousarray(self.rows[:, chosen])
        return ArraySource(rows, self.weights, self.incomplete)

    @property
    def n_rows(self) -> int:
        """N."""
        return int(self.rows.shape[0])

    @property
    def n_features(self) -> int:
        """D."""
        return int(self.rows.shape[1])

    @property
    def total_weight(self) -> float:
        """Sum of the rows' weights, block by block; N where there are none."""
        if self.weights is None:
            return float(self.n_rows)
        return float(sum(self.weights[part].sum() for part in partition.block_slices(self.n_rows)))

    def weight_blocks(self) -> Iterator[Array] | None:
        """Weights of all blocks, in order; None where there are none."""
        if self.weights is None:
            return None
        weights = self.weights
        return (weights[part] for part in partition.block_slices(self.n_rows))

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order; views of the array."""
        for part in partition.block_slices(self.n_rows):
            yield Block(part.start, self.rows[part], None if self.weights is None else self.weights[part])

    def map(self, function: Callable[[Block], Result]) -> Iterator[Result]:
        """See `Source.map`."""
        return map(function, self.blocks())

    def parts(self) -> Iterator[ArraySource]:
        """See `Source.parts`; views of the array."""
        return (self.take(part) for part in partition.part_slices(self.n_rows))

    def at_hand(self) -> ArraySource:
        """Itself."""
        return self
