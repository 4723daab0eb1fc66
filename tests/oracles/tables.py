"""Reads the data that the oracle tests bring along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.shape import Array

DATA = Path(__file__).parent / "data"


def faithful() -> Array:
    """Old Faithful: (272, 2) eruption and waiting times."""
    return np.loadtxt(DATA / "faithful.csv", delimiter=",", skiprows=1)


def mclust_rows(name: str) -> Array:
    """(n, D) rows of one of the data sets in `mclust_cells`."""
    return np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1, ndmin=2)


def mclust_cells() -> dict[str, dict[str, dict[int, tuple[int, float]]]]:
    """By data set, model and number of components: mclust's free parameters and log likelihood."""
    tables: dict[str, Any] = json.loads((DATA / "mclust.json").read_text(encoding="utf-8"))
    return {
        name: {model: {int(k): (cell[0], cell[1]) for k, cell in row.items()} for model, row in models.items()}
        for name, models in tables.items()
    }
