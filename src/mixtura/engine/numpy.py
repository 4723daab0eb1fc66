"""The NumPy engine: the reference kernel over the blocks of a source, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import estep
from mixtura.engine.engine import RowOutput
from mixtura.quadratic import QuadraticForms
from mixtura.shape import Array
from mixtura.source import Block, Source
from mixtura.standardization import Standardization
from mixtura.suffstats import SufficientStats

__all__ = ["NumpyEngine"]

TILE_BYTES = 4 << 20  # temporaries of one tile stay near the cache


class NumpyEngine:
    """The oracle: legible and exact; every other engine is tested against it.

    Parameters
    ----------
    source : Source
    standardization : Standardization
    """

    def __init__(self, source: Source, standardization: Standardization) -> None:
        self._source = source
        self._standardization = standardization

    def _tiles(self, width: int) -> Iterator[tuple[slice, Array, Array | None]]:
        """Standardised rows, in pieces whose (n, width) temporaries stay small."""
        step = max(64, TILE_BYTES // (8 * max(1, width)))
        for block in self._source.blocks():
            for start in range(0, block.rows.shape[0], step):
                rows = self._standardization.rows(block.rows[start : start + step])
                weights = None if block.weights is None else block.weights[start : start + step]
                first = block.start + start
                yield slice(first, first + rows.shape[0]), rows, weights

    def reduce(self, forms: Sequence[QuadraticForms]) -> list[SufficientStats]:
        """See `Engine.reduce`."""
        sums = [SufficientStats.zero(form.center, form.shape) for form in forms]
        width = max(form.n_components + 3 * form.n_features for form in forms)
        for _, rows, weights in self._tiles(width):
            sums = [
                total + estep.block_statistics(form, rows, weights)
                for total, form in zip(sums, forms, strict=True)
            ]
        return sums

    def map_rows(
        self, forms: QuadraticForms, output: RowOutput, inspect: Callable[[Block], None] | None = None
    ) -> NDArray[Any]:
        """See `Engine.map_rows`."""
        n_rows = self._source.n_rows
        result: NDArray[Any]
        if output is RowOutput.RESPONSIBILITIES:
            result = np.empty((n_rows, forms.n_components))
        else:
            result = np.empty(n_rows, dtype=np.int64 if output is RowOutput.LABELS else np.float64)
        if inspect is not None:
            for block in self._source.blocks():
                inspect(block)
        for part, rows, _ in self._tiles(forms.n_components + 3 * forms.n_features):
            if output is RowOutput.LABELS:
                result[part] = estep.labels(forms, rows)
            else:
                resp, log_density = estep.responsibilities(forms, rows)
                result[part] = resp if output is RowOutput.RESPONSIBILITIES else log_density
        return result
