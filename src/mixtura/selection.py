"""Selection: a fit for every covariance model and number of components, each helped by its neighbours.

A cell is one model with one number of components. Cells share their starts, which
are made once for each number of components, and then learn from one another: a
good partition travels to the other models of the same number of components, and
to the next number up by splitting a component, down by merging two. What is kept
is decided by measured log likelihood alone.

What a cell gives is a `Start`, which asks for no pass over the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dsygv

from mixtura.climb import run_each
from mixtura.em import EMOptions, Status, Trajectory
from mixtura.engine.engine import Engine
from mixtura.mstep import MStep
from mixtura.search import merit
from mixtura.shape import Array
from mixtura.standardization import Standardization
from mixtura.start import Start

__all__ = ["Cell", "Coordinates", "Sweep", "spurious"]

#: Iterations after which proposals for one cell are compared: most show by then where they are heading.
SHORT_ITERATIONS = 8

#: Proposals for one cell that are run on to their optimum.
SURVIVORS = 2

#: Two optima are distinct from this difference per row on: runs stop within it, and neighbours learn nothing from less.
DISTINCT = 1e-5

#: A proposal this far per row below what its cell has, after a short run, is not run on.
HOPEFUL = 0.5

#: Rounds in which cells learn from their neighbours: what is good reaches all cells in two or three.
ROUNDS = 3

#: Closest pairs of components that are tried as a merge.
MERGES = 2

#: Models on each side, in the order of their numbers of parameters, to which a cell gives its partition: this many less
#: its number of components, and one at least. With few components runs cost little, and little else helps.
NEIGHBOURS = 6

#: A component is spurious if it holds fewer than this many times D + 1 rows, and its variance in some direction
#: is less than this share of the components' average. No fit of mclust to its reference sets has such a component.
FEW_ROWS = 2
THIN = 1e-5

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Coordinates:
    """A standardisation, and the engine that takes sums in it."""

    standardization: Standardization
    engine: Engine


@dataclass(eq=False)
class Cell:
    """One covariance model with one number of components, and the best run for it so far.

    Attributes
    ----------
    mstep : MStep
    n_components : int
    best : Trajectory or None
    worth : tuple of (bool, float)
        Whether it is sound, and its objective per row.
    reason : str
        Why nothing was tried, if so.
    """

    mstep: MStep
    n_components: int
    reason: str = ""
    best: Trajectory | None = field(default=None, init=False)
    worth: tuple[bool, float] = field(default=(False, -np.inf), init=False)
    _before: list[float] = field(default_factory=list, init=False)

    @cached_property
    def unit_free(self) -> bool:
        """Whether its coordinates are those of unit-free models."""
        return self.mstep.model.unit_free

    @property
    def sound(self) -> bool:
        """Whether there is a fit without degenerate or spurious components."""
        return self.worth[0]

    @property
    def history(self) -> list[float]:
        """Objective per row after each iteration, the short run's among them."""
        return self._before + ([] if self.best is None else self.best.history[1:])

    def take(self, trajectory: Trajectory, worth: tuple[bool, float], before: list[float]) -> bool:
        """Keep a finished run, which went on from one with that history, if it is better; whether it is by much."""
        was_sound, value = self.worth
        if not np.isfinite(worth[1]) or worth <= self.worth:
            return False
        self.best, self.worth, self._before = trajectory, worth, before
        return worth > (was_sound, value + DISTINCT)

    def settle(self) -> None:
        """Judge the run that `go_on` returned, which has ended."""
        if self.best is not None:
            self.worth = _worth(self.best)

    def go_on(self, options: EMOptions) -> Trajectory | None:
        """A run from where the best one ended, which takes its place."""
        if self.best is not None:
            self._before = self.history
            self.best = Trajectory(self.best.mixture, self.mstep, options)
        return self.best


@dataclass(eq=False)
class Sweep:
    """Fits for all cells.

    Parameters
    ----------
    cells : sequence of Cell
    coordinates : mapping of bool to Coordinates
        The data, in the coordinates of unit-free models (True) and of others (False).
    options : EMOptions
        Of the runs that are taken to their end.
    progress : callable, optional
        Called as ``progress(done, total)`` after each step.
    """

    cells: Sequence[Cell]
    coordinates: Mapping[bool, Coordinates]
    options: EMOptions
    progress: Progress | None = None

    def run(self, starts: Iterable[tuple[int, Sequence[Start]]]) -> None:
        """From starts for each number of components, in the unit-free coordinates, to the best fit of each cell."""
        self._report(0)
        made: dict[int, Sequence[Start]] = {}
        fresh = self._compete(self._first(starts, made))
        lost = [cell for cell in self.cells if not cell.reason and not cell.sound]
        fresh |= self._compete((cell, start.widened()) for cell in lost for start in made[cell.n_components])
        for step in range(1, ROUNDS + 1):
            self._report(step)
            fresh = self._compete(self._lessons(fresh))
            if not fresh:
                break
        self._report(ROUNDS + 1)

    def finish(self, coordinates: Mapping[bool, Coordinates]) -> None:
        """Run each cell's best on, to its optimum on other rows: all of them, after a subsample."""
        self.coordinates = coordinates
        run_each((self._engine(cell), one) for cell in self.cells if (one := cell.go_on(self.options)) is not None)
        for cell in self.cells:
            cell.settle()

    def _first(
        self, starts: Iterable[tuple[int, Sequence[Start]]], made: dict[int, Sequence[Start]]
    ) -> Iterator[tuple[Cell, Start]]:
        """Every cell with each start of its number of components, as they come; what came is noted."""
        for number, some in starts:
            made[number] = some
            of_number = (cell for cell in self.cells if cell.n_components == number and not cell.reason)
            yield from ((cell, start) for cell in of_number for start in some)

    def _report(self, step: int) -> None:
        if self.progress is not None:
            self.progress(step, ROUNDS + 1)

    def _compete(self, proposals: Iterable[tuple[Cell, Start]]) -> set[Cell]:
        """Short runs of all proposals, long ones of the best for each cell; the cells that got better."""
        short = replace(self.options, max_iter=min(SHORT_ITERATIONS, self.options.max_iter))
        rivals: dict[Cell, list[Trajectory]] = {}

        def proposed() -> Iterator[tuple[Engine, Trajectory]]:
            for cell, start in proposals:
                one = self._proposed(cell, start, short)
                rivals.setdefault(cell, []).append(one)
                yield self._engine(cell), one

        run_each(proposed())
        ends: list[tuple[Cell, Trajectory, tuple[bool, float], Trajectory | None]] = []

        def continued() -> Iterator[tuple[Engine, Trajectory]]:
            for cell, group in rivals.items():
                for one, worth in _survivors(group):
                    if not _hopeful(cell, one):
                        continue
                    longer = self._continued(one, worth)
                    ends.append((cell, one, worth, longer))
                    if longer is not None:
                        yield self._engine(cell), longer

        run_each(continued())
        fresh = set()
        for cell, one, worth, longer in ends:
            kept = (one, worth, []) if longer is None else (longer, _worth(longer), one.history[1:])
            if cell.take(*kept):
                fresh.add(cell)
        return fresh

    def _continued(self, short: Trajectory, worth: tuple[bool, float]) -> Trajectory | None:
        """The same run, to its end; None where it has ended. One that has collapsed is left: EM does not come back."""
        ended = short.status is not Status.MAX_ITERATIONS or short.n_iter >= self.options.max_iter
        return None if ended or not worth[0] else Trajectory(short.mixture, short.mstep, self.options)

    def _engine(self, cell: Cell) -> Engine:
        return self.coordinates[cell.unit_free].engine

    def _proposed(self, cell: Cell, start: Start, options: EMOptions) -> Trajectory:
        home, here = (self.coordinates[key].standardization for key in (True, cell.unit_free))
        return Trajectory(start.member(cell.mstep, home, here), cell.mstep, options)

    def _lessons(self, fresh: set[Cell]) -> Iterator[tuple[Cell, Start]]:
        """What the neighbours of each cell that got better may learn from it."""
        at = {(cell.mstep.covariance_type, cell.n_components): cell for cell in self.cells if not cell.reason}
        for cell in self.cells:  # in their order: a set has none
            if cell not in fresh or not cell.sound:
                continue
            name, number = cell.mstep.covariance_type, cell.n_components
            start = self._start(cell)
            if number > 1:
                yield from ((at[other, number], start) for other in self._relatives(cell) if (other, number) in at)
            if (name, number + 1) in at:
                yield from ((at[name, number + 1], split) for split in start.splits())
            if (name, number - 1) in at and number > 2:
                yield from ((at[name, number - 1], merged) for merged in start.merges(MERGES))

    def _start(self, cell: Cell) -> Start:
        """Where a cell's best run stands."""
        assert cell.best is not None
        home, here = (self.coordinates[key].standardization for key in (True, cell.mstep.model.unit_free))
        return Start.of(cell.best.mixture, here, home)

    @cached_property
    def _by_size(self) -> dict[int, list[Cell]]:
        """The cells of each number of components in the order of their numbers of parameters."""
        n_features = self.coordinates[True].standardization.scale.size
        ordered = sorted(self.cells, key=lambda one: one.mstep.model.n_parameters(one.n_components, n_features))
        groups: dict[int, list[Cell]] = {}
        for one in ordered:
            groups.setdefault(one.n_components, []).append(one)
        return groups

    def _relatives(self, cell: Cell) -> list[str]:
        """Models next to a cell's in their numbers of parameters, on either side."""
        rivals = self._by_size[cell.n_components]
        place = rivals.index(cell)
        reach = max(1, NEIGHBOURS - cell.n_components)
        near = rivals[max(0, place - reach) : place] + rivals[place + 1 : place + 1 + reach]
        return [one.mstep.covariance_type for one in near]


def _survivors(runs: Sequence[Trajectory]) -> list[tuple[Trajectory, tuple[bool, float]]]:
    """The best few distinct runs and what they are worth, sound ones if there are any."""
    chosen: list[tuple[Trajectory, tuple[bool, float]]] = []
    # a component at the floor may only be thin, but to find out is dear, and the others are as promising
    ranked = sorted(runs, key=lambda one: (not one.any_collapsed, one.log_likelihood), reverse=True)
    for one in ranked:
        if chosen and chosen[-1][0].log_likelihood - one.log_likelihood < DISTINCT:
            continue
        worth = _worth(one)
        if worth[0]:
            chosen.append((one, worth))
        if len(chosen) == SURVIVORS:
            break
    return chosen or [(ranked[0], _worth(ranked[0]))]


def _hopeful(cell: Cell, one: Trajectory) -> bool:
    """Whether a short run may still overtake what its cell has."""
    sound, value = merit(one)
    return cell.best is None or (sound, value + min(one.gap, HOPEFUL)) > cell.worth


def _worth(one: Trajectory) -> tuple[bool, float]:
    """Merit, where spurious components count as degenerate ones."""
    sound, value = merit(one)
    return sound and not _has_spurious(one), value


def _has_spurious(one: Trajectory) -> bool:
    """Whether there are `spurious` components; a run that knows is asked."""
    if one.outcome is None or one.start.n_components == 1:
        return bool(spurious(one).size)
    return one.outcome.thinnest(FEW_ROWS * (one.start.n_features + 1)) < THIN


def spurious(one: Trajectory) -> NDArray[np.intp]:
    """Components of few rows that happen to lie in almost one place, line or plane.

    Such a component is an optimum, but says nothing of where other rows would
    fall (McLachlan and Peel 2000, section 3.10). It shows in one direction in
    which it is far thinner than components are on average.
    """
    mixture = one.mixture
    if one.statistics is None or mixture.n_components == 1:
        return np.empty(0, dtype=np.intp)
    count = one.statistics.count[: mixture.n_components]  # a background comes after the components
    few = np.flatnonzero(count < FEW_ROWS * (mixture.n_features + 1))
    if not few.size:
        return few
    dense = mixture.dense_covariances
    pooled = np.einsum("k,kij->ij", mixture.proportions, dense)
    return few[np.array([_width(dense[k], pooled) for k in few]) < THIN]


def _width(covariance: Array, pooled: Array) -> float:
    """The least variance in any direction, of the pooled one there: the lowest eigenvalue of inv(pooled) covariance."""
    values, _, info = dsygv(covariance, pooled, jobz="N")
    return float(values[0]) if info == 0 else 0.0
