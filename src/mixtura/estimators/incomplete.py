"""Rows with missing values (NaN), as estimators meet them: which they are, their moments, and starts from them."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.engine import Engine, RowOutput, create_engine
from mixtura.estimators.base import raise_if_not_finite
from mixtura.mixture import Mixture
from mixtura.shape import Array
from mixtura.source import ArraySource, Block, Source
from mixtura.standardization import Standardization

__all__ = [
    "UnobservedRowWarning",
    "filled",
    "has_missing",
    "mean_log_jacobian",
    "observed_features",
    "observed_log_density",
    "observed_moments",
    "warn_of_empty_rows",
]


#: Rows that a warning names.
SHOWN = 5


class UnobservedRowWarning(UserWarning):
    """A row has no observed value at all."""


def has_missing(rows: NDArray[Any]) -> bool:
    """Whether any of (N, D) rows has NaN in it; a sum tells where there is none."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isnan(rows.sum())) and bool(np.isnan(rows).any())


def observed_moments(source: Source, names: NDArray[Any] | None) -> tuple[Array, Array]:
    """Mean and variance (D,) of what was observed of each feature.

    Raises
    ------
    ValueError
        If a value is infinite, or a feature was never observed; it is named.
    """
    count = mean = np.zeros(source.n_features)
    for number, total in source.map(partial(_sums, names=names)):
        count, mean = count + number, mean + total
    for column in np.flatnonzero(count == 0):
        label = f"{column}" if names is None else f"{column} ({names[column]!r})"
        raise ValueError(f"feature {label} has no observed value in any row; drop it")
    mean = mean / count
    variance = np.zeros_like(mean)
    for squares in source.map(partial(_squares, mean=mean)):
        variance = variance + squares
    return mean, variance / count


def observed_features(source: Source, names: NDArray[Any] | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which features (D,) have a value in some row, and which miss one in some row.

    Raises
    ------
    ValueError
        If a value is infinite.
    """
    seen, missed = (np.zeros(source.n_features, dtype=bool) for _ in range(2))
    for here, gone in source.map(partial(_seen_and_missed, names=names)):
        np.logical_or(seen, here, out=seen)
        np.logical_or(missed, gone, out=missed)
    return seen, missed


def _seen_and_missed(block: Block, names: NDArray[Any] | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    raise_if_not_finite(block.rows, names, missing_allowed=True, first_row=block.start)
    missing = np.isnan(block.rows)
    return np.asarray(~missing.all(axis=0)), np.asarray(missing.any(axis=0))


def _sums(block: Block, names: NDArray[Any] | None) -> tuple[Array, Array]:
    """Weight and weighted sum (D,) of what a block has of each feature."""
    raise_if_not_finite(block.rows, names, missing_allowed=True, first_row=block.start)
    weights = _weights(block.rows, block.weights)
    return weights.sum(axis=0), (weights * np.nan_to_num(block.rows)).sum(axis=0)


def _squares(block: Block, mean: Array) -> Array:
    """Weighted squares (D,) about the mean."""
    weights = _weights(block.rows, block.weights)
    return np.asarray((weights * np.square(np.nan_to_num(block.rows - mean))).sum(axis=0))


def _weights(rows: NDArray[Any], weights: Array | None) -> Array:
    """Weight of each cell (n, D): zero where it is missing."""
    seen = ~np.isnan(rows)
    return np.asarray(seen * (1.0 if weights is None else weights[:, None]), dtype=np.float64)


def filled(rows: Array) -> Array:
    """Rows with each missing value drawn from the feature's observed ones: good enough to start from."""
    flags = np.isnan(rows)
    if not flags.any():
        return rows
    rng = np.random.RandomState(0)
    whole = rows.copy()
    for column in np.flatnonzero(flags.any(axis=0)):
        missing = flags[:, column]
        donors = np.sort(rows[~missing, column]) if not missing.all() else np.zeros(1)
        whole[missing, column] = donors[rng.randint(0, donors.size, int(missing.sum()))]
    return whole


def observed_log_density(mixture: Mixture, rows: NDArray[Any], engine: str, n_threads: int | None) -> Array:
    """Log density (N,) of what was observed of rows; 0 where that is nothing."""
    to = Standardization.of_mixture(mixture)
    over = create_engine(engine, ArraySource(rows, incomplete=True), to, n_threads)
    values = over.map_rows(to.forward(mixture).forms, RowOutput.LOG_DENSITY)
    return np.asarray(values - getattr(over, "log_jacobian"))  # noqa: B009


def mean_log_jacobian(engine: Engine, standardization: Standardization, source: Source) -> float:
    """By how much the mean log likelihood per row differs between the data's units and standardised ones."""
    if not source.incomplete:
        return standardization.log_jacobian
    return float(engine.total_log_jacobian() / source.total_weight)  # type: ignore[attr-defined]


def warn_of_empty_rows(rows: NDArray[Any] | Source, stacklevel: int) -> None:
    """Say which rows have no observed value: they are given the prior weights, and log density 0."""
    source = ArraySource(rows) if isinstance(rows, np.ndarray) else rows
    number = 0
    first: list[int] = []
    for empty in source.map(_empty):
        number += empty.size
        first += empty[: SHOWN - len(first)].tolist()
    if number:
        some = ", ".join(map(str, first)) + (", ..." if number > SHOWN else "")
        warnings.warn(
            f"{number} rows have no observed value (row {some}); they have log density 0, and the mixing "
            "proportions as their probabilities",
            UnobservedRowWarning,
            stacklevel=stacklevel + 1,
        )


def _empty(block: Block) -> NDArray[np.intp]:
    """Rows of a block of which nothing was observed."""
    return np.flatnonzero(np.isnan(block.rows).all(axis=1)) + block.start
