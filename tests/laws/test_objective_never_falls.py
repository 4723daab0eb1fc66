"""The objective never falls, plain or accelerated, whatever the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from laws.problems import Engines, fit_all, random_mixture, random_rows, random_start
from mixtura.shape import Array

ROUNDING = 1e-12  # relative, of sound problems
FLOOR = 1e-6

#: With a component at the floor the objective is not stationary in its variance, which is known to
#: eps times the condition number only: so is the objective.
COLLAPSED_ROUNDING = 4 * float(np.finfo(np.float64).eps) * 3 / FLOOR


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows and a number of components; ``sound`` if no component can collapse onto the floor."""

    name: str
    rows: Array
    n_components: int
    sound: bool = True
    weights: Array | None = None


def problems(rng: np.random.Generator, covariance_type: str) -> Iterator[Problem]:
    """Easy ones, and every way we know for EM to misbehave."""
    rows = random_rows(rng, random_mixture(rng, covariance_type), 300)
    yield Problem("its own model", rows, 3)
    yield Problem("no structure", rng.standard_normal((300, 2)), 2)
    yield Problem("far from the origin", rows + 1e6, 3)
    yield Problem("too many components", rows[:60], 6, sound=False)
    yield Problem("heavy tails", rng.standard_t(1.5, (200, 2)), 3, sound=False)
    yield Problem("weights", rows, 3, sound=False, weights=rng.exponential(1.0, len(rows)) ** 3)
    yield Problem("ties", rng.integers(0, 3, (150, 2)).astype(np.float64), 4, sound=False)
    line = rng.standard_normal((150, 1)) @ np.ones((1, 3)) + 1e-7 * rng.standard_normal((150, 3))
    yield Problem("nearly a line", line, 2, sound=False)


def assert_never_falls(history: Array, problem: Problem) -> None:
    falls = np.diff(history)
    limit = ROUNDING * (1 + np.abs(history[:-1])) + (0.0 if problem.sound else COLLAPSED_ROUNDING)
    worst = int(np.argmin(falls + limit))
    message = f"{problem.name}: fell by {-falls[worst]:.3g} at iteration {worst + 1}"
    assert falls[worst] >= -limit[worst], message


@pytest.mark.parametrize("accelerate", [False, True], ids=["plain", "accelerated"])
def test_objective_never_falls(
    covariance_type: str, loop_engine: Engines, rng: np.random.Generator, accelerate: bool
) -> None:
    for problem in problems(rng, covariance_type):
        starts = [random_start(rng, problem.rows, covariance_type, problem.n_components) for _ in range(2)]
        options = {"floor": FLOOR, "tol": 0, "max_iter": 40, "accelerate": accelerate}
        for fit in fit_all(loop_engine, problem.rows, starts, problem.weights, **options):
            history = np.array(fit.trajectory.history)
            assert len(history) == 41
            assert np.all(np.isfinite(history)), problem.name
            assert_never_falls(history, problem)


def test_acceleration_is_no_slower_where_em_crawls(
    covariance_type: str, loop_engine: Engines, rng: np.random.Generator
) -> None:
    """Not a race: on overlapping components it must get at least as far as plain EM in the same passes."""
    gains = []
    for _ in range(6):
        mixture = random_mixture(rng, covariance_type, reach=0.8)
        rows = random_rows(rng, mixture, 500)
        start = random_start(rng, rows, covariance_type, 3)
        plain, fast = (
            fit_all(loop_engine, rows, [start], tol=0, max_iter=60, accelerate=on)[0] for on in (False, True)
        )
        gains.append(fast.trajectory.log_likelihood - plain.trajectory.log_likelihood)
    assert np.median(gains) > 0
