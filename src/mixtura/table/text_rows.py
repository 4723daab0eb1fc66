"""Delimited text, plain or compressed, a piece at a time."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from mixtura.table.columns import Columns, Request, TableError, arrow_needed, select_columns
from mixtura.table.row_file import Piece
from mixtura.table.text import ALWAYS_MISSING, DELIMITERS, PERHAPS_MISSING, Cells, converted, ends_in_a_quotation

__all__ = ["COMPRESSIONS", "TextRows"]

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}

#: Of a first line, so much is looked at.
LONGEST_LINE = 1 << 20

#: pyarrow parses about so many bytes of text at a time, half of what a piece takes; 32 such blocks may wait for it.
LEAST_BLOCK_BYTES, BLOCK_BYTES = 1 << 18, 1 << 20


@dataclass(frozen=True)
class _TextFile(Cells):
    """Delimited text in a file, of which little is in memory."""

    path: str

    @property
    def compression(self) -> str | None:
        """Its name; None where there is none."""
        return COMPRESSIONS.get(Path(self.path).suffix.lower())

    def open(self) -> IO[bytes]:
        """Its bytes, without their compression."""
        if self.compression == "gzip":
            return cast("IO[bytes]", gzip.open(self.path, "rb"))
        if self.compression == "zstd":
            with arrow_needed(".zst"):
                import pyarrow
            return io.BufferedReader(pyarrow.input_stream(self.path, compression="zstd"))
        return open(self.path, "rb")

    def first_line(self) -> str:
        """The first line that is not blank."""
        try:
            with self.open() as stream:
                while line := stream.readline(LONGEST_LINE):
                    if line.strip():
                        return line.decode("utf-8", "replace")
        except (EOFError, OSError) as error:
            raise _explanation(error, 0) from None
        raise TableError("is empty")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row that is not blank."""
        line = 0
        try:
            with io.TextIOWrapper(self.open(), encoding="utf-8-sig", newline="") as stream:
                reader = csv.reader(stream, delimiter=self.delimiter, strict=True)
                for cells in reader:
                    line = reader.line_num
                    if cells:
                        yield line, cells
        except csv.Error as error:
            raise TableError(f"line {line + 1}: {error}") from None
        except (EOFError, OSError, UnicodeDecodeError) as error:
            raise _explanation(error, line) from None


def _explanation(error: Exception, line: int) -> Exception:
    """What an error of reading means, after so many lines."""
    if isinstance(error, UnicodeDecodeError):
        return TableError(f"after line {line}: is not UTF-8 text")
    if isinstance(error, OSError) and error.errno is not None:
        return error
    return TableError(f"after line {line}: the compressed file is cut off or damaged: {error}")


class TextRows:
    """A file ``.csv``, ``.tsv`` or ``.txt``, with ``.gz`` or ``.zst`` after that or not.

    Where pyarrow finds nothing wrong, it reads the file; from where it does, the
    standard library goes on, which says what is wrong in which line.
    """

    single = False
    most_parts = 1

    def __init__(self, path: str, request: Request) -> None:
        self.path = path
        name = Path(path)
        ending = (name.with_suffix("") if name.suffix.lower() in COMPRESSIONS else name).suffix.lower()
        missing = ALWAYS_MISSING | {one.strip() for one in request.missing}
        first = _TextFile("", missing, path).first_line()
        candidates = DELIMITERS[ending]
        delimiter = next((one for one in candidates if one in first), candidates[0])
        self._text = _TextFile(delimiter, missing, path)
        line, cells = next(self._text.rows())
        header = any(not self._text.is_number(c) and c.strip().lower() not in PERHAPS_MISSING for c in cells)
        self.columns: Columns = select_columns(len(cells), [c.strip() for c in cells] if header else None, request)
        self.kinds = ("text",) * len(cells)
        self.integers = frozenset[int]()
        self._skipped = line if header else 0  # lines

    def pieces(self, n_rows: int) -> Iterator[Piece]:
        """See `RowFile.pieces`."""
        size = 4 * n_rows * len(self.columns.wanted)
        done, finished = yield from self._by_arrow(min(max(size, LEAST_BLOCK_BYTES), BLOCK_BYTES))
        if not finished:
            yield from self._by_rows(n_rows, done, whole=False)

    def whole_pieces(self, n_rows: int) -> Iterator[Piece]:
        """See `WholeFile.whole_pieces`; the text of the cells, without quotation marks."""
        return self._by_rows(n_rows, 0, whole=True)

    def _line_of(self, done: int) -> Any:
        def place(row: int) -> str:
            rows = self._text.rows()
            for _ in range(done + row + (self.columns.names is not None)):
                next(rows)
            return f"line {next(rows)[0]}"

        return place

    def _by_arrow(self, block_bytes: int) -> Generator[Piece, None, tuple[int, bool]]:
        """Pieces from the beginning to the first that has something wrong in it; how many rows, and whether all."""
        done = 0
        try:
            import pyarrow
            from pyarrow import csv as arrow_csv
        except ImportError:
            return done, False
        if self._ends_in_a_quotation():
            return done, False
        names = [str(i) for i in range(self.columns.count)]
        wanted = [names[i] for i in self.columns.wanted]
        options = (
            arrow_csv.ReadOptions(column_names=names, skip_rows=self._skipped, block_size=block_bytes),
            arrow_csv.ParseOptions(delimiter=self._text.delimiter),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pyarrow.float64()),
                null_values=sorted(self._text.missing),
                include_columns=wanted,
            ),
        )
        try:
            with pyarrow.input_stream(self.path, compression=self._text.compression) as stream:
                for batch in arrow_csv.open_csv(stream, *options):
                    values = np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])
                    n_missing = sum(column.null_count for column in batch.columns)
                    if np.count_nonzero(~np.isfinite(values)) != n_missing:
                        return done, False
                    yield Piece(values, self._line_of(done))
                    done += len(values)
        except (pyarrow.ArrowException, OSError):
            return done, False
        return done, True

    def _ends_in_a_quotation(self) -> bool:
        """Whether the last line opens a quotation that nothing closes: pyarrow takes it for a cell."""
        if self._text.compression:
            return False
        with open(self.path, "rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - BLOCK_BYTES // 16))
            return ends_in_a_quotation(stream.read(), self._text.delimiter)

    def _by_rows(self, n_rows: int, done: int, whole: bool) -> Iterator[Piece]:
        """What is left after so many rows, by the standard library; with all cells if they are wanted."""
        pending: list[list[str]] = []
        lines: list[int] = []
        for place, (line, cells) in enumerate(self._text.rows(), -int(self.columns.names is not None)):
            if place < done:
                continue
            if len(cells) != self.columns.count:
                raise TableError(f"line {line}: has {len(cells)} cells where the first row has {self.columns.count}")
            pending.append(cells if whole else [cells[i] for i in self.columns.wanted])
            lines.append(line)
            if len(pending) == n_rows:
                yield self._piece(pending, lines, whole)
                pending, lines = [], []
        if pending:
            yield self._piece(pending, lines, whole)

    def _piece(self, pending: list[list[str]], lines: list[int], whole: bool) -> Piece:
        columns = None
        if whole:
            cells = np.array(pending, dtype=object)
            columns = list(np.ascontiguousarray(cells.T))
            pending = cells[:, list(self.columns.wanted)].tolist()
        values = converted(pending, lines, self._text, self.columns, False)
        return Piece(values, lambda row: f"line {lines[row]}", columns)
