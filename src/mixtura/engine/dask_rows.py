"""Rows of dask collections: checked, cut into blocks with their weights, and a lazy value for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.engine.dask_extra import dask_needed

with dask_needed():
    import dask
    from dask.array import Array as DaskArray
    from dask.array import from_array

__all__ = ["checked", "is_frame", "names_of", "row_blocks", "weight_blocks", "weighted_sums"]


def names_of(X: Any) -> list[str] | None:
    """Names of a data frame's columns."""
    return None if isinstance(X, DaskArray) else [str(name) for name in X.columns]


def is_frame(value: Any) -> bool:
    """Whether it is a data frame of dask's, or a column of one."""
    return hasattr(value, "to_dask_array") and hasattr(value, "npartitions")


def checked(X: Any) -> Any:
    """A dask array (N, D) of numbers, all columns in each block."""
    if not isinstance(X, DaskArray):
        for name, kind in X.dtypes.items():
            if getattr(kind, "kind", "O") not in "fiub":
                raise ValueError(f"column {name!r} has type {kind}, not numbers; drop or encode it")
        X = X.to_dask_array()
    if X.ndim != 2:
        raise ValueError(f"Expected 2D array, got {X.ndim}D: rows (N, D) in blocks of rows")
    return X.rechunk({1: -1}) if len(X.chunks[1]) > 1 else X


def weight_blocks(sample_weight: Any, rows: Any, n_blocks: int) -> list[Any]:
    """The weights of each of that many blocks of rows; None where there are none."""
    if sample_weight is None:
        return [None] * n_blocks
    weights = sample_weight
    if not isinstance(weights, DaskArray):
        weights = weights.to_dask_array() if hasattr(weights, "to_dask_array") else np.asarray(weights, dtype=float)
    if isinstance(weights, np.ndarray):
        if np.isnan(sum(rows.chunks[0])):
            raise ValueError("the sizes of the partitions are not known: give sample_weight as a dask collection too")
        weights = from_array(weights, chunks=(rows.chunks[0],))
    known = not (np.isnan(sum(rows.chunks[0])) or np.isnan(sum(weights.chunks[0])))
    if known and weights.shape != rows.shape[:1]:
        raise ValueError(f"sample_weight must have shape ({rows.shape[0]},), one weight a row; got {weights.shape}")
    weights = weights.rechunk((rows.chunks[0],)) if known and weights.chunks[0] != rows.chunks[0] else weights
    blocks = list(weights.to_delayed().ravel())
    if len(blocks) != n_blocks:
        raise ValueError(f"sample_weight has {len(blocks)} partitions where the rows have {n_blocks}")
    return blocks


def row_blocks(X: Any, function: Callable[[NDArray[Any]], NDArray[Any]], width: int | None, dtype: Any) -> Any:
    """What a function says of each block of rows: a lazy dask array (N,) or, with a width, (N, width)."""
    rows = checked(X)
    if width is None:
        return rows.map_blocks(function, drop_axis=1, dtype=dtype, meta=np.empty(0, dtype=dtype))
    chunks = (rows.chunks[0], (width,))
    return rows.map_blocks(function, chunks=chunks, dtype=dtype, meta=np.empty((0, 0), dtype=dtype))


def weighted_sums(values: Any, weights: Any) -> tuple[float, float]:
    """Weighted sum of a lazy array (N,), and sum of the weights."""
    if weights is None:
        total, count = dask.compute(values.sum(), values.map_blocks(np.ones_like).sum())
        return float(total), float(count)
    weights = weights.to_dask_array() if is_frame(weights) else weights
    weights = weights if isinstance(weights, DaskArray) else np.asarray(weights, dtype=np.float64)
    if isinstance(weights, DaskArray) and weights.numblocks != values.numblocks:
        values, weights = dask.compute(values, weights)  # blocks of unknown sizes that do not match: two numbers a row
    total, count = dask.compute((weights * values).sum(), weights.sum())
    return float(total), float(count)
