"""Tables for the command line: text, Parquet and NumPy files in, the same out.

An empty cell is a missing value, NaN, and so is what the caller says is one. Any
other cell that is no number is an error that names its line and column: nothing
is guessed, dropped or filled in.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike

from mixtura.table.binary import read_npy, read_parquet
from mixtura.table.columns import Request, Table, TableError
from mixtura.table.reader import RowReader, bytes_of, is_place, open_rows
from mixtura.table.text import DELIMITERS, read_text
from mixtura.table.whole import WholeTable
from mixtura.table.writing import table_writer

__all__ = [
    "WRITABLE",
    "RowReader",
    "Table",
    "TableError",
    "WholeTable",
    "bytes_of",
    "is_place",
    "open_rows",
    "read_table",
    "table_writer",
    "write_table",
]

WRITABLE = (".csv", ".tsv", ".txt", ".parquet", ".npy")


def read_table(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    weights: str | None = None,
    expected: Sequence[str] | None = None,
    missing: Sequence[str] = (),
) -> Table:
    r"""The numbers of a table, NaN where one is missing.

    Parameters
    ----------
    path : str or path-like
        A file ``.csv``, ``.tsv`` or ``.txt``, ``.parquet`` or ``.npy``; "-" is
        text on standard input. In text, the first row is a header if one of its
        cells is neither a number nor missing.
    columns : sequence of str, optional
        Features, by name, or by position from 0 where the file has no header.
        Default: all columns but the weights.
    weights : str, optional
        The column of the rows' weights.
    expected : sequence of str, optional
        Features to take where the file has a header and `columns` says nothing.
    missing : sequence of str
        Texts that stand for a missing value, such as "NA", besides the empty cell and "nan". A blank line is no row.

    Raises
    ------
    TableError
        If the table cannot be read; the message names the line and the column.

    Examples
    --------
    >>> import os, tempfile
    >>> from mixtura.table import read_table
    >>> path = os.path.join(tempfile.mkdtemp(), "points.csv")
    >>> with open(path, "w") as stream:
    ...     _ = stream.write("x,y,kind\n1,2.5,a\n3,4,b\n")
    >>> table = read_table(path, columns=["y", "x"])
    >>> table.names, table.frame.tolist()
    (('y', 'x'), [[2.5, 1.0], [4.0, 3.0]])
    >>> with open(path, "w") as stream:
    ...     _ = stream.write("x,y\n1,\nNA,4\n")
    >>> read_table(path, missing=["NA"]).frame.tolist()
    [[1.0, nan], [nan, 4.0]]
    """
    request = Request(columns, weights, expected, tuple(missing))
    with _naming(path):
        table = _reader(path)(path, request)
        _check_weights(table)
    return table


@contextlib.contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Errors say which file they are about."""
    shown = "standard input" if os.fspath(path) == "-" else os.fspath(path)
    try:
        yield
    except TableError as error:
        raise TableError(f"{shown}: {error}") from None
    except OSError as error:
        raise TableError(f"{shown}: cannot be read: {error.strerror or error}") from error


Reader = Callable[[str | os.PathLike[str], Request], Table]


def _reader(path: str | os.PathLike[str]) -> Reader:
    ending = _ending(path)
    if ending in DELIMITERS:
        return read_text
    if ending in (".parquet", ".pq"):
        return read_parquet
    if ending == ".npy":
        return read_npy
    if os.path.isdir(path):
        raise TableError("is a folder, and here one file is needed")
    if ending == "none" and not os.path.exists(path):
        raise TableError("cannot be read: No such file or directory")
    raise TableError(
        f"unknown kind of file {ending!r}; use .csv, .tsv, .txt, .parquet or .npy, or - for standard input"
    )


def _ending(path: str | os.PathLike[str]) -> str:
    return "" if os.fspath(path) == "-" else Path(path).suffix.lower() or "none"


def _check_weights(table: Table) -> None:
    if len(table.frame) == 0:
        raise TableError("has no rows of data")
    if table.weights is None:
        return
    for row in np.flatnonzero(~(table.weights >= 0)):
        value = table.weights[row]
        which = "no weight" if np.isnan(value) else f"the negative weight {value:g}"
        raise TableError(f"row {row} of the data (counted from 0) has {which}")
    if not table.weights.any():
        raise TableError("all weights are zero; at least one must be positive")


def write_table(destination: str | os.PathLike[str] | IO[str], columns: dict[str, ArrayLike]) -> None:
    """Write named columns to a file, all of it or nothing, or to an open stream as CSV.

    Parameters
    ----------
    destination : str, path-like or text stream
        A path ends in ``.csv``, ``.tsv``, ``.txt``, ``.parquet`` or ``.npy``.
    columns : dict of str to array of shape (n,)

    Examples
    --------
    >>> import sys
    >>> from mixtura.table import write_table
    >>> write_table(sys.stdout, {"label": [0, 1], "probability": [0.25, 1.0]})
    label,probability
    0,0.25
    1,1.0
    """
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    with table_writer(destination) as write:
        write(arrays)
