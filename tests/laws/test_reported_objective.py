"""What a run reports belongs to the parameters it returns, and what it promises is kept."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import Engines, fit_all, random_mixture, random_rows, random_start
from mixtura.em import Status


@pytest.mark.parametrize("accelerate", [False, True], ids=["plain", "accelerated"])
@pytest.mark.parametrize("max_iter", [1, 2, 7, 500])
def test_log_likelihood_belongs_to_the_mixture(
    covariance_type: str, engine: Engines, rng: np.random.Generator, accelerate: bool, max_iter: int
) -> None:
    """The textbook slip is to report the objective of the parameters before the last M-step."""
    rows = random_rows(rng, random_mixture(rng, covariance_type), 300)
    weights = rng.uniform(0.5, 2.0, len(rows))
    starts = [random_start(rng, rows, covariance_type, 3) for _ in range(3)]
    options = {"tol": 1e-5, "max_iter": max_iter, "accelerate": accelerate}
    for fit in fit_all(engine, rows, starts, weights, **options):
        actual = weights @ fit.mixture.logpdf(rows) / weights.sum()
        assert fit.history[-1] == pytest.approx(actual, abs=1e-11)
        statistics = fit.trajectory.statistics
        assert statistics is not None
        mean = statistics.log_likelihood / statistics.total_weight
        assert mean == pytest.approx(fit.trajectory.log_likelihood, abs=1e-12)


def test_the_history_starts_at_the_start(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    rows = random_rows(rng, random_mixture(rng, covariance_type), 300)
    start = random_start(rng, rows, covariance_type, 3)
    (fit,) = fit_all(engine, rows, [start], max_iter=3, tol=0)
    assert fit.history[0] == pytest.approx(start.logpdf(rows).mean(), abs=1e-11)
    assert len(fit.history) == 4
    assert fit.trajectory.n_iter == 3
    assert fit.trajectory.status is Status.MAX_ITERATIONS


@pytest.mark.parametrize("accelerate", [False, True], ids=["plain", "accelerated"])
def test_convergence_means_that_little_is_left_to_gain(
    covariance_type: str, loop_engine: Engines, rng: np.random.Generator, accelerate: bool
) -> None:
    """`tol` bounds the log likelihood still to gain on the way to the optimum ahead, within a factor of three.

    A run may pause at a saddle that no local estimate sees through, so the law is about most runs.
    """
    excess = []
    for _ in range(3):
        rows = random_rows(rng, random_mixture(rng, covariance_type, reach=1.0), 250)
        starts = [random_start(rng, rows, covariance_type, 3) for _ in range(4)]
        stopped = fit_all(loop_engine, rows, starts, tol=1e-6, max_iter=20_000, accelerate=accelerate)
        assert all(fit.trajectory.status is Status.CONVERGED for fit in stopped)
        onwards = fit_all(loop_engine, rows, [fit.mixture for fit in stopped], tol=0, max_iter=100)
        excess += [after.history[-1] - fit.history[-1] for fit, after in zip(stopped, onwards, strict=True)]
    assert np.mean(np.array(excess) < 3e-6) >= 0.8, sorted(excess)
