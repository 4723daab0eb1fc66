"""SufficientStats: what an E-step returns, and its algebra."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array, Shape

__all__ = ["SufficientStats"]


@dataclass(frozen=True, eq=False)
class SufficientStats:
    """Weighted moments of the rows under each component, about a stated reference.

    With responsibilities r_nk and row weights v_n, and references c_k::

        count_k  = sum_n v_n r_nk
        first_k  = sum_n v_n r_nk (x_n - c_k)
        second_k = sum_n v_n r_nk (x_n - c_k)(x_n - c_k)^T

    Attributes
    ----------
    count : array of shape (K,)
    first : array of shape (K, D)
    second : array of ``shape.array_shape(K, D)``
        Summed over components where the shape is shared.
    reference : array of shape (K, D)
    log_likelihood : float
        sum_n v_n log p(x_n).
    total_weight : float
        sum_n v_n.
    shape : Shape
    """

    count: Array
    first: Array
    second: Array
    reference: Array
    log_likelihood: float
    total_weight: float
    shape: Shape

    @classmethod
    def zero(cls, reference: Array, shape: Shape) -> SufficientStats:
        """The sum over no rows, about (K, D) references."""
        k, d = reference.shape
        return cls(np.zeros(k), np.zeros((k, d)), np.zeros(shape.array_shape(k, d)), reference, 0.0, 0.0, shape)

    def __add__(self, other: SufficientStats) -> SufficientStats:
        """Statistics of both sets of rows together.

        Raises
        ------
        ValueError
            If the two are about different references: `recenter` one of them first.
        """
        if self.shape is not other.shape or not (
            self.reference is other.reference or np.array_equal(self.reference, other.reference)
        ):
            raise ValueError("statistics about different references do not add; recenter one of them first")
        return SufficientStats(
            self.count + other.count,
            self.first + other.first,
            self.second + other.second,
            self.reference,
            self.log_likelihood + other.log_likelihood,
            self.total_weight + other.total_weight,
            self.shape,
        )

    def scale(self, factor: float) -> SufficientStats:
        """Statistics of the same rows with every weight multiplied by ``factor``."""
        return replace(
            self,
            count=self.count * factor,
            first=self.first * factor,
            second=self.second * factor,
            log_likelihood=self.log_likelihood * factor,
            total_weight=self.total_weight * factor,
        )

    def take(self, components: NDArray[np.intp] | slice) -> SufficientStats:
        """Those of some components; the shape is not shared, and log likelihood and weight stay those of all rows."""
        return replace(
            self,
            count=self.count[components],
            first=self.first[components],
            second=self.second[components],
            reference=self.reference[components],
        )

    def compress(self, shape: Shape) -> SufficientStats:
        """Statistics with dense second moments as those of another shape."""
        return replace(self, second=shape.compress(self.second), shape=shape)

    def apart(self, number: int) -> list[SufficientStats]:
        """So many statistics of equal size that lie one after the other, each by itself."""
        size = self.count.size // number
        return [self.take(slice(i * size, (i + 1) * size)) for i in range(number)]

    def recenter(self, reference: Array) -> SufficientStats:
        """The same statistics about other references (K, D)."""
        if reference is self.reference:
            return self
        move = reference - self.reference
        weighted = self.count[:, None] * move
        cross = self.shape.outer(self.first, move) + self.shape.outer(move, self.first)
        second = self.second - cross + self.shape.outer(weighted, move)
        return replace(self, first=self.first - weighted, second=second, reference=reference)

    def mean(self) -> Array:
        """Mean of each component: (K, D). Where a count is zero, the reference."""
        return self.mean_and_scatter()[0]

    def mean_and_scatter(self) -> tuple[Array, Array]:
        """Means (K, D), and second moments about them in the shape of `second`.

        scatter = second - first first^T / count: exact to rounding where the
        references are near the means, which the engines see to.
        """
        count = np.where(self.count > 0, self.count, 1.0)
        deviation = self.first / count[:, None]
        return self.reference + deviation, self.second - self.shape.outer(self.first, deviation)
