"""View: the one to three coordinates in which rows and mixtures are drawn, and the rows that can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from mixtura.directions import Directions, discriminating_directions
from mixtura.mixture import Mixture
from mixtura.plot.style import plain
from mixtura.shape import Array

__all__ = ["LARGEST", "View", "complete", "names_of", "thinned", "values_of"]

#: More rows than this are drawn as a sample: a picture has fewer pixels.
LARGEST = 20_000

DIRECTIONS = ("features", "discriminating")


@dataclass(frozen=True, eq=False)
class View:
    """Some features, or the most discriminating directions.

    Attributes
    ----------
    names : tuple of str
        Of the coordinates.
    features : tuple of int
        Empty where they are directions.
    directions : Directions or None
    """

    names: tuple[str, ...]
    features: tuple[int, ...] = ()
    directions: Directions | None = None

    @classmethod
    def of(
        cls,
        mixture: Mixture,
        features: Sequence[int],
        feature_names: Sequence[str],
        directions: str = "features",
        *,
        most: int = 2,
    ) -> View:
        """The view that was asked for; of a single feature, that one."""
        if directions not in DIRECTIONS:
            raise ValueError(f"directions must be one of {', '.join(DIRECTIONS)}; got {directions!r}")
        if directions == "discriminating" and mixture.n_features > 2:
            found = discriminating_directions(mixture).take(most)
            return cls(tuple(f"direction {j + 1}" for j in range(found.basis.shape[1])), (), found)
        chosen = _checked_features(features, mixture.n_features, most)
        return cls(tuple(plain(feature_names[feature]) for feature in chosen), chosen)

    def rows(self, rows: NDArray[Any]) -> Array:
        """Rows (n, D) in these coordinates: (n, m)."""
        if self.directions is not None:
            return self.directions.rows(np.asarray(rows, dtype=np.float64))
        return np.asarray(rows[:, list(self.features)], dtype=np.float64)

    def mixture(self, mixture: Mixture) -> Mixture:
        """The distribution in these coordinates; a background whose shadow is not uniform is left out."""
        if self.directions is not None:
            return self.directions.mixture(mixture)
        try:
            return mixture.marginal(list(self.features))
        except ValueError:
            bare = replace(mixture, background=None, weights=mixture.proportions)
            return bare.marginal(list(self.features))

    def label(self, ax: Any) -> None:
        """Write the names of two coordinates, or of one, on the axes."""
        ax.set_xlabel(self.names[0])
        if len(self.names) > 1:
            ax.set_ylabel(self.names[1])


def _checked_features(features: Sequence[int], n_features: int, most: int) -> tuple[int, ...]:
    chosen = tuple(int(feature) for feature in features) if n_features > 1 else (0,)
    if not 1 <= len(chosen) <= most or len(set(chosen)) < len(chosen):
        raise ValueError(f"features must be one or two different indices; got {tuple(features)}")
    if not all(0 <= feature < n_features for feature in chosen):
        raise ValueError(f"features must be between 0 and {n_features - 1}; got {tuple(features)}")
    return chosen


def complete(points: Array) -> NDArray[np.bool_]:
    """Which points (n, m) have all their coordinates."""
    return np.asarray(np.isfinite(points).all(axis=1))


def thinned(X: Any, largest: int = LARGEST) -> tuple[Any, str]:
    """The rows, or of many a sample in the order of the data, and what to say about it."""
    size = X.shape[0]
    if size <= largest:
        return X, ""
    chosen = np.sort(np.random.default_rng(0).choice(size, largest, replace=False))
    return _safe_indexing(X, chosen), f"{largest:,} of {size:,} rows drawn".replace(",", " ")


def values_of(X: Any) -> Array:
    """An array or data frame as (n, D) float64; what is missing is NaN."""
    if not hasattr(X, "columns"):
        return np.asarray(X, dtype=np.float64)
    try:  # pandas, whose missing values are of two kinds
        return np.asarray(X.to_numpy(dtype=np.float64, na_value=np.nan))
    except TypeError:
        return np.asarray(X.to_numpy(), dtype=np.float64)


def names_of(X: Any, estimator: Any, n_features: int) -> list[str]:
    """What the features are called: by the data, else by the fit, else by their number."""
    given = getattr(X, "columns", None)
    given = getattr(estimator, "feature_names_in_", None) if given is None else given
    return [f"feature {j}" for j in range(n_features)] if given is None else [str(name) for name in given]
