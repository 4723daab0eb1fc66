"""Files as collections of dask's, read by the workers."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.engine.dask import active_client
from mixtura.engine.dask_extra import dask_needed

with dask_needed():
    import dask.array as da
    from dask import delayed
    from distributed import Client

__all__ = ["connected"]

Piece = tuple[NDArray[Any], NDArray[np.float64] | None]


@contextlib.contextmanager
def connected(address: str) -> Iterator[Callable[..., tuple[Any, None, Any]]]:
    """A client of the cluster at an address, or of one of threads here ("local").

    What it gives is a function of what `open_rows` returns, and that returns what `fit` takes.
    """
    if address == "local":
        with active_client():
            yield _collection
        return
    with _silenced(), Client(address):
        yield _collection


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """A scheduler that is lost is reported once, as an error, and not by distributed's log too."""
    levels = {name: logging.getLogger(name).level for name in ("distributed.client", "distributed.comm")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _collection(reader: Any) -> tuple[Any, None, Any]:
    """A lazy array of what an `open_rows` reads, and its weights: the workers read the files, piece by piece."""
    kind = np.float32 if reader.single else np.float64
    pieces = []
    for part, number in reader.parts():
        whole = delayed(_read, pure=False)(part, kind)
        pieces += [delayed(_cut, pure=False)(whole, i, number) for i in range(number)] if number > 1 else [whole]
    rows = [da.from_delayed(piece[0], (np.nan, reader.n_features), kind) for piece in pieces]
    if reader.weights_name is None:
        return da.concatenate(rows), None, None
    return da.concatenate(rows), None, da.concatenate([da.from_delayed(one[1], (np.nan,), float) for one in pieces])


def _read(reader: Any, kind: type) -> Piece:
    """All rows, and their weights, that a reader finds."""
    pieces = list(reader) or [(np.empty((0, reader.n_features)), np.empty(0))]
    rows: NDArray[Any] = np.concatenate([rows for rows, _ in pieces], dtype=kind)
    return rows, None if reader.weights_name is None else np.concatenate([weights for _, weights in pieces])


def _cut(whole: Piece, i: int, n: int) -> Piece:
    """One of so many equal parts."""
    rows, weights = whole
    part = slice(len(rows) * i // n, len(rows) * (i + 1) // n)
    return rows[part].copy(), None if weights is None else weights[part].copy()
