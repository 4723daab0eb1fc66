"""A fit's last runs, in a checkpoint if the estimator asks for one: they go on where another process stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import mixtura
from mixtura import climb, search
from mixtura.checkpoint import CheckpointFile, facts_of, fingerprint
from mixtura.em import EMOptions, Trajectory
from mixtura.engine import Engine
from mixtura.estimators.base import check_random_state
from mixtura.estimators.minibatch import approximated
from mixtura.estimators.starting import StartMaker
from mixtura.mixture import Mixture

__all__ = ["best_trajectory"]

OnPass = Callable[[Sequence[Trajectory]], None]

#: Seconds between two checkpoints, and how many times longer than writing one that is at least.
SECONDS = 10.0
LEAST_RATIO = 20.0

#: Parameters that change nothing about the result, or are compared in another way.
NOT_COMPARED = ("n_threads", "verbose", "verbose_interval", "checkpoint", "forget", "random_state", "warm_start")


def best_trajectory(
    maker: StartMaker, given: Mixture | None, engine: Engine, options: EMOptions, on_pass: OnPass | None
) -> Trajectory:
    """The best of the runs from an estimator's starts, each to its end."""
    path = getattr(maker.estimator, "checkpoint", None)
    if path is None:
        return search.best_of(engine, _starts(maker, given, engine, options), maker.mstep, options, on_pass)
    file = CheckpointFile(os.path.realpath(os.fspath(path)), _facts(maker, given, engine))
    file.sweep()
    runs = _Runs(file, maker, options, on_pass)
    runs.begin(engine, given)
    try:
        climb.run(engine, runs.trajectories, runs.after_pass)
    finally:  # also where Ctrl-C ended it: what was last whole is written
        runs.write()
    return max(runs.trajectories, key=search.merit)


def _starts(
    maker: StartMaker,
    given: Mixture | None,
    engine: Engine,
    options: EMOptions,
    rng: np.random.RandomState | None = None,
) -> list[Mixture]:
    """Where the runs begin: the estimator's starts, or what a pass in small batches makes of them."""
    starts = maker.starts(engine, options, given, rng)
    return approximated(maker, starts) if maker.estimator.algorithm == "minibatch" else starts


@dataclass(eq=False)
class _Runs:
    """Trajectories, and what is known of each that a checkpoint can hold."""

    file: CheckpointFile
    maker: StartMaker
    options: EMOptions
    on_pass: OnPass | None
    trajectories: list[Trajectory] = field(default_factory=list)
    _random: dict[str, Any] = field(default_factory=dict)
    _states: list[dict[str, Any]] = field(default_factory=list)
    _due: float = 0.0

    def begin(self, engine: Engine, given: Mixture | None) -> None:
        """Take up the runs of a checkpoint, or make their starts and say so in one."""
        saved = self.file.read()
        rng = _generator(self.maker.estimator, saved)
        if saved is None:
            saved = {"random": {"before": rng.get_state(legacy=False)}, "runs": None}
            self.file.write(saved)
        self._random = saved["random"]
        if saved["runs"] is None:
            starts = _starts(self.maker, given, engine, self.options, rng)
            self.trajectories = [Trajectory(start, self.maker.mstep, self.options) for start in starts]
            self._random = {**self._random, "after": rng.get_state(legacy=False)}
        else:
            rng.set_state(self._random["after"])
            self.maker.reports.extend(saved["searches"])
            for state in saved["runs"]:
                run = Trajectory(state["start"], self.maker.mstep, self.options)
                run.restore(state)
                self.trajectories.append(run)
        self._states = [run.snapshot() for run in self.trajectories]
        if saved["runs"] is None:
            self.write()

    def after_pass(self, trajectories: Sequence[Trajectory]) -> None:
        """Note where the runs are, and write it down now and then."""
        self._states = [run.snapshot() for run in trajectories]
        if time.monotonic() >= self._due:
            self.write()
        if self.on_pass is not None:
            self.on_pass(trajectories)

    def write(self) -> None:
        """Write a checkpoint of what was last noted."""
        began = time.monotonic()
        self.file.write({"random": self._random, "searches": list(self.maker.reports), "runs": self._states})
        ended = time.monotonic()
        self._due = ended + max(SECONDS, LEAST_RATIO * (ended - began))


def _generator(estimator: Any, saved: Any) -> np.random.RandomState:
    """The estimator's random numbers, from where a checkpoint says that the fit began."""
    given = estimator.random_state
    rng: np.random.RandomState = check_random_state(given)
    if saved is not None:
        if given is None:
            rng = np.random.RandomState()  # the global one is not this fit's to set back
        rng.set_state(saved["random"]["before"])
    return rng


def _facts(maker: StartMaker, given: Mixture | None, engine: Engine) -> dict[str, Any]:
    estimator = maker.estimator
    parameters = {
        name: value for name, value in estimator.get_params(deep=False).items() if name not in NOT_COMPARED
    }
    seed = estimator.random_state
    options = {name: facts_of(value) for name, value in parameters.items()}
    options["random_state"] = facts_of(seed) if not isinstance(seed, np.random.RandomState) else "given"
    options["start"] = facts_of(given)
    options["engine used"] = type(engine).__name__
    return {"version": mixtura.__version__, "data": fingerprint(maker.source), "options": options}
