"""Delimited text: comma, semicolon or tab."""

from __future__ import annotations

import csv
import io
import math
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from mixtura.shape import Array
from mixtura.table.columns import Columns, Request, Table, TableError, select_columns

__all__ = ["ALWAYS_MISSING", "DELIMITERS", "PERHAPS_MISSING", "Cells", "converted", "ends_in_a_quotation", "read_text",
           "write_text"]  # fmt: skip

DELIMITERS = {".csv": ",;\t", ".tsv": "\t", ".txt": "\t,;", "": ",;\t"}  # the first that the first line has
ALWAYS_MISSING = frozenset({"", "nan", "NaN", "NAN"})
#: What other programs write for a missing value, in lower case: asked about, not assumed.
PERHAPS_MISSING = frozenset({"na", "n/a", "null", "none", "?", ".", "-"})
CHUNK_ROWS = 16_384
ARROW_BYTES = 4 * 2**20  # below this, importing pyarrow takes longer than doing without


def read_text(path: str | os.PathLike[str], request: Request) -> Table:
    """The numbers of a text file, or of standard input."""
    return _numbers(*_opened(path, request))


def _opened(path: str | os.PathLike[str], request: Request) -> tuple[_Text, Columns]:
    """A text, and which of its columns the user means."""
    content = sys.stdin.buffer.read() if os.fspath(path) == "-" else Path(path).read_bytes()
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise TableError("is empty")
    first_line = content.lstrip(b"\r\n").splitlines()[0].decode("utf-8", "replace")
    candidates = DELIMITERS["" if os.fspath(path) == "-" else Path(path).suffix.lower()]
    delimiter = next((one for one in candidates if one in first_line), candidates[0])
    document = _Text(delimiter, ALWAYS_MISSING | {one.strip() for one in request.missing}, content)
    first = document.first_row()
    header = any(not document.is_number(cell) and cell.strip().lower() not in PERHAPS_MISSING for cell in first)
    selection = select_columns(len(first), [cell.strip() for cell in first] if header else None, request)
    if header and document.has_one_row():
        raise TableError("has a header but no rows of data")
    return document, selection


def _numbers(document: _Text, selection: Columns) -> Table:
    values = _by_arrow(document, selection) if len(document.content) > ARROW_BYTES else None
    return selection.split(_by_rows(document, selection) if values is None else values)


@dataclass(frozen=True)
class Cells:
    """Delimited text, wherever it is, and what its cells say."""

    delimiter: str
    missing: frozenset[str]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row that is not blank."""
        raise NotImplementedError

    def number(self, cell: str) -> float:
        """A decimal number, NaN where it is missing; infinity and Python's ``1_000`` are none."""
        if cell.strip() in self.missing:
            return math.nan
        value = float(cell)
        if "_" in cell or math.isinf(value):
            raise ValueError(cell)
        return value

    def is_number(self, cell: str) -> bool:
        """Whether a cell is a number or missing."""
        try:
            self.number(cell)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class _Text(Cells):
    """Delimited text in memory."""

    content: bytes

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row that is not blank."""
        stream = io.TextIOWrapper(io.BytesIO(self.content), encoding="utf-8", newline="")
        reader = csv.reader(stream, delimiter=self.delimiter, strict=True)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except csv.Error as error:
            raise TableError(f"line {reader.line_num}: {error}") from None
        except UnicodeDecodeError:
            raise TableError(f"line {self._line_not_utf8()}: is not UTF-8 text") from None

    def _line_not_utf8(self) -> int:
        try:
            self.content.decode("utf-8")
        except UnicodeDecodeError as error:
            return self.content.count(b"\n", 0, error.start) + 1
        return 1

    def first_row(self) -> list[str]:
        return next(self.rows())[1]

    def has_one_row(self) -> bool:
        rows = self.rows()
        next(rows)
        return next(rows, None) is None

    def is_plain(self) -> bool:
        """Whether ``float`` says the same of every cell of which it makes a finite number."""
        return b"_" not in self.content and not any(_is_decimal(cell) for cell in self.missing)


def _is_decimal(cell: str) -> bool:
    try:
        return not math.isnan(float(cell))
    except ValueError:
        return False


def ends_in_a_quotation(content: bytes, delimiter: str) -> bool:
    """Whether the last line opens a quotation that nothing closes: pyarrow takes it for a cell."""
    content = content.rstrip()
    last = content[max(content.rfind(b"\n"), content.rfind(b"\r")) + 1 :].decode("utf-8", "replace")
    try:
        list(csv.reader([last], delimiter=delimiter, strict=True))
    except csv.Error:
        return True
    return False


def _by_arrow(document: _Text, columns: Columns) -> Array | None:
    """Fast, where pyarrow is there and finds nothing wrong; what is wrong is for `_by_rows` to name."""
    try:
        import pyarrow
        from pyarrow import csv as arrow_csv
    except ImportError:
        return None
    if ends_in_a_quotation(document.content, document.delimiter):
        return None
    names = [str(i) for i in range(columns.count)]
    wanted = [names[i] for i in columns.wanted]
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(document.content),
            arrow_csv.ReadOptions(column_names=names, skip_rows_after_names=int(columns.names is not None)),
            arrow_csv.ParseOptions(delimiter=document.delimiter),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pyarrow.float64()),
                null_values=sorted(document.missing),
                include_columns=wanted,
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    values = np.column_stack([table[name].to_numpy() for name in wanted])
    if columns.weights is not None and np.isnan(values[:, -1]).any():
        return None
    n_missing = sum(table[name].null_count for name in wanted)
    return values if np.count_nonzero(~np.isfinite(values)) == n_missing else None


def _by_rows(document: _Text, columns: Columns) -> Array:
    """In one pass of the standard library, naming the first thing that is wrong."""
    quick = document.is_plain()
    chunks, pending, lines = [], [], []
    rows = document.rows()
    if columns.names is not None:
        next(rows)
    for line, cells in rows:
        if len(cells) != columns.count:
            raise TableError(f"line {line}: has {len(cells)} cells where the first row has {columns.count}")
        pending.append([cells[i] for i in columns.wanted])
        lines.append(line)
        if len(pending) == CHUNK_ROWS:
            chunks.append(converted(pending, lines, document, columns, quick))
            pending, lines = [], []
    chunks.append(converted(pending, lines, document, columns, quick))
    return np.concatenate(chunks)


def converted(rows: list[list[str]], lines: list[int], document: Cells, columns: Columns, quick: bool) -> Array:
    """Values of the wanted cells of rows; ``quick`` where `float` says the same of them as the document does."""
    values = _quickly(rows) if quick else None
    if values is None:
        try:
            values = np.array([[document.number(cell) for cell in row] for row in rows], dtype=np.float64)
        except ValueError:
            raise TableError(_first_problem(rows, lines, document, columns)) from None
    values = values.reshape(len(rows), len(columns.wanted))
    if columns.weights is not None:
        for row in np.flatnonzero(np.isnan(values[:, -1])):
            raise TableError(f"line {lines[row]}, {columns.label(columns.weights)}: the row has no weight")
    return values


def _quickly(rows: list[list[str]]) -> Array | None:
    """Where every cell is a finite number."""
    try:
        values = np.array([[float(cell) for cell in row] for row in rows], dtype=np.float64)
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _first_problem(rows: list[list[str]], lines: list[int], document: Cells, columns: Columns) -> str:
    """What to say about the first cell that is no number."""
    line, column, cell = next(
        (line, column, cell)
        for line, row in zip(lines, rows, strict=True)
        for column, cell in zip(columns.wanted, row, strict=True)
        if not document.is_number(cell)
    )
    label, shown = columns.label(column), cell.strip()
    if shown.lower() in PERHAPS_MISSING:
        advice = f"if that is a missing value, say so: --missing-values {shown!r}"
        return f"line {line}, {label}: {cell!r} is no number; {advice}"
    table = (cells for _, cells in islice(document.rows(), int(columns.names is not None), None))
    first_row = next(table)
    others = (cells[column] for cells in chain([first_row], table) if len(cells) > column)
    if columns.chosen_by_user or any(map(_is_decimal, others)):
        return f"line {line}, {label}: {cell[:60]!r} is not a finite number; correct it or leave the column out"
    numbers = [i for i, first in enumerate(first_row) if document.is_number(first)]
    numeric = [str(i) if columns.names is None else columns.names[i] for i in numbers]
    advice = f"choose the numeric columns: --columns {','.join(numeric)}" if numeric else "no column is numeric"
    return f"{label} is text (line {line}: {cell[:60]!r}); {advice}"


def write_text(stream: IO[str], columns: dict[str, Any], delimiter: str, header: bool = True) -> None:
    """Columns as delimited text."""
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writerow(columns)
    n_rows = max((len(values) for values in columns.values()), default=0)
    for start in range(0, n_rows, CHUNK_ROWS):
        part: Iterable[list[Any]] = (values[start : start + CHUNK_ROWS].tolist() for values in columns.values())
        writer.writerows(zip(*part, strict=True))
