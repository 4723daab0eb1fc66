"""The protocol of files that are read a piece at a time, and the checks that all of them share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array
from mixtura.table.columns import Columns, Table, TableError
from mixtura.table.whole import WholeTable

__all__ = ["Piece", "RowFile", "WholeFile", "checked", "checked_whole"]


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive rows of a file: the wanted columns (n, d), and what to call the place of one of them."""

    values: NDArray[Any]
    place: Callable[[int], str]
    columns: Sequence[Any] | None = None  # all of the file's, as they stand, where they were asked for


class RowFile(Protocol):
    """A file, of which a piece at a time is in memory."""

    path: str
    columns: Columns
    single: bool  # whether all wanted columns are float32

    def pieces(self, n_rows: int) -> Iterator[Piece]:
        """All rows, so many at a time.

        Raises
        ------
        TableError
            The message names the row group or line, but not the file.
        """


class WholeFile(RowFile, Protocol):
    """A file of which all columns can be had."""

    most_parts: int  # that can be read by themselves

    kinds: tuple[str, ...]  # of all columns: what to call the type
    integers: frozenset[int]  # columns of integers or flags without a missing one

    def whole_pieces(self, n_rows: int) -> Iterator[Piece]:
        """The same with all columns."""


def checked(file: RowFile, n_rows: int) -> Iterator[tuple[NDArray[Any], Array | None]]:
    """Features (n, D) and weights (n,) of a file's rows, a piece at a time.

    Raises
    ------
    TableError
        If a value is infinite or a weight is none, or if the file changes
        meanwhile; the message names the file and the place in it.
    """
    with _unchanged(file):
        for piece in file.pieces(n_rows):
            yield _split(piece, file.columns)


def checked_whole(file: WholeFile, n_rows: int, integers: frozenset[int]) -> Iterator[WholeTable]:
    """The same with all columns of the file; ``integers`` are those features that stay what they are."""
    selection = file.columns
    with _unchanged(file):
        for piece in file.whole_pieces(n_rows):
            frame, weights = _split(piece, selection)
            names = None if selection.names is None else tuple(selection.names[i] for i in selection.features)
            table = Table(frame.astype(np.float64, copy=False), names, weights)
            yield WholeTable(table, selection, list(piece.columns or ()), integers)


@contextlib.contextmanager
def _unchanged(file: RowFile) -> Iterator[None]:
    """Errors name the file, and that it has changed meanwhile is one."""
    try:
        before = _state(file.path)
        yield
        if _state(file.path) != before:
            raise TableError("has changed while it was read")
    except TableError as error:
        raise TableError(f"{file.path}: {error}") from None
    except OSError as error:
        raise TableError(f"{file.path}: cannot be read: {error.strerror or error}") from error


def _state(path: str) -> tuple[int, int]:
    if not os.path.lexists(path):  # blocks of rows, or a file that is gone
        return 0, 0
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def _split(piece: Piece, columns: Columns) -> tuple[NDArray[Any], Array | None]:
    values = piece.values
    n_features = len(columns.features)
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(values.sum())
    if suspicious:
        for row, column in np.argwhere(np.isinf(values)):
            label = columns.label(columns.wanted[column])
            raise TableError(f"{piece.place(int(row))}, {label}: {values[row, column]} is infinite; correct it")
    if columns.weights is None:
        return values, None
    weights = values[:, n_features].astype(np.float64)
    for row in np.flatnonzero(~(weights >= 0)):
        problem = "the row has no weight" if np.isnan(weights[row]) else f"the weight {weights[row]:g} is negative"
        raise TableError(f"{piece.place(int(row))}, {columns.label(columns.weights)}: {problem}")
    return values[:, :n_features], weights
