"""Runs from a stack of starts are those of each start by itself, and what is said of their ends is so."""

from __future__ import annotations

import _thread
import signal
from collections.abc import Sequence
from dataclasses import replace
from threading import Timer

import numpy as np
import pytest

from laws.problems import ENGINES, Engines, assert_same_mixture
from laws.test_background import with_background
from laws.test_climb import NATIVE, problem, starts_near
from mixtura import climb, em, native_climb
from mixtura.em import EMOptions, End, Trajectory
from mixtura.engine import native
from mixtura.mixture import MixtureStack
from mixtura.mstep import MStep


def ends(runs: Sequence[Trajectory]) -> Sequence[End]:
    return climb.ends_of(runs)


@pytest.mark.parametrize("data", ["weighted", "collapsing"])
def test_a_stack_of_runs_is_each_by_itself(
    covariance_type: str, engine: Engines, data: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On any number of threads, which share even so little."""
    monkeypatch.setattr(native, "SHARED_WORK", 1)
    rows, weights, k = problem(data, rng)
    to, starts = starts_near(rows, weights, covariance_type, k, 5)
    step, options = MStep(covariance_type, 1e-4), EMOptions(max_iter=9)
    alone = [Trajectory(start, step, options) for start in starts]
    for one in alone:
        climb.run(engine(rows, weights, to), [one])
    for given in (starts, MixtureStack.of(starts)):
        for threads in (1, 2, 7):
            runs = climb.run_starts(engine(rows, weights, to, threads), given, step, options)
            assert len(runs) == 5
            for one, end, expected in zip(runs, ends(runs), alone, strict=True):
                assert one.history == expected.history and one.status is expected.status
                assert_same_mixture(one.mixture, expected.mixture, 0.0)
                assert end == expected.end == one.end
                assert (end.log_likelihood, end.gap) == (expected.history[-1], expected.gap)


def test_what_ends_in_a_degenerate_component_is_said_to(
    covariance_type: str, engine: Engines, rng: np.random.Generator
) -> None:
    """As the M-step of Python says at a lower floor, from the same statistics."""
    rows, weights, k = problem("collapsing", rng)
    to, starts = starts_near(rows, weights, covariance_type, k, 5)
    step = MStep(covariance_type, 1e-4)
    lower = replace(step, floor=step.floor * em.THIN)
    for n_iterations in (3, 40):
        runs = climb.run_starts(engine(rows, weights, to), starts, step, EMOptions(max_iter=n_iterations))
        for one, end in zip(runs, ends(runs), strict=True):
            assert one.statistics is not None
            shrinks = lower(one.statistics, one.mixture).collapsed.any()
            assert end.degenerate == one.degenerate == bool(one.any_collapsed and shrinks)
    assert all(end.degenerate for end in ends(runs)) or not covariance_type.startswith("V"), "volumes that can vanish"


def test_a_stack_can_be_taken_apart() -> None:
    rows, weights, k = problem("iris", np.random.default_rng(0))
    to, starts = starts_near(rows, weights, "VVV", k, 4)
    stack = MixtureStack.of(starts)
    assert MixtureStack.of(stack) is stack and len(stack) == 4
    for one, start in zip(stack, starts, strict=True):
        assert_same_mixture(one, start, 0.0)
    assert len(stack[1:3]) == 2
    assert_same_mixture(stack[1:3][1], starts[2], 0.0)
    runs = climb.run_starts(NATIVE[0](rows, weights, to), stack, MStep("VVV"), EMOptions(max_iter=3))
    assert isinstance(runs, native_climb.Stack)
    assert [one.history for one in runs[1:3]] == [runs[1].history, runs[2].history]
    assert runs[-1].history == runs[3].history


def test_a_stack_that_the_climb_does_not_know_is_left_to_python(rng: np.random.Generator) -> None:
    rows, weights, k = problem("iris", rng)
    to, starts = starts_near(rows, weights, "VVV", k, 2)
    noisy = [with_background(rng, start) for start in starts]
    steps = {"plain": MStep("VVV"), "noisy": MStep("VVV", background=noisy[0].background)}
    options = EMOptions(max_iter=3)
    for engine, given, step in ((ENGINES[0], starts, "plain"), (NATIVE[0], noisy, "noisy")):
        runs = climb.run_starts(engine(rows, weights, to), given, steps[step], options)
        assert isinstance(runs, list) and [one.n_iter for one in runs] == [3, 3]
        assert ends(runs) == [one.end for one in runs]


def test_one_run_that_fails_is_python_to_do_and_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, weights, k = problem("iris", np.random.default_rng(0))
    to, starts = starts_near(rows, weights, "VVV", k, 3)
    engine, options = NATIVE[0](rows, weights, to), EMOptions(max_iter=5)
    whole = list(climb.run_starts(engine, starts, MStep("VVV"), options))
    settle = native_climb.Climb.settle

    def lost(self: native_climb.Climb) -> None:
        settle(self)
        if np.array_equal(self.trajectory.start.means, starts[1].means):
            self.trajectory.reset()

    monkeypatch.setattr(native_climb.Stack, "ended", lambda self: False)
    monkeypatch.setattr(native_climb.Climb, "settle", lost)
    runs = climb.run_starts(engine, starts, MStep("VVV"), options)
    assert [one.outcome is None for one in runs] == [False, True, False]
    for one, expected in zip(runs, whole, strict=True):
        assert one.n_iter == 5
        np.testing.assert_allclose(one.history, expected.history, rtol=1e-9)
    assert ends(runs) == [one.end for one in runs]


@pytest.mark.parametrize("threads", [1, 2])
def test_control_c_ends_a_stack(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "SHARED_WORK", 1)
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        pytest.skip("Ctrl-C has been given another meaning here")
    rows, weights, k = problem("iris", np.random.default_rng(0))
    to, starts = starts_near(rows, weights, "VVV", k, 3)
    engine = NATIVE[0](rows, weights, to, threads)
    with pytest.raises(KeyboardInterrupt):
        Timer(0.1, _thread.interrupt_main).start()
        climb.run_starts(engine, starts, MStep("VVV"), EMOptions(tol=0.0, max_iter=50_000_000))
    after = climb.run_starts(engine, starts, MStep("VVV"), EMOptions())
    assert {one.status for one in after} == {em.Status.CONVERGED}
