"""General models in closed form: one dense matrix a component, or one for all."""

from __future__ import annotations

from mixtura.shape import FULL, TIED, Array

__all__ = ["EEE", "VVV"]


class EEE:
    """One ellipsoid for all: Sigma_k = Sigma (Celeux and Govaert 1995, section 4.1)."""

    name = "EEE"
    shape = TIED
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        return scatter / count.sum()

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2


class VVV:
    """An ellipsoid of its own for each: Sigma_k unconstrained (Celeux and Govaert 1995, section 4.1)."""

    name = "VVV"
    shape = FULL
    unit_free = True

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        return scatter / count[:, None, None]

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2
