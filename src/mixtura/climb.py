"""Whole runs of EM in one native call each, where the rows are few; `em.run` does the rest.

On small data an iteration of `em.run` is all Python: its kernel takes microseconds.
The native climb is the same state machine, M-step and acceleration in C++, with
the constants that stand in the Python modules; the Python loop is its oracle
(tests/laws/test_climb.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
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

__all__ = ["run"]

#: Multiplications after which a climb returns to Python, which looks for Ctrl-C: some hundredths of a second.
CALL_WORK = 100_000_000

#: With more features, LAPACK's M-step is faster than one written for small matrices.
MAX_FEATURES = 32

STATUSES = (Status.RUNNING, Status.CONVERGED, Status.MAX_ITERATIONS)
FAILED = 3


@dataclass(eq=False)
class _Climb:
    """A trajectory and the native run that fills it."""

    trajectory: Trajectory
    native: Any
    passes: int  # in a call
    total_weight: float

    def __post_init__(self) -> None:
        self._before = self.trajectory.snapshot()

    @property
    def running(self) -> bool:
        return bool(self.native.status == 0)

    def settle(self) -> None:
        """Make the trajectory look as if Python had run it this far; leave it as it was if the climb failed."""
        one, native = self.trajectory, self.native
        if native.status == FAILED:
            one.restore(self._before)
            one.whole = True
        if native.status == FAILED or native.passes == 0:
            return
        status, one.history, one.gap, collapsed = native.course()
        one.status, one.collapsed = STATUSES[status], np.array(collapsed)
        one.whole = one.status is not Status.RUNNING
        if native.passes > 1:  # else it is still the start
            weights, means, covariances = native.mixture()
            one.mixture = Mixture(weights, means, covariances, one.mstep.covariance_type, one.mstep.equal_weights)
        count, first, second, reference, log_likelihood = native.statistics()
        one.statistics = SufficientStats(
            count, first, second, reference, log_likelihood, self.total_weight, one.mixture.shape
        )


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
    settings = _Settings(engine, len(trajectories))
    climbs = [climb for one in trajectories if (climb := settings.climb(one)) is not None]
    try:
        if on_pass is None:
            _run_side_by_side(engine, climbs)
        else:
            _run_in_step(climbs, lambda: on_pass(trajectories))
    except KeyboardInterrupt:
        for climb in climbs:
            climb.settle()
        for one in trajectories:
            one.status = Status.INTERRUPTED if one.status is Status.RUNNING else one.status
        raise
    for group in _by_shape(trajectories):
        em.run(engine, group, None if on_pass is None else lambda _: on_pass(trajectories))


class _Settings:
    """What native runs on one engine are given: the rows, and settings that most runs of a search share."""

    def __init__(self, engine: Engine, n_runs: int = 1) -> None:
        self._offer = getattr(engine, "ground", None)
        self._n_runs = n_runs
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
        from mixtura import _native

        native = _native.Climb(ground, settings, start.weights, start.means, start.covariances)
        return _Climb(one, native, max(1, CALL_WORK // (products * ground.n_rows)), ground.total_weight)

    def _of(self, one: Trajectory) -> Any | None:
        """Settings of a trajectory; None where the climb does not know its M-step or covariance model."""
        key = (id(one.mstep), id(one.options))  # both are frozen, and kept here so that their ids are not used again
        if key not in self._known:
            self._known[key] = (one.mstep, one.options, _settings(one.mstep, one.options))
        return self._known[key][2]


def _settings(step: MStep, options: EMOptions) -> Any | None:
    from mixtura import _native

    known = ("covariance_type", "floor", "equal_weights")
    plain = all(getattr(step, field.name) == field.default for field in fields(step) if field.name not in known)
    model = step.model.name
    if type(step) is not MStep or not plain or model not in _native.covariance_models():
        return None
    return _native.Settings(
        model,
        step.floor,
        options.tol,
        options.max_iter,
        options.accelerate,
        step.equal_weights,
        _constants(),
    )


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


def _run_side_by_side(engine: Any, climbs: Sequence[_Climb]) -> None:
    """Each run to its end, several at a time on the engine's threads."""
    stop = Event()

    def finish(climb: _Climb) -> None:
        try:
            while climb.running and not stop.is_set():
                climb.native.advance(climb.passes)
        except BaseException:
            stop.set()  # the other threads stop within a call too
            raise

    if climbs:
        engine.each(climbs, finish)
    for climb in climbs:
        climb.settle()


def _run_in_step(climbs: Sequence[_Climb], on_pass: Callable[[], None]) -> None:
    """A pass of every run, a word about it, and on to the next."""
    while active := [climb for climb in climbs if climb.running]:
        for climb in active:
            climb.native.advance(1)
            climb.settle()
        on_pass()


def _by_shape(trajectories: Sequence[Trajectory]) -> list[list[Trajectory]]:
    """What is still to be run, apart by shape: a pass serves mixtures of one shape."""
    groups: dict[Shape, list[Trajectory]] = {}
    for one in trajectories:
        if one.status is Status.RUNNING:
            groups.setdefault(one.start.shape, []).append(one)
    return list(groups.values())
