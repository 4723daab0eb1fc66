"""A value for every row, of rows in memory or not: what predictions and scores are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.engine import RowOutput, create_engine
from mixtura.estimators.base import (
    NotFiniteError,
    check_is_fitted,
    check_rows,
    check_weights,
    clone,
    inspect_block,
    raise_if_not_finite,
)
from mixtura.estimators.incomplete import has_missing, warn_of_empty_rows
from mixtura.estimators.opening import WEIGHTS_ARE_A_COLUMN, is_lazy, reader_of
from mixtura.shape import Array
from mixtura.source import ArraySource
from mixtura.standardization import Standardization

__all__ = ["log_density", "mapped", "of_rows", "pieces_of", "total_log_density"]


def mapped(estimator: Any, X: Any, output: RowOutput) -> NDArray[Any]:
    """A value for each row, computed in the fitted mixture's own coordinates."""
    check_is_fitted(estimator)
    if is_lazy(X):
        return _lazily(estimator, X, output)
    reader = reader_of(estimator, X, fitted=True)
    if reader is None:
        return _mapped(estimator, check_rows(estimator, X, reset=False, missing_allowed=True), output)
    pieces = [_mapped(estimator, rows, output) for rows, _ in reader]
    if not pieces:
        raise ValueError(f"{reader.label}: there are no rows of data")
    return np.concatenate(pieces)


def log_density(estimator: Any, rows: NDArray[Any]) -> Array:
    """Log density (n,) of checked rows."""
    return _mapped(estimator, rows, RowOutput.LOG_DENSITY)


def of_rows(
    estimator: Any, X: Any, function: Callable[[NDArray[Any]], NDArray[Any]], axis: int = 0
) -> NDArray[Any]:
    """What a function says of rows (n, D) that were checked; of a file a piece at a time, joined along an axis."""
    pieces = [function(rows) for rows in pieces_of(estimator, X)]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=axis)


def pieces_of(estimator: Any, X: Any) -> Iterator[NDArray[Any]]:
    """Checked rows: all that are in memory, or a piece of a file at a time."""
    reader = reader_of(estimator, X, fitted=True)
    if reader is None:
        rows = check_rows(estimator, X, reset=False, missing_allowed=True)
        raise_if_not_finite(rows, getattr(estimator, "feature_names_in_", None), missing_allowed=True)
        yield rows
        return
    some = False
    for rows, _ in reader:
        some = True
        yield rows
    if not some:
        raise ValueError(f"{reader.label}: there are no rows of data")


def total_log_density(estimator: Any, X: Any, sample_weight: ArrayLike | None) -> tuple[float, float]:
    """Weighted sum of the rows' log densities, and of their weights."""
    check_is_fitted(estimator)
    if is_lazy(X):
        from mixtura.engine.dask_rows import weighted_sums

        return weighted_sums(_lazily(estimator, X, RowOutput.LOG_DENSITY), sample_weight)
    reader = reader_of(estimator, X, fitted=True)
    if reader is None:
        rows = check_rows(estimator, X, reset=False, missing_allowed=True)
        return _sums(log_density(estimator, rows), check_weights(sample_weight, rows.shape[0]))
    if sample_weight is not None:
        raise ValueError(WEIGHTS_ARE_A_COLUMN)
    total, count = 0.0, 0.0
    for rows, weights in reader:
        one, number = _sums(_mapped(estimator, rows, RowOutput.LOG_DENSITY), weights)
        total, count = total + one, count + number
    if count == 0:
        raise ValueError(f"{reader.label}: there are no rows of data of positive weight")
    return total, count


def _sums(log_density: Array, weights: Array | None) -> tuple[float, float]:
    if weights is None:
        return float(log_density.sum()), float(log_density.shape[0])
    return float(weights @ log_density), float(weights.sum())


def _lazily(estimator: Any, X: Any, output: RowOutput) -> Any:
    """The same as a dask array that is computed when it is asked for, on the workers."""
    from mixtura.engine.dask_rows import names_of, row_blocks

    names, known = names_of(X), getattr(estimator, "feature_names_in_", None)
    if names is not None and known is not None:
        X = X[[str(name) for name in known]]  # dask names the column that is not there
    alone = clone(estimator).set_params(n_threads=1)  # a worker's other threads have other blocks
    alone.mixture_, alone.n_features_in_ = estimator.mixture_, estimator.n_features_in_
    if X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting {estimator.n_features_in_} "
            "features as input"
        )
    mixture = estimator.mixture_
    width = mixture.n_components + (mixture.background is not None) if output is RowOutput.RESPONSIBILITIES else None
    kind = np.int64 if output is RowOutput.LABELS else np.float64
    return row_blocks(X, partial(_of_block, estimator=alone, output=output), width, kind)


def _of_block(rows: NDArray[Any], estimator: Any, output: RowOutput) -> NDArray[Any]:
    kind = np.float32 if rows.dtype == np.float32 else np.float64
    return _mapped(estimator, np.ascontiguousarray(rows, dtype=kind), output)


def _mapped(estimator: Any, rows: NDArray[Any], output: RowOutput) -> NDArray[Any]:
    standardization = Standardization.of_mixture(estimator.mixture_)
    engine = create_engine(estimator.engine, ArraySource(rows), standardization, estimator.n_threads)
    forms = standardization.forward(estimator.mixture_).forms
    try:
        values = engine.map_rows(forms, output, inspect_block)
    except NotFiniteError:
        raise_if_not_finite(rows, getattr(estimator, "feature_names_in_", None), missing_allowed=True)
        warn_of_empty_rows(rows, stacklevel=4)
        source = ArraySource(rows, incomplete=has_missing(rows))
        engine = create_engine(estimator.engine, source, standardization, estimator.n_threads)
        values = engine.map_rows(forms, output)
    if output is RowOutput.LABELS:
        values[values == estimator.mixture_.n_components] = -1  # noise
    if output is not RowOutput.LOG_DENSITY:
        return values
    return values - getattr(engine, "log_jacobian", standardization.log_jacobian)
