"""Files as collections of dask's, read by the workers."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from distributed import Client

from mixtura.engine.dask import active_client

__all__ = ["connected"]


@contextlib.contextmanager
def connected(address: str) -> Iterator[Callable[..., tuple[Any, None, Any]]]:
    """A client of the cluster at an address, or of one of threads here ("local").

    What it gives is a function of files, features and weights, which returns what `fit` takes.
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


def _collection(path: str, names: Sequence[str] | None, weights: str | None) -> tuple[Any, None, Any]:
    """A lazy data frame of Parquet or CSV files, and its weights."""
    import dask.dataframe as frames

    if names is None:
        raise ValueError(f"{path}: --dask needs files with a header: Parquet or CSV")
    wanted = [*names, *([] if weights is None else [weights])]
    if os.path.isdir(path):
        path = os.path.join(path, "*.parquet")
    text = path.removesuffix(".gz").removesuffix(".zst").endswith((".csv", ".tsv", ".txt"))
    if text:
        table = frames.read_csv(path, usecols=wanted, dtype=dict.fromkeys(wanted, float))
    else:
        table = frames.read_parquet(path, columns=wanted)
    return table[list(names)], None, None if weights is None else table[weights]
