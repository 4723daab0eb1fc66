"""NumPy files, a piece at a time; never mapped, because what is mapped counts as memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from io import FileIO

import numpy as np
from numpy.typing import NDArray

from mixtura.source import Matrix
from mixtura.source.file import SourceFileError
from mixtura.table.columns import Request, TableError, select_columns
from mixtura.table.row_file import Piece

__all__ = ["NpyRows"]


class NpyRows:
    """An array (n, D) or (n,) in a ``.npy`` file, in either order."""

    def __init__(self, path: str, request: Request) -> None:
        self.path = path
        with open(path, "rb") as stream:
            try:
                version = np.lib.format.read_magic(stream)
                read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape, by_columns, dtype = read[version](stream)
            except (ValueError, KeyError) as error:
                raise TableError(f"is not a sound .npy file: {error}") from None
            self._offset = stream.tell()
            size = stream.seek(0, 2) - self._offset
        shape = (*shape, 1) if len(shape) == 1 else shape
        if len(shape) != 2 or shape[1] == 0 or dtype.kind not in "fiub":
            raise TableError(f"must hold a numeric array of shape (n, D); it has shape {shape}, {dtype}")
        if size < shape[0] * shape[1] * dtype.itemsize:
            raise TableError(f"is cut off: it has {size} bytes of data where its header says {shape}, {dtype}")
        self._shape, self._by_columns, self._dtype = shape, by_columns and shape[1] > 1, dtype
        self.columns = select_columns(shape[1], None, request)
        self.single = dtype == np.float32
        self.most_parts, self._span = shape[0], request.span(shape[0])
        self.kinds = (str(dtype),) * shape[1]
        self.integers = frozenset(range(shape[1]) if dtype.kind in "iub" else ())

    def pieces(self, n_rows: int) -> Iterator[Piece]:
        """See `RowFile.pieces`."""
        kind = np.float32 if self.single else np.float64
        for piece in self._pieces(n_rows, self.columns.wanted):
            yield Piece(piece.values.astype(kind, copy=False), piece.place)

    def whole_pieces(self, n_rows: int) -> Iterator[Piece]:
        """See `WholeFile.whole_pieces`."""
        wanted = list(self.columns.wanted)
        for piece in self._pieces(n_rows, range(self._shape[1])):
            columns = list(piece.values.T)
            yield Piece(piece.values[:, wanted].astype(np.float64), piece.place, columns)

    def _pieces(self, n_rows: int, wanted: Sequence[int]) -> Iterator[Piece]:
        """Some columns, as they lie in the file."""
        with FileIO(self.path) as stream:
            whole = self._shape[::-1] if self._by_columns else self._shape
            matrix = Matrix(stream, self._offset, (whole[0] * whole[1], 1), self._dtype, self.path)
            for start in self._span[::n_rows]:
                stop = min(start + n_rows, self._span.stop)
                try:
                    values = self._read(matrix, start, stop, list(wanted))
                except SourceFileError:
                    raise TableError(f"ends before row {stop}: it was cut off while it was read") from None
                yield Piece(values, partial(_place, start))

    def _read(self, matrix: Matrix, start: int, stop: int, wanted: list[int]) -> NDArray[np.generic]:
        """The wanted columns of some rows."""
        total, width = self._shape
        if self._by_columns:
            return np.concatenate([matrix.read(j * total + start, j * total + stop) for j in wanted], axis=1)
        values = matrix.read(start * width, stop * width).reshape(stop - start, width)
        return values if wanted == list(range(width)) else values[:, wanted]

    def as_they_lie(self) -> tuple[int, tuple[int, int]] | None:
        """Where the rows begin and their shape, if the file can be used as a block cache is; else None."""
        plain = not self._by_columns and self._dtype in (np.dtype("<f8"), np.dtype("<f4")) and self._dtype.isnative
        return (self._offset, self._shape) if plain and self.columns.wanted == tuple(range(self._shape[1])) else None


def _place(start: int, row: int) -> str:
    return f"row {start + row} (counted from 0)"
