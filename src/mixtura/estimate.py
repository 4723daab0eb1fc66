"""Estimate: a number with its standard error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mixtura.shape import Array

__all__ = ["Estimate", "mean_of"]


class Estimate(NamedTuple):
    """A number, and the standard error of the chance in its computation: 0 where it is exact.

    Examples
    --------
    >>> from mixtura.estimate import Estimate
    >>> value, error = Estimate(1.25, 0.01)
    >>> value
    1.25
    """

    value: float
    error: float


def mean_of(draws: Array) -> Estimate:
    """Mean of independent draws, with its standard error."""
    return Estimate(float(draws.mean()), float(draws.std(ddof=1) / np.sqrt(draws.size)))
