"""open_rows: rows that may be larger than memory, as the estimators take them."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from io import FileIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array
from mixtura.source.ahead import read_ahead
from mixtura.source.cache import CacheWriter, kept_cache
from mixtura.source.file import FileSource, Matrix
from mixtura.table.block_rows import BlockRows
from mixtura.table.columns import Request, TableError
from mixtura.table.npy_rows import NpyRows
from mixtura.table.parquet_rows import ParquetRows
from mixtura.table.row_file import RowFile, WholeFile, checked, checked_whole
from mixtura.table.text import DELIMITERS
from mixtura.table.text_rows import COMPRESSIONS, TextRows
from mixtura.table.whole import WholeTable

__all__ = ["RowReader", "bytes_of", "is_place", "open_rows"]

#: A piece of a file takes about this share of the memory limit, and at most so many bytes.
PIECE_SHARE = 1 / 64
MOST_PIECE_BYTES = 8 << 20

#: What a cell takes that passes through: of text a string of Python's and what it is written as.
TEXT_CELL_BYTES, CELL_BYTES = 160, 24

POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
#: About so many bytes of a file are read by one worker of a cluster.
PART_BYTES = 64 << 20

ENDINGS = (".parquet", ".pq", ".npy", *filter(None, DELIMITERS))


def open_rows(
    data: Any,
    *,
    columns: Sequence[str] | None = None,
    weights: str | None = None,
    missing: Sequence[str] = (),
    memory_limit: int | str = "1GB",
    cache_folder: str | os.PathLike[str] | None = None,
    keep_cache: bool = False,
) -> RowReader:
    r"""Rows that may be larger than memory: the ``X`` of `GaussianMixture.fit`, `predict`, `score` and the rest.

    A fit reads them once, into a block cache on disk, and then the cache once an
    iteration. Its result is bitwise that of a fit of the same rows in memory.

    Parameters
    ----------
    data : str, path-like, sequence of them, or iterable of blocks
        Files ``.parquet``, ``.csv``, ``.tsv``, ``.txt`` (with ``.gz`` or ``.zst``
        after that or not) or ``.npy``; a folder of such, or a pattern like
        ``"folder/*.parquet"``. Or an iterable of blocks of rows: arrays (n, D),
        data frames, or pairs of them and weights (n,).
    columns : sequence of str, optional
        Features: names, or positions from 0 where there is no header. Default:
        all columns but the weights.
    weights : str, optional
        The column of the rows' weights.
    missing : sequence of str
        Texts that stand for a missing value in a text file, besides the empty
        cell and "nan".
    memory_limit : int or str, default="1GB"
        Bytes ("500M", "2GB", "512MiB") that reading and computing may take at a time,
        beyond what Python and the libraries take. What is returned, such as a
        label a row, comes on top.
    cache_folder : path-like, optional
        Where the block cache is; default the system's folder for temporary files.
    keep_cache : bool, default=False
        Keep the cache in `cache_folder` for the next fit of the same files,
        columns and weights. Otherwise it is gone when the fit ends, or its
        process, however that ends.

    Returns
    -------
    RowReader
        Iterable: pieces (rows (n, D), weights (n,) or None).

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from mixtura import GaussianMixture, open_rows
    >>> path = os.path.join(tempfile.mkdtemp(), "points.csv")
    >>> np.savetxt(path, [[0, 1, 9], [0, 3, 9], [8, 1, 9], [8, 3, 9]], delimiter=",", header="x,y,z", comments="")
    >>> model = GaussianMixture(covariance_type="diag").fit(open_rows(path, columns=["x", "y"]))
    >>> model.means_.tolist()
    [[4.0, 2.0]]
    """
    if keep_cache and cache_folder is None:
        raise ValueError("keep_cache=True needs a cache_folder to keep it in")
    columns = (columns,) if isinstance(columns, str) else columns
    request = Request(None if columns is None else tuple(columns), weights, None, tuple(missing))
    folder = None if cache_folder is None else os.fspath(cache_folder)
    return RowReader(data, request, bytes_of(memory_limit), folder, keep_cache)


def bytes_of(limit: int | str) -> int:
    """A number of bytes, as in ``"500M"``, ``"1.5GB"`` or, in powers of 1024, ``"512MiB"``.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = re.fullmatch(r"\s*([0-9.]+)\s*(?:([KMGT])(I?))?B?\s*", str(limit).upper())
    try:
        number = int(float(found[1]) * (1024 if found[3] else 1000) ** POWERS[found[2] or ""]) if found else 0
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError(f"memory_limit must be a number of bytes like 500M, 1GB or 512MiB; got {limit!r}")
    return number


def is_place(data: Any) -> bool:
    """Whether data are a path, or several."""
    paths = data if isinstance(data, list | tuple) and data else [data]
    return all(isinstance(path, str | os.PathLike) for path in paths)


class RowReader:
    """What `open_rows` returns."""

    def __init__(
        self, data: Any, request: Request, memory_limit: int, cache_folder: str | None, keep_cache: bool
    ) -> None:
        self._data = data
        self._request = request
        self.memory_limit = memory_limit
        self._cache_folder = cache_folder
        self._keep_cache = keep_cache

    def expecting(self, names: Sequence[str] | None) -> RowReader:
        """The same rows, with these features where a header names more and nothing else was said."""
        request = Request(self._request.columns, self._request.weights, names, self._request.missing)
        return RowReader(self._data, request, self.memory_limit, self._cache_folder, self._keep_cache)

    @cached_property
    def _files(self) -> list[WholeFile | BlockRows]:
        if not is_place(self._data):
            return [BlockRows(self._data, self._request)]
        files: list[WholeFile | BlockRows] = []
        request = self._request
        for path in _paths(self._data):
            try:
                file = _open(path, request)
            except TableError as error:
                raise TableError(f"{path}: {error}") from None
            except OSError as error:
                raise TableError(f"{path}: cannot be read: {error.strerror or error}") from error
            if files:
                _check_alike(file, files[0])
            files.append(file)
        return files

    @property
    def names(self) -> tuple[str, ...] | None:
        """The features' names; None where there is no header."""
        columns = self._files[0].columns
        return None if columns.names is None else tuple(columns.names[i] for i in columns.features)

    @property
    def n_features(self) -> int:
        """D."""
        return len(self._files[0].columns.features)

    @property
    def label(self) -> str:
        """What to call them in a message."""
        if not is_place(self._data):
            return BlockRows.path
        places = self._data if isinstance(self._data, list | tuple) else [self._data]
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        return f"{os.fspath(places[0])}{more}"

    @property
    def weights_name(self) -> str | None:
        """The column of the weights."""
        return self._request.weights

    @property
    def single(self) -> bool:
        """Whether all values are float32."""
        return all(file.single for file in self._files)

    def parts(self) -> list[tuple[RowReader, int]]:
        """What workers of a cluster read, in order; with each, into how many parts its rows are to be cut then."""
        found = []
        for file in [file for file in self._files if not isinstance(file, BlockRows)]:
            wanted = max(1, -(-os.path.getsize(file.path) // PART_BYTES))
            number = max(1, min(wanted, file.most_parts))
            for i in range(number):
                reader = RowReader(
                    os.path.abspath(file.path), replace(self._request, part=(i, number)), self.memory_limit, None, False
                )
                found.append((reader, -(-wanted // number)))
        return found

    def __iter__(self) -> Iterator[tuple[NDArray[Any], Array | None]]:
        """Pieces: rows (n, D) and weights (n,) or None; the next is read while one is worked on."""
        wanted = len(self._files[0].columns.wanted)
        n_rows = int(min(MOST_PIECE_BYTES, self.memory_limit * PIECE_SHARE) // (8 * wanted))
        return read_ahead((piece for file in self._files for piece in checked(file, max(n_rows, 256))), 1)

    def alike(self) -> list[WholeFile]:
        """The files, if they have the same columns.

        Raises
        ------
        TableError
            If they differ in one, be it no feature; or if there are blocks and no files.
        """
        files = [file for file in self._files if not isinstance(file, BlockRows)]
        if not files:
            raise TableError("blocks of rows have no other columns than their features; transform them one by one")
        for file in files:
            _check_all_columns(file, files[0])
        return files

    def whole(self) -> Iterator[WholeTable]:
        """Pieces with all columns of the files as they stand, features and others, and with rows of weight zero."""
        files = self.alike()
        integers = frozenset.intersection(*(file.integers for file in files))
        cell = TEXT_CELL_BYTES if any(isinstance(file, TextRows) for file in files) else CELL_BYTES
        limit = min(MOST_PIECE_BYTES, self.memory_limit * PIECE_SHARE)
        n_rows = max(int(limit // (cell * files[0].columns.count)), 256)
        return read_ahead((piece for file in files for piece in checked_whole(file, n_rows, integers)), 1)

    @contextlib.contextmanager
    def source(self) -> Iterator[FileSource]:
        """The rows of positive weight, in a block cache.

        Raises
        ------
        TableError
            If a file cannot be read; the message names the place.
        OSError
            If the cache cannot be written.
        """
        with contextlib.ExitStack() as closing:
            yield self._as_they_lie(closing) or self._cached(closing)

    def _as_they_lie(self, closing: contextlib.ExitStack) -> FileSource | None:
        """A single .npy file needs no cache: it is one. None where there is none."""
        file = self._files[0]
        place = file.as_they_lie() if isinstance(file, NpyRows) and len(self._files) == 1 else None
        if place is None:
            return None
        stream = closing.enter_context(FileIO(file.path))
        matrix = Matrix(stream, *place, np.dtype(np.float32 if file.single else np.float64), file.path)
        incomplete = False
        for rows, _ in self:
            with np.errstate(over="ignore", invalid="ignore"):
                incomplete |= bool(np.isnan(rows.sum()) and np.isnan(rows).any())
        if matrix.shape[0] == 0:
            raise TableError(f"{file.path}: has no rows of data")
        matrix.check()
        return FileSource(matrix, None, incomplete, self.memory_limit)

    def _cached(self, closing: contextlib.ExitStack) -> FileSource:
        fingerprint = self._fingerprint() if self._keep_cache and self._cache_folder else None
        if fingerprint is not None and self._cache_folder is not None:
            earlier = kept_cache(fingerprint, self._cache_folder, self.memory_limit, closing)
            if earlier is not None:
                return earlier
        pieces = iter(self)
        first = next(pieces, None)  # what is wrong with the files comes before what is wrong with the cache
        single = all(file.single for file in self._files)
        writer = CacheWriter(self.n_features, single, self._cache_folder, fingerprint)
        closing.callback(writer.close)
        seen = kept = 0
        while first is not None:
            rows, shares = _positive(*first)
            writer.append(rows, shares)
            seen, kept = seen + len(first[0]), kept + len(rows)
            first = next(pieces, None)
        if not kept:
            weightless = f" of positive weight: all of column {self.weights_name!r} is zero" if seen else " of data"
            raise TableError(f"{self.label}: there are no rows{weightless}")
        if fingerprint is not None and fingerprint != self._fingerprint():
            raise TableError("a file has changed while it was read")
        return writer.source(self.memory_limit)

    def _fingerprint(self) -> dict[str, Any] | None:
        """Of the files and what is taken from them; None for blocks, which have none."""
        if not is_place(self._data):
            return None
        states = [os.stat(file.path) for file in self._files]
        columns = self._files[0].columns
        return {
            "files": [
                [os.path.abspath(file.path), state.st_size, state.st_mtime_ns]
                for file, state in zip(self._files, states, strict=True)
            ],
            "columns": [columns.label(i) for i in columns.features],
            "weights": None if columns.weights is None else columns.label(columns.weights),
            "missing": sorted(self._request.missing),
            "single": [file.single for file in self._files],
        }


def _positive(rows: NDArray[Any], weights: Array | None) -> tuple[NDArray[Any], Array | None]:
    """Those rows whose weight is not zero."""
    if weights is None or weights.all():
        return rows, weights
    return rows[weights > 0], weights[weights > 0]


def _paths(data: Any) -> list[str]:
    """Files, in order: those of a folder or pattern by name."""
    found: list[str] = []
    for place in data if isinstance(data, list | tuple) else [data]:
        path = os.fspath(place)
        if os.path.isdir(path):
            inside = sorted(os.path.join(path, name) for name in os.listdir(path) if not name.startswith((".", "_")))
            files = [name for name in inside if _ending(name) in ENDINGS]
            if not files:
                raise TableError(f"{path}: the folder has no file that ends in {', '.join(ENDINGS)}")
            found += files
        elif os.path.exists(path) or not glob.has_magic(path):
            found.append(path)
        else:
            files = sorted(glob.glob(path, recursive=True))
            if not files:
                raise TableError(f"{path}: no file has such a name")
            found += files
    return found


def _ending(path: str) -> str:
    name = Path(path)
    suffix = name.suffix.lower()
    return name.with_suffix("").suffix.lower() if suffix in COMPRESSIONS else suffix


def _open(path: str, request: Request) -> WholeFile:
    os.stat(path)  # that it is not there is to be said before that its ending is unknown
    ending = _ending(path)
    if ending in (".parquet", ".pq"):
        return ParquetRows(path, request)
    if ending == ".npy":
        return NpyRows(path, request)
    if ending and ending in DELIMITERS:
        return TextRows(path, request)
    raise TableError(f"unknown kind of file {ending or 'without an ending'!r}; use {', '.join(ENDINGS)}")


def _check_alike(file: RowFile, first: RowFile) -> None:
    """Raise unless a file has the columns that the first one has."""
    features, expected = (
        [one.columns.label(i) for i in one.columns.wanted] for one in (file, first)
    )
    if features != expected:
        raise TableError(
            f"{file.path}: has {', '.join(features)} where {first.path} has {', '.join(expected)}; "
            "choose the features with columns"
        )


def _check_all_columns(file: WholeFile, first: WholeFile) -> None:
    """Raise unless what is not a feature has the name and type in a file that it has in the first one."""
    mine, wanted = ([(one.columns.label(i), one.kinds[i]) for i in range(one.columns.count)] for one in (file, first))
    for i, (one, other) in enumerate(zip_longest(mine, wanted)):
        if one is None or other is None or one[0] != other[0]:
            here, there = ("no more columns" if pair is None else pair[0] for pair in (one, other))
            raise TableError(f"{file.path}: has {here} where {first.path} has {there}, and all columns pass through")
        if i not in file.columns.features and one[1] != other[1]:
            raise TableError(f"{file.path}: {one[0]} has type {one[1]} where {first.path} has {other[1]}")
    labels = [label for label, _ in mine]
    for label in labels:
        if labels.count(label) > 1:
            raise TableError(f"{file.path}: two have the name of {label}; rename one of them")
