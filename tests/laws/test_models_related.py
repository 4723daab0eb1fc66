"""How the fourteen models relate: what contains what, what maps leave them as they are, what singular scatters do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from laws.problems import compact, random_member, random_spd
from laws.test_covariance_models import expected_log_likelihood, scatter_of
from mixtura.covariance import UNIVARIATE, covariance_model, model_names
from mixtura.mstep import MStep
from mixtura.shape import TIED, Array
from mixtura.suffstats import SufficientStats

NAMES = model_names(2)

#: A letter may be replaced by those that allow more. I of the shape, or of the orientation, is a special case of both.
LOOSER = {"E": "EV", "V": "V", "I": "IEV"}

LINEAR = ("EEE", "VEE", "EVV", "VVV")
ROTATION = ("EII", "VII", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV")


def contains(larger: str, smaller: str) -> bool:
    return all(high in LOOSER[low] for low, high in zip(smaller, larger, strict=True))


NESTED = [(small, large) for small in NAMES for large in NAMES if small != large and contains(large, small)]


def dense_solution(name: str, count: Array, scatter: Array, previous: Array | None = None) -> Array:
    """(K, D, D) covariances from (K, D, D) scatters."""
    model, (k, d) = covariance_model(name), scatter.shape[:2]
    return model.shape.dense(model.solve(count, compact(model.shape, scatter), d, previous), k, d)


def random_scatter(rng: np.random.Generator, k: int = 3, d: int = 3) -> tuple[Array, Array]:
    count = rng.uniform(5, 50, k)
    return count, random_spd(rng, k, d) * count[:, None, None]


def mapped(scatter: Array, matrix: Array) -> Array:
    return np.einsum("ij,kjl,ml->kim", matrix, scatter, matrix)


def test_there_are_as_many_nested_pairs_as_the_letters_say() -> None:
    assert len(NAMES) == 14
    assert {("EII", "VII"), ("VEI", "VEE"), ("EVI", "EVE"), ("EEV", "VEV"), ("EEE", "EVE")} <= set(NESTED)
    assert all((name, "VVV") in NESTED for name in NAMES[:-1])
    assert all(("EII", name) in NESTED for name in NAMES[1:])


@pytest.mark.parametrize(("small", "large"), NESTED, ids=str)
def test_a_larger_model_fits_better(small: str, large: str, rng: np.random.Generator) -> None:
    """The larger one starts at the smaller one's solution, which is a member of it, where it takes a start."""
    for k, d in ((1, 3), (3, 2), (4, 4)):
        count, scatter = random_scatter(rng, k, d)
        inner = dense_solution(small, count, scatter)
        shape = covariance_model(large).shape
        start = compact(shape, inner) / (k if shape is TIED else 1) / (d if shape.array_shape(k, d) == (k,) else 1)
        outer = dense_solution(large, count, scatter, start)
        low, high = (expected_log_likelihood(count, scatter, one) for one in (inner, outer))
        assert high >= low - 1e-10 * abs(low)


def test_never_worse_than_the_previous_covariances(covariance_type: str, rng: np.random.Generator) -> None:
    """From any member of the model, however far."""
    for _ in range(10):
        count, scatter = random_scatter(rng)
        shape = covariance_model(covariance_type).shape
        before = random_member(rng, covariance_type, 3, 3, spread=10.0)
        after = dense_solution(covariance_type, count, scatter, before)
        low = expected_log_likelihood(count, scatter, shape.dense(before, 3, 3))
        assert expected_log_likelihood(count, scatter, after) >= low - 1e-12 * abs(low)


def member_of(covariance_type: str, parameters: Array) -> Array:
    """(2, 2, 2) covariances from two log volumes, two log ratios of axes and two angles, where E takes the first."""
    volume, shape, angle = (
        np.zeros(2) if letter == "I" else pair[[0, 0]] if letter == "E" else pair
        for letter, pair in zip(covariance_type, parameters.reshape(3, 2), strict=True)
    )
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)
    axes = np.exp(volume[:, None] + np.multiply.outer(shape, [0.5, -0.5]))
    return np.einsum("kij,kj,klj->kil", rotation, axes, rotation)


def test_no_member_of_the_plane_fits_better(covariance_type: str, rng: np.random.Generator) -> None:
    """Against a general minimiser over the parameters of the decomposition, from many starts."""
    for _ in range(2):
        count, scatter = random_scatter(rng, 2, 2)
        top = expected_log_likelihood(count, scatter, dense_solution(covariance_type, count, scatter))

        def loss(parameters: Array, count: Array = count, scatter: Array = scatter) -> float:
            return -expected_log_likelihood(count, scatter, member_of(covariance_type, parameters))

        best = min(minimize(loss, rng.normal(0, 1, 6), method="BFGS").fun for _ in range(8))
        assert -best == pytest.approx(top, abs=1e-6)


def test_permuting_components_permutes_the_solution(covariance_type: str, rng: np.random.Generator) -> None:
    count, scatter = random_scatter(rng)
    order = np.array([2, 0, 1])
    found = dense_solution(covariance_type, count[order], scatter[order])
    np.testing.assert_allclose(found, dense_solution(covariance_type, count, scatter)[order], atol=1e-6)


def equivariant(rng: np.random.Generator, covariance_type: str, matrix: Array) -> bool:
    """Whether the solution of mapped scatters explains them as well as the mapped solution does."""
    count, scatter = random_scatter(rng)
    moved = mapped(scatter, matrix)
    expected = mapped(dense_solution(covariance_type, count, scatter), matrix)
    low, high = (
        expected_log_likelihood(count, moved, one) for one in (expected, dense_solution(covariance_type, count, moved))
    )
    return abs(high - low) < 1e-8 * abs(low)


def test_models_keep_the_maps_they_allow(covariance_type: str, rng: np.random.Generator) -> None:
    """Scaling of features, rotations and all linear maps: each of them exactly where it is said."""
    scaling = np.diag([0.2, 1.0, 7.0])
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    assert equivariant(rng, covariance_type, scaling) == covariance_model(covariance_type).unit_free
    assert equivariant(rng, covariance_type, rotation) == (covariance_type in ROTATION)
    assert equivariant(rng, covariance_type, rotation @ scaling) == (covariance_type in LINEAR)


def singular_scatters(rng: np.random.Generator, k: int, d: int) -> dict[str, Array]:
    """Scatters of components that hold too few rows, and of no data at all."""
    sound, directions = random_spd(rng, k, d), rng.standard_normal((k, d))
    lines = np.einsum("ki,kj->kij", directions, directions)
    thin, point, flat, indefinite = (sound.copy() for _ in range(4))
    thin[0], point[0] = lines[0], 0.0
    flat[:, -1, :] = flat[:, :, -1] = 0.0
    indefinite[0] -= 3 * np.eye(d)
    return {
        "a line": thin,
        "a point": point,
        "a constant feature": flat,
        "all lines": lines,
        "one line": np.multiply.outer(np.arange(1.0, k + 1), lines[0]),
        "moments of no data": indefinite,
        "tiny": sound * 1e-200,
        "almost nothing": sound * 1e-310,
        "nothing": np.zeros((k, d, d)),
    }


def test_singular_scatters_give_finite_covariances(covariance_type: str, rng: np.random.Generator) -> None:
    """Without a warning, symmetric; and after the M-step at or above the floor."""
    shape = covariance_model(covariance_type).shape
    for k, d in ((1, 2), (3, 3), (4, 6)):
        count = rng.uniform(5, 50, k)
        for name, covariances in singular_scatters(rng, k, d).items():
            symmetric = covariances + np.swapaxes(covariances, 1, 2)
            scatter = compact(shape, symmetric * count[:, None, None])
            for previous in (None, random_member(rng, covariance_type, k, d)):
                found = shape.dense(covariance_model(covariance_type).solve(count, scatter, d, previous), k, d)
                assert np.all(np.isfinite(found)), name
                assert np.array_equal(found, np.swapaxes(found, 1, 2)), name
            sums = SufficientStats(count, np.zeros((k, d)), scatter, np.zeros((k, d)), 0.0, count.sum(), shape)
            update = MStep(covariance_type, 1e-6)(sums)
            lowest = np.linalg.eigvalsh(update.mixture.dense_covariances)[:, 0]
            largest = max(1.0, float(np.abs(update.mixture.covariances).max()))
            assert np.all(lowest >= 1e-6 - 1e-13 * largest), name


@pytest.mark.parametrize("name", UNIVARIATE)
def test_one_feature(name: str, rng: np.random.Generator) -> None:
    """E and V are for one feature, where all models coincide with the one of their first letter."""
    count, scatter = random_scatter(rng, 4, 1)
    ours = dense_solution(name, count, scatter)
    member = ours[:, 0, 0]
    again = covariance_model(name).solve(count, scatter_of(name, count, member, 1), 1)
    np.testing.assert_allclose(again, member, rtol=1e-13)
    for other in NAMES:
        if other[0] == name or (name == "V" and other == "VVV"):
            np.testing.assert_allclose(dense_solution(other, count, scatter), ours, rtol=1e-12, err_msg=other)
            assert covariance_model(other).n_parameters(4, 1) == covariance_model(name).n_parameters(4, 1)
    with pytest.raises(ValueError, match="one feature, and these have 3"):
        dense_solution(name, *random_scatter(rng, 4, 3))
    with pytest.raises(ValueError, match="one feature"):
        covariance_model(name).n_parameters(4, 3)
