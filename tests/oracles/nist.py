"""NIST's Statistical Reference Datasets for univariate summary statistics, with their certified values.

Source: https://www.itl.nist.gov/div898/strd/univ/homepage.html. NumAcc1 to NumAcc4 are given there by a
rule, which is followed here; Michelso holds Michelson's 100 measurements of the speed of light, in
1000 km/s (Dorsey 1944), which also stand in R as ``morley`` (km/s, less 299000).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

import numpy as np

MICHELSON = (
    "850 740 900 1070 930 850 950 980 980 880 1000 980 930 650 760 810 1000 1000 960 960 "
    "960 940 960 940 880 800 850 880 900 840 830 790 810 880 880 830 800 790 760 800 "
    "880 880 880 860 720 720 620 860 970 950 880 910 850 870 840 840 850 840 840 840 "
    "890 810 810 820 800 770 760 740 750 760 910 920 890 860 880 720 840 850 850 780 "
    "890 840 780 810 760 810 790 810 820 850 870 870 810 740 810 940 950 800 810 870"
)


@dataclass(frozen=True)
class Certified:
    """A data set with its certified mean and standard deviation (with n - 1)."""

    name: str
    rows: tuple[float, ...]
    mean: float
    standard_deviation: float

    def __str__(self) -> str:
        return self.name

    @property
    def array(self) -> np.ndarray:
        """(n, 1) rows."""
        return np.array(self.rows)[:, None]

    @property
    def exact(self) -> tuple[Fraction, Fraction]:
        """Mean and variance (with n) of the binary numbers that stand for the decimals, in rational arithmetic."""
        numbers = [Fraction(row) for row in self.rows]
        mean = sum(numbers) / len(numbers)
        return mean, sum((number - mean) ** 2 for number in numbers) / len(numbers)

    @property
    def certified_variance(self) -> float:
        """The certified variance with n instead of n - 1."""
        n = len(self.rows)
        return self.standard_deviation**2 * (n - 1) / n


def _alternating(first: float, low: float, high: float) -> tuple[float, ...]:
    return (first, *([low, high] * 500))


DATASETS = (
    Certified("NumAcc1", (10000001.0, 10000003.0, 10000002.0), 10000002.0, 1.0),
    Certified("NumAcc2", _alternating(1.2, 1.1, 1.3), 1.2, 0.1),
    Certified("NumAcc3", _alternating(1000000.2, 1000000.1, 1000000.3), 1000000.2, 0.1),
    Certified("NumAcc4", _alternating(10000000.2, 10000000.1, 10000000.3), 10000000.2, 0.1),
    Certified(
        "Michelso", tuple((299000 + int(value)) / 1000 for value in MICHELSON.split()), 299.8524, 0.0790105478190518
    ),
)


def log_relative_error(actual: float, expected: float) -> float:
    """Number of correct significant digits (NIST's measure), at most 16."""
    error = abs(actual - expected) / abs(expected)
    return 16.0 if error == 0 else min(16.0, -np.log10(error))


def standard_error_of_rounding(dataset: Certified) -> float:
    """How far the variance can move because decimals are rounded to binary: relative."""
    ulp = float(np.spacing(dataset.mean))
    return ulp / sqrt(dataset.certified_variance)
