"""A table with all columns of its file as they stand: some cells can be replaced, and the rest passes through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.shape import Array
from mixtura.table.columns import Columns, Table

__all__ = ["WholeTable"]


@dataclass(frozen=True, eq=False)
class WholeTable:
    """The numbers that were asked for, and all columns of the file.

    Attributes
    ----------
    table : Table
    selection : Columns
        Which of the file's columns are the table's.
    columns : list of array of shape (n,)
        Of a text file the cells' text; of a Parquet file Arrow's arrays.
    integers : frozenset of int
        Features that stay integers or flags, because none of their values is missing anywhere.
    """

    table: Table
    selection: Columns
    columns: list[Any]
    integers: frozenset[int] = frozenset()

    @property
    def names(self) -> list[str]:
        """Names of all columns; x0, x1, ... where the file has none."""
        count = self.selection.count
        return [f"x{i}" for i in range(count)] if self.selection.names is None else list(self.selection.names)

    def filled(self, frame: Array, as_text: bool) -> dict[str, Any]:
        """All columns by name, with the values of a frame (n, D) where the table's own are missing.

        Observed values keep their text where the file is text, and text is wanted.
        """
        columns = list(self.columns)
        for place, values, before in zip(self.selection.features, frame.T, self.table.frame.T, strict=True):
            if as_text and isinstance(columns[place], np.ndarray) and columns[place].dtype.kind == "O":
                missing = np.isnan(before)
                columns[place] = columns[place].copy()
                columns[place][missing] = [repr(value) for value in values[missing].tolist()]
            elif place not in self.integers:
                columns[place] = values
        return dict(zip(self.names, columns, strict=True))
