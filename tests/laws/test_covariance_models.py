"""A covariance model is a family of covariances.

`solve` lands in it and maximises over it, and it has as many degrees of freedom as the model says.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from laws.problems import ORACLE, assert_same_mixture, compact, random_member, random_mixture, random_rows, random_spd
from mixtura.covariance import covariance_model
from mixtura.mstep import MStep
from mixtura.shape import Array


def scatter_of(covariance_type: str, count: Array, covariances: Array, n_features: int) -> Array:
    """Scatter, in the model's shape, of components that have exactly these covariances."""
    shape = covariance_model(covariance_type).shape
    return compact(shape, shape.dense(covariances, len(count), n_features) * count[:, None, None])


def test_members_solve_to_themselves(covariance_type: str, rng: np.random.Generator) -> None:
    """solve(n, n * Sigma) = Sigma."""
    for n_components, n_features in ((1, 1), (1, 4), (2, 3), (5, 2)):
        count = rng.uniform(1, 50, n_components)
        member = random_member(rng, covariance_type, n_components, n_features)
        member = covariance_model(covariance_type).solve(
            count, scatter_of(covariance_type, count, member, n_features), n_features, member
        )
        again = covariance_model(covariance_type).solve(
            count, scatter_of(covariance_type, count, member, n_features), n_features, member
        )
        np.testing.assert_allclose(again, member, rtol=1e-9, atol=1e-12)


def test_n_parameters_is_the_rank_of_solve(covariance_type: str, rng: np.random.Generator) -> None:
    """The Jacobian of `solve`, at a member, projects on the family's tangent space."""
    model, k, d = covariance_model(covariance_type), 2, 3
    count = rng.uniform(5, 9, k)
    member = random_member(rng, covariance_type, k, d)
    dense = model.shape.dense(member, k, d) * count[:, None, None]
    step = 1e-5
    columns = []
    for component in range(k):
        for i in range(d):
            for j in range(i, d):
                solved = []
                for sign in (1, -1):
                    moved = dense.copy()
                    moved[component, i, j] += sign * step
                    moved[component, j, i] = moved[component, i, j]
                    covariances = model.solve(count, compact(model.shape, moved), d, member)
                    solved.append(model.shape.dense(covariances, k, d).ravel())
                columns.append((solved[0] - solved[1]) / (2 * step))
    singular = np.linalg.svd(np.array(columns), compute_uv=False)
    assert model.n_parameters(k, d) == int(np.sum(singular > 1e-4 * singular[0]))


def test_n_parameters_at_one_component_and_one_feature(covariance_type: str) -> None:
    """In one dimension there is nothing but variances: one, or one a component."""
    model = covariance_model(covariance_type)
    assert model.n_parameters(1, 1) == 1
    assert model.n_parameters(4, 1) in (1, 4)


def expected_log_likelihood(count: Array, scatter: Array, covariances: Array) -> float:
    """-1/2 sum_k [n_k log |Sigma_k| + trace(Sigma_k^-1 W_k)] with (K, D, D) scatters and covariances."""
    spread = np.einsum("kii->k", np.linalg.solve(covariances, scatter))
    return float(-0.5 * (count @ np.linalg.slogdet(covariances)[1] + spread.sum()))


def test_solve_maximises_over_the_family(covariance_type: str, rng: np.random.Generator) -> None:
    """No other member, near or far, explains the scatter better."""
    model, k, d = covariance_model(covariance_type), 3, 3
    for _ in range(5):
        count = rng.uniform(5, 50, k)
        scatter = random_spd(rng, k, d) * count[:, None, None]
        best = model.solve(count, compact(model.shape, scatter), d)
        for _ in range(50):  # an iterative solution may take small steps; it is only asked for a maximum at its end
            best = model.solve(count, compact(model.shape, scatter), d, best)
        top = expected_log_likelihood(count, scatter, model.shape.dense(best, k, d))
        for distance in (1e-3, 1e-2, 0.1, 1.0):
            other_scatter = (1 - distance) * scatter + distance * random_spd(rng, k, d) * count[:, None, None]
            other = model.solve(count, compact(model.shape, other_scatter), d)
            value = expected_log_likelihood(count, scatter, model.shape.dense(other, k, d))
            assert value <= top + 1e-9 * abs(top)


def test_separate_models_solve_each_component_by_itself(covariance_type: str, rng: np.random.Generator) -> None:
    """And the others do not."""
    model = covariance_model(covariance_type)
    count, dense = rng.uniform(5, 50, 3), random_spd(rng, 3, 3)
    scatter = [compact(model.shape, one[None] * n) for one, n in zip(dense, count, strict=True)]
    together = model.solve(count, compact(model.shape, dense * count[:, None, None]), 3)
    alone = [model.solve(count[k : k + 1], scatter[k], 3) for k in range(3)]
    apart = np.concatenate([model.shape.dense(one, 1, 3) for one in alone])
    assert model.separate == np.allclose(model.shape.dense(together, 3, 3), apart, rtol=1e-9)


@pytest.mark.parametrize("equal_weights", [False, True])
def test_m_steps_of_several_at_once(covariance_type: str, equal_weights: bool, rng: np.random.Generator) -> None:
    """As each by itself; of different weights, and with one at the floor."""
    mstep = MStep(covariance_type, 0.1, equal_weights)
    several = []
    for factor in (1.0, 0.01, 1.0, 2.0):
        mixture = random_mixture(rng, "VVV", 3)
        statistics = ORACLE(random_rows(rng, mixture, 60)).reduce([mixture.forms])[0].scale(max(factor, 1.0))
        several.append(replace(statistics, second=statistics.second * min(factor, 1.0)))
    parts = ("count", "first", "second", "reference")
    joint = replace(several[0], **{name: np.concatenate([getattr(one, name) for one in several]) for name in parts})
    alone = [mstep(one.compress(mstep.model.shape)) for one in several]
    assert alone[1].collapsed.any() and not alone[0].collapsed.any()
    for one, expected in zip(mstep.each(joint, 4), alone, strict=True):
        assert_same_mixture(one, expected.mixture, 1e-12)


def test_solve_does_not_depend_on_the_amount_of_data(covariance_type: str, rng: np.random.Generator) -> None:
    model = covariance_model(covariance_type)
    count = rng.uniform(5, 50, 3)
    scatter = compact(model.shape, random_spd(rng, 3, 3) * count[:, None, None])
    np.testing.assert_allclose(model.solve(7 * count, 7 * scatter, 3), model.solve(count, scatter, 3), rtol=1e-10)
