"""The block cache: rows decoded once into a row-major file, which every later pass reads."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import tempfile
from io import FileIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array
from mixtura.source.file import FileSource, Matrix, SourceFileError

__all__ = ["CacheWriter", "kept_cache"]

#: Of the files' layout; a cache of another version is not read.
VERSION = 1

Fingerprint = dict[str, Any]


class CacheWriter:
    """Writes rows, and then serves them as a source.

    Without a folder to keep it in, the cache has no name: it is gone when it is
    closed or its process ends, however that ends.

    Parameters
    ----------
    n_features : int
    single : bool
        Whether rows are float32.
    folder : str, optional
        Where; default the system's folder for temporary files.
    keep_as : Fingerprint, optional
        Of what is cached, to keep it for the next time.
    """

    def __init__(
        self, n_features: int, single: bool, folder: str | None = None, keep_as: Fingerprint | None = None
    ) -> None:
        self._dtype = np.dtype(np.float32 if single else np.float64)
        self._n_features = n_features
        self._folder = tempfile.gettempdir() if folder is None else folder
        self._keep_as = keep_as
        self._names: list[str] = []
        self._closing = contextlib.ExitStack()
        self._n_rows = 0
        self._weighted = False
        self._incomplete = False
        self._rows, self._weights = self._new_file("rows"), self._new_file("weights")

    def _new_file(self, kind: str) -> IO[bytes]:
        with self._explained():
            if self._keep_as is None:
                return self._closing.enter_context(tempfile.TemporaryFile(dir=self._folder, buffering=0))
            name = os.path.join(self._folder, f".{_stem(self._keep_as)}.{secrets.token_hex(6)}.{kind}")
            self._names.append(name)
            return self._closing.enter_context(open(name, "x+b", buffering=0))

    @contextlib.contextmanager
    def _explained(self) -> Any:
        """Say what an error of the system means for the user."""
        try:
            yield
        except OSError as error:
            raise OSError(
                error.errno,
                f"the block cache cannot be written: {error.strerror}; it takes {self._row_bytes} bytes a row; choose "
                "another folder with cache_folder",
                self._folder,
            ) from error

    @property
    def _row_bytes(self) -> int:
        return self._n_features * self._dtype.itemsize

    def append(self, rows: NDArray[Any], weights: Array | None) -> None:
        """Add rows (n, D), with positive weights (n,) for all of them or for none."""
        self._weighted = weights is not None
        self._n_rows += rows.shape[0]
        values = np.ascontiguousarray(rows, dtype=self._dtype)
        with np.errstate(invalid="ignore", over="ignore"):
            self._incomplete |= bool(np.isnan(values.sum())) and bool(np.isnan(values).any())
        with self._explained():
            _write(self._rows, values)
            if weights is not None:
                _write(self._weights, np.ascontiguousarray(weights, dtype=np.float64))

    def source(self, memory_limit: int) -> FileSource:
        """What was written."""
        facts = {
            "version": VERSION,
            "fingerprint": self._keep_as,
            "n_rows": self._n_rows,
            "n_features": self._n_features,
            "dtype": self._dtype.str,
            "weighted": self._weighted,
            "incomplete": self._incomplete,
        }
        if self._keep_as is not None:
            with self._explained():
                self._keep(facts)
        return _source(facts, self._rows, self._weights, f"block cache in {self._folder}", memory_limit)

    def _keep(self, facts: dict[str, Any]) -> None:
        """Give the files their names, that of the header last: without it, the others count for nothing."""
        assert self._keep_as is not None
        stem = os.path.join(self._folder, _stem(self._keep_as))
        for stream in (self._rows, self._weights):
            os.fsync(stream.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{stem}.json")
        for name, kind in zip(self._names, ("rows", "weights"), strict=True):
            os.replace(name, f"{stem}.{kind}")
        self._names = []
        header = f"{stem}.{secrets.token_hex(6)}.part"
        Path(header).write_text(json.dumps(facts), encoding="utf-8")
        os.replace(header, f"{stem}.json")

    def close(self) -> None:
        """Close the files; what was not kept is gone."""
        self._closing.close()
        for name in self._names:
            with contextlib.suppress(OSError):
                os.unlink(name)


def kept_cache(
    fingerprint: Fingerprint, folder: str, memory_limit: int, closing: contextlib.ExitStack
) -> FileSource | None:
    """An earlier cache of the same rows; None where there is none that can be trusted."""
    stem = os.path.join(folder, _stem(fingerprint))
    try:
        facts = json.loads(Path(f"{stem}.json").read_text(encoding="utf-8"))
        if facts.get("version") != VERSION or facts.get("fingerprint") != json.loads(json.dumps(fingerprint)):
            return None
        rows, weights = (closing.enter_context(FileIO(f"{stem}.{kind}")) for kind in ("rows", "weights"))
        sizes = [os.fstat(stream.fileno()).st_size for stream in (rows, weights)]
        n_rows, width = facts["n_rows"], facts["n_features"] * np.dtype(facts["dtype"]).itemsize
        if sizes != [n_rows * width, n_rows * 8 * facts["weighted"]]:
            return None
        return _source(facts, rows, weights, f"{stem}.rows", memory_limit)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _source(facts: dict[str, Any], rows: IO[bytes], weights: IO[bytes], name: str, memory_limit: int) -> FileSource:
    n_rows = facts["n_rows"]
    if n_rows == 0:
        raise SourceFileError("there are no rows of data")
    shares = Matrix(weights, 0, (n_rows, 1), np.dtype(np.float64), name) if facts["weighted"] else None
    values = Matrix(rows, 0, (n_rows, facts["n_features"]), np.dtype(facts["dtype"]), name)
    return FileSource(values, shares, facts["incomplete"], memory_limit)


def _stem(fingerprint: Fingerprint) -> str:
    digest = hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()
    return f"mixtura-{digest[:24]}"


def _write(stream: IO[bytes], values: NDArray[Any]) -> None:
    """All of it: an unbuffered file may take less at a time."""
    left = values.reshape(-1).view(np.uint8).data
    while left.nbytes:
        left = left[stream.write(left) :]
