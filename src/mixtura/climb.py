"""Whole runs of EM in native calls, where passes are short; `em.run` does the rest.

There an iteration of `em.run` is mostly Python: its kernel takes microseconds.
The native climb is the same state machine, M-step and acceleration in C++, with
the constants that stand in the Python modules; the Python loop is its oracle
(tests/laws/test_climb.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from mixtura import em
from mixtura.em import EMOptions, End, Status, Trajectory
from mixtura.engine.engine import Engine
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.native_climb import Climb, Crowd, Settings, Stack
from mixtura.shape import Shape

__all__ = ["ends_of", "run", "run_each", "run_starts"]


def run(
    engine: Engine,
    trajectories: Sequence[Trajectory],
    on_pass: Callable[[Sequence[Trajectory]], None] | None = None,
) -> None:
    """Run EM on all trajectories until each has ended, natively where that is faster.

    The result does not depend on the number of threads, which share the runs or
    the blocks of one, nor on whether progress is asked for.

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
    settings = Settings(engine)
    climbs = [climb for one in trajectories if (climb := settings.climb(one)) is not None]
    try:
        _run_in_step(engine, climbs, lambda: on_pass(trajectories))
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
    settings: dict[Engine, Settings] = {}
    all_runs: list[tuple[Engine, Trajectory]] = []
    crowd = Crowd()
    read: dict[Engine, list[Climb]] = {}  # over rows that no memory holds
    try:
        for engine, one in runs:
            all_runs.append((engine, one))
            if engine not in settings:
                settings[engine] = Settings(engine)
            if (climb := settings[engine].climb(one)) is None:
                continue
            if climb.held:
                crowd.add(engine, climb)
            else:
                read.setdefault(engine, []).append(climb)
        crowd.finish()
        for engine, climbs in read.items():
            _run_in_step(engine, climbs)
    except BaseException as error:
        crowd.abandon()
        if isinstance(error, KeyboardInterrupt):
            _interrupt([one for _, one in all_runs], [*crowd.climbs, *chain(*read.values())])
        raise
    for engine, group in _still_running(all_runs):
        em.run(engine, group)


def run_starts(engine: Engine, starts: Sequence[Mixture], mstep: MStep, options: EMOptions) -> Sequence[Trajectory]:
    """Run EM from every start to its end; natively all are one call, and trajectories are made of those looked at.

    Parameters
    ----------
    engine : Engine
    starts : sequence of Mixture
        Of one size.
    mstep : MStep
    options : EMOptions

    Returns
    -------
    sequence of Trajectory
        In the order of the starts. `ends_of` tells them apart without making one.
    """
    stack = Settings(engine).stack(starts, mstep, options)
    if stack is not None:
        crowd = Crowd()
        try:
            crowd.add_all(engine, stack)
            crowd.finish()
        except BaseException:
            crowd.abandon()
            raise
        if stack.ended():
            return stack
    trajectories = [Trajectory(start, mstep, options) for start in starts] if stack is None else stack[:]
    run_each((engine, one) for one in trajectories if one.status is Status.RUNNING)
    return trajectories


def ends_of(runs: Sequence[Trajectory]) -> Sequence[End]:
    """What tells a good run from a poor one, of each of several that have ended."""
    return runs.ends if type(runs) is Stack else [one.end for one in runs]


def _interrupt(trajectories: Iterable[Trajectory], climbs: Iterable[Climb]) -> None:
    """Leave every trajectory where it has got."""
    for climb in climbs:
        climb.settle()
    for one in trajectories:
        one.status = Status.INTERRUPTED if one.status is Status.RUNNING else one.status


def _run_in_step(engine: Any, climbs: Sequence[Climb], on_pass: Callable[[], None] = lambda: None) -> None:
    """A pass of every run, a word about it, and on to the next."""
    while active := [climb for climb in climbs if climb.running]:
        for climb in active:
            if climb.held:
                climb.native.advance(1)
        if read := [climb.native for climb in active if not climb.held]:
            engine.advance(read)
        for climb in active:
            climb.settle()
        on_pass()


def _still_running(runs: Iterable[tuple[Engine, Trajectory]]) -> Iterator[tuple[Engine, list[Trajectory]]]:
    """What is left to Python, apart by engine and shape: a pass serves mixtures of one shape."""
    groups: dict[tuple[Engine, Shape], list[Trajectory]] = {}
    for engine, one in runs:
        if one.status is Status.RUNNING:
            groups.setdefault((engine, one.start.shape), []).append(one)
    return ((engine, group) for (engine, _), group in groups.items())
