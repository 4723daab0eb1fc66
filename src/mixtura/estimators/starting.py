"""The mixtures from which a fit's EM starts: what the estimator's parameters say, or the end of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import search
from mixtura.covariance import nearest_member
from mixtura.em import EMOptions
from mixtura.engine import Engine, create_engine
from mixtura.engine.threads import thread_count
from mixtura.estep import moments_of
from mixtura.estimators.base import check_random_state
from mixtura.estimators.incomplete import filled
from mixtura.estimators.noise import NoiseStart
from mixtura.estimators.tracing import starts_that_lead_to
from mixtura.fixed import Fixed
from mixtura.initialization import DETERMINISTIC, SEEDED, initializer
from mixtura.initialization.given import responsibilities_from
from mixtura.initialization.k_means import nearest
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.sample import (
    START_ROWS,
    START_ROWS_PER_COMPONENT,
    Sample,
    canonical_sample,
    partition_start,
    random_starts,
    seeded_starts,
)
from mixtura.shape import Array
from mixtura.source import ArraySource, Block, Source, sampled
from mixtura.standardization import Standardization
from mixtura.suffstats import SufficientStats

__all__ = ["OnSearch", "StartMaker"]

OnSearch = Callable[[search.SearchReport], None]


@dataclass(frozen=True, eq=False)
class StartMaker:
    """Makes the mixtures, in standardised coordinates, from which EM starts."""

    estimator: Any
    source: Source
    standardization: Standardization
    mstep: MStep
    kept: NDArray[np.bool_] | None
    noise: NoiseStart | None = None
    on_search: OnSearch | None = None
    fixed: Fixed | None = None
    reports: list[search.SearchReport] = field(default_factory=list)
    leading: list[Mixture] = field(default_factory=list)  # for a trace: from where EM alone comes to the search's end

    def starts(
        self,
        engine: Engine,
        options: EMOptions,
        previous: Mixture | None = None,
        rng: np.random.RandomState | None = None,
    ) -> list[Mixture]:
        """As many starts as the estimator asks for; the end of a search if it leaves that open.

        In the order of the M-step's components, those with fixed parts first.
        """
        if previous is not None:
            return [self._ordered(previous)]
        rng = check_random_state(self.estimator.random_state) if rng is None else rng
        return [self._ordered(one) for one in self._starts(engine, options, rng)]

    def _ordered(self, start: Mixture) -> Mixture:
        return start if self.fixed is None else start.take(self.fixed.order)

    @property
    def _free(self) -> MStep:
        """The M-step with nothing fixed: what is fixed is put into the starts by the runs."""
        return self.mstep if self.fixed is None else replace(self.mstep, fixed=None)

    def _starts(self, engine: Engine, options: EMOptions, rng: np.random.RandomState) -> list[Mixture]:
        """The same in the user's order."""
        estimator = self.estimator
        given = estimator.init_params
        if callable(given):
            given = given(self._in_memory().rows, estimator.n_components, rng)
        if estimator.means_init is not None:
            return [self._from_parameters(self._near_given_means())]
        if not isinstance(given, str):
            return [self._from_parameters(self._from_partition(given))]
        if estimator.n_init != "auto":
            size = max(START_ROWS, START_ROWS_PER_COMPONENT * estimator.n_components)
            return self._made(self._sample(self._subsample(size, rng)), given, estimator.n_init, rng)
        if estimator.n_components == 1 or not (estimator.weights_init is estimator.precisions_init is None):
            return self._made(self._sample(self._subsample(search.COARSE_ROWS, rng)), given, 1, rng)
        return [self._searched(given, engine, options, rng)]

    def _made(self, sample: Sample, name: str, n_starts: int, rng: np.random.RandomState) -> list[Mixture]:
        """Starts by the initialisation of that name."""
        k = self.estimator.n_components
        starts = random_starts(sample, k, n_starts, initializer(name), self._free, rng)
        return [self._from_parameters(start) for start in self._arranged(starts, sample, rng)]

    def _arranged(
        self, starts: Sequence[Mixture], sample: Sample, rng: np.random.RandomState
    ) -> Sequence[Mixture]:
        """Starts beside fixed parts: near to what their rows have left, or narrow ones anywhere, in turn."""
        fixed = self.fixed
        if fixed is None:
            return starts
        return [
            fixed.scatter(one, sample.rows, sample.weights, rng) if i % 2 else fixed.arrange(one)
            for i, one in enumerate(starts)
        ]

    def _searched(self, name: str, engine: Engine, options: EMOptions, rng: np.random.RandomState) -> Mixture:
        """The best optimum that a search finds; `report` says what it tried."""
        estimator, n_parameters = self.estimator, self._n_parameters()
        fine = self._subsample(search.fine_rows(self.source.n_rows, n_parameters), rng)
        coarse = self._subsample(search.coarse_rows(self.source.n_rows, n_parameters), rng)
        fine_engine = engine if fine is self.source else self._engine(fine)
        coarse_engine = engine if coarse is self.source else self._engine(coarse)
        sample = self._sample(coarse)
        k = estimator.n_components
        n_starts = 1 if name in DETERMINISTIC else search.start_count(k)
        n_starts = n_starts if self.fixed is None else search.MOST_STARTS
        if name in SEEDED:
            n_threads = thread_count(estimator.n_threads)
            starts: Sequence[Mixture] = seeded_starts(sample, k, n_starts, self._free, rng, n_threads)
            starts = self._arranged(starts, sample, rng)
        else:
            starts = self._made(sample, name, n_starts, rng)
        hunt = search.Search(coarse_engine, fine_engine, self.source.total_weight, self.mstep, options, self.on_search)
        starts = starts if self.fixed is None else [self._ordered(start) for start in starts]
        end = hunt.best(starts)
        self.reports.append(hunt.report)
        if getattr(estimator, "trace", False):
            self.leading.extend(starts_that_lead_to(end, starts, fine_engine, self.mstep, options))
        return end.mixture if self.fixed is None else end.mixture.take(np.argsort(self.fixed.order))

    def _engine(self, source: Source) -> Engine:
        return create_engine(self.estimator.engine, source, self.standardization, self.estimator.n_threads)

    def _n_parameters(self) -> int:
        k, d = self.estimator.n_components, self.source.n_features
        return k * (1 + d) + self.mstep.model.n_parameters(k, d)

    def _subsample(self, size: int, rng: np.random.RandomState) -> Source:
        """About that many rows, each at most once, in the order of the data; all of them where there are not more."""
        if self.source.n_rows <= size:
            return self.source.at_hand()
        return sampled(self.source, size, rng)

    def _sample(self, subsample: Source) -> Sample:
        if self.noise is not None:
            subsample = self.noise.sample(subsample.n_rows)
        chosen = subsample.take(slice(None))
        return canonical_sample(filled(self.standardization.rows(chosen.rows)), chosen.weights)

    def _in_memory(self) -> ArraySource:
        return self.source.take(slice(None))

    def _all_rows(self) -> Sample:
        source = self._in_memory()
        weights = source.weights
        rows = filled(self.standardization.rows(source.rows))
        weights = np.ones(rows.shape[0]) if weights is None else weights
        if self.noise is not None and self.noise.noise is not None:
            weights = np.where(self.noise.noise, 0.0, weights)
        return Sample(rows, weights)

    def _from_partition(self, given: Any) -> Mixture:
        n_rows = self.source.n_rows if self.kept is None else self.kept.size
        shares = responsibilities_from(given, n_rows, self.estimator.n_components)
        shares = shares if self.kept is None else shares[self.kept]
        return partition_start(self._all_rows(), shares, self._free)

    def _near_given_means(self) -> Mixture:
        means = self._given("means_init", (self.estimator.n_components, self.source.n_features))
        scaled = (means - self.standardization.shift) / self.standardization.scale
        total = SufficientStats.zero(scaled, self.mstep.model.shape)
        guess = None if self.noise is None else self.noise.noise
        for part in self.source.map(partial(_nearest_rows, about=total, to=self.standardization, noise=guess)):
            total += part
        return self._free(total).mixture

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


def _nearest_rows(
    block: Block, about: SufficientStats, to: Standardization, noise: NDArray[np.bool_] | None
) -> SufficientStats:
    """Statistics of the rows that are nearest to each of some references."""
    rows = filled(to.rows(block.rows))
    weights = np.ones(len(rows)) if block.weights is None else block.weights
    if noise is not None:
        weights = np.where(noise[block.start : block.start + len(rows)], 0.0, weights)
    shares = np.eye(len(about.reference))[nearest(rows, about.reference)] * weights[:, None]
    return moments_of(rows, shares, about.reference, about.shape, 0.0, float(weights.sum()))
