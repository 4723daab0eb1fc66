"""Sources: where the blocks of rows come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array

__all__ = ["ArraySource", "Block", "Rows", "Source", "block_slices"]

Rows = NDArray[np.float64] | NDArray[np.float32]

MAX_BLOCKS = 64  # enough for dozens of threads to stay busy, few enough to merge for free
MIN_BLOCK_ROWS = 1920  # a shorter block costs more to hand out than to compute
TILE_ROWS = 192  # whole tiles of the native kernel at every instruction set


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a source: where they start, (n, D) values, (n,) weights or None for ones."""

    start: int
    rows: Rows
    weights: Array | None


class Source(Protocol):
    """Rows that can be read again and again, in blocks whose boundaries depend on their number alone."""

    @property
    def n_rows(self) -> int:
        """N."""

    @property
    def n_features(self) -> int:
        """D."""

    @property
    def total_weight(self) -> float:
        """Sum of the rows' weights; N where there are none."""

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order."""


def block_slices(n_rows: int) -> list[slice]:
    """Boundaries of the blocks of N rows; a function of N alone, so that sums are reproducible."""
    tiles = -(-n_rows // (MAX_BLOCKS * TILE_ROWS))
    step = max(MIN_BLOCK_ROWS, tiles * TILE_ROWS)
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


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
        """Some of the rows, by index, flag or slice."""
        return ArraySource(self.rows[rows], None if self.weights is None else self.weights[rows], self.incomplete)

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
        """Sum of the rows' weights; N where there are none."""
        return float(self.n_rows if self.weights is None else self.weights.sum())

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order; views of the array."""
        for part in block_slices(self.n_rows):
            yield Block(part.start, self.rows[part], None if self.weights is None else self.weights[part])
