"""Parquet and NumPy files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mixtura.shape import Array
from mixtura.table.columns import Columns, Request, Table, TableError, arrow_needed, select_columns

__all__ = ["read_npy", "read_parquet"]


def read_parquet(path: str | os.PathLike[str], request: Request) -> Table:
    """The numbers of a Parquet file; null is NaN."""
    with arrow_needed("Parquet"):
        import pyarrow
        from pyarrow import parquet
    with open(path, "rb") as stream:
        try:
            names = parquet.read_schema(stream).names
            selection = select_columns(len(names), names, request)
            content = parquet.read_table(stream, columns=[names[i] for i in selection.wanted])
        except pyarrow.ArrowException as error:
            raise TableError(f"is not a sound Parquet file: {error}") from None
    arrays = [_parquet_column(content, names[i], selection) for i in selection.wanted]
    return selection.split(np.column_stack(arrays))


def _parquet_column(table: Any, name: str, columns: Columns) -> Array:
    import pyarrow

    column = table[name]
    kind = column.type
    if not (pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind)):
        advice = "choose others" if columns.chosen_by_user else "choose the numeric columns with --columns"
        raise TableError(f"column {name!r} has type {kind}, not numbers; {advice}")
    values = column.cast(pyarrow.float64(), safe=False).to_numpy()
    return _not_infinite(values, f"column {name!r}")


def read_npy(path: str | os.PathLike[str], request: Request) -> Table:
    """The numbers of a NumPy file."""
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise TableError(f"is not a sound .npy file: {error}") from None
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] == 0 or values.dtype.kind not in "fiub":
        raise TableError(f"must hold a numeric array of shape (n, D); it has shape {values.shape}, {values.dtype}")
    selection = select_columns(values.shape[1], None, request)
    chosen = values[:, list(selection.wanted)].astype(np.float64)
    for i, values_of_column in zip(selection.wanted, chosen.T, strict=True):
        _not_infinite(values_of_column, f"column {i}")
    return selection.split(chosen)


def _not_infinite(values: Array, label: str) -> Array:
    for row in np.flatnonzero(np.isinf(values)):
        raise TableError(f"row {row} (counted from 0), {label}: {values[row]} is infinite; correct it")
    return values
