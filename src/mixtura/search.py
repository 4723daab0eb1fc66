"""Search: from the data to the mixture that a full EM run ends at.

The policy of ``n_init="auto"``, in order:

1. many short runs from k-means++ seeds, side by side, on a subsample;
2. the best few of them to their optima;
3. moves: one component merged into another and one split elsewhere, which EM
   itself never does (Ueda et al. 2000). Splits and merges are scored one by
   one with short runs; the pairs that promise most are run on, and accepted on
   measured log likelihood only. When the few best pairs fail, every component's
   best pair is tried before the optimum is believed.

Small data are searched as they are, large ones on a subsample, drawn by weight,
whose optimum the data's own run then starts from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from typing import TypeVar

import numpy as np

from mixtura import moves
from mixtura.background import Background
from mixtura.climb import ends_of, run, run_starts
from mixtura.em import EMOptions, End, Trajectory
from mixtura.engine.engine import Engine
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.suffstats import SufficientStats

__all__ = ["Search", "SearchReport", "best_of", "merit"]

Place = TypeVar("Place")  # of a move: a component to split, or two to merge

#: Short runs look at this many rows, or this many per free parameter: enough to tell poor starts from good ones.
COARSE_ROWS = 2_000
COARSE_ROWS_PER_PARAMETER = 4

#: Optima are compared on this many rows, or this many per free parameter; on all rows where there are few more.
FINE_ROWS = 20_000
FINE_ROWS_PER_PARAMETER = 30

#: A subsample pays only where the data are several times larger.
SUBSAMPLE_RATIO = 2

#: Short runs: this many and one a component, up to the second number. Few components have few poor optima.
LEAST_STARTS = 3
MOST_STARTS = 12

#: Their iterations: a run that sets out for a poor optimum mostly shows it in this many.
SHORT_ITERATIONS = 6

#: Short runs that are run on to their optimum.
SURVIVORS = 2

#: With fewer rows than this times D + 1 a component, a better optimum is as often one of the noise: only the best short
#: run goes on, and no moves are made. On 300 rows in a plane with K = 20, they took fifty times as long as the fit.
#: Where it ends in a degenerate component, the others follow and then moves, but only until one ends without.
PLENTY = 20

#: Iterations in which a split shows most of its gain; what a merge loses shows sooner.
SPLIT_ITERATIONS = 6
MERGE_ITERATIONS = 3

#: Pairs of a split and a merge that are tried first, and how long before the best of them go on to their optimum.
NARROW = 6
MOVE_ITERATIONS = 12
MOVE_SURVIVORS = 2

#: A pair is not worth a run if the merge loses this many times what the split gains: on the problems of
#: benchmarks/search.py refinement after a move never made up for more.
HOPELESS = 6.0

#: An optimum is known to this many nats per row while searching; sampling moves it by more on all but small data.
SETTLED = 1e-5
SETTLE_ITERATIONS = 300

#: A move is accepted, and two optima are distinct, from this difference per row on.
DISTINCT = 2e-5

#: Rounds of moves: each accepted one gains at least DISTINCT, so this only bounds the time.
ROUNDS = 20

#: With more components, splits and the cheapest merges are ranked on the rows of short runs, in fewer rounds.
MANY_COMPONENTS = 24
ROUNDS_OF_MANY = 3

#: Moves need dense second moments of every component; with more features they are not tried.
MOVE_FEATURES = 64


def start_count(n_components: int) -> int:
    """How many short runs a search for K components begins with."""
    return min(LEAST_STARTS + n_components, MOST_STARTS)


def coarse_rows(n_rows: int, n_parameters: int) -> int:
    """Rows on which short runs are made."""
    return _subsampled(n_rows, max(COARSE_ROWS, COARSE_ROWS_PER_PARAMETER * n_parameters))


def fine_rows(n_rows: int, n_parameters: int) -> int:
    """Rows on which optima are compared."""
    return _subsampled(n_rows, max(FINE_ROWS, FINE_ROWS_PER_PARAMETER * n_parameters))


def _subsampled(n_rows: int, wanted: int) -> int:
    """As many as are wanted, or all where there are not several times as many."""
    return wanted if wanted * SUBSAMPLE_RATIO <= n_rows else n_rows


def merit(run: Trajectory | End) -> tuple[bool, float]:
    """What makes one run better than another: first no degenerate component, then the log likelihood.

    With a degenerate component, the likelihood says where the floor stands, not
    how well the mixture fits.
    """
    return (not run.degenerate, run.log_likelihood)


def promise(run: Trajectory | End) -> tuple[bool, float]:
    """Merit at the end that a run seems to be heading for."""
    sound, value = merit(run)
    return (sound, value + min(run.gap, 1.0))


def best_of(
    engine: Engine,
    starts: Sequence[Mixture],
    mstep: MStep,
    options: EMOptions,
    on_pass: Callable[[Sequence[Trajectory]], None] | None = None,
) -> Trajectory:
    """Run every start to its end, side by side; the best by `merit`."""
    if on_pass is None:
        runs = run_starts(engine, starts, mstep, options)
        values = [merit(end) for end in ends_of(runs)]
        return runs[values.index(max(values))]
    trajectories = [Trajectory(start, mstep, options) for start in starts]
    run(engine, trajectories, on_pass)
    return max(trajectories, key=merit)


@dataclass(frozen=True)
class SearchReport:
    """What a search tried and found.

    Attributes
    ----------
    n_starts : int
        Short runs.
    n_moves : int
        Pairs of a split and a merge that were tried.
    n_accepted : int
        Moves that led to a better optimum.
    optima : tuple of float
        Mean log likelihood per row of the distinct optima found, best first, on
        the rows that were searched.
    times_reached : tuple of int
        How many runs ended at each of them. An optimum reached once may not be the best there is.
    """

    n_starts: int
    n_moves: int
    n_accepted: int
    optima: tuple[float, ...]
    times_reached: tuple[int, ...]

    def __str__(self) -> str:
        tried = f"{self.n_starts} starts, {self.n_moves} moves tried and {self.n_accepted} accepted"
        if not self.optima:
            return tried
        times = "once" if self.times_reached[0] == 1 else f"{self.times_reached[0]} times"
        optima = "1 optimum" if len(self.optima) == 1 else f"{len(self.optima)} optima"
        return f"{tried}; {optima}, the best, {self.optima[0]:.6f} per row, reached {times}"


@dataclass(eq=False)
class Search:
    """One search for the best mixture of K components.

    Parameters
    ----------
    coarse : Engine
        Over the rows on which short runs are made.
    fine : Engine
        Over the rows on which optima are compared.
    n_rows : float
        Of the data: their total weight.
    mstep : MStep
    options : EMOptions
        Of the run that the search is for; no run of the search is longer.
    on_search : callable, optional
        Called with the report so far whenever optima were reached.
    """

    coarse: Engine
    fine: Engine
    n_rows: float
    mstep: MStep
    options: EMOptions = field(default_factory=EMOptions)
    on_search: Callable[[SearchReport], None] | None = None
    _ends: list[tuple[bool, float]] = field(default_factory=list)
    _noise: Background | None = None
    _n_starts: int = 0
    _n_moves: int = 0
    _n_accepted: int = 0

    def best(self, starts: Sequence[Mixture]) -> Trajectory:
        """The best optimum that short runs from the starts, and moves from there, lead to."""
        self._n_starts += len(starts)
        short = self._short(self.coarse, starts, SHORT_ITERATIONS)
        n_components, n_features = starts[0].means.shape
        plenty = self.n_rows >= PLENTY * n_components * (n_features + 1)
        ranked = _best_first(short, merit)
        tried = SURVIVORS if plenty else 1
        best = self._settle([short[i] for i in ranked[:tried]])
        while not plenty and best.degenerate and tried < len(ranked):  # one that is not will do, be it lower
            ends = [best, self._settle([short[i] for i in ranked[tried : tried + SURVIVORS]])]
            best = ends[_best_first(ends, merit)[0]]
            tried += SURVIVORS
        if n_components == 1 or n_features > MOVE_FEATURES:
            return best
        for _ in range(ROUNDS if n_components <= MANY_COMPONENTS else ROUNDS_OF_MANY):
            moved = self._move(best) if plenty or best.degenerate else None
            if moved is None:
                break
            best = moved
            self._n_accepted += 1
        return best

    @property
    def report(self) -> SearchReport:
        """What was tried so far."""
        optima: list[float] = []
        reached: list[int] = []
        for _, value in sorted(self._ends, reverse=True):
            if optima and abs(optima[-1] - value) < DISTINCT:
                reached[-1] += 1
            else:
                optima.append(value)
                reached.append(1)
        return SearchReport(self._n_starts, self._n_moves, self._n_accepted, tuple(optima), tuple(reached))

    def _short(self, engine: Engine, starts: Sequence[Mixture], n_iterations: int) -> Sequence[Trajectory]:
        options = EMOptions(SETTLED, min(n_iterations, self.options.max_iter), self.options.accelerate)
        return run_starts(engine, starts, self.mstep, options)

    def _settle(self, runs: Sequence[Trajectory]) -> Trajectory:
        """The best of the optima that EM reaches from where these have ended, on the fine rows."""
        settled = self._short(self.fine, [one.mixture for one in runs], SETTLE_ITERATIONS)
        self._ends += [merit(end) for end in ends_of(settled)]
        if self.on_search is not None:
            self.on_search(self.report)
        return settled[_best_first(settled, merit)[0]]

    def _move(self, best: Trajectory) -> Trajectory | None:
        """The optimum that the most promising moves lead to, if it is better."""
        statistics = moves.dense_statistics(self.fine, best.mixture, best.statistics)
        self._noise = best.mixture.background
        pairs = self._ranked_pairs(statistics, best)
        narrow = pairs[:NARROW]
        for batch in (narrow, _spread_out(pairs, set(narrow))):
            if not batch:
                continue
            self._n_moves += len(batch)
            tried = self._short(self.fine, self._starts(_moved(statistics, batch), len(batch)), MOVE_ITERATIONS)
            kept = MOVE_SURVIVORS if batch is narrow else max(MOVE_SURVIVORS, len(tried) // 2)
            end = self._settle([tried[i] for i in _best_first(tried, promise)[:kept]])
            if (merit(end)[0], end.log_likelihood - DISTINCT) > merit(best):
                return end
        return None

    def _ranked_pairs(self, statistics: SufficientStats, best: Trajectory) -> list[tuple[int, int, int]]:
        """(component to split, two components to merge), by what the split gains and the merge loses."""
        k = statistics.count.size
        merges = self.mstep.allowed_merges(moves.cheapest_merges(statistics, min(k, MANY_COMPONENTS)))
        sound, base = merit(best)
        engine = self.fine
        if k > MANY_COMPONENTS:
            engine = self.coarse
            base = self._short(engine, [best.mixture], SPLIT_ITERATIONS)[0].log_likelihood
        split = self._heights(engine, range(k), partial(moves.split, statistics), SPLIT_ITERATIONS)
        merged = self._heights(
            engine, merges, lambda pairs: moves.merge(moves.repeated(statistics, len(pairs)), pairs), MERGE_ITERATIONS
        )
        gain = np.array([height - base if fine or not sound else -np.inf for fine, height in split])
        loss = np.array([base - height for _, height in merged])
        scored = [
            (float(gain[i] - lost), (i, *pair))
            for i in range(k)
            for pair, lost in zip(merges, loss, strict=True)
            if i not in pair or i < self.mstep.n_fixed
            if lost < HOPELESS * gain[i] or not sound  # what a degenerate fit loses is no loss
        ]
        scored.sort(key=lambda item: item[0], reverse=True)
        return [pair for _, pair in scored]

    def _heights(
        self,
        engine: Engine,
        places: Sequence[Place],
        move: Callable[[Sequence[Place]], SufficientStats],
        n_iterations: int,
    ) -> list[tuple[bool, float]]:
        """Whether runs are sound, and their log likelihoods; of a few at a time, since each holds K matrices."""
        batches = (places[i : i + MANY_COMPONENTS] for i in range(0, len(places), MANY_COMPONENTS))
        ends = (ends_of(self._short(engine, self._starts(move(few), len(few)), n_iterations)) for few in batches)
        return [merit(end) for some in ends for end in some]

    def _starts(self, moved: SufficientStats, number: int) -> Sequence[Mixture]:
        return replace(self.mstep, background=self._noise).each(moved, number)


def _moved(statistics: SufficientStats, batch: Sequence[tuple[int, int, int]]) -> SufficientStats:
    """For each (component to split, two components to merge) the statistics after both."""
    halves = moves.split(statistics, [i for i, _, _ in batch])
    return moves.merge(halves, [(first, second) for _, first, second in batch])


def _best_first(runs: Sequence[Trajectory], value: Callable[[End], tuple[bool, float]]) -> list[int]:
    """Places in falling order of value; those that are not distinct in the order given, so rounding does not choose."""
    values = (value(end) for end in ends_of(runs))
    ranks = [(sound, round(height / DISTINCT) if isfinite(height) else height) for sound, height in values]
    return sorted(range(len(ranks)), key=ranks.__getitem__, reverse=True)


def _spread_out(pairs: list[tuple[int, int, int]], done: set[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Of ranked pairs the first with each split and the first with each merge, but for those already done."""
    seen: set[tuple[int, ...]] = set()
    chosen = []
    for pair in pairs:
        if (pair[:1] in seen) and (pair[1:] in seen):
            continue
        seen |= {pair[:1], pair[1:]}
        if pair not in done:
            chosen.append(pair)
    return chosen
