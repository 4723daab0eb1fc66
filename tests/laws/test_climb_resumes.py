"""A native run that is written down after any pass, and taken up again, ends with the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from laws.problems import Engines
from laws.test_checkpoint import through_a_file
from laws.test_climb import NATIVE, problem, starts_near
from mixtura import climb, native_climb
from mixtura.em import EMOptions, Status, Trajectory
from mixtura.mstep import MStep


@pytest.mark.parametrize("engine", NATIVE[:1], ids=str)
@pytest.mark.parametrize("data", ["weighted", "collapsing"])
@pytest.mark.parametrize("accelerate", [False, True], ids=["plain", "accelerated"])
def test_a_climb_goes_on_with_the_same_bits(
    covariance_type: str, engine: Engines, data: str, accelerate: bool, rng: np.random.Generator
) -> None:
    rows, weights, k = problem(data, rng)
    to, starts = starts_near(rows, weights, covariance_type, k, 1)
    over, step = engine(rows, weights, to), MStep(covariance_type, 1e-4)
    options = EMOptions(tol=0.0, max_iter=24, accelerate=accelerate)
    whole, states = Trajectory(starts[0], step, options), []
    climb.run(over, [whole], lambda runs: states.append(through_a_file(runs[0].snapshot())))
    assert whole.status is Status.MAX_ITERATIONS and len(states) == 25
    for passes in range(0, 25, 3):
        again, seen = Trajectory(states[passes]["start"], step, options), []
        again.restore(states[passes])
        assert through_a_file(again.snapshot()).keys() == states[passes].keys()
        climb.run(over, [again], lambda runs, seen=seen: seen.append(runs[0].n_iter))  # type: ignore[misc]
        assert seen == list(range(passes + 1, 25)), "it went on from there"
        assert again.history == whole.history and again.gap == whole.gap and again.status is whole.status
        assert np.array_equal(again.collapsed, whole.collapsed)
        assert again.statistics is not None and whole.statistics is not None
        assert np.array_equal(again.statistics.second, whole.statistics.second)
        for name in ("weights", "means", "covariances"):
            assert np.array_equal(getattr(again.mixture, name), getattr(whole.mixture, name)), name


def test_a_run_that_was_restored_is_written_down_as_it_was() -> None:
    """Also before it has made a pass; and one that no climb can take begins again."""
    rows, weights, k = problem("iris", np.random.default_rng(0))
    to, starts = starts_near(rows, weights, "VVV", k, 1)
    states: list[Any] = []
    run = Trajectory(starts[0], MStep("VVV"), EMOptions(max_iter=6))
    climb.run(NATIVE[0](rows, weights, to), [run], lambda runs: states.append(runs[0].snapshot()))
    again = Trajectory(starts[0], MStep("VVV"), EMOptions(max_iter=6))
    again.restore(states[3])
    assert np.array_equal(again.snapshot()["elsewhere"], states[3]["elsewhere"])
    assert again.history == [] and again.status is Status.RUNNING
    again.reset()
    assert again.snapshot()["elsewhere"] is None


def test_a_state_that_is_none_is_refused() -> None:
    rows, weights, k = problem("iris", np.random.default_rng(0))
    to, _starts = starts_near(rows, weights, "VVV", k, 1)
    engine = NATIVE[0](rows, weights, to)

    def fresh(model: str = "VVV", size: int = k) -> Any:
        one = Trajectory(starts_near(rows, weights, model, size, 1)[1][0], MStep(model), EMOptions(tol=0.0))
        made = native_climb.Settings(engine).climb(one)
        assert made is not None
        return made.native

    native = fresh()
    assert native.state().size == 0, "it has not begun"
    native.advance(5)
    state = native.state()
    fresh().resume(state)
    wrong = [state[:-1], np.append(state, 1.0), state[1:], np.full(3, np.nan), np.full(3, -1.0), np.full(9, 1e300)]
    for at in range(0, state.size, 7):
        for value in (np.nan, -1.0, 1e300):
            bad = state.copy()
            bad[at] = value
            try:
                again = fresh()
                again.resume(bad)
                again.advance(2)  # numbers that are numbers: whatever comes of it, it is no crash
            except ValueError:
                wrong.append(bad)
    for bad in wrong:
        with pytest.raises(ValueError, match="state of such a run"):
            fresh().resume(bad)
    for other in (fresh("VVI"), fresh(size=k + 1)):
        with pytest.raises(ValueError, match="state of such a run"):
            other.resume(state)
