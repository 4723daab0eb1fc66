"""No covariance of a fit is narrower than the floor, and the floor is the best one can do under that constraint."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import (
    Engines,
    compact,
    fit_all,
    random_mixture,
    random_rows,
    random_spd,
    random_start,
    standardization_of,
)
from mixtura.estep import statistics_of_partition
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import SHAPES, TIED, Shape


def smallest_eigenvalues(mixture: Mixture) -> np.ndarray:
    return np.linalg.eigvalsh(mixture.dense_covariances)[:, 0]


@pytest.mark.parametrize("floor", [1e-6, 1e-3, 0.1])
@pytest.mark.parametrize("accelerate", [False, True], ids=["plain", "accelerated"])
def test_fits_stay_above_the_floor(
    covariance_type: str, loop_engine: Engines, rng: np.random.Generator, floor: float, accelerate: bool
) -> None:
    """Six components on a coarse grid collapse without one."""
    rows = rng.integers(0, 3, (80, 2)).astype(np.float64) * [1.0, 1e4] + [1e5, 0.0]
    starts = [random_start(rng, rows, covariance_type, 6) for _ in range(3)]
    to = standardization_of(rows, covariance_type)
    for fit in fit_all(loop_engine, rows, starts, floor=floor, tol=0, max_iter=60, accelerate=accelerate):
        lowest = smallest_eigenvalues(to.forward(fit.mixture))
        assert np.all(lowest >= floor * (1 - 1e-9))
        held = lowest < floor * (1 + 1e-6)
        assert np.array_equal(fit.trajectory.collapsed | ~held, np.ones(6, dtype=bool)), "a floored one is not flagged"


def test_sound_components_are_left_alone(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 300)
    resp = rng.dirichlet(np.ones(3), len(rows))
    statistics = statistics_of_partition(rows, resp, mixture.shape)
    floored, free = MStep(covariance_type, 1e-3)(statistics), MStep(covariance_type, 0.0)(statistics)
    assert np.array_equal(floored.mixture.covariances, free.mixture.covariances)
    assert not floored.collapsed.any()


def test_a_component_on_one_row_stands_at_the_floor(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 300)
    resp = np.zeros((300, 3))
    resp[np.arange(300), np.arange(300) % 2] = 1.0
    resp[0] = [0.0, 0.0, 1.0]
    update = MStep(covariance_type, 1e-4)(statistics_of_partition(rows, resp, mixture.shape))
    lowest = smallest_eigenvalues(update.mixture)
    assert np.all(lowest >= 1e-4 * (1 - 1e-9))
    if lowest[2] < 1e-3:  # in models whose components share a volume the others carry it
        assert update.collapsed[2]
        np.testing.assert_allclose(update.mixture.dense_covariances[2], 1e-4 * np.eye(3), rtol=1e-9, atol=1e-13)
    else:
        assert not update.collapsed.any()


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_clipping_is_the_constrained_maximum(shape: Shape, rng: np.random.Generator) -> None:
    """Among covariances of that shape with eigenvalues at least `minimum`, none explains the scatter better."""
    k, d, minimum = (1 if shape is TIED else 3), 3, 0.5
    target = compact(shape, random_spd(rng, k, d, spread=10.0)) / (d if shape.name == "SPHERICAL" else 1)
    best = shape.floor(target, minimum)
    scatter = shape.dense(target, k, d)

    def objective(covariances: np.ndarray) -> float:
        dense = shape.dense(covariances, k, d)
        return float(-np.linalg.slogdet(dense)[1].sum() - np.einsum("kii->", np.linalg.solve(dense, scatter)))

    for distance in (1e-4, 1e-2, 0.3, 1.0):
        for _ in range(10):
            other = compact(shape, random_spd(rng, k, d, spread=10.0)) / (d if shape.name == "SPHERICAL" else 1)
            rival = shape.floor((1 - distance) * best + distance * other, minimum)
            assert objective(rival) <= objective(best) + 1e-12
    assert np.linalg.eigvalsh(shape.dense(best, k, d)).min() >= minimum * (1 - 1e-12)
    assert np.array_equal(shape.floor(target, 1e-9), target)
