"""Native climbs: what they are given, where they stand, and the threads that take them.

Nothing here decides anything about EM: `climb` hands runs over, src/native/climb.cpp does them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from mixtura import acceleration, em, mstep
from mixtura.em import EMOptions, End, Status, Trajectory
from mixtura.engine.engine import Engine
from mixtura.mixture import Mixture, MixtureStack
from mixtura.mstep import MStep
from mixtura.shape import Array
from mixtura.suffstats import SufficientStats

__all__ = ["Climb", "Crowd", "Settings", "Stack"]

#: Multiplications after which a climb returns to Python, which looks for Ctrl-C: some hundredths of a second.
CALL_WORK = 100_000_000

#: With more features, LAPACK's M-step is faster than one written for small matrices.
MAX_FEATURES = 32

STATUSES = (Status.RUNNING, Status.CONVERGED, Status.MAX_ITERATIONS)
FAILED = 3

#: Seconds that one waits for the other threads before Python looks for Ctrl-C.
PATIENCE = 0.05

#: Passes that a run may be expected to make, where the question is whether a second thread is worth its start.
USUAL_PASSES = 10


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

    def state(self) -> Array:
        """All that decides what comes next."""
        return np.asarray(self.native.state())

    def thinnest(self, few: float) -> float:
        """Of components with fewer rows, the least variance in any direction, of the components' average there."""
        return float(self.native.thinnest(few))

    def degenerate(self, floor: float) -> bool | None:
        """Whether a component would shrink below that floor too."""
        known: bool | None = self.native.degenerate(floor)
        return known


@dataclass(eq=False)
class Climb:
    """A trajectory and the native run that fills it."""

    trajectory: Trajectory
    native: Any
    products: int  # in a pass
    total_weight: float
    held: bool = True  # are the rows in memory

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
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


@dataclass(eq=False)
class Stack(Sequence[Trajectory]):
    """Native runs from a stack of starts."""

    starts: MixtureStack
    mstep: MStep
    options: EMOptions
    ground: Any
    settings: Any
    products: int  # in a pass
    queue: Any = None
    ends: list[End] = field(default_factory=list)

    def ended(self) -> bool:
        """Note how the runs ended; False where one is Python's to do."""
        found = self.queue.ends(self.mstep.floor * em.THIN)
        if found is None:
            return False
        self.ends = list(map(End._make, found))
        return True

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, slice):
            return [self[i] for i in range(*which.indices(len(self)))]
        at = range(len(self))[which]
        one = Trajectory(self.starts[at], self.mstep, self.options)
        Climb(one, self.queue.climb(at), self.products, self.ground.total_weight).settle()
        return one


class Settings:
    """What native runs on one engine are given: the rows, and settings that most runs of a search share."""

    def __init__(self, engine: Engine) -> None:
        self._offer = getattr(engine, "ground", None)
        self._known: dict[tuple[int, int], tuple[MStep, EMOptions, Any | None]] = {}

    def stack(self, starts: Sequence[Mixture], mstep: MStep, options: EMOptions) -> Stack | None:
        """Native runs from several starts; None where Python has to do them."""
        if type(starts) is not MixtureStack and any(one.background is not None for one in starts):
            return None
        products, ground = self._ground(starts[0])
        settings = None if ground is None else self._settings(mstep, options)
        if ground is None or settings is None or not ground.n_rows:
            return None
        return Stack(MixtureStack.of(starts), mstep, options, ground, settings, products * ground.n_rows)

    def _ground(self, start: Mixture) -> tuple[int, Any | None]:
        """Products a row that a pass takes, and the rows, where such a pass is one of compiled code."""
        n_components, n_features = start.means.shape
        products = start.covariances.size + 20 * n_components
        if n_features > MAX_FEATURES or start.background is not None or self._offer is None:
            return products, None
        return products, self._offer(products)

    def climb(self, one: Trajectory) -> Climb | None:
        """The native run from a trajectory's start; None where Python has to do it."""
        start = one.start
        if one.history or one.status is not Status.RUNNING or type(one) is not Trajectory:
            return None
        products, ground = self._ground(start)
        settings = None if ground is None else self._of(one)
        if ground is None or settings is None:
            return None
        native = _compiled().Climb(ground, settings, start.weights[None], start.means[None], start.covariances[None])
        if one.elsewhere is not None:
            native.resume(one.elsewhere)
        return Climb(one, native, products * ground.n_rows, ground.total_weight, ground.n_rows > 0)

    def _of(self, one: Trajectory) -> Any | None:
        """Settings of a trajectory; None where the climb does not know its M-step or covariance model."""
        key = (id(one.mstep), id(one.options))  # both are frozen, and kept here so that their ids are not used again
        if key not in self._known:
            self._known[key] = (one.mstep, one.options, self._settings(one.mstep, one.options))
        return self._known[key][2]

    def _settings(self, step: MStep, options: EMOptions) -> Any | None:
        model = step.model.name
        if type(step) is not MStep or not step.plain or model not in _known_models():
            return None
        values = (model, step.floor, options.tol, options.max_iter, options.accelerate, step.equal_weights)
        return _native_settings(values, _constants())


@lru_cache(maxsize=64)
def _native_settings(values: tuple[Any, ...], constants: tuple[float | int, ...]) -> Any:
    """Most runs have the same."""
    return _compiled().Settings(*values, constants)


@lru_cache(maxsize=1)
def _compiled() -> Any:
    """The compiled module, which is there wherever an engine offers its ground."""
    from mixtura import _native

    return _native


@lru_cache(maxsize=1)
def _known_models() -> frozenset[str]:
    return frozenset(_compiled().covariance_models())


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


class Crowd:
    """Native runs that an engine's threads take one after the other, while more are added."""

    def __init__(self) -> None:
        self.climbs: list[Climb] = []
        self._n_runs = 0
        self._expected = 0  # multiplications
        self._asked = 0  # threads

    @cached_property
    def _queue(self) -> Any:
        return _compiled().Climbs(CALL_WORK)

    def add(self, engine: Any, climb: Climb) -> None:
        """One more run; the other threads begin as soon as there is enough for them to do."""
        self.climbs.append(climb)
        self._n_runs += 1
        self._queue.add(climb.native)
        self._expected += climb.products * min(USUAL_PASSES, climb.trajectory.options.max_iter)
        self._ask(engine)

    def add_all(self, engine: Any, stack: Stack) -> None:
        """Runs from every start of a stack, which is told by its queue how they ended."""
        starts, stack.queue = stack.starts, self._queue
        self._n_runs += len(starts)
        self._queue.add_all(stack.ground, stack.settings, starts.weights, starts.means, starts.covariances)
        self._expected += stack.products * min(USUAL_PASSES, stack.options.max_iter) * len(starts)
        self._ask(engine)

    def _ask(self, engine: Any) -> None:
        helpers = engine.helpers(self._expected, self._n_runs)
        if helpers > self._asked:
            more, self._asked = helpers - self._asked, helpers  # before they come: Ctrl-C may end the call that asks
            self._queue.ask(more)

    def finish(self) -> None:
        """Run all to their ends."""
        if not self._n_runs:
            return
        self._queue.close()
        while self._queue.advance():  # Python looks for Ctrl-C in between
            pass
        self._wait()
        for climb in self.climbs:
            climb.settle()

    def abandon(self) -> None:
        """Stop; runs at hand may go on for one slice."""
        if self._n_runs:
            self._queue.stop()
            self._wait()

    def _wait(self) -> None:
        while self._asked > 0 and not self._queue.left(PATIENCE):
            pass
