"""Spherical models: every component a ball."""

from __future__ import annotations

from mixtura.shape import SPHERICAL, Array

__all__ = ["VII"]


class VII:
    """Balls of their own volume: Sigma_k = lambda_k I (Celeux and Govaert 1995, section 4.3)."""

    name = "VII"
    shape = SPHERICAL
    unit_free = False

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        return scatter / (count * n_features)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components
