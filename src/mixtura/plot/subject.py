"""Subject: what a display takes from a fitted estimator and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.mixture import Mixture
from mixtura.plot.style import plain
from mixtura.plot.view import names_of, thinned, values_of
from mixtura.shape import Array

__all__ = ["Subject", "mixture_of"]


@dataclass(frozen=True, eq=False)
class Subject:
    """A fitted mixture, the rows that are drawn, and their labels.

    Attributes
    ----------
    mixture : Mixture
    rows : array of shape (n, D)
        float64; NaN where missing.
    labels : array of shape (n,)
        Component, or class; -1 for noise.
    names : list of str
        Of the features.
    groups : tuple of int or None
        The class of each component.
    group_names : tuple of str
    remark : str
        What was left out.
    frame : array or data frame
        The same rows as they were given.
    """

    mixture: Mixture
    rows: Array
    labels: NDArray[Any]
    names: list[str]
    groups: Sequence[int] | None
    group_names: Sequence[str]
    remark: str
    frame: Any

    @classmethod
    def of(cls, estimator: Any, X: Any) -> Subject:
        """What an estimator says of rows; of very many rows, of a sample."""
        X = X if hasattr(X, "shape") else np.asarray(X)
        if len(X.shape) != 2:
            raise ValueError(f"X must have two dimensions, rows and features; got shape {X.shape}")
        frame, remark = thinned(X)
        mixture, groups = mixture_of(estimator)
        labels, group_names = np.asarray(_labels(estimator, frame)), []
        if groups is not None:
            labels = np.searchsorted(estimator.classes_, labels)
            group_names = [plain(f"class {one}") for one in estimator.classes_.tolist()]
        names = names_of(frame, estimator, mixture.n_features)
        return cls(mixture, values_of(frame), labels, names, groups, group_names, remark, frame)


def mixture_of(estimator: Any) -> tuple[Mixture, tuple[int, ...] | None]:
    """The fitted distribution of all rows; and for a classifier, the class of each of its components."""
    if hasattr(estimator, "mixture_"):
        return estimator.mixture_, None
    parts = estimator.mixtures_
    weights = np.concatenate([prior * one.weights for prior, one in zip(estimator.priors_, parts, strict=True)])
    means = np.concatenate([one.means for one in parts])
    covariances = np.concatenate([one.dense_covariances for one in parts])
    owners = tuple(code for code, one in enumerate(parts) for _ in range(one.n_components))
    return Mixture(weights / weights.sum(), means, covariances), owners


def _labels(estimator: Any, X: Any) -> NDArray[Any]:
    """Components of rows; a detector of outliers has them in its mixture's estimator."""
    inner = getattr(estimator, "estimator_", None)
    return np.asarray((estimator if inner is None else inner).predict(X))
