"""Spherical models, every component a ball, and the two models of a single feature."""

from __future__ import annotations

import numpy as np

from mixtura.covariance.model import Decomposed
from mixtura.shape import SPHERICAL, Array

__all__ = ["EII", "VII", "E", "V"]


class EII(Decomposed):
    """Balls of one size: Sigma_k = lambda I (Celeux and Govaert 1995, section 4.3)."""

    name = "EII"
    shape = SPHERICAL
    unit_free = False

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        return np.full(count.size, scatter.sum() / (count.sum() * n_features))


class VII(Decomposed):
    """Balls of their own volume: Sigma_k = lambda_k I (Celeux and Govaert 1995, section 4.3)."""

    name = "VII"
    shape = SPHERICAL
    unit_free = False

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        return scatter / (count * n_features)


class E(EII):
    """One variance for all components, of a single feature (Fraley and Raftery 2002, table 1)."""

    name = "E"

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        _check_one_feature(self.name, n_features)
        return super().solve(count, scatter, n_features, previous)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        _check_one_feature(self.name, n_features)
        return 1


class V(VII):
    """A variance for each component, of a single feature (Fraley and Raftery 2002, table 1)."""

    name = "V"

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        _check_one_feature(self.name, n_features)
        return super().solve(count, scatter, n_features, previous)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        _check_one_feature(self.name, n_features)
        return n_components


def _check_one_feature(name: str, n_features: int) -> None:
    if n_features != 1:
        raise ValueError(
            f"covariance_type={name!r} is for data with one feature, and these have {n_features}; "
            f"{name + 'II'!r} is its extension to more"
        )
