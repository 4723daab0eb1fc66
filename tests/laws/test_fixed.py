"""Parts that are held fixed: they stay, the rest is at the constrained maximum, and the objective never falls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, norm

from laws.problems import Engines, compact, random_member, random_mixture, random_rows, random_spd, random_start
from mixtura import GaussianMixture, Mixture
from mixtura.covariance import covariance_model
from mixtura.em import EMOptions, Trajectory, run
from mixtura.estep import block_statistics
from mixtura.fixed import Fixed, complete
from mixtura.mstep import MStep
from mixtura.prior import Prior
from mixtura.shape import Array
from mixtura.standardization import Standardization

ROUNDING = 1e-12


def parts_of(rng: np.random.Generator, covariance_type: str, n_components: int, n_features: int) -> dict[int, Any]:
    """Some of each kind of part, of any components but the last, as a user gives them."""
    shared = covariance_model(covariance_type).shape.shared
    member = random_member(rng, covariance_type, n_components, n_features)
    dense = covariance_model(covariance_type).shape.dense(member, n_components, n_features)
    given: dict[int, Any] = {
        0: {"mean": rng.normal(size=n_features)},
        1: {"weight": 0.2} if shared else {"weight": 0.2, "covariance": 2.0 * dense[1]},
        2: {"mean": rng.normal(size=n_features)},
    }
    if not shared:
        given[0]["covariance"] = dense[0]
    return given


def held(given: dict[int, Any], covariance_type: str, n_components: int, n_features: int) -> Fixed:
    nowhere, unit = np.zeros(n_features), np.ones(n_features)
    return complete(given, covariance_model(covariance_type), n_components, nowhere, unit)


def assert_held(mixture: Mixture, given: dict[int, Any], tolerance: float = 1e-14) -> None:
    for k, parts in given.items():
        for name, value in parts.items():
            found = {"weight": mixture.weights, "mean": mixture.means, "covariance": mixture.dense_covariances}[name][k]
            np.testing.assert_allclose(found, value, rtol=tolerance, atol=0)


@pytest.mark.parametrize("accelerate", [False, True], ids=["plain-likelihood", "accelerated-posterior"])
def test_the_objective_never_falls(covariance_type: str, rng: np.random.Generator, accelerate: bool) -> None:
    prior = Prior(np.zeros(2), 3.0, 4.0, np.eye(2)) if accelerate else None
    for _ in range(2):
        rows = random_rows(rng, random_mixture(rng, covariance_type, 4, 2), 200)
        given = parts_of(rng, covariance_type, 4, 2)
        mstep = MStep(covariance_type, fixed=held(given, covariance_type, 4, 2), prior=prior)
        start = random_start(rng, rows, covariance_type, 4)
        one = Trajectory(start, mstep, EMOptions(0, 40, accelerate))
        run(Engines("numpy")(rows), [one])
        history = np.array(one.history)
        assert np.diff(history).min() >= -ROUNDING * (1 + np.abs(history).max())
        assert history[-1] > history[0]
        assert_held(one.mixture, given)


def objective(mixture: Mixture, rows: Array, resp: Array) -> float:
    """Expected log likelihood of rows whose responsibilities are given."""
    components = zip(mixture.weights, mixture.means, mixture.dense_covariances, strict=True)
    logs = [np.log(weight) + multivariate_normal(mean, sigma).logpdf(rows) for weight, mean, sigma in components]
    return float(np.sum(resp.T * logs))


def nearby(rng: np.random.Generator, mixture: Mixture, fixed: Fixed, size: float) -> Mixture:
    """Another mixture with the same fixed parts, whose free covariances are of the model."""
    k, d = mixture.means.shape
    change = size * rng.standard_normal((k, d, d))
    factors = np.eye(d) + 0.5 * (change + change.swapaxes(1, 2))
    matrices = factors @ mixture.dense_covariances @ factors.swapaxes(1, 2)
    covariances, free = mixture.covariances.copy(), ~fixed.held
    if mixture.shape.shared:
        covariances = matrices.mean(axis=0)
    else:
        count = np.full(int(free.sum()), 1.0)
        scatter = compact(mixture.shape, matrices[free])
        covariances[free] = mixture.model.solve(count, scatter, d, mixture.covariances[free])
    moved = mixture.means + size * rng.standard_normal((k, d))
    weights = mixture.weights * np.exp(size * rng.standard_normal(k))
    weights[1] = 0.2
    weights[[0, 2, 3]] *= 0.8 / weights[[0, 2, 3]].sum()
    return fixed.place(Mixture(weights, moved, covariances, mixture.covariance_type))


def test_the_m_step_maximises(covariance_type: str, rng: np.random.Generator) -> None:
    """The expected log likelihood falls in every direction that is left free."""
    mixture = random_mixture(rng, covariance_type, 4)
    rows = random_rows(rng, mixture, 60)
    given = parts_of(rng, covariance_type, 4, 3)
    fixed = held(given, covariance_type, 4, 3)
    statistics = block_statistics(mixture.forms, rows, None)
    joint = np.column_stack(
        [
            w * multivariate_normal(m, s).pdf(rows)
            for w, m, s in zip(mixture.weights, mixture.means, mixture.dense_covariances, strict=True)
        ]
    )
    resp = joint / joint.sum(axis=1, keepdims=True)
    best = mixture
    for _ in range(20):  # models whose solution is an iteration take it a little further each time
        best = MStep(covariance_type, fixed=fixed)(statistics, best).mixture
    assert_held(best, given)
    top = objective(best, rows, resp)
    others = [objective(nearby(rng, best, fixed, 1e-3), rows, resp) for _ in range(40)]
    assert max(others) <= top + 1e-9 * abs(top)


def test_it_is_where_a_numerical_optimiser_ends(rng: np.random.Generator) -> None:
    """A known background beside a free peak, and a peak of known mean: three weights, one mean, two variances."""
    rows = np.concatenate([rng.normal(0, 6, 300), rng.normal(-2, 1, 150), rng.normal(7, 0.7, 150)])
    given = {0: {"mean": [0.0], "covariance": 36.0}, 2: {"mean": 7.0}}

    def negative(values: Array) -> float:
        logits = np.array([0.0, values[0], values[1]])
        weights = np.exp(logits) / np.exp(logits).sum()
        means, scales = [0.0, values[2], 7.0], [6.0, np.exp(values[3]), np.exp(values[4])]
        parts = [w * norm.pdf(rows, m, s) for w, m, s in zip(weights, means, scales, strict=True)]
        return float(-np.log(sum(parts)).mean())

    with pytest.raises(ValueError, match="must have shape"):
        GaussianMixture(3, fixed=given).fit(rows[:, None])
    given[2]["mean"] = [7.0]
    model = GaussianMixture(3, fixed=given, tol=1e-12, random_state=0).fit(rows[:, None])
    found = minimize(negative, [-0.7, -0.7, -2.0, 0.0, -0.3], method="BFGS", options={"gtol": 1e-9})
    assert model.lower_bound_ == pytest.approx(-found.fun, abs=1e-9)
    assert model.means_[1, 0] == pytest.approx(found.x[2], abs=1e-5)
    assert model.mixture_.n_parameters == 5


def test_holding_what_a_fit_found_changes_nothing(covariance_type: str, rng: np.random.Generator) -> None:
    rows = random_rows(rng, random_mixture(rng, covariance_type, 3, 2, reach=3.0), 400)
    options: dict[str, Any] = {"covariance_type": covariance_type, "tol": 1e-10, "random_state": 0}
    free = GaussianMixture(3, **options).fit(rows)
    given = {0: {"mean": free.means_[0]}, 2: {"weight": free.weights_[2]}}
    model = GaussianMixture(3, fixed=given, means_init=free.means_, **options).fit(rows)
    assert model.lower_bound_ == pytest.approx(free.lower_bound_, abs=1e-7)
    assert_held(model.mixture_, given, 0.0)
    assert model.mixture_.n_parameters == free.mixture_.n_parameters - 3


def test_units_do_not_matter(rng: np.random.Generator) -> None:
    rows = random_rows(rng, random_mixture(rng, "VVV", 3, 2, reach=3.0), 300)
    to = Standardization(np.array([-1e3, 40.0]), np.array([1e-3, 20.0]))
    sigma = random_spd(rng, 1, 2)[0]
    here: dict[int, Any] = {1: {"weight": 0.3, "mean": np.array([0.5, -0.5]), "covariance": sigma}}
    moved = {"mean": here[1]["mean"] * to.scale + to.shift, "covariance": sigma * np.outer(to.scale, to.scale)}
    there = {1: {"weight": 0.3, **moved}}
    one = GaussianMixture(3, fixed=here, random_state=0, tol=1e-10).fit(rows)
    two = GaussianMixture(3, fixed=there, random_state=0, tol=1e-10).fit(rows * to.scale + to.shift)
    assert one.lower_bound_ == pytest.approx(two.lower_bound_ + to.log_jacobian, abs=1e-7)
    assert_held(two.mixture_, there, 0.0)
