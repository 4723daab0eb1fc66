"""Subject: the fitted model and the rows that a report is about, whatever kind of estimator it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.em import Status
from mixtura.estimators.base import check_is_fitted, check_rows, check_weights, raise_if_not_finite
from mixtura.estimators.fitted import FittedMixture
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.mixture import Mixture
from mixtura.report.markup import shown_name
from mixtura.shape import Array
from mixtura.table import RowReader, is_place

__all__ = ["Subject", "subject_of"]


@dataclass(frozen=True, eq=False)
class Subject:
    """What a report is about.

    Attributes
    ----------
    model : estimator or Mixture
        As it was given.
    mixture : Mixture
    fit : fitted estimator or None
        Whose EM ended in `mixture`; None where that is not known.
    choice : GaussianMixtureIC or None
    rows : array of shape (N, D)
        Those of positive weight.
    weights : array of shape (N,) or None
    positions : array of shape (N,)
        Of the rows in the data as given, from 0.
    row_names : sequence or None
        A data frame's own names of its rows.
    names : tuple of str
        The features' names, as they are given.
    """

    model: Any
    mixture: Mixture
    fit: Any
    choice: Any
    rows: NDArray[Any]
    weights: Array | None
    positions: NDArray[np.intp]
    row_names: Sequence[Any] | None
    names: tuple[str, ...]

    @cached_property
    def titles(self) -> list[str]:
        """The features' names as they are shown."""
        return [shown_name(name) for name in self.names]

    @property
    def total_weight(self) -> float:
        """N, or the sum of the weights."""
        return float(len(self.rows) if self.weights is None else self.weights.sum())

    @property
    def has_noise(self) -> bool:
        """Whether there is a background."""
        return self.mixture.background is not None

    def option(self, name: str, default: Any) -> Any:
        """A parameter of the fit."""
        return getattr(self.fit, name, default) if self.fit is not None else default

    def predictor(self) -> GaussianMixture:
        """An estimator of the mixture that knows no names, so that blocks of rows can be handed to it."""
        estimator = GaussianMixture(
            self.mixture.n_components,
            covariance_type=self.mixture.covariance_type,
            engine=self.option("engine", "auto"),
            n_threads=self.option("n_threads", None),
        )
        nothing: list[float] = []
        estimator._set_fitted(
            self.mixture, converged=True, status=Status.CONVERGED, n_iter=0, lower_bounds=nothing,
            lower_bound=-np.inf, n_observations=0.0,
        )  # fmt: skip
        return estimator


def subject_of(model: Any, X: Any, sample_weight: ArrayLike | None, names: Sequence[str] | None) -> Subject:
    """The subject of a report, checked.

    Raises
    ------
    TypeError
        If the model is of a kind that has no report.
    ValueError
        If it is not fitted, or the rows do not fit it.
    """
    mixture = _mixture_of(model)
    if isinstance(X, RowReader) or is_place(X):
        raise TypeError("a report needs the rows in memory: read the files first, or some of them")
    bare = isinstance(model, Mixture)
    free = bare or names is not None  # who gives names has looked which column is which
    checker = GaussianMixture() if free else model
    rows = check_rows(checker, X, reset=free, missing_allowed=True)
    if rows.shape[1] != mixture.n_features:
        raise ValueError(f"the rows have {rows.shape[1]} features, but the model has {mixture.n_features}")
    known = names if names is not None else getattr(checker, "feature_names_in_", None)
    if known is not None and len(known) != mixture.n_features:
        raise ValueError(f"there must be {mixture.n_features} feature names, one a feature; got {len(known)}")
    raise_if_not_finite(rows, None if known is None else np.asarray(known, dtype=object), missing_allowed=True)
    weights = check_weights(sample_weight, rows.shape[0])
    positions = np.arange(rows.shape[0])
    if weights is not None and not weights.all():
        rows, weights, positions = rows[weights > 0], weights[weights > 0], positions[weights > 0]
    fit = getattr(model, "best_estimator_", getattr(model, "estimator_", None if bare else model))
    return Subject(
        model=model,
        mixture=mixture,
        fit=fit if isinstance(fit, FittedMixture) else None,
        choice=model if hasattr(model, "results_") else None,
        rows=rows,
        weights=weights,
        positions=positions,
        row_names=_row_names(X),
        names=tuple(str(name) for name in known) if known is not None else _numbered(mixture.n_features),
    )


def _mixture_of(model: Any) -> Mixture:
    if isinstance(model, Mixture):
        return model
    if isinstance(getattr(model, "mixtures_", None), list):
        raise TypeError(
            f"a report is about one mixture, and {type(model).__name__} has one for each class; "
            "write one for each: write_report(model.mixtures_[i], rows_of_that_class, path)"
        )
    if hasattr(type(model), "mixture_") or hasattr(model, "fit"):
        check_is_fitted(model)
    mixture = getattr(model, "mixture_", None)
    if not isinstance(mixture, Mixture):
        raise TypeError(f"a report needs a fitted mixture; {type(model).__name__} has none")
    return mixture


def _numbered(n_features: int) -> tuple[str, ...]:
    return tuple(f"x{j}" for j in range(n_features))


def _row_names(X: Any) -> Sequence[Any] | None:
    """A pandas index that is not just 0, 1, 2, ..."""
    index = getattr(X, "index", None)
    if index is None or callable(index) or type(index).__name__ == "RangeIndex" or len(index) != len(X):
        return None
    names: Sequence[Any] = index
    return names
