"""Rows with missing values, each with a pattern of its own, by the compiled kernel."""

from __future__ import annotations

import numpy as np

from mixtura import _native
from mixtura.engine.native import OrderedSum, instruction_set
from mixtura.engine.threads import share_out, thread_count
from mixtura.quadratic import QuadraticForms
from mixtura.shape import FULL, Array
from mixtura.source import ArraySource, Block
from mixtura.suffstats import SufficientStats

__all__ = ["NativeRows"]


class NativeRows:
    """See `mixtura.engine.missing.RareRows`; blocks and threads are as in `NativeEngine`.

    Parameters
    ----------
    rows : array of shape (n, D)
    weights : array of shape (n,) or None
    threads : int, optional
    """

    def __init__(self, rows: Array, weights: Array | None, threads: int | None = None) -> None:
        self._source = ArraySource(np.ascontiguousarray(rows), weights)
        self._threads = thread_count(threads)
        self._level = instruction_set()

    def joint(self, forms: QuadraticForms) -> Array:
        """See `RareRows.joint`."""
        result = np.empty((self._source.n_rows, forms.n_components))

        def fill(block: Block) -> None:
            part = result[block.start : block.start + block.rows.shape[0]]
            _native.missing(block.rows, None, *self._arrays(forms, precision), self._level, None, part)

        precision = FULL.precision(forms.whitener)
        share_out(self._source.blocks(), fill, self._threads)
        return result

    def reduce(self, forms: QuadraticForms, weights: Array | None = None) -> SufficientStats:
        """See `RareRows.reduce`."""
        source = self._source if weights is None else ArraySource(self._source.rows, weights)
        k, d = forms.center.shape
        total = OrderedSum(k * (1 + d + d * d) + 1)

        def partial(block: Block) -> None:
            packed = np.empty(total.values.size)
            _native.missing(
                block.rows, block.weights, *self._arrays(forms, precision), self._level, packed, None
            )
            total.add(block.start, block.start + block.rows.shape[0], packed)

        precision = FULL.precision(forms.whitener)
        share_out(source.blocks(), partial, self._threads)
        count, first, second, rest = np.split(total.values, np.cumsum([k, k * d, k * d * d]))
        return SufficientStats(
            count,
            first.reshape(k, d),
            second.reshape(k, d, d),
            forms.center,
            float(rest[0]),
            source.total_weight,
            FULL,
        )

    def _arrays(self, forms: QuadraticForms, precision: Array) -> tuple[Array, ...]:
        return tuple(map(np.ascontiguousarray, (forms.const, forms.center, forms.whitener, precision)))
