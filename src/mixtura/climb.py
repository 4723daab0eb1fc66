"""Whole runs of EM in one native call each, where the rows are few; `em.run` does the rest.

On small data an iteration of `em.run` is all Python: its kernel takes microseconds.
The native climb is the same state machine, M-step and acceleration in C++, with
the constants that stand in the Python modules; the Python loop is its oracle
(tests/laws/test_climb.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from itertools import chain, islice
from threading import Event
from typing import Any

import numpy as np

from mixtura import acceleration, em, mstep
from mixtura.em import EMOptions, Status, Trajectory
from mixtura.engine.engine import Engine
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import Shape
from mixtura.suffstats import SufficientStats

__all__ = ["run", "run_each"]

#: Multiplications after which a climb returns to Python, which looks for Ctrl-C: some hundredths of a second.
CALL_WORK = 100_000_000

#: With more features, LAPACK's M-step is faster than one written for small matrices.
MAX_FEATURES = 32

STATUSES = (Status.RUNNING, Status.CONVERGED, Status.MAX_ITERATIONS)
FAILED = 3

#: Passes that a run may be expected to make, where the question is whether a second thread is worth its start.
USUAL_PASSES = 10

#: Runs side by side that are counted on to keep all threads busy.
MOST_SIDE_BY_SIDE = 8


@dataclass(eq=False)
class _Reached:
    """Where a native run stands. It knows its trajectory's start and not the trajectory, which holds it."""

    start: Mixture
    mstep: MStep
    native: Any
    total_weight: float

    def mixture(self) -> Mixture:
        """The best parameters."""
        if self.native.passes == 1:
            return self.start
        weights, means, covariances = self.native.mixture()
        return Mixture(weights, means, covariances, self.mstep.covariance_type, self.mstep.equal_weights)

    def statistics(self) -> SufficientStats:
        """The E-step's result there."""
        count, first, second, reference, log_likelihood = self.native.statistics()
        return SufficientStats(count, first, second, reference, log_likelihood, self.total_weight, self.start.shape)

    def thinnest(self, few: float) -> float:
        """Of components with fewer rows, the least variance in any direction, of the components' average there."""
        return float(self.native.thinnest(few))


@dataclass(eq=False)
class _Climb:
    """A trajectory and the native run that fills it."""

    trajectory: Trajectory
    native: Any
    products: int  # in a pass
    total_weight: float

    @property
    def running(self) -> bool:
        return bool(self.native.status == 0)

    def settle(self) -> None:
        """Make the trajectory look as if Python had run it this far; leave it as it was if the climb failed."""
        status, history, gap, collapsed = self.native.course()
        if status == FAILED:
            self.trajectory.reset()
        if status == FAILED or not history:
            return
        flags = None if collapsed is None else np.array(collapsed)
        one = self.trajectory
        reached = _Reached(one.start, one.mstep, self.native, self.total_weight)
        one.take(reached, STATUSES[status], history, gap, flags)


def run(
    engine: Engine,
    trajectories: Sequence[Trajectory],
    on_pass: Callable[[Sequence[Trajectory]], None] | None = None,
) -> None:
    """Run EM on all trajectories until each has ended, natively where that is faster.

    The result does not depend on the number of threads, which share the runs
    among them, nor on whether progress is asked for.

    Parameters
    ----------
    engine : Engine
    trajectories : sequence of Trajectory
        Of any covariance models.
    on_pass : callable, optional
        Called after each pass. A KeyboardInterrupt ends the runs and is raised
        again with every trajectory in a sound state.
    """
    if on_pass is None:
        run_each((engine, one) for one in trajectories)
        return
    settings = _Settings(engine, len(trajectories))
    climbs = [climb for one in trajectories if (climb := settings.climb(one)) is not None]
    try:
        _run_in_step(climbs, lambda: on_pass(trajectories))
    except KeyboardInterrupt:
        _interrupt(trajectories, climbs)
        raise
    for _, group in _still_running((engine, one) for one in trajectories):
        em.run(engine, group, lambda _: on_pass(trajectories))


def run_each(runs: Iterable[tuple[Engine, Trajectory]]) -> None:
    """Run each trajectory on its engine to its end; the first of them while the others are still being made.

    Parameters
    ----------
    runs : iterable of (Engine, Trajectory)
        May be a generator that takes its time: native runs do not wait for it.

    Raises
    ------
    KeyboardInterrupt
        With every trajectory that was made in a sound state.
    """
    coming = iter(runs)
    first = list(islice(coming, MOST_SIDE_BY_SIDE))
    settings: dict[Engine, _Settings] = {}
    all_runs: list[tuple[Engine, Trajectory]] = []
    crowd = _Crowd()
    try:
        for engine, one in chain(first, coming):
            all_runs.append((engine, one))
            if engine not in settings:
                settings[engine] = _Settings(engine, len(first))
            if (climb := settings[engine].climb(one)) is not None:
                crowd.add(engine, climb)
        crowd.finish()
    except BaseException as error:
        crowd.abandon()
        if isinstance(error, KeyboardInterrupt):
            _interrupt([one for _, one in all_runs], crowd.climbs)
        raise
    for engine, group in _still_running(all_runs):
        em.run(engine, group)


def _interrupt(trajectories: Iterable[Trajectory], climbs: Iterable[_Climb]) -> None:
    """Leave every trajectory where it has got."""
    for climb in climbs:
        climb.settle()
    for one in trajectories:
        one.status = Status.INTERRUPTED if one.status is Status.RUNNING else one.status


class _Settings:
    """What native runs on one engine are given: the rows, and settings that most runs of a search share."""

    def __init__(self, engine: Engine, n_runs: int = 1) -> None:
        self._offer = getattr(engine, "ground", None)
        self._n_runs = min(n_runs, MOST_SIDE_BY_SIDE)
        self._native: dict[tuple[Any, ...], Any] = {}  # native settings: most M-steps have the same
        self._known: dict[tuple[int, int], tuple[MStep, EMOptions, Any | None]] = {}

    def climb(self, one: Trajectory) -> _Climb | None:
        """The native run from a trajectory's start; None where Python has to do it."""
        start = one.start
        n_components, n_features = start.means.shape
        if one.history or one.status is not Status.RUNNING or type(one) is not Trajectory:
            return None
        if n_features > MAX_FEATURES or start.background is not None:
            return None
        products = start.covariances.size + 20 * n_components
        ground = None if self._offer is None else self._offer(products, self._n_runs)
        settings = None if ground is None else self._of(one)
        if ground is None or settings is None:
            return None
        native = _compiled().Climb(ground, settings, start.weights, start.means, start.covariances)
        return _Climb(one, native, products * ground.n_rows, ground.total_weight)

    def _of(self, one: Trajectory) -> Any | None:
        """Settings of a trajectory; None where the climb does not know its M-step or covariance model."""
        key = (id(one.mstep), id(one.options))  # both are frozen, and kept here so that their ids are not used again
        if key not in self._known:
            self._known[key] = (one.mstep, one.options, self._settings(one.mstep, one.options))
        return self._known[key][2]

    def _settings(self, step: MStep, options: EMOptions) -> Any | None:
        plain = all(getattr(step, name) == default for name, default in _unknown())
        model = step.model.name
        if type(step) is not MStep or not plain or model not in _compiled().covariance_models():
            return None
        values = (model, step.floor, options.tol, options.max_iter, options.accelerate, step.equal_weights)
        if values not in self._native:
            self._native[values] = _compiled().Settings(*values, _constants())
        return self._native[values]


@lru_cache(maxsize=1)
def _compiled() -> Any:
    """The compiled module, which is there wherever an engine offers its ground."""
    from mixtura import _native

    return _native


@lru_cache(maxsize=1)
def _unknown() -> list[tuple[str, Any]]:
    """Parameters of an M-step that the climb does not know, which have to be at their defaults."""
    known = ("covariance_type", "floor", "equal_weights")
    return [(field.name, field.default) for field in fields(MStep) if field.name not in known]


def _constants() -> tuple[float | int, ...]:
    """The numbers that both loops obey, in the order of ClimbConstants in climb.hpp."""
    from mixtura.engine.native import ERROR_TOLERANCE

    return (
        em.ROUNDING,
        acceleration.STEP_FACTOR,
        mstep.NEGLIGIBLE_SHARE,
        ERROR_TOLERANCE,
        em.PLAIN_START,
        em.CONFIRMING_STEPS,
        acceleration.HALVINGS,
        mstep.ROUNDING,
        mstep.AT_THE_FLOOR,
    )


class _Crowd:
    """Native runs that an engine's threads take one after the other, while more are added."""

    def __init__(self) -> None:
        self.climbs: list[_Climb] = []
        self._expected = 0  # multiplications
        self._helpers: list[Future[None]] | None = None
        self._stop = Event()

    @cached_property
    def _queue(self) -> Any:
        return _compiled().Climbs()

    def add(self, engine: Any, climb: _Climb) -> None:
        """One more run; the other threads begin as soon as there is enough for them to do."""
        self.climbs.append(climb)
        self._queue.add(climb.native)
        self._expected += climb.products * min(USUAL_PASSES, climb.trajectory.options.max_iter)
        if self._helpers is None and len(self.climbs) > 1:
            self._helpers = engine.helpers(self._drain, self._expected)

    def finish(self) -> None:
        """Run all to their ends."""
        if not self.climbs:
            return
        self._queue.close()
        self._drain()
        for helper in self._helpers or ():
            helper.result()
        for climb in self.climbs:
            climb.settle()

    def abandon(self) -> None:
        """Stop; runs at hand may go on for one call."""
        self._stop.set()
        if self.climbs:
            self._queue.close()
        wait(self._helpers or ())

    def _drain(self) -> None:
        try:
            at = self._queue.take()
            while at >= 0 and not self._stop.is_set():
                at = self._queue.drain(at, CALL_WORK)
        except BaseException:
            self._stop.set()  # the other threads stop within a call too
            raise


def _run_in_step(climbs: Sequence[_Climb], on_pass: Callable[[], None]) -> None:
    """A pass of every run, a word about it, and on to the next."""
    while active := [climb for climb in climbs if climb.running]:
        for climb in active:
            climb.native.advance(1)
            climb.settle()
        on_pass()


def _still_running(runs: Iterable[tuple[Engine, Trajectory]]) -> Iterator[tuple[Engine, list[Trajectory]]]:
    """What is left to Python, apart by engine and shape: a pass serves mixtures of one shape."""
    groups: dict[tuple[Engine, Shape], list[Trajectory]] = {}
    for engine, one in runs:
        if one.status is Status.RUNNING:
            groups.setdefault((engine, one.start.shape), []).append(one)
    return ((engine, group) for (engine, _), group in groups.items())
