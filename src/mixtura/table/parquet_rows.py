"""Parquet files, a piece of a row group at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from mixtura.table.columns import Request, TableError, arrow_needed, select_columns
from mixtura.table.row_file import Piece

__all__ = ["ParquetRows"]

#: Columns are read from the file in pieces of so many bytes, so that the size of a row group is no matter.
LEAST_BUFFER_BYTES, BUFFER_BYTES = 1 << 16, 1 << 20


class ParquetRows:
    """A Parquet file; null is NaN.

    `ParquetFile.iter_batches` reads a row group at a time; a data set's
    ``to_batches`` holds more and more of the file (apache/arrow issue 39808).
    """

    def __init__(self, path: str, request: Request) -> None:
        with arrow_needed("Parquet"):
            import pyarrow
        self.path = path
        try:
            with self._open() as file:
                schema, metadata = file.schema_arrow, file.metadata
                self.most_parts, self._groups = file.num_row_groups, request.span(file.num_row_groups)
        except (pyarrow.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise TableError(f"is not a sound Parquet file: {error}") from None
        self.columns = select_columns(len(schema.names), schema.names, request)
        kinds = [schema.types[i] for i in self.columns.wanted]
        types = pyarrow.types
        for i, kind in zip(self.columns.wanted, kinds, strict=True):
            if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_null(kind)):
                advice = "choose others" if self.columns.chosen_by_user else "choose the numeric columns"
                raise TableError(f"{self.columns.label(i)} has type {kind}, not numbers; {advice}")
        self.single = all(kind == pyarrow.float32() for kind in kinds)
        self.kinds = tuple(str(kind) for kind in schema.types)
        self.integers = frozenset(
            i
            for i, kind in enumerate(schema.types)
            if (types.is_integer(kind) or types.is_boolean(kind)) and _has_no_null(metadata, schema.names[i])
        )

    def _open(self, buffer_bytes: int = LEAST_BUFFER_BYTES) -> Any:
        from pyarrow import parquet

        return parquet.ParquetFile(
            self.path,
            memory_map=False,
            buffer_size=buffer_bytes,
            pre_buffer=False,
            page_checksum_verification=True,  # where a file has checksums
        )

    def pieces(self, n_rows: int) -> Iterator[Piece]:
        """See `RowFile.pieces`."""
        names = self._names()
        for batch, place in self._batches(n_rows, names):
            yield Piece(self._values(batch, names), place)

    def whole_pieces(self, n_rows: int) -> Iterator[Piece]:
        """See `WholeFile.whole_pieces`; Arrow's arrays."""
        names = self._names()
        for batch, place in self._batches(n_rows, None):
            columns = list(batch.columns)
            for i in self.integers.intersection(self.columns.features):
                columns[i] = columns[i].to_numpy(zero_copy_only=False)
            yield Piece(self._values(batch, names), place, columns)

    def _names(self) -> list[str]:
        return [self.columns.names[i] for i in self.columns.wanted] if self.columns.names else []

    def _batches(self, n_rows: int, names: list[str] | None) -> Iterator[tuple[Any, Callable[[int], str]]]:
        """Record batches of some columns, or all, and what to call the place of a row."""
        import pyarrow

        with self._open(min(max(8 * n_rows, LEAST_BUFFER_BYTES), BUFFER_BYTES)) as file:
            for group in self._groups:
                start, expected = 0, file.metadata.row_group(group).num_rows
                try:
                    for batch in file.iter_batches(n_rows, row_groups=[group], columns=names):
                        yield batch, partial(_place, group, start)
                        start += batch.num_rows
                except (pyarrow.ArrowException, OSError) as error:
                    raise TableError(f"row group {group}: cannot be read: {error}") from None
                if start != expected:
                    raise TableError(f"row group {group}: has {start} rows where {expected} were promised")

    def _values(self, batch: Any, names: list[str]) -> Any:
        import pyarrow

        values = np.empty((batch.num_rows, len(names)), dtype=np.float32 if self.single else np.float64)
        kind = pyarrow.float32() if self.single else pyarrow.float64()
        for j, name in enumerate(names):
            column = batch.column(name)
            column = column if column.type == kind else column.cast(kind, safe=False)
            values[:, j] = column.to_numpy(zero_copy_only=False)
        return values


def _has_no_null(metadata: Any, name: str) -> bool:
    """Whether a file's statistics say that a column misses no value; where they say nothing it may."""
    for group in range(metadata.num_row_groups):
        chunks = (metadata.row_group(group).column(j) for j in range(metadata.num_columns))
        found = next((chunk.statistics for chunk in chunks if chunk.path_in_schema == name), None)
        if found is None or not found.has_null_count or found.null_count:
            return False
    return True


def _place(group: int, start: int, row: int) -> str:
    return f"row group {group}, row {start + row} of it (counted from 0)"
