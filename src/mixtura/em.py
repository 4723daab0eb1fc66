"""Expectation-maximisation: the only loop in the library.

A run is a small state machine, `Trajectory`, that is given the statistics of a
pass and says where to evaluate next. Several run side by side on one engine:
each pass serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura.acceleration import Squarem
from mixtura.engine.engine import Engine
from mixtura.engine.threads import one_blas_thread
from mixtura.mixture import Mixture
from mixtura.mstep import MStep, Update
from mixtura.quadratic import QuadraticForms
from mixtura.shape import Array
from mixtura.suffstats import SufficientStats

__all__ = ["EMOptions", "End", "Outcome", "Status", "Trajectory", "run"]

#: An extrapolated point may lose this much, relative, to rounding before it counts as worse.
ROUNDING = 1e-13

#: Plain steps before the first extrapolation: far from an optimum EM's own path is the safer one.
PLAIN_START = 5

#: Consecutive plain steps whose increments have to confirm that little is left to gain.
CONFIRMING_STEPS = 3

#: A component at the floor is degenerate if it would fall below this share of it.
THIN = 0.1

#: What a run's snapshot holds beside its history and the state of its acceleration.
STATE = ("start", "mixture", "statistics", "status", "gap", "collapsed", "_proposal", "_extrapolated", "_plain_run")
MADE_WHEN_ASKED = {"mixture": "_mixture", "statistics": "_statistics", "collapsed": "_collapsed"}


class Status(Enum):
    """How a run ended; the values are sentences for users."""

    RUNNING = "EM is still running."
    CONVERGED = "EM converged: the log likelihood that is left to gain is estimated to be below tol."
    MAX_ITERATIONS = (
        "EM stopped at max_iter before it converged; increase max_iter, or tol, "
        "or look whether the model has more components than the data support."
    )
    ONLINE = "The parameters follow a stream of rows, step by step."
    INTERRUPTED = "EM was interrupted; the best parameters so far were kept."


@dataclass(frozen=True)
class EMOptions:
    """When to stop, and whether to accelerate.

    Parameters
    ----------
    tol : float
        Stop when the log likelihood per row that is left to gain is estimated
        to be below this. 0 means never.
    max_iter : int
        Largest number of EM iterations.
    accelerate : bool
    """

    tol: float = 1e-6
    max_iter: int = 1000
    accelerate: bool = True


class Outcome(Protocol):
    """Where a run that was made elsewhere stands; asked only for what is wanted."""

    def mixture(self) -> Mixture:
        """The best parameters."""

    def statistics(self) -> SufficientStats:
        """The E-step's result there."""

    def state(self) -> Array:
        """All that decides what comes next, as numbers; none where it has ended."""

    def thinnest(self, few: float) -> float:
        """Of components with fewer rows, the least variance in any direction, of the components' average there."""

    def degenerate(self, floor: float) -> bool | None:
        """Whether a component would shrink below that floor too; None where the run does not know."""


class End(NamedTuple):
    """What tells a good run from a poor one; see `Trajectory` for each."""

    degenerate: bool
    log_likelihood: float
    gap: float


@dataclass(eq=False)
class Trajectory:
    """One run of EM, from its start to where it has got.

    Parameters
    ----------
    start : Mixture
    mstep : MStep
    options : EMOptions

    Attributes
    ----------
    history : list of float
        The objective per row: first of the start, then after each iteration. It is
        the log likelihood, plus the M-step's penalty where there is a prior.
    gap : float
        Estimate of what is left to gain, per row.
    elsewhere : array, optional
        Of a run that is made elsewhere and was restored, all that decides what comes next.
    """

    start: Mixture
    mstep: MStep
    options: EMOptions = field(default_factory=EMOptions)

    def __post_init__(self) -> None:
        self.start = self.mstep.admit(self.start)
        self.reset()

    def reset(self) -> None:
        """Back to the start."""
        self.history: list[float] = []
        self.status = Status.RUNNING
        self.gap = np.inf
        self._extrapolated = False
        self._plain_run = 0
        self.elsewhere: Array | None = None
        self.outcome: Outcome | None = None
        self._mixture: Mixture | None = None
        self._statistics: SufficientStats | None = None
        self._collapsed: NDArray[np.bool_] | None = None
        self._degenerate: tuple[int, bool] | None = None  # as it was at that length of the history

    # A search makes thousands of runs elsewhere (climb.py) and looks closely at few: these are made when asked for.

    @property
    def mixture(self) -> Mixture:
        """The best parameters so far."""
        if self._mixture is None:
            self._mixture = self.start if self.outcome is None else self.outcome.mixture()
        return self._mixture

    @property
    def statistics(self) -> SufficientStats | None:
        """The E-step's result at `mixture`."""
        if self._statistics is None and self.outcome is not None:
            self._statistics = self.outcome.statistics()
        return self._statistics

    @property
    def collapsed(self) -> NDArray[np.bool_]:
        """Components (K,) whose covariance stands at the floor."""
        return np.zeros(self.start.n_components, dtype=bool) if self._collapsed is None else self._collapsed

    @property
    def any_collapsed(self) -> bool:
        """Whether a covariance stands at the floor."""
        return self._collapsed is not None and bool(self._collapsed.any())

    @property
    def degenerate(self) -> bool:
        """Whether a component would go on shrinking if there were no floor; one that is only thin stands at it too."""
        if not self.any_collapsed or (self.outcome is None and self.statistics is None):
            return False
        if self._degenerate is None or self._degenerate[0] != len(self.history):
            self._degenerate = len(self.history), self._shrinks(self.mstep.floor * THIN)
        return self._degenerate[1]

    def _shrinks(self, floor: float) -> bool:
        """Whether the M-step would put a component at a floor that is so much lower."""
        known = None if self.outcome is None else self.outcome.degenerate(floor)
        if known is not None:
            return known
        assert self.statistics is not None
        return bool(replace(self.mstep, floor=floor)(self.statistics, self.mixture).collapsed.any())

    @cached_property
    def _proposal(self) -> Update:
        return Update(self.start, self.collapsed)

    @cached_property
    def _accelerator(self) -> Squarem | None:
        return Squarem() if self.options.accelerate else None

    def take(
        self, outcome: Outcome, status: Status, history: list[float], gap: float, collapsed: NDArray[np.bool_] | None
    ) -> None:
        """Stand where a run made elsewhere has got."""
        self.outcome, self.status, self.history, self.gap = outcome, status, history, gap
        self._mixture, self._statistics, self._collapsed = None, None, collapsed
        self.elsewhere = None

    def snapshot(self) -> dict[str, Any]:
        """All that decides what comes next, in values that later passes leave as they are."""
        if self.outcome is not None and self.status is Status.RUNNING:
            fresh = Trajectory(self.start, self.mstep, self.options)
            fresh.elsewhere = self.outcome.state()
            return fresh.snapshot()
        state = {name: getattr(self, name) for name in STATE}
        accelerator = None if self._accelerator is None else self._accelerator.snapshot()
        return {**state, "history": np.array(self.history), "accelerator": accelerator, "elsewhere": self.elsewhere}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `snapshot`, with the same bits as if there had been no pause."""
        self.outcome, self.elsewhere = None, state["elsewhere"]
        for name in STATE:
            setattr(self, MADE_WHEN_ASKED.get(name, name), state[name])
        self.history = state["history"].tolist()
        if self._accelerator is not None:
            self._accelerator.restore(state["accelerator"])

    @property
    def n_iter(self) -> int:
        """Iterations done: passes after the one that evaluated the start."""
        return max(0, len(self.history) - 1)

    @property
    def log_likelihood(self) -> float:
        """Mean log likelihood per row of `mixture`, with the M-step's penalty: what EM climbs."""
        return self.history[-1] if self.history else -np.inf

    @property
    def end(self) -> End:
        """What tells it from other runs."""
        return End(self.degenerate, self.log_likelihood, self.gap)

    @property
    def forms(self) -> QuadraticForms:
        """Where the next pass has to evaluate."""
        return self._proposal.mixture.forms

    def absorb(self, statistics: SufficientStats) -> None:
        """Take the statistics of a pass at `forms`, and decide what comes next."""
        with one_blas_thread(statistics.second.size):
            self._absorb(statistics)

    def _absorb(self, statistics: SufficientStats) -> None:
        objective = statistics.log_likelihood + self.mstep.penalty(self._proposal.mixture)
        log_likelihood = objective / statistics.total_weight
        slack = ROUNDING * (1.0 + abs(self.log_likelihood)) if self.history else 0.0
        if self._extrapolated and not log_likelihood >= self.log_likelihood - slack:
            self._reject()
        else:
            self._accept(statistics, log_likelihood)
        if self.status is Status.RUNNING and self.n_iter >= self.options.max_iter:
            self.status = Status.MAX_ITERATIONS

    def _accept(self, statistics: SufficientStats, log_likelihood: float) -> None:
        self._mixture, self._collapsed = self._proposal.mixture, self._proposal.collapsed
        self._statistics = statistics
        self.history.append(log_likelihood)
        self._plain_run = 0 if self._extrapolated else self._plain_run + 1
        self.gap = remaining_gain(self.history)
        if self.gap < self.options.tol and self._confirmed:
            self.status = Status.CONVERGED
            return
        self._propose(statistics)

    @property
    def _confirmed(self) -> bool:
        """Whether the estimate of the gap rests on plain EM steps alone.

        Extrapolated steps shrink faster than EM's rate, so that a short one on a
        plateau looks like the end; a few plain ones show the true rate.
        """
        return self._accelerator is None or self._plain_run > CONFIRMING_STEPS

    def _propose(self, statistics: SufficientStats) -> None:
        """Go to the extrapolated statistics' M-step if that is a sound mixture, else to the plain one."""
        target = None if self._accelerator is None else self._accelerator.propose(statistics)
        if target is not None and self._accelerator is not None:
            if len(self.history) > PLAIN_START and self.gap >= self.options.tol:
                update = self.mstep(target, self.mixture)
                if not np.any(update.collapsed & ~self.collapsed):
                    self._proposal, self._extrapolated = update, True
                    return
            self._accelerator.take_plain()
        self._proposal, self._extrapolated = self.mstep(statistics, self.mixture), False

    def _reject(self) -> None:
        """Back to the plain EM step from the best parameters."""
        assert self.statistics is not None and self._accelerator is not None
        self.history.append(self.log_likelihood)
        self._plain_run = 0
        self._accelerator.retreat(self.statistics)
        self._proposal, self._extrapolated = self.mstep(self.statistics, self.mixture), False


def remaining_gain(history: Sequence[float]) -> float:
    """Aitken's estimate of the log likelihood still to gain (Boehning et al. 1994, section 3).

    With increments shrinking by the rate a, the rest of the geometric series is
    ``a / (1 - a)`` times the last increment. The larger of the last two
    estimates counts, because a single small step is often luck.
    """
    if len(history) < 4:
        return np.inf
    floor = 4 * float(np.finfo(np.float64).eps) * (1.0 + abs(history[-1]))
    oldest, before, after = (max(history[i + 1] - history[i], 0.0) for i in (-4, -3, -2))
    if max(oldest, before, after) <= floor:
        return 0.0
    return max(_geometric_rest(oldest, before, floor), _geometric_rest(before, after, floor))


def _geometric_rest(before: float, after: float, floor: float) -> float:
    """Sum of the increments after the second of two, if they go on shrinking at the same rate."""
    if before <= floor:
        return after
    rate = after / before
    return after * rate / (1 - rate) if rate < 1 else np.inf


def run(
    engine: Engine,
    trajectories: Sequence[Trajectory],
    on_pass: Callable[[Sequence[Trajectory]], None] | None = None,
) -> None:
    """Run EM on all trajectories together until each has ended.

    Parameters
    ----------
    engine : Engine
    trajectories : sequence of Trajectory
        Of covariance models of one shape.
    on_pass : callable, optional
        Called after each pass, for progress and checkpoints. A KeyboardInterrupt
        ends the runs and is raised again with every trajectory in a sound state.
    """
    active = [one for one in trajectories if one.status is Status.RUNNING]
    try:
        while active:
            for one, statistics in zip(active, engine.reduce([one.forms for one in active]), strict=True):
                one.absorb(statistics)
            if on_pass is not None:
                on_pass(trajectories)
            active = [one for one in active if one.status is Status.RUNNING]
    except KeyboardInterrupt:
        for one in active:
            one.status = Status.INTERRUPTED
        raise
