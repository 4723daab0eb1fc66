"""Rows in a file, row-major, of which a few blocks at a time are in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mixtura.shape import Array
from mixtura.source import partition
from mixtura.source.ahead import DEPTH, read_ahead
from mixtura.source.arrays import ArraySource
from mixtura.source.protocol import Block, Source

__all__ = ["FileSource", "Matrix", "SourceFileError"]

Result = TypeVar("Result")

#: Share of the memory limit that rows may take which are kept: a sample, or all rows of a small file.
KEPT_SHARE = 0.25

#: Rows that miss values are grouped by what they miss, which takes about so many copies of a part.
COPIES_OF_PART = 5

#: Of a block, one row in so many is worth reading the whole block.
SPARSE = 16


class SourceFileError(ValueError):
    """A file cannot be read, or is no longer what it was; the message names it."""


@dataclass(eq=False)
class Matrix:
    """A row-major array (N, D) in an open binary file, read without mapping it: what is mapped counts as memory.

    Parameters
    ----------
    stream : binary file, unbuffered
    offset : int
        Where in the file the array begins.
    shape : (int, int)
    dtype : data type
    name : str
        What to call the file in a message.
    chosen : array of shape (D,), bool, optional
        Which of its columns are wanted; default all.
    """

    stream: IO[bytes]
    offset: int
    shape: tuple[int, int]
    dtype: DTypeLike
    name: str
    chosen: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._state = self._stat()

    def _stat(self) -> tuple[int, int]:
        found = os.fstat(self.stream.fileno())
        return found.st_size, found.st_mtime_ns

    def check(self) -> None:
        """Raise SourceFileError if the file has changed since it was opened."""
        if self._stat() != self._state:
            raise SourceFileError(f"{self.name}: has changed while it was in use")

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows start to stop."""
        rows = np.empty((stop - start, self.shape[1]), dtype=self.dtype)
        left = rows.reshape(-1).view(np.uint8).data
        with self._lock:
            self.stream.seek(self.offset + start * self.shape[1] * rows.itemsize)
            while left.nbytes:
                got = self.stream.readinto(left)  # type: ignore[attr-defined]
                if not got:
                    raise SourceFileError(f"{self.name}: ends before row {stop}; it was cut off while it was in use")
                left = left[got:]
        return rows if self.chosen is None else np.ascontiguousarray(rows[:, self.chosen])

    @property
    def n_columns(self) -> int:
        """Columns that are wanted."""
        return self.shape[1] if self.chosen is None else int(self.chosen.sum())

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.shape[1] * np.dtype(self.dtype).itemsize


class FileSource:
    """Rows of a file.

    Parameters
    ----------
    rows : Matrix
        (N, D), float64 or float32.
    weights : Matrix or None
        (N, 1) float64, all positive.
    incomplete : bool
        Whether some values are NaN, which then stand for missing ones.
    memory_limit : int
        Bytes that reading may take.
    """

    def __init__(self, rows: Matrix, weights: Matrix | None, incomplete: bool, memory_limit: int) -> None:
        self._rows = rows
        self._weights = weights
        self.incomplete = incomplete
        self._memory_limit = memory_limit

    @property
    def n_rows(self) -> int:
        """N."""
        return self._rows.shape[0]

    @property
    def n_features(self) -> int:
        """D."""
        return self._rows.n_columns

    def of_features(self, chosen: NDArray[np.bool_]) -> FileSource:
        """The same rows with some of their features (D,)."""
        rows = replace(self._rows, chosen=chosen)
        return FileSource(rows, self._weights, self.incomplete, self._memory_limit)

    @cached_property
    def total_weight(self) -> float:
        """See `ArraySource.total_weight`."""
        if self._weights is None:
            return float(self.n_rows)
        return float(sum(block.sum() for block in self.weight_blocks() or ()))

    def weight_blocks(self) -> Iterator[Array] | None:
        """See `ArraySource.weight_blocks`."""
        weights = self._weights
        if weights is None:
            return None
        return (weights.read(part.start, part.stop)[:, 0] for part in partition.block_slices(self.n_rows))

    def check_limit(self, threads: int) -> None:
        """Raise ValueError if a pass with so many threads would take more memory than the limit."""
        part = partition.PART_ROWS * COPIES_OF_PART if self.incomplete else 0
        block = partition.MAX_BLOCK_ROWS * (threads + 1 + DEPTH)
        needed = min(self.n_rows, max(part, block)) * self._rows.row_bytes
        if needed > self._memory_limit / 2:
            raise ValueError(
                f"memory_limit is {_shown(self._memory_limit)}, but blocks of rows with {self.n_features} "
                f"features for {threads} threads take {_shown(needed)}; it must be at least twice that"
            )

    def _piece(self, part: slice) -> ArraySource:
        """Consecutive rows."""
        weights = None if self._weights is None else self._weights.read(part.start, part.stop)[:, 0]
        return ArraySource(self._rows.read(part.start, part.stop), weights, self.incomplete)

    def _pieces(self, slices: list[slice]) -> Iterator[tuple[int, ArraySource]]:
        self._rows.check()
        return read_ahead((part.start, self._piece(part)) for part in slices)

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order; the next ones are read while one is worked on."""
        for start, piece in self._pieces(partition.block_slices(self.n_rows)):
            yield Block(start, piece.rows, piece.weights)

    def map(self, function: Callable[[Block], Result]) -> Iterator[Result]:
        """See `Source.map`."""
        return map(function, self.blocks())

    def parts(self) -> Iterator[ArraySource]:
        """See `Source.parts`."""
        for _, piece in self._pieces(partition.part_slices(self.n_rows)):
            yield piece

    def take(self, rows: NDArray[Any] | slice) -> ArraySource:
        """Some of the rows, by increasing index or slice, in memory.

        Raises
        ------
        ValueError
            If they would take more memory than the limit allows for.
        """
        if isinstance(rows, slice):
            start, stop, step = rows.indices(self.n_rows)
            self._check_size(len(range(start, stop, step)))
            if step == 1:
                return self._piece(slice(start, stop))
            rows = np.arange(start, stop, step)
        self._check_size(rows.size)
        values = np.empty((rows.size, self.n_features), dtype=self._rows.dtype)
        weights: Array | None = None if self._weights is None else np.empty(rows.size)
        done = 0
        for part in partition.block_slices(self.n_rows):
            inside = rows[done : done + int(np.searchsorted(rows[done:], part.stop))] - part.start
            here = slice(done, done + inside.size)
            values[here] = _some(self._rows, part, inside)
            if weights is not None and self._weights is not None:
                weights[here] = _some(self._weights, part, inside)[:, 0]
            done = here.stop
        return ArraySource(values, weights, self.incomplete)

    def may_hold(self, n_rows: int) -> bool:
        """Whether so many rows in memory are within its share of the limit."""
        return n_rows * self._rows.row_bytes <= self._memory_limit * KEPT_SHARE

    def _check_size(self, n_rows: int) -> None:
        if not self.may_hold(n_rows):
            raise ValueError(
                f"a sample of {n_rows} rows is needed, which takes {_shown(n_rows * self._rows.row_bytes)}: more than "
                f"a quarter of the memory_limit of {_shown(self._memory_limit)}; raise that"
            )

    def at_hand(self) -> Source:
        """A copy in memory where that is small."""
        return self.take(slice(None)) if self.may_hold(self.n_rows) else self


def _shown(size: float) -> str:
    """Bytes in words, to three digits."""
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if size >= 10**power:
            return f"{size / 10**power:.3g} {unit}"
    return f"{size:.0f} bytes"


def _some(matrix: Matrix, part: slice, inside: NDArray[Any]) -> NDArray[Any]:
    """Rows of a block by their place in it."""
    if inside.size * SPARSE >= part.stop - part.start:
        return matrix.read(part.start, part.stop)[inside]
    rows = [matrix.read(part.start + int(i), part.start + int(i) + 1) for i in inside]
    return np.concatenate(rows) if rows else np.empty((0, matrix.n_columns), dtype=matrix.dtype)
