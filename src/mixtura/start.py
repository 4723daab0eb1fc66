"""Start: where the runs of a choice begin, whatever their covariance model; split, merged and widened.

All of this acts on a mixture's own moments and asks for no pass over the rows. A
start need not be in the model that it is for: the first M-step puts it there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import FULL, SPHERICAL, Array, Shape
from mixtura.standardization import Standardization

__all__ = ["Start"]


@dataclass(frozen=True, eq=False)
class Start:
    """Weights (K,), means (K, D) and dense covariances (K, D, D), in the unit-free coordinates."""

    weights: Array
    means: Array
    covariances: Array
    _shaped: dict[tuple[Shape, Standardization], tuple[Array, Array, Array]] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def of(cls, mixture: Mixture, here: Standardization, home: Standardization) -> Start:
        """A mixture in some coordinates, as a start in those at home."""
        if here is home:
            return cls(mixture.proportions, mixture.means, np.ascontiguousarray(mixture.dense_covariances))
        scale = here.scale / home.scale
        means = mixture.means * scale + (here.shift - home.shift) / home.scale
        return cls(mixture.proportions, means, FULL.rescale(mixture.dense_covariances, scale))

    def member(self, mstep: MStep, home: Standardization, here: Standardization) -> Mixture:
        """A mixture in the shape of a model, from the coordinates at home to those here."""
        key = (mstep.model.shape, here)
        if key not in self._shaped:  # several models have one shape
            self._shaped[key] = self._in_shape(*key, home)
        weights, means, covariances = self._shaped[key]
        if mstep.equal_weights:
            weights = np.full(weights.size, 1.0 / weights.size)
        return mstep.admit(Mixture(weights, means, covariances, mstep.covariance_type, mstep.equal_weights))

    def _in_shape(self, shape: Shape, here: Standardization, home: Standardization) -> tuple[Array, Array, Array]:
        means, dense = self.means, self.covariances
        if here is not home:
            scale = home.scale / here.scale
            means = means * scale + (home.shift - here.shift) / here.scale
            dense = FULL.rescale(dense, scale)
        if shape.shared:
            dense = dense * self.weights[:, None, None]
        covariances = shape.compress(dense)
        if shape is SPHERICAL:
            covariances = covariances / means.shape[1]
        return self.weights, means, covariances

    def widened(self) -> Start:
        """With equal weights and every covariance as wide as the average: small components do not collapse at once."""
        pooled = np.einsum("k,kij->ij", self.weights, self.covariances)
        n_components = self.weights.size
        return Start(np.full(n_components, 1.0 / n_components), self.means, np.array([pooled] * n_components))

    def splits(self) -> list[Start]:
        """With each component in turn cut through its mean across its longest axis.

        The halves of a Gaussian with longest axis v of variance l have means
        ``mean +- sqrt(2 l / pi) v`` and each the covariance ``S - (2 l / pi) v v^T``.
        """
        values, vectors = np.linalg.eigh(self.covariances)
        steps = np.sqrt(2 / np.pi * np.maximum(values[:, -1:], 0.0)) * vectors[:, :, -1]
        halves = self.covariances - steps[:, :, None] * steps[:, None, :]
        n_components = self.weights.size
        weights, means, covariances = (
            np.concatenate([np.broadcast_to(part, (n_components, *part.shape)), new[:, None]], axis=1)
            for part, new in (
                (self.weights, 0.5 * self.weights),
                (self.means, self.means - steps),
                (self.covariances, halves),
            )
        )
        each = np.arange(n_components)
        weights[each, each] *= 0.5
        means[each, each] += steps
        covariances[each, each] = halves
        return [Start(*parts) for parts in zip(weights, means, covariances, strict=True)]

    def merges(self, number: int) -> list[Start]:
        """With the pairs merged, one at a time, that seem to lose the least log likelihood.

        The bound is ``w_ij log |S_ij| - w_i log |S_i| - w_j log |S_j|`` with the
        merged component's moments (Runnalls 2007, eq. 16).
        """
        first, second = _pairs(self.weights.size)
        a, b = self.weights[first], self.weights[second]
        total = np.maximum(a + b, np.finfo(np.float64).tiny)
        apart = self.means[first] - self.means[second]
        share = (a / total)[:, None, None]
        merged = share * self.covariances[first] + (1 - share) * self.covariances[second]
        merged += share * (1 - share) * apart[:, :, None] * apart[:, None, :]
        own = self.weights * np.linalg.slogdet(self.covariances)[1]
        cost = total * np.linalg.slogdet(merged)[1] - own[first] - own[second]
        means = share[:, :, 0] * self.means[first] + (1 - share[:, :, 0]) * self.means[second]
        return [
            self._merge(first[p], second[p], total[p], means[p], merged[p])
            for p in np.argsort(cost, kind="stable")[:number]
        ]

    def _merge(self, i: int, j: int, weight: float, mean: Array, covariance: Array) -> Start:
        kept = np.delete(np.arange(self.weights.size), j)  # j > i: what i is called does not change
        weights, means, covariances = self.weights[kept], self.means[kept], self.covariances[kept]
        weights[i], means[i], covariances[i] = weight, mean, covariance
        return Start(weights, means, covariances)


@lru_cache(maxsize=64)
def _pairs(number: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs of so many components, the lower one first."""
    first, second = np.triu_indices(number, 1)
    return first, second
