"""Axis-aligned models: features independent within a component."""

from __future__ import annotations

from mixtura.shape import DIAGONAL, Array

__all__ = ["VVI"]


class VVI:
    """Axis-aligned ellipsoids of their own volume and shape: Sigma_k = lambda_k B_k (Celeux and Govaert 1995, 4.2)."""

    name = "VVI"
    shape = DIAGONAL
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        return scatter / count[:, None]

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features
