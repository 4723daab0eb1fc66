"""Tables that are written a piece at a time, and are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from mixtura.atomic import replacing
from mixtura.table.columns import TableError, arrow_needed
from mixtura.table.text import write_text

__all__ = ["table_writer"]

#: The header of a .npy file, whose number of rows is known at the end.
HEADER_BYTES = 128

#: Row groups of a Parquet file are of about so many bytes in memory.
GROUP_BYTES = 4 << 20

Write = Callable[[dict[str, Any]], None]


@contextlib.contextmanager
def table_writer(destination: str | os.PathLike[str] | IO[str]) -> Iterator[Write]:
    """A function that takes the next rows, as named columns, each time it is called.

    A file appears when the block ends well; otherwise, what was there stays.
    """
    if not isinstance(destination, str | os.PathLike):
        yield _text(destination, ",")
        return
    try:
        with contextlib.ExitStack() as file:
            with _naming(destination):
                write_rows = file.enter_context(_opened(destination))

            def write(columns: dict[str, Any]) -> None:
                with _naming(destination):
                    write_rows(columns)

            yield write
    except OSError as error:
        raise TableError(f"{os.fspath(destination)}: {error.strerror or error}") from error


@contextlib.contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Errors of the writer say which file they are about; those of who writes say so themselves."""
    try:
        yield
    except TableError as error:
        raise TableError(f"{os.fspath(path)}: {error}") from None


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Write]:
    ending = Path(path).suffix.lower()
    if ending in (".csv", ".tsv", ".txt"):
        with replacing(path) as stream:
            yield _text(stream, "," if ending == ".csv" else "\t")
    elif ending in (".parquet", ".npy"):
        with replacing(path, "wb") as stream, (_parquet if ending == ".parquet" else _npy)(stream) as write:
            yield write
    else:
        raise TableError(f"cannot write {ending or 'none'!r}; use .csv, .tsv, .txt, .parquet or .npy")


def _text(stream: IO[str], delimiter: str) -> Write:
    begun: list[bool] = []

    def write(columns: dict[str, Any]) -> None:
        write_text(stream, columns, delimiter, header=not begun)
        begun.append(True)

    return write


@contextlib.contextmanager
def _parquet(stream: IO[bytes]) -> Iterator[Write]:
    with arrow_needed("Parquet"):
        import pyarrow
        from pyarrow import parquet
    with contextlib.ExitStack() as closing:
        writers: list[Any] = []
        waiting: list[Any] = []
        size = [0]

        def write_group() -> None:
            if not writers:
                schema = waiting[0].schema
                # a dictionary of floats takes memory and time, and mostly is given up
                worthwhile = [field.name for field in schema if not pyarrow.types.is_floating(field.type)]
                writer = parquet.ParquetWriter(stream, schema, use_dictionary=worthwhile or False)
                writers.append(closing.enter_context(writer))
            writers[0].write_table(pyarrow.concat_tables(waiting))
            waiting.clear()
            size[0] = 0

        def write(columns: dict[str, Any]) -> None:
            waiting.append(pyarrow.table(columns))
            size[0] += waiting[-1].nbytes
            if size[0] >= GROUP_BYTES:
                write_group()

        yield write
        if waiting:
            write_group()


@contextlib.contextmanager
def _npy(stream: IO[bytes]) -> Iterator[Write]:
    shape = [0, 0]
    kinds: list[np.dtype[Any]] = []

    def write(columns: dict[str, Any]) -> None:
        values = np.column_stack(list(columns.values()))
        if values.dtype.kind not in "fiub":
            text = next(name for name, one in columns.items() if np.asarray(one).dtype.kind not in "fiub")
            raise TableError(f"column {text!r} is not numeric, and .npy holds numbers; write .csv or .parquet")
        if kinds and not np.can_cast(values.dtype, kinds[0]):
            raise TableError(f"rows of {values.dtype} follow such of {kinds[0]}; write .csv or .parquet")
        values = values.astype(kinds[0], copy=False) if kinds else values
        shape[:] = shape[0] + values.shape[0], values.shape[1]
        kinds[:] = [values.dtype]
        stream.write(values.tobytes())

    stream.write(bytes(HEADER_BYTES))
    yield write
    kind = kinds[0] if kinds else np.dtype(float)
    text = repr({"descr": kind.str, "fortran_order": False, "shape": tuple(shape)}).encode()
    magic = np.lib.format.magic(1, 0)
    room = HEADER_BYTES - len(magic) - 2
    stream.seek(0)
    stream.write(magic + room.to_bytes(2, "little") + text.ljust(room - 1) + b"\n")
