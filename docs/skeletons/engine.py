"""Skeleton of an engine. Copy it into src/mixtura/engine/, change how the sum is taken, name it in `create_engine`.

This one adds the blocks up one after the other with the reference kernel. An
engine has two verbs and never sees the name of a covariance model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import estep
from mixtura.engine.engine import RowOutput
from mixtura.quadratic import QuadraticForms
from mixtura.source import Block, Source
from mixtura.standardization import Standardization
from mixtura.suffstats import SufficientStats


class BlockEngine:
    """One block after the other: where blocks go to threads, devices or other machines, change `reduce`."""

    def __init__(self, source: Source, standardization: Standardization) -> None:
        self._source = source
        self._standardization = standardization

    def reduce(self, forms: Sequence[QuadraticForms]) -> list[SufficientStats]:
        """Statistics of several mixtures; merged in the order of the blocks, so that runs repeat exactly."""
        parts = [
            [estep.block_statistics(form, self._standardization.rows(block.rows), block.weights) for form in forms]
            for block in self._source.blocks()
        ]
        return [reduce(add, of_one_form) for of_one_form in zip(*parts, strict=True)]

    def map_rows(
        self, forms: QuadraticForms, output: RowOutput, inspect: Callable[[Block], None] | None = None
    ) -> NDArray[Any]:
        """A value for every row, in the order of the rows; ``inspect`` sees each block first."""
        parts = []
        for block in self._source.blocks():
            if inspect is not None:
                inspect(block)
            parts.append(self._map_block(forms, output, block.rows))
        return np.concatenate(parts)

    def _map_block(self, forms: QuadraticForms, output: RowOutput, rows: NDArray[Any]) -> NDArray[Any]:
        standardised = self._standardization.rows(rows)
        if output is RowOutput.LABELS:
            return estep.labels(forms, standardised)
        responsibilities, log_density = estep.responsibilities(forms, standardised)
        return responsibilities if output is RowOutput.RESPONSIBILITIES else log_density
