"""From checked rows to a fitted mixture: standardise, start, run, and go back to the data's units."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import search
from mixtura.covariance import CovarianceModel
from mixtura.em import EMOptions, Status, Trajectory
from mixtura.engine import create_engine
from mixtura.estimators.base import ConstantFeatureWarning, raise_if_not_finite
from mixtura.estimators.incomplete import (
    mean_log_jacobian,
    observed_moments,
    warn_of_empty_rows,
)
from mixtura.estimators.noise import noise_start
from mixtura.estimators.resuming import best_trajectory
from mixtura.estimators.starting import OnSearch, StartMaker
from mixtura.estimators.tracing import record_trace
from mixtura.fixed import Fixed, complete
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.prior import ConjugatePrior, Prior
from mixtura.quadratic import QuadraticForms
from mixtura.shape import DIAGONAL, SPHERICAL, Array, Shape
from mixtura.source import ArraySource, Block, FileSource, Source
from mixtura.standardization import Standardization
from mixtura.trace import Trace

__all__ = ["Fit", "fit_mixture", "prior_of", "standardize"]

OnPass = Callable[[Sequence[Trajectory]], None]

EPSILON = float(np.finfo(np.float64).eps)

#: Squares of a feature's spread outside this range leave float64.
LARGEST_SPREAD, SMALLEST_SPREAD = 1e150, 1e-150

#: Moments of no more numbers than this, held in this process, are summed here: an engine takes longer to begin.
FEW_NUMBERS = 1 << 12

#: The first pass looks from the first row; if that is this many deviations off, a second looks from the mean.
DISTANT_PIVOT = 100.0


@dataclass(frozen=True, eq=False)
class Fit:
    """What a fit found, in the data's units."""

    mixture: Mixture
    status: Status
    n_iter: int
    lower_bounds: list[float]
    log_likelihood: float  # per row, without the prior
    gap: float
    collapsed: NDArray[np.bool_]
    total_weight: float
    search: search.SearchReport | None
    trace: Trace | None
    standardization: Standardization
    mstep: MStep


def fit_mixture(
    estimator: Any,
    source: Source,
    kept: NDArray[np.bool_] | None,
    previous: Mixture | None,
    on_pass: OnPass | None = None,
    on_search: OnSearch | None = None,
) -> Fit:
    """Fit the mixture that an estimator's parameters describe to a source; ``kept`` says which of all rows it has."""
    if source.n_rows < estimator.n_components:
        raise ValueError(
            f"Expected n_samples >= n_components: {source.n_rows} rows of positive weight cannot hold "
            f"{estimator.n_components} components"
        )
    if source.incomplete:
        warn_of_empty_rows(source, stacklevel=4)
    mstep = MStep(estimator.covariance_type, float(estimator.reg_covar), bool(estimator.equal_weights))
    names = getattr(estimator, "feature_names_in_", None)
    standardization = standardize(source, mstep.model, estimator.engine, names, estimator.n_threads)
    options = EMOptions(float(estimator.tol), int(estimator.max_iter), estimator.algorithm != "em")
    noise = noise_start(
        estimator.noise, source, kept, standardization, mstep.model.unit_free, estimator.n_components, mstep.floor
    )
    if noise is not None:
        standardization = noise.standardization
        mstep = replace(mstep, background=noise.background)
    engine = create_engine(estimator.engine, source, standardization, estimator.n_threads)
    if estimator.prior is not None:
        sound = source if noise is None else noise.clean
        mstep = replace(mstep, prior=prior_of(estimator, sound, standardization, mstep.model.shape))
    held = None
    if getattr(estimator, "fixed", None):
        held = _fixed_parts(estimator, standardization, mstep)
        mstep = replace(mstep, fixed=held.take(held.order))
    maker = StartMaker(estimator, source, standardization, mstep, kept, noise, on_search, held)
    given = None if previous is None else standardization.forward(previous)
    best = best_trajectory(maker, given, engine, options, on_pass)
    shift = mean_log_jacobian(engine, standardization, source)
    mixture, collapsed = standardization.backward(best.mixture), best.collapsed
    if held is not None:
        back = np.argsort(held.order)
        exact = _fixed_parts(estimator, Standardization.identity(source.n_features), mstep)
        mixture, collapsed = exact.place(mixture.take(back)), collapsed[back]
    traced = getattr(estimator, "trace", False)
    return Fit(
        mixture,
        best.status,
        best.n_iter,
        [value - shift for value in best.history[1:]],
        _log_likelihood(best) - shift,
        best.gap,
        collapsed,
        source.total_weight,
        maker.reports[0] if maker.reports else None,
        record_trace(best, maker, engine, shift) if traced else None,
        standardization,
        mstep,
    )


def _log_likelihood(best: Trajectory) -> float:
    """Of the best parameters, per row: without a prior it is the objective."""
    if best.mstep.prior is None:
        return best.log_likelihood
    assert best.statistics is not None
    return best.statistics.log_likelihood / best.statistics.total_weight


def _fixed_parts(estimator: Any, standardization: Standardization, mstep: MStep) -> Fixed:
    """What the estimator holds, in standardised coordinates."""
    if mstep.background is not None:
        raise ValueError("fixed does not go with noise; give a wide component a fixed mean and covariance instead")
    shift, unit, equal = standardization.shift, standardization.scale, mstep.equal_weights
    return complete(estimator.fixed, mstep.model, estimator.n_components, shift, unit, equal_weights=equal)


def prior_of(estimator: Any, source: Source, standardization: Standardization, shape: Shape) -> Prior:
    """The prior that the estimator asks for, in standardised coordinates; its scale is that of the source's rows."""
    mean, covariance = _mean_and_covariance(estimator, source, standardization, shape)
    if np.linalg.eigvalsh(covariance)[0] < estimator.reg_covar:  # as singular as the cells that it should mend
        covariance = np.diag(np.diag(covariance))
    given = ConjugatePrior() if isinstance(estimator.prior, str) else estimator.prior
    prior: Prior = given.complete(
        mean, covariance, estimator.n_components, standardization.shift, standardization.scale
    )
    return prior


def _mean_and_covariance(
    estimator: Any, source: Source, standardization: Standardization, shape: Shape
) -> tuple[Array, Array]:
    """Of all rows together, (D,) and (D, D), the covariance of that shape; of incomplete rows as EM has them."""
    n_features = standardization.shift.size
    engine = create_engine(estimator.engine, source, standardization, estimator.n_threads)
    if source.incomplete:
        start = Mixture(np.ones(1), np.zeros((1, n_features)), np.eye(n_features)[None])
        mixture = search.best_of(engine, [start], MStep("VVV"), EMOptions()).mixture
        spread = shape.compress(mixture.covariances) / (n_features if shape is SPHERICAL else 1)
        return mixture.means[0], shape.dense(spread, 1, n_features)[0]
    nowhere = np.zeros((1, n_features))
    everything = QuadraticForms(np.zeros(1), nowhere, np.zeros(shape.array_shape(1, n_features)), shape)
    statistics = engine.reduce([everything])[0]
    mean, scatter = statistics.mean_and_scatter()
    # a trace, where that is all there is, stands for that many equal variances
    spread = scatter / (statistics.total_weight * (n_features if shape is SPHERICAL else 1))
    return mean[0], shape.dense(spread, 1, n_features)[0]


def standardize(
    source: Source,
    model: CovarianceModel,
    engine: str,
    names: NDArray[Any] | None = None,
    threads: int | None = None,
) -> Standardization:
    """The coordinates of a fit, from one pass over the rows that also finds NaN and infinity.

    Raises
    ------
    ValueError
        If a value is NaN or infinite (its row and column are named), or if the
        square of a feature's spread leaves float64.
    """
    if source.incomplete:
        mean, variance = observed_moments(source, names)
    else:
        mean, variance = _complete_moments(source, engine, names, threads)
    rounding = np.sqrt(variance) <= 16 * EPSILON * np.abs(mean)
    if rounding.any():  # what it leaves of a constant is not a spread
        variance = np.where(rounding, 0.0, variance)
    spread = np.sqrt(variance)
    if not SMALLEST_SPREAD <= spread.min() <= spread.max() <= LARGEST_SPREAD:
        _check_spread(source, spread, names)
    return Standardization.of_moments(mean, variance, model.unit_free)


def _complete_moments(
    source: Source, engine: str, names: NDArray[Any] | None, threads: int | None
) -> tuple[Array, Array]:
    """Mean and variance (D,) of features without missing values."""
    pivot = source.take(slice(0, 1)).rows[0].astype(np.float64)
    mean, variance = _moments(source, pivot, engine, threads)
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        for _ in source.map(partial(_check_finite, names=names)):
            pass
        raise ValueError("the squares of these values overflow float64; divide the features by a constant first")
    if (np.abs(mean - pivot) > DISTANT_PIVOT * np.sqrt(variance)).any():
        mean, variance = _moments(source, mean, engine, threads)
    return mean, variance


def _check_spread(source: Source, spread: Array, names: NDArray[Any] | None) -> None:
    labels = [f"{j}" if names is None else f"{j} ({names[j]!r})" for j in range(spread.size)]
    for j in np.flatnonzero(spread > LARGEST_SPREAD):
        raise ValueError(
            f"feature {labels[j]} spreads over {spread[j]:.3g}, too much to square; divide it by a constant"
        )
    for j in np.flatnonzero(spread < SMALLEST_SPREAD):
        low, high = np.inf, -np.inf
        for least, most in source.map(partial(_range, feature=int(j))):
            low, high = min(low, least), max(high, most)
        if low < high and max(abs(low), abs(high)) < SMALLEST_SPREAD:
            raise ValueError(f"feature {labels[j]} is too small to square; multiply it by a constant")
        warnings.warn(
            f"feature {labels[j]} is constant; it cannot tell components apart and makes every covariance "
            "singular; drop it",
            ConstantFeatureWarning,
            stacklevel=6,
        )


def _check_finite(block: Block, names: NDArray[Any] | None) -> None:
    raise_if_not_finite(block.rows, names, first_row=block.start)


def _range(block: Block, feature: int) -> tuple[float, float]:
    values = block.rows[:, feature]
    return float(np.fmin.reduce(values, initial=np.inf)), float(np.fmax.reduce(values, initial=-np.inf))


def _moments(source: Source, pivot: Array, engine: str, threads: int | None) -> tuple[Array, Array]:
    """Mean and variance (D,) of the features, from sums about the pivot (D,)."""
    with np.errstate(all="ignore"):
        if isinstance(source, ArraySource | FileSource) and source.n_rows * pivot.size <= FEW_NUMBERS:
            count, first, second = map(sum, zip(*source.map(partial(_sums, pivot=pivot)), strict=True))
            away = first / count
            return pivot + away, np.maximum(second / count - away * away, 0.0)
        nowhere = np.zeros((1, pivot.size))
        flat = QuadraticForms(np.zeros(1), nowhere, nowhere, DIAGONAL)
        about_pivot = Standardization(pivot, np.ones(pivot.size))
        statistics = create_engine(engine, source, about_pivot, threads).reduce([flat])[0]
        mean, scatter = statistics.mean_and_scatter()
        return pivot + mean[0], np.maximum(scatter[0] / statistics.count[0], 0.0)


def _sums(block: Block, pivot: Array) -> tuple[float, Array, Array]:
    """A block's weight, and the sums of its rows less the pivot and of their squares."""
    rows = block.rows.astype(np.float64, copy=False) - pivot
    if block.weights is None:
        return float(len(rows)), rows.sum(axis=0), np.square(rows).sum(axis=0)
    return float(block.weights.sum()), block.weights @ rows, block.weights @ np.square(rows)
