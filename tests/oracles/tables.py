"""Reads the data that the oracle tests bring along."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mixtura.shape import Array

DATA = Path(__file__).parent / "data"


def faithful() -> Array:
    """Old Faithful: (272, 2) eruption and waiting times."""
    return np.loadtxt(DATA / "faithful.csv", delimiter=",", skiprows=1)
