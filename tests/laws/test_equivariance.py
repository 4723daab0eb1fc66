"""A fit does not depend on units, origin or, where the model allows, orientation.

If y = A x + b, a fit of y from the transformed start is the transformed fit of x, and its log likelihood
is lower by exactly log |det A| per row, at every iteration.
"""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import (
    Engines,
    assert_same_mixture,
    compact,
    fit_all,
    random_mixture,
    random_rows,
    random_spd,
    random_start,
)
from mixtura.covariance import covariance_model, model_names
from mixtura.mixture import Mixture
from mixtura.shape import TIED, Array

#: mclust's models that are closed under every linear map, and under every rotation.
LINEAR = ["EEE", "VEE", "EVV", "VVV"]
ROTATION = [name for name in model_names(2) if name in ("EII", "VII") or name[2] in "EV"]
OPTIONS = {"tol": 0, "max_iter": 25, "accelerate": False}


def transformed(mixture: Mixture, matrix: Array, shift: Array) -> Mixture:
    """The distribution of ``matrix @ x + shift``."""
    dense = np.einsum("ij,kjl,ml->kim", matrix, mixture.dense_covariances, matrix)
    k, d = mixture.means.shape
    covariances = compact(mixture.shape, dense)
    if mixture.shape is TIED:
        covariances = covariances / k
    if covariances.shape == (k,):
        covariances = covariances / d
    return Mixture(mixture.weights, mixture.means @ matrix.T + shift, covariances, mixture.covariance_type)


def assert_equivariant(
    engine: Engines, rng: np.random.Generator, covariance_type: str, matrix: Array, shift: Array, tolerance: float
) -> None:
    rows = random_rows(rng, random_mixture(rng, covariance_type), 400)
    starts = [random_start(rng, rows, covariance_type, 3) for _ in range(4)]
    fits = fit_all(engine, rows, starts, floor=1e-12, **OPTIONS)
    start, before = max(zip(starts, fits, strict=True), key=lambda pair: pair[1].history[-1] - pair[1].history[0])
    (after,) = fit_all(engine, rows @ matrix.T + shift, [transformed(start, matrix, shift)], floor=1e-12, **OPTIONS)
    jacobian = np.linalg.slogdet(matrix)[1]
    assert len(after.history) == len(before.history) == OPTIONS["max_iter"] + 1
    assert before.history[-1] - before.history[0] > 1e-3, "a start at the optimum would test nothing"
    np.testing.assert_allclose(after.history, before.history - jacobian, rtol=0, atol=tolerance)
    assert_same_mixture(after.mixture, transformed(before.mixture, matrix, shift), 100 * tolerance)


def test_shift(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    assert_equivariant(engine, rng, covariance_type, np.eye(3), rng.normal(0, 1e3, 3), 1e-10)


def test_common_scale(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    for scale in (1e-30, 1e-4, 1e30):
        assert_equivariant(engine, rng, covariance_type, scale * np.eye(3), np.zeros(3), 1e-11)


def test_scale_of_each_feature(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    scale = np.array([1e-8, 3.7, 1e6])
    if covariance_model(covariance_type).unit_free:
        assert_equivariant(engine, rng, covariance_type, np.diag(scale), scale * 10, 1e-10)
    else:
        with pytest.raises((ValueError, AssertionError)):
            assert_equivariant(engine, rng, covariance_type, np.diag(scale), scale * 10, 1e-10)


@pytest.mark.parametrize("model", ROTATION)
def test_rotation(model: str, engine: Engines, rng: np.random.Generator) -> None:
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    assert_equivariant(engine, rng, model, rotation, np.ones(3), 1e-10)


@pytest.mark.parametrize("model", LINEAR)
def test_every_linear_map(model: str, engine: Engines, rng: np.random.Generator) -> None:
    matrix = random_spd(rng, 1, 3)[0] @ np.diag([0.1, 1.0, 10.0]) @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    assert_equivariant(engine, rng, model, matrix, rng.normal(0, 5, 3), 1e-9)


def test_powers_of_two_change_no_bit(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    """Scales that floating point represents exactly lead to bitwise the same run, acceleration included."""
    rows = random_rows(rng, random_mixture(rng, covariance_type), 400)
    start = random_start(rng, rows, covariance_type, 3)
    scale = np.array([0.125, 4.0, 2.0**20]) if covariance_model(covariance_type).unit_free else np.full(3, 0.125)
    (before,) = fit_all(engine, rows, [start], tol=0, max_iter=40)
    (after,) = fit_all(engine, rows * scale, [start.affine(scale, np.zeros(3))], tol=0, max_iter=40)
    assert after.trajectory.history == before.trajectory.history
    assert np.array_equal(after.mixture.means, before.mixture.means * scale)
