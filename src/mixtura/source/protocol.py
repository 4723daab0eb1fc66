"""The protocol of the rack: rows that can be read again and again, a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array

if TYPE_CHECKING:
    from mixtura.source.arrays import ArraySource

__all__ = ["Block", "Rows", "Source"]

Rows = NDArray[np.float64] | NDArray[np.float32]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a source: where they start, (n, D) values, (n,) weights or None for ones."""

    start: int
    rows: Rows
    weights: Array | None


class Source(Protocol):
    """Rows that can be read again and again, in blocks whose boundaries depend on their number alone.

    A source whose rows are not read here (they are on other machines, say) has
    one more method, ``create_engine(name, standardization, threads)``.
    """

    @property
    def n_rows(self) -> int:
        """N."""

    @property
    def n_features(self) -> int:
        """D."""

    @property
    def total_weight(self) -> float:
        """Sum of the rows' weights; N where there are none."""

    @property
    def incomplete(self) -> bool:
        """Whether some values are NaN, which then stand for missing ones."""

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order."""

    def map(self, function: Callable[[Block], Result]) -> Iterator[Result]:
        """What a function that can be pickled says of every block, in order."""

    def parts(self) -> Iterator[ArraySource]:
        """All rows in longer pieces, in order, for engines over rows with missing values."""

    def take(self, rows: NDArray[Any] | slice) -> ArraySource:
        """Some of the rows, by increasing index or slice, in memory."""

    def at_hand(self) -> Source:
        """The same rows where many short passes over them are quick."""
