"""Blocks of rows from anywhere: any iterable of arrays or data frames."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array
from mixtura.table.columns import Columns, Request, TableError, select_columns
from mixtura.table.row_file import Piece

__all__ = ["BlockRows"]


class BlockRows:
    """An iterable of blocks: (n, D) arrays, data frames, or pairs of them and weights (n,).

    What can be iterated over only once can be fitted once, because a fit reads
    its blocks once.
    """

    path = "blocks of rows"

    def __init__(self, blocks: Any, request: Request) -> None:
        self._request = request
        self._blocks = blocks
        if len(getattr(blocks, "shape", ())) == 2:
            raise TypeError("an array or data frame is no iterable of blocks; give it to the estimator, or in a list")
        try:
            self._iterator: Iterator[Any] | None = iter(blocks)
        except TypeError:
            raise TypeError(f"neither files nor an iterable of blocks of rows: {type(blocks).__name__}") from None
        self._once = self._iterator is blocks
        self._first = next(self._iterator, None)
        if self._first is None:
            raise TableError("there is no block")
        values, weights, names = _parts(self._first, 0)
        self.columns = self._columns(values, weights, names)
        self.single = values.dtype == np.float32 and weights is None
        self.size = 0

    def _columns(self, values: NDArray[Any], weights: Array | None, names: list[str] | None) -> Columns:
        """With weights in a pair, as if they were one more column, the last."""
        count = values.shape[1]
        if weights is None:
            return select_columns(count, names, self._request)
        if self._request.weights is not None:
            raise TableError("weights are given twice: with the blocks, and as a column's name")
        chosen = select_columns(count, names, self._request)
        wider = None if chosen.names is None else (*chosen.names, "weights")
        return Columns(count + 1, wider, chosen.features, count, chosen.chosen_by_user)

    def pieces(self, n_rows: int) -> Iterator[Piece]:
        """See `RowFile.pieces`; the blocks as they come."""
        iterator, self._iterator = self._iterator, None
        if iterator is None:
            if self._once:
                raise TableError("they can be read only once; give a list, or an object with __iter__")
            iterator = iter(self._blocks)
            first = next(iterator, None)
        else:
            first, self._first = self._first, None
        place = 0
        while first is not None:
            yield from self._cut(self._values(first, place), place, n_rows)
            first, place = next(iterator, None), place + 1

    def _values(self, block: Any, place: int) -> NDArray[Any]:
        values, weights, names = _parts(block, place)
        both = values if weights is None else np.column_stack([values, weights])
        if both.shape[1] != self.columns.count or (names is not None and names != self._names(len(names))):
            raise TableError(f"block {place}: has other columns than the first block")
        if self.single and values.dtype != np.float32:
            raise TableError(f"block {place}: is {values.dtype} where the first block is float32")
        return both[:, list(self.columns.wanted)]

    def _names(self, count: int) -> list[str] | None:
        return None if self.columns.names is None else list(self.columns.names[:count])

    def _cut(self, values: NDArray[Any], place: int, n_rows: int) -> Iterator[Piece]:
        for start in range(0, len(values), n_rows):
            yield Piece(values[start : start + n_rows], partial(_place, place, start))


def _place(block: int, start: int, row: int) -> str:
    return f"block {block}, row {start + row} of it (counted from 0)"


def _parts(block: Any, place: int) -> tuple[NDArray[Any], Array | None, list[str] | None]:
    """Values (n, D), weights and column names of a block."""
    weights = None
    if isinstance(block, tuple):
        block, weights = block
        weights = None if weights is None else np.asarray(weights, dtype=np.float64)
    frame = nw.from_native(block, eager_only=True, pass_through=True)
    names = [str(name) for name in frame.columns] if isinstance(frame, nw.DataFrame) else None
    values = np.asarray(block if names is None else frame.to_numpy())
    if values.ndim != 2 or values.shape[1] == 0 or values.dtype.kind not in "fiubO":
        raise TableError(f"block {place}: has shape {values.shape} and type {values.dtype}, not numbers (n, D)")
    try:
        values = values if values.dtype == np.float32 else values.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise TableError(f"block {place}: {error}") from None
    if weights is not None and weights.shape != (len(values),):
        raise TableError(f"block {place}: has {len(values)} rows, but weights of shape {weights.shape}")
    return values, weights, names
