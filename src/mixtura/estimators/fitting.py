"""From checked rows to a fitted mixture: standardise, start, run, and go back to the data's units."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import search
from mixtura.covariance import CovarianceModel, nearest_member
from mixtura.em import EMOptions, Status, Trajectory
from mixtura.engine import create_engine
from mixtura.estimators.base import ConstantFeatureWarning, check_random_state, raise_if_not_finite
from mixtura.estimators.noise import NoiseStart, noise_start
from mixtura.initialization import initializer
from mixtura.initialization.given import responsibilities_from
from mixtura.initialization.k_means import nearest
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.prior import ConjugatePrior, Prior
from mixtura.quadratic import QuadraticForms
from mixtura.shape import DIAGONAL, SPHERICAL, Array, Shape
from mixtura.source import ArraySource
from mixtura.standardization import Standardization

__all__ = ["Fit", "fit_mixture", "standardize"]

OnPass = Callable[[Sequence[Trajectory]], None]

#: Squares of a feature's spread outside this range leave float64.
LARGEST_SPREAD, SMALLEST_SPREAD = 1e150, 1e-150

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


def fit_mixture(
    estimator: Any, rows: NDArray[Any], weights: Array | None, previous: Mixture | None, on_pass: OnPass | None
) -> Fit:
    """Fit the mixture that an estimator's parameters describe to (N, D) rows with weights (N,)."""
    kept = None if weights is None else weights > 0
    if weights is not None and kept is not None and not kept.all():
        rows, weights = rows[kept], weights[kept]
    if rows.shape[0] < estimator.n_components:
        raise ValueError(
            f"Expected n_samples >= n_components: {rows.shape[0]} rows of positive weight cannot hold "
            f"{estimator.n_components} components"
        )
    source = ArraySource(rows, weights)
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
        mstep = replace(mstep, prior=_prior(estimator, sound, standardization, mstep.model.shape))
    maker = _StartMaker(estimator, source, standardization, mstep, kept, noise)
    starts = [standardization.forward(previous)] if previous is not None else maker.starts(options)
    best = search.best_of(engine, starts, mstep, options, on_pass)
    shift = standardization.log_jacobian
    assert best.statistics is not None
    return Fit(
        standardization.backward(best.mixture),
        best.status,
        best.n_iter,
        [value - shift for value in best.history[1:]],
        best.statistics.log_likelihood / best.statistics.total_weight - shift,
        best.gap,
        best.collapsed,
        source.total_weight,
    )


def _prior(estimator: Any, source: ArraySource, standardization: Standardization, shape: Shape) -> Prior:
    """The prior that the estimator asks for, in standardised coordinates; its scale is that of the source's rows."""
    n_features = standardization.shift.size
    nowhere = np.zeros((1, n_features))
    everything = QuadraticForms(np.zeros(1), nowhere, np.zeros(shape.array_shape(1, n_features)), shape)
    engine = create_engine(estimator.engine, source, standardization, estimator.n_threads)
    statistics = engine.reduce([everything])[0]
    mean, scatter = statistics.mean_and_scatter()
    # a trace, where that is all there is, stands for that many equal variances
    spread = scatter / (statistics.total_weight * (n_features if shape is SPHERICAL else 1))
    covariance = shape.dense(spread, 1, n_features)[0]
    given = ConjugatePrior() if isinstance(estimator.prior, str) else estimator.prior
    prior: Prior = given.complete(
        mean[0], covariance, estimator.n_components, standardization.shift, standardization.scale
    )
    return prior


def standardize(
    source: ArraySource,
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
    pivot = source.rows[0].astype(np.float64)
    mean, variance = _moments(source, pivot, engine, threads)
    if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(variance))):
        raise_if_not_finite(source.rows, names)
        raise ValueError("the squares of these values overflow float64; divide the features by a constant first")
    if np.any(np.abs(mean - pivot) > DISTANT_PIVOT * np.sqrt(variance)):
        mean, variance = _moments(source, mean, engine, threads)
    # what rounding leaves of a constant is not a spread
    variance = np.where(np.sqrt(variance) <= 16 * np.finfo(np.float64).eps * np.abs(mean), 0.0, variance)
    _check_spread(source, variance, names)
    return Standardization.of_moments(mean, variance, model.unit_free)


def _check_spread(source: ArraySource, variance: Array, names: NDArray[Any] | None) -> None:
    labels = [f"{j}" if names is None else f"{j} ({names[j]!r})" for j in range(variance.size)]
    spread = np.sqrt(variance)
    for j in np.flatnonzero(spread > LARGEST_SPREAD):
        raise ValueError(
            f"feature {labels[j]} spreads over {spread[j]:.3g}, too much to square; divide it by a constant"
        )
    for j in np.flatnonzero(spread < SMALLEST_SPREAD):
        column = source.rows[:, j]
        if np.any(column != column[0]) and np.abs(column).max() < SMALLEST_SPREAD:
            raise ValueError(f"feature {labels[j]} is too small to square; multiply it by a constant")
        warnings.warn(
            f"feature {labels[j]} is constant; it cannot tell components apart and makes every covariance "
            "singular; drop it",
            ConstantFeatureWarning,
            stacklevel=6,
        )


def _moments(source: ArraySource, pivot: Array, engine: str, threads: int | None) -> tuple[Array, Array]:
    """Mean and variance (D,) of the features, as a one-component E-step about the pivot (D,)."""
    n_features = pivot.size
    standardization = Standardization(pivot, np.ones(n_features))
    flat = QuadraticForms(
        np.zeros(1), np.zeros((1, n_features)), np.zeros((1, n_features)), DIAGONAL
    )
    with np.errstate(all="ignore"):
        statistics = create_engine(engine, source, standardization, threads).reduce([flat])[0]
        variance = np.maximum(statistics.scatter()[0] / statistics.count[0], 0.0)
        return pivot + statistics.mean()[0], variance


@dataclass(frozen=True, eq=False)
class _StartMaker:
    """Makes the mixtures, in standardised coordinates, from which EM starts."""

    estimator: Any
    source: ArraySource
    standardization: Standardization
    mstep: MStep
    kept: NDArray[np.bool_] | None
    noise: NoiseStart | None = None

    def starts(self, options: EMOptions) -> list[Mixture]:
        """As many starts as the estimator asks for."""
        estimator = self.estimator
        rng = check_random_state(estimator.random_state)
        given = estimator.init_params
        if callable(given):
            given = given(self.source.rows, estimator.n_components, rng)
        if estimator.means_init is not None:
            return [self._from_parameters(self._near_given_means())]
        if not isinstance(given, str):
            return [self._from_parameters(self._from_partition(given))]
        size = max(search.START_ROWS, search.START_ROWS_PER_COMPONENT * estimator.n_components)
        sample = self._sample(size, rng)
        make = initializer(given)
        n_starts, k = estimator.n_init, estimator.n_components
        warm_up_size = search.warm_up_rows(self.source.n_rows, self._n_parameters())
        if warm_up_size is None:
            starts = search.random_starts(sample, k, n_starts, make, self.mstep, rng)
            return [self._from_parameters(start) for start in starts]
        starts = search.random_starts(sample, k, n_starts * search.SHORT_RUNS, make, self.mstep, rng)
        subsample = self._subsample(warm_up_size, rng)
        engine = create_engine(estimator.engine, subsample, self.standardization, estimator.n_threads)
        starts = [self._from_parameters(start) for start in starts]
        return search.warm_up(engine, starts, n_starts, self.mstep, options)

    def _n_parameters(self) -> int:
        k, d = self.estimator.n_components, self.source.n_features
        return k * (1 + d) + self.mstep.model.n_parameters(k, d)

    def _subsample(self, size: int, rng: np.random.RandomState) -> ArraySource:
        """About that many rows, each at most once, in the order of the data; all of them where there are not more."""
        if self.source.n_rows <= size:
            return self.source
        # drawing with replacement and dropping repeats: a permutation of a million rows takes longer than a pass
        chosen = np.unique(rng.randint(0, self.source.n_rows, size))
        weights = self.source.weights
        return ArraySource(self.source.rows[chosen], None if weights is None else weights[chosen])

    def _sample(self, size: int, rng: np.random.RandomState) -> search.Sample:
        subsample = self._subsample(size, rng) if self.noise is None else self.noise.sample(size)
        return search.canonical_sample(self.standardization.rows(subsample.rows), subsample.weights)

    def _all_rows(self) -> search.Sample:
        weights = self.source.weights
        rows = self.standardization.rows(self.source.rows)
        weights = np.ones(rows.shape[0]) if weights is None else weights
        if self.noise is not None and self.noise.noise is not None:
            weights = np.where(self.noise.noise, 0.0, weights)
        return search.Sample(rows, weights)

    def _from_partition(self, given: Any) -> Mixture:
        n_rows = self.source.n_rows if self.kept is None else self.kept.size
        shares = responsibilities_from(given, n_rows, self.estimator.n_components)
        shares = shares if self.kept is None else shares[self.kept]
        return search.partition_start(self._all_rows(), shares, self.mstep)

    def _near_given_means(self) -> Mixture:
        means = self._given("means_init", (self.estimator.n_components, self.source.n_features))
        scaled = (means - self.standardization.shift) / self.standardization.scale
        sample = self._all_rows()
        labels = nearest(sample.rows, scaled)
        return search.partition_start(sample, np.eye(self.estimator.n_components)[labels], self.mstep)

    def _given(self, name: str, shape: tuple[int, ...]) -> Array:
        array = np.asarray(getattr(self.estimator, name), dtype=np.float64)
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}; got {array.shape}")
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{name} must be finite")
        return array

    def _from_parameters(self, start: Mixture) -> Mixture:
        """A start, with those parameters replaced that the user gave, in the data's units."""
        estimator, shape = self.estimator, self.mstep.model.shape
        if estimator.weights_init is estimator.means_init is estimator.precisions_init is None:
            return start
        raw = self.standardization.backward(start)
        weights, means, covariances = raw.weights, raw.means, raw.covariances
        if estimator.weights_init is not None:
            weights = self._given("weights_init", weights.shape) * (1.0 - raw.noise_weight)
        if estimator.means_init is not None:
            means = self._given("means_init", means.shape)
        if estimator.precisions_init is not None:
            precisions = self._given("precisions_init", covariances.shape)
            covariances = nearest_member(self.mstep.model, weights, shape.invert(precisions), means.shape[1])
        mixture = Mixture.from_parameters(
            weights, means, covariances, estimator.covariance_type, bool(estimator.equal_weights), raw.background
        )
        return self.standardization.forward(mixture)
