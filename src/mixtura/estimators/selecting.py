"""From checked rows to a fit for every cell of a selection, with the criteria that compare them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import search
from mixtura.covariance import covariance_model
from mixtura.em import EMOptions, Status
from mixtura.engine import RowOutput, create_engine
from mixtura.estep import statistics_of_partition
from mixtura.estimators.base import ConstantFeatureWarning, in_parallel
from mixtura.estimators.fitting import prior_of, standardize
from mixtura.estimators.incomplete import filled, has_missing, mean_log_jacobian
from mixtura.estimators.noise import NoiseStart, noise_start
from mixtura.initialization import initializer
from mixtura.initialization.given import responsibilities_from
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.quadratic import QuadraticForms
from mixtura.sample import START_ROWS, Sample, canonical_sample
from mixtura.selection import Cell, Coordinates, Sweep, spurious
from mixtura.shape import FULL, Array
from mixtura.source import ArraySource, Source, sampled
from mixtura.standardization import Standardization
from mixtura.start import Start

__all__ = ["Candidate", "cross_validate", "fit_cells"]

#: Cuts of these trees are starts, beside random ones: with few components more of these, because there they cost
#: little, and the neighbours have less to give.
TREES = ("hierarchical", "hierarchical_vii", "ward")
RANDOM_STARTS = 7

#: The rows on which a sweep is made, where there are several times as many; all rows decide in the end.
SWEEP_ROWS = 20_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One covariance model with one number of components, as it was fitted.

    Attributes
    ----------
    covariance_type : str
    n_components : int
    n_parameters : int
    mixture : Mixture or None
        In the data's units; None where there is no sound fit.
    log_likelihood, icl_penalty : float
        Totals; NaN without a fit. The penalty is twice the entropy of the classification by the largest probability.
    total_weight : float
    status : Status or None
    n_iter : int
    lower_bounds : list of float
    reason : str
        Why there is no fit; empty where there is one.
    """

    covariance_type: str
    n_components: int
    n_parameters: int
    total_weight: float
    mixture: Mixture | None = None
    log_likelihood: float = float("nan")
    icl_penalty: float = float("nan")
    status: Status | None = None
    n_iter: int = 0
    lower_bounds: Sequence[float] = ()
    reason: str = ""

    @property
    def bic(self) -> float:
        """-2 log L + p log N (Schwarz 1978)."""
        return -2.0 * self.log_likelihood + self.n_parameters * float(np.log(self.total_weight))

    @property
    def aic(self) -> float:
        """-2 log L + 2 p (Akaike 1974)."""
        return -2.0 * self.log_likelihood + 2.0 * self.n_parameters

    @property
    def icl(self) -> float:
        """BIC plus twice the entropy of the classification (Biernacki, Celeux and Govaert 2000)."""
        return self.bic + self.icl_penalty


def fit_cells(
    estimator: Any,
    source: Source,
    cells: Sequence[tuple[str, int]],
    rng: np.random.RandomState,
    progress: Progress | None = None,
) -> list[Candidate]:
    """Fit each (covariance type, number of components) to rows with positive weights."""
    if source.n_rows <= SWEEP_ROWS * search.SUBSAMPLE_RATIO:
        source = source.take(slice(None))
    work = _Work(estimator, source, {key: _ground(estimator, source, key) for key in (True, False)})
    planned = [Cell(work.mstep(name, number), number, work.refusal(number)) for name, number in cells]
    sampled = work.subsample(rng)
    sweep = Sweep(planned, sampled.coordinates, work.options, progress)
    sweep.run(sampled.starts({number for _, number in cells}, rng))
    if sampled is not work:
        sweep.finish(work.coordinates)
    return [work.candidate(cell) for cell in planned]


def cross_validate(
    estimator: Any, source: ArraySource, cells: Sequence[tuple[str, int]], rng: np.random.RandomState
) -> Array:
    """-2 times the log density of each row under fits to the other folds, summed: one value a cell.

    NaN where one of the fits has no finite optimum.
    """
    rows, weights = source.rows, source.weights
    folds = rng.permutation(rows.shape[0]) % estimator.cv
    jobs = [
        (estimator, rows, weights, cells, folds == fold, rng.randint(2**31 - 1)) for fold in range(estimator.cv)
    ]
    return np.asarray(sum(in_parallel(_held_out, jobs, estimator.n_jobs)))


def _held_out(
    estimator: Any,
    rows: NDArray[Any],
    weights: Array | None,
    cells: Sequence[tuple[str, int]],
    held: NDArray[np.bool_],
    seed: int,
) -> Array:
    """-2 times the total log density of the rows that are held out."""
    kept = None if weights is None else weights[~held]
    others = rows[~held]
    fitted = fit_cells(
        estimator, ArraySource(others, kept, has_missing(others)), cells, np.random.RandomState(seed)
    )
    share = np.ones(int(held.sum())) if weights is None else weights[held]
    apart = np.ascontiguousarray(rows[held])
    source = ArraySource(apart, incomplete=has_missing(apart))
    scores = np.full(len(cells), np.nan)
    for place, candidate in enumerate(fitted):
        if candidate.mixture is not None:
            to = Standardization.of_mixture(candidate.mixture)
            engine = create_engine(estimator.engine, source, to, estimator.n_threads)
            density = engine.map_rows(to.forward(candidate.mixture).forms, RowOutput.LOG_DENSITY)
            scores[place] = -2.0 * float(share @ (density - getattr(engine, "log_jacobian", to.log_jacobian)))
    return scores


def _shared(estimator: Any) -> dict[str, Any]:
    """What a prior asks of an estimator."""
    return {name: getattr(estimator, name) for name in ("prior", "reg_covar", "engine", "n_threads")}


def _equal_parts(weights: Array, number: int) -> Array:
    """The partition of sorted rows into parts of equal weight: with one feature, no small part collapses."""
    middle = np.cumsum(weights) - 0.5 * weights
    return np.eye(number)[np.minimum((number * middle / weights.sum()).astype(np.intp), number - 1)]


def _distinct(partitions: Sequence[Array]) -> list[Array]:
    """The responsibilities (n, K) that do not differ in the components' order alone: with few, starts often agree."""
    kept: dict[bytes, Array] = {}
    for partition in partitions:
        kept.setdefault(partition[:, np.lexsort(partition)].tobytes(), partition)
    return list(kept.values())


def _mass(source: ArraySource) -> Array:
    return np.ones(source.n_rows) if source.weights is None else source.weights


def _ground(estimator: Any, source: Source, unit_free: bool) -> _Ground:
    """The coordinates of one kind of model, and what a noise component begins with there."""
    names, threads = getattr(estimator, "feature_names_in_", None), estimator.n_threads
    model = covariance_model("VVV" if unit_free else "VII")
    with warnings.catch_warnings():
        if not unit_free:
            warnings.simplefilter("ignore", ConstantFeatureWarning)  # it was said just now
        to = standardize(source, model, estimator.engine, names, threads)
    noise = noise_start(estimator.noise, source, None, to, unit_free, 1, float(estimator.reg_covar))
    to = to if noise is None else noise.standardization
    return _Ground(Coordinates(to, create_engine(estimator.engine, source, to, threads)), noise)


@dataclass(frozen=True, eq=False)
class _Ground:
    """Coordinates, and the start of a background if there is one."""

    coordinates: Coordinates
    noise: NoiseStart | None


@dataclass(frozen=True, eq=False)
class _Work:
    """The rows of a sweep, the estimator's wishes, and what follows from both."""

    estimator: Any
    source: Source
    grounds: dict[bool, _Ground]

    @property
    def coordinates(self) -> dict[bool, Coordinates]:
        return {key: ground.coordinates for key, ground in self.grounds.items()}

    @property
    def options(self) -> EMOptions:
        estimator = self.estimator
        return EMOptions(float(estimator.tol), int(estimator.max_iter), estimator.algorithm != "em")

    def mstep(self, name: str, number: int) -> MStep:
        """The M-step of a cell."""
        plain = MStep(name, float(self.estimator.reg_covar), bool(self.estimator.equal_weights))
        ground = self.grounds[plain.model.unit_free]
        if ground.noise is not None:
            plain = replace(plain, background=ground.noise.background)
        if self.estimator.prior is None:
            return plain
        wish = SimpleNamespace(n_components=number, **_shared(self.estimator))
        sound = self.source if ground.noise is None else ground.noise.clean
        return replace(plain, prior=prior_of(wish, sound, ground.coordinates.standardization, plain.model.shape))

    def refusal(self, number: int) -> str:
        """Why a number of components cannot be tried; empty where it can."""
        n_rows, distinct = self.source.n_rows, self._n_distinct
        if number > n_rows:
            return f"{n_rows} rows cannot hold {number} components"
        return f"{distinct} distinct rows cannot hold {number} components" if number > distinct else ""

    @cached_property
    def _n_distinct(self) -> int:
        """Distinct rows; of many, all: what is few enough to matter is few enough to sort."""
        if self.source.n_rows > START_ROWS:
            return self.source.n_rows
        rows = self.source.take(slice(None)).rows
        return np.unique(np.nan_to_num(rows) if self.source.incomplete else rows, axis=0).shape[0]

    def subsample(self, rng: np.random.RandomState) -> _Work:
        """The same work on fewer rows; itself where there are not many more."""
        n_rows = self.source.n_rows
        if n_rows <= SWEEP_ROWS * search.SUBSAMPLE_RATIO:
            return self
        source = sampled(self.source, SWEEP_ROWS, rng)
        engine, threads = self.estimator.engine, self.estimator.n_threads
        grounds = {}
        for key, ground in self.grounds.items():
            to = ground.coordinates.standardization
            grounds[key] = _Ground(Coordinates(to, create_engine(engine, source, to, threads)), ground.noise)
        return _Work(self.estimator, source, grounds)

    def starts(self, numbers: set[int], rng: np.random.RandomState) -> Iterator[tuple[int, list[Start]]]:
        """Starts of each number of components in turn, from partitions of a sample of the rows."""
        possible = [number for number in sorted(numbers) if not self.refusal(number)]
        given = self.estimator.init_params
        if callable(given):
            yield from ((number, [self._given_start(given, number, rng)]) for number in possible)
            return
        sample, automatic = self._sample(rng), self.estimator.n_init == "auto"
        trees = [initializer(name) for name in TREES] if automatic else []
        for number in possible:
            times = max(1, RANDOM_STARTS - number) if automatic else self.estimator.n_init
            makers = [*trees, *[initializer(given)] * times] if number > 1 else [initializer(given)]
            partitions = [make(sample.rows, sample.weights, number, rng) for make in makers]
            if automatic and self.source.n_features == 1:
                partitions.append(_equal_parts(sample.weights, number))
            yield number, [self._start(sample, partition) for partition in _distinct(partitions)]

    def _given_start(self, given: Callable[..., Any], number: int, rng: np.random.RandomState) -> Start:
        source = self.source.take(slice(None))
        rows = source.rows
        shares = responsibilities_from(given(rows, number, rng), rows.shape[0], number)
        home = self.coordinates[True].standardization
        return self._start(Sample(filled(home.rows(rows)), _mass(source)), shares)

    def _sample(self, rng: np.random.RandomState) -> Sample:
        """Distinct rows from which starts are made."""
        noise = self.grounds[True].noise
        source = self.source if noise is None else noise.clean
        many = source.n_rows > 2 * START_ROWS
        sample = sampled(source, START_ROWS, rng) if many else source.take(slice(None))
        rows = filled(self.coordinates[True].standardization.rows(sample.rows))
        return canonical_sample(rows, sample.weights)

    def _start(self, sample: Sample, shares: Array) -> Start:
        """A partition's weights, means and covariances."""
        statistics = statistics_of_partition(sample.rows, shares * sample.weights[:, None], FULL)
        mixture = MStep("VVV", float(self.estimator.reg_covar))(statistics).mixture
        return Start(mixture.weights, mixture.means, mixture.covariances)

    def candidate(self, cell: Cell) -> Candidate:
        """What a cell found, in the data's units."""
        name, number = cell.mstep.covariance_type, cell.n_components
        size = self._size(cell)
        total = self.source.total_weight
        best = cell.best
        if best is None or not cell.sound or best.statistics is None:
            return Candidate(name, number, size, total, reason=cell.reason or self._collapse(cell))
        here = self.coordinates[cell.mstep.model.unit_free]
        shift = mean_log_jacobian(here.engine, here.standardization, self.source)
        return Candidate(
            name,
            number,
            size,
            total,
            here.standardization.backward(best.mixture),
            best.statistics.log_likelihood - shift * total,
            -2.0 * self._log_certainty(here, best.mixture.forms),
            best.status,
            len(cell.history),
            [value - shift for value in cell.history],
        )

    def _log_certainty(self, here: Coordinates, forms: QuadraticForms) -> float:
        """Weighted sum of the logarithms of the rows' largest probabilities; of rows not in memory a part at a time."""
        if isinstance(self.source, ArraySource):
            chances = here.engine.map_rows(forms, RowOutput.RESPONSIBILITIES).max(axis=1)
            return float(_mass(self.source) @ np.log(chances))
        total, name, threads = 0.0, self.estimator.engine, self.estimator.n_threads
        for part in self.source.parts():
            engine = create_engine(name, part, here.standardization, threads)
            total += float(_mass(part) @ np.log(engine.map_rows(forms, RowOutput.RESPONSIBILITIES).max(axis=1)))
        return total

    def _size(self, cell: Cell) -> int:
        number, n_features = cell.n_components, self.source.n_features
        weights = 0 if cell.mstep.equal_weights else number - 1
        noise = 0 if cell.mstep.background is None else 2
        return noise + weights + number * n_features + cell.mstep.model.n_parameters(number, n_features)

    def _collapse(self, cell: Cell) -> str:
        """Why a cell that was tried has no sound fit."""
        if cell.best is None:
            return "the log likelihood is not finite from any start"
        thin = spurious(cell.best)
        which = ", ".join(str(k) for k in (np.flatnonzero(cell.best.collapsed) if cell.best.collapsed.any() else thin))
        n_rows, n_features = self.source.n_rows, self.source.n_features
        least = cell.n_components * (n_features + 1)
        few = f"; {n_rows} rows are fewer than D + 1 = {n_features + 1} a component" if n_rows < least else ""
        return f"no finite optimum was found: component {which} collapsed onto too few distinct rows or directions{few}"
