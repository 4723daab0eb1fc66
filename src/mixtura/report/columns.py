"""The columns that a report draws: the features that tell components apart best, and two directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.directions import discriminating_directions
from mixtura.mixture import Mixture
from mixtura.report.subject import Subject
from mixtura.shape import Array

__all__ = ["Column", "columns_of", "moments_along", "separation", "values_along"]

#: Features that are drawn; the table of all components has the others as well.
MOST_FEATURES = 12

#: Directions say more than features from this number of features on, and cost too much beyond the other.
LEAST_FOR_DIRECTIONS, MOST_FOR_DIRECTIONS = 3, 64


@dataclass(frozen=True, eq=False)
class Column:
    """An axis of the pictures: the feature `feature`, or where that is -1 the direction ``loading``, both (D,)."""

    name: str
    loading: Array
    feature: int = -1


def separation(mixture: Mixture) -> Array:
    """How much each feature tells components apart (D,): the spread of their means and widths, in its own units.

    For the means it is the share of a feature's variance that lies between components.
    """
    shares = mixture.proportions
    variances = np.einsum("kii->ki", mixture.dense_covariances)
    between = shares @ np.square(mixture.means - shares @ mixture.means)
    within = shares @ variances
    widths = 0.5 * np.log(np.maximum(variances, np.finfo(np.float64).tiny))
    unlike = shares @ np.square(widths - shares @ widths)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(between / (between + within)) + 0.5 * np.minimum(unlike, 1.0)


def columns_of(subject: Subject) -> list[Column]:
    """The columns of a report: features in the order of the data, then directions where they help."""
    mixture = subject.mixture
    ranks = np.argsort(-separation(mixture).round(12), kind="stable")[:MOST_FEATURES]
    unit = np.eye(mixture.n_features)
    columns = [Column(subject.titles[j], unit[j], int(j)) for j in sorted(ranks)]
    if LEAST_FOR_DIRECTIONS <= mixture.n_features <= MOST_FOR_DIRECTIONS and mixture.n_components > 1:
        for number, loading in enumerate(discriminating_directions(mixture).take(2).basis.T, 1):
            columns.append(Column(f"direction {number}", loading))
    return columns


def values_along(columns: list[Column], rows: NDArray[Any], center: Array) -> Array:
    """(n, C) values of (n, D) rows; a direction's are about the center (D,) and missing where any value is."""
    parts = [
        rows[:, column.feature].astype(np.float64) if column.feature >= 0 else (rows - center) @ column.loading
        for column in columns
    ]
    return np.column_stack(parts)


def moments_along(columns: list[Column], mixture: Mixture, center: Array) -> tuple[Array, Array]:
    """Means (K, C) and covariances (K, C, C) of the components."""
    loadings = np.array([column.loading for column in columns])
    origin = np.array([0.0 if column.feature >= 0 else float(center @ column.loading) for column in columns])
    covariances = np.einsum("ci,kij,dj->kcd", loadings, mixture.dense_covariances, loadings, optimize=True)
    return mixture.means @ loadings.T - origin, covariances
