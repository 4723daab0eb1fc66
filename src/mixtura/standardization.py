"""Standardization: the coordinates in which every fit is done.

Features are centred and divided by their standard deviation, so that a fit does
not depend on units or offsets, a floor on variances is relative, and squares
lose no digits. Models that are not unit-free (spherical ones) get one common
scale, because scaling features separately would change the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.mixture import Mixture
from mixtura.shape import Array

__all__ = ["Standardization"]


@dataclass(frozen=True, eq=False)
class Standardization:
    """The map z = (x - shift) / scale, with shift and scale of shape (D,)."""

    shift: Array
    scale: Array

    @classmethod
    def identity(cls, n_features: int) -> Standardization:
        """The map that changes nothing."""
        return cls(np.zeros(n_features), np.ones(n_features))

    @classmethod
    def of_mixture(cls, mixture: Mixture) -> Standardization:
        """Coordinates in which the mixture's components as a whole have mean 0 and variance 1."""
        shares = mixture.weights if mixture.background is None else mixture.proportions
        mean = shares @ mixture.means
        within = np.einsum("kii->ki", mixture.dense_covariances)
        variance = shares @ (within + np.square(mixture.means - mean))
        return cls.of_moments(mean, variance, mixture.model.unit_free)

    @classmethod
    def of_moments(cls, mean: Array, variance: Array, unit_free: bool) -> Standardization:
        """Coordinates with that mean (D,) and variance (D,); a common scale unless ``unit_free``."""
        if not unit_free:
            variance = np.full_like(variance, variance.mean())
        return cls(mean, np.where(variance > 0, np.sqrt(variance), 1.0))

    @property
    def log_jacobian(self) -> float:
        """log p(x) = log p(z) - log_jacobian."""
        return float(np.log(self.scale).sum())

    def rows(self, rows: NDArray[Any]) -> Array:
        """(n, D) rows in these coordinates, in float64."""
        centred: Array = rows.astype(np.float64, copy=False) - self.shift
        return centred / self.scale

    def forward(self, mixture: Mixture) -> Mixture:
        """A mixture in data coordinates, expressed in these."""
        return mixture.affine(1.0 / self.scale, -self.shift / self.scale)

    def backward(self, mixture: Mixture) -> Mixture:
        """A mixture in these coordinates, expressed in the data's."""
        return mixture.affine(self.scale, self.shift)
