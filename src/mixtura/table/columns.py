"""What a table is, and which of a file's columns go into it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mixtura.shape import Array

__all__ = ["Columns", "Request", "Table", "TableError", "arrow_needed", "select_columns"]


class TableError(ValueError):
    """A table cannot be read or written; the message names the file and the place in it."""


@contextlib.contextmanager
def arrow_needed(what: str) -> Iterator[None]:
    """Around the import of pyarrow: says how to install it where it is absent."""
    try:
        yield
    except ImportError:
        raise TableError(f'{what} needs pyarrow; install it with: pip install "mixtura[io]"') from None


@dataclass(frozen=True, eq=False)
class Table:
    """The numeric columns that were asked for.

    Parameters
    ----------
    frame : array of shape (n, D)
        NaN where a value is missing.
    names : tuple of str, or None
        Columns' names; None where the file has no header.
    weights : array of shape (n,), or None
    """

    frame: Array
    names: tuple[str, ...] | None
    weights: Array | None = None


@dataclass(frozen=True)
class Request:
    """What the user wants of a file.

    Parameters
    ----------
    columns : sequence of str, optional
        Features, by name, or by position from 0 where the file has no header.
    weights : str, optional
        The column of the rows' weights.
    expected : sequence of str, optional
        Features to take where the file has a header and `columns` says nothing.
    missing : sequence of str
        Texts that stand for a missing value, besides the empty cell and "nan".
    part : pair of int
        Which of how many parts of a file, as equal as may be: ``i`` of ``n``.
    """

    columns: Sequence[str] | None = None
    weights: str | None = None
    expected: Sequence[str] | None = None
    missing: Sequence[str] = ()
    part: tuple[int, int] = (0, 1)

    def span(self, length: int) -> range:
        """The part's share of so many things in a row."""
        i, n = self.part
        return range(length * i // n, length * (i + 1) // n)


@dataclass(frozen=True)
class Columns:
    """All columns of a file, and which of them were asked for."""

    count: int
    names: tuple[str, ...] | None
    features: tuple[int, ...]
    weights: int | None
    chosen_by_user: bool

    @property
    def wanted(self) -> tuple[int, ...]:
        """Positions of the features, then of the weights."""
        return self.features if self.weights is None else (*self.features, self.weights)

    def label(self, index: int) -> str:
        """What to call a column in a message."""
        return f"column {index}" if self.names is None else f"column {self.names[index]!r}"

    def split(self, values: Array) -> Table:
        """A table of the wanted columns' values."""
        names = None if self.names is None else tuple(self.names[i] for i in self.features)
        if self.weights is None:
            return Table(values, names)
        return Table(np.ascontiguousarray(values[:, :-1]), names, values[:, -1].copy())


def select_columns(count: int, names: Sequence[str] | None, request: Request) -> Columns:
    """Which columns of a file with so many of them, named or not, the user means."""
    weights = request.weights
    columns = request.expected if request.columns is None and names is not None else request.columns
    keys = [str(i) for i in range(count)] if names is None else list(names)
    weight = None if weights is None else _position(weights, keys, names is None)
    features = [i for i in range(count) if i != weight]
    if columns is not None:
        features = [_position(column, keys, names is None) for column in columns]
    if weight in features:
        raise TableError(f"column {weights!r} cannot be both a feature and the weights")
    if not features:
        raise TableError("has no columns left for features")
    if len(set(features)) < len(features):
        raise TableError(f"a column is chosen twice: {', '.join(columns or ())}")
    for i in features if names is not None else ():
        _check_name(i, keys)
    return Columns(count, None if names is None else tuple(names), tuple(features), weight, columns is not None)


def _position(column: str, keys: list[str], by_number: bool) -> int:
    column = str(column) if by_number else column
    if column not in keys:
        known = f"there is no header, so columns are 0 to {len(keys) - 1}" if by_number else _listed(keys)
        raise TableError(f"has no column {column!r}; {known}")
    return keys.index(column)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return f"it has {shown}" + (", ..." if len(names) > 20 else "")


def _check_name(index: int, names: list[str]) -> None:
    if not names[index]:
        raise TableError(f"column {index} (counted from 0) has no name; choose the features with --columns")
    if names.count(names[index]) > 1:
        raise TableError(f"two columns have the name {names[index]!r}; rename one of them")
