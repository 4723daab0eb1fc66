"""A table with all columns of its file as they stand: some cells can be replaced, and the rest passes through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array
from mixtura.table.columns import Columns, Table, TableError

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
        Of a text file the cells' text.
    """

    table: Table
    selection: Columns
    columns: list[NDArray[Any]]

    @property
    def names(self) -> list[str]:
        """Names of all columns; x0, x1, ... where the file has none."""
        count = self.selection.count
        return [f"x{i}" for i in range(count)] if self.selection.names is None else list(self.selection.names)

    def filled(self, frame: Array, as_text: bool) -> dict[str, NDArray[Any]]:
        """All columns by name, with the values of a frame (n, D) where the table's own are missing.

        Observed values keep their text where the file is text, and text is wanted.
        """
        names = self.names
        for name in names:
            if names.count(name) > 1:
                raise TableError(f"two columns have the name {name!r}; rename one of them")
        columns = list(self.columns)
        for place, values, before in zip(self.selection.features, frame.T, self.table.frame.T, strict=True):
            missing = np.isnan(before)
            if as_text and columns[place].dtype == object:
                column = columns[place].copy()
                column[missing] = [repr(value) for value in values[missing].tolist()]
            else:
                column = columns[place] if not missing.any() and columns[place].dtype.kind in "iub" else values
            columns[place] = column
        return dict(zip(names, columns, strict=True))
