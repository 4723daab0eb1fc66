"""Conjugate priors: their density, the M-step that maximises with them, and fits that need them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import invgamma, invwishart, multivariate_normal

from laws.problems import (
    Engines,
    assert_same_mixture,
    compact,
    random_mixture,
    random_rows,
    random_spd,
    random_start,
    standardization_of,
)
from mixtura import ConjugatePrior, GaussianMixture, Mixture
from mixtura.covariance import MODELS, covariance_model
from mixtura.em import EMOptions, Trajectory, run
from mixtura.estep import block_statistics
from mixtura.mstep import MStep
from mixtura.prior import Prior
from mixtura.shape import DIAGONAL, SPHERICAL, Array

#: Models in which no component shares a parameter with another, or all share all: of these the literature speaks.
PUBLISHED = [name for name in ("VVV", "VVI", "VII", "EEE", "EEI", "EII") if name in MODELS]


def random_prior(rng: np.random.Generator, n_features: int, shrinkage: float = 0.7) -> Prior:
    scale = random_spd(rng, 1, n_features)[0]
    return Prior(rng.standard_normal(n_features), shrinkage, n_features + 1.5, scale)


def literal_log_density(prior: Prior, mixture: Mixture) -> float:
    """Sum of SciPy's log densities, of one covariance where all components share it."""
    shape, d = mixture.shape, mixture.n_features
    shared = mixture.model.n_parameters(2, d) == mixture.model.n_parameters(1, d)
    dense = mixture.dense_covariances
    total = sum(
        multivariate_normal(prior.mean, sigma / prior.shrinkage).logpdf(mean)
        for mean, sigma in zip(mixture.means, dense, strict=True)
    )
    half, scales = prior.degrees_of_freedom / 2, prior.scale.diagonal() / 2
    for sigma in dense[:1] if shared else dense:
        if shape is SPHERICAL:
            total += invgamma(half, scale=scales.mean()).logpdf(sigma[0, 0])
        elif shape is DIAGONAL:
            total += invgamma(half, scale=scales).logpdf(sigma.diagonal()).sum()
        else:
            total += invwishart(prior.degrees_of_freedom, prior.scale).logpdf(sigma)
    return float(total)


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_density_is_the_textbook_s(model: str, rng: np.random.Generator) -> None:
    """Up to a constant, so differences between mixtures are compared."""
    prior = random_prior(rng, 3)
    mixtures = [random_mixture(rng, model, 4) for _ in range(6)]
    ours = np.array([prior.log_density(one) for one in mixtures])
    theirs = np.array([literal_log_density(prior, one) for one in mixtures])
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=1e-10, atol=1e-10)


def expected(mixture: Mixture, rows: Array, resp: Array) -> float:
    """Expected log likelihood of rows whose responsibilities are given, but for the weights."""
    components = zip(mixture.means, mixture.dense_covariances, strict=True)
    logs = [multivariate_normal(mean, sigma).logpdf(rows) for mean, sigma in components]
    return float(np.sum(resp.T * logs))


def nearby(rng: np.random.Generator, mixture: Mixture, size: float) -> Mixture:
    """Another member of the model: means moved, covariances solved from moved scatters."""
    k, d = mixture.means.shape
    change = size * rng.standard_normal((k, d, d))
    factors = np.eye(d) + 0.5 * (change + change.swapaxes(1, 2))
    matrices = factors @ mixture.dense_covariances @ factors.swapaxes(1, 2) / k
    solved = mixture.model.solve(np.full(k, 1 / k), compact(mixture.shape, matrices), d, mixture.covariances)
    means = mixture.means + size * rng.standard_normal((k, d))
    return Mixture(mixture.weights, means, solved, mixture.covariance_type)


@pytest.mark.parametrize("shrinkage", [0.0, 0.01, 5.0])
def test_the_m_step_maximises(covariance_type: str, rng: np.random.Generator, shrinkage: float) -> None:
    """The penalised expected log likelihood falls in every direction that the model has."""
    mixture = random_mixture(rng, covariance_type, 3)
    rows = random_rows(rng, mixture, 40)
    mstep = MStep(covariance_type, prior=random_prior(rng, 3, shrinkage))
    statistics = block_statistics(mixture.forms, rows, None)
    joint = np.column_stack(
        [w * multivariate_normal(m, s).pdf(rows)
         for w, m, s in zip(mixture.weights, mixture.means, mixture.dense_covariances, strict=True)]
    )  # fmt: skip
    resp = joint / joint.sum(axis=1, keepdims=True)
    best = mixture
    for _ in range(30):  # iterative models improve on what they are given
        best = mstep(statistics, best).mixture
    top = expected(best, rows, resp) + mstep.penalty(best)
    for size in (0.3, 0.03, 0.003):
        for _ in range(10):
            other = nearby(rng, best, size)
            assert expected(other, rows, resp) + mstep.penalty(other) <= top + 1e-9 * abs(top)


@pytest.mark.parametrize("accelerate", [False, True], ids=["plain", "accelerated"])
def test_the_objective_is_penalised_and_never_falls(
    covariance_type: str, loop_engine: Engines, rng: np.random.Generator, accelerate: bool
) -> None:
    """With more components than the rows can hold, and without them at the floor."""
    rows = random_rows(rng, random_mixture(rng, covariance_type), 40)
    to = standardization_of(rows, covariance_type)
    start = to.forward(random_start(rng, rows, covariance_type, 6))
    mstep = MStep(covariance_type, prior=random_prior(rng, 3))
    trajectory = Trajectory(start, mstep, EMOptions(tol=0, max_iter=60, accelerate=accelerate))
    run(loop_engine(rows, None, to), [trajectory])
    history = np.array(trajectory.history)
    assert np.all(np.diff(history) >= -1e-12 * (1 + np.abs(history[:-1])))
    assert not trajectory.collapsed.any()
    plain = trajectory.mixture.logpdf(to.rows(rows)).sum()
    objective = (plain + mstep.penalty(trajectory.mixture)) / len(rows)
    assert trajectory.log_likelihood == pytest.approx(objective, abs=1e-11)
    assert mstep.penalty(trajectory.mixture) != 0


def test_much_data_outweighs_the_prior(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    statistics = block_statistics(mixture.forms, random_rows(rng, mixture, 200), None).scale(1e9)
    with_prior = MStep(covariance_type, prior=random_prior(rng, 3))(statistics, mixture).mixture
    assert_same_mixture(with_prior, MStep(covariance_type)(statistics, mixture).mixture, 1e-6)


@pytest.mark.parametrize("n_components", [3, 5])
def test_components_of_too_few_rows_do_not_collapse(
    covariance_type: str, rng: np.random.Generator, n_components: int
) -> None:
    """Fewer than D + 1 rows a component: every warning is an error here, that of a collapse too."""
    rows = np.concatenate([rng.standard_normal((6, 4)), rng.standard_normal((6, 4)) + 5.0])
    options = {"covariance_type": covariance_type, "prior": "default", "random_state": 0, "max_iter": 5000}
    model = GaussianMixture(n_components, **options).fit(rows)
    assert model.converged_
    assert np.linalg.eigvalsh(model.mixture_.dense_covariances).min() > 1e-3
    assert np.isfinite(model.bic(rows))
    assert model.lower_bound_ == pytest.approx(model.score(rows), rel=1e-10)


def test_a_prior_given_in_full(covariance_type: str, rng: np.random.Generator) -> None:
    """In the data's units, and equal to the default where it says what the default would."""
    scales = [1.0, 1.0, 1.0] if not covariance_model(covariance_type).unit_free else [1e-3, 1.0, 500.0]
    rows = random_rows(rng, random_mixture(rng, covariance_type, 2, reach=4.0), 60) * scales + [3.0, -100.0, 1e4]
    options = {"covariance_type": covariance_type, "random_state": 0, "tol": 1e-10, "max_iter": 3000}
    usual = GaussianMixture(2, prior="default", **options).fit(rows)
    scale = np.cov(rows.T, bias=True) / 2 ** (2 / 3)
    given = ConjugatePrior(mean=rows.mean(axis=0), shrinkage=0.01, degrees_of_freedom=5, scale=scale)
    assert_same_mixture(GaussianMixture(2, prior=given, **options).fit(rows).mixture_, usual.mixture_, 1e-6)


def test_a_default_prior_does_not_depend_on_units(covariance_type: str, rng: np.random.Generator) -> None:
    rows = random_rows(rng, random_mixture(rng, covariance_type, 2, reach=4.0), 30)
    unit = np.array([4.0, 4.0, 4.0] if not covariance_model(covariance_type).unit_free else [0.25, 8.0, 1024.0])
    options = {"covariance_type": covariance_type, "prior": "default", "random_state": 0, "max_iter": 3000}
    plain = GaussianMixture(3, **options).fit(rows).mixture_
    scaled = GaussianMixture(3, **options).fit(rows * unit + 8.0).mixture_
    assert_same_mixture(scaled, plain.affine(unit, np.full(3, 8.0)), 1e-7)


@pytest.mark.parametrize(
    "prior, words",
    [
        (ConjugatePrior(mean=[0.0]), "mean of the prior must have shape"),
        (ConjugatePrior(mean=[0.0, np.nan]), "mean of the prior must be finite"),
        (ConjugatePrior(shrinkage=-1.0), "shrinkage of the prior must be >= 0"),
        (ConjugatePrior(degrees_of_freedom=1.0), "degrees_of_freedom of the prior must be more than 1"),
        (ConjugatePrior(scale=np.zeros((2, 2))), "scale of the prior must be positive definite"),
        (ConjugatePrior(scale=[[1.0, 0.5], [0.1, 1.0]]), "scale of the prior must be symmetric"),
        (ConjugatePrior(scale=np.ones(3)), "scale of the prior must have shape"),
        ("strong", "prior must be None, 'default' or a ConjugatePrior"),
        (np.eye(2), "prior must be None, 'default' or a ConjugatePrior"),
    ],
)
def test_a_prior_that_makes_no_sense_is_refused(prior: object, words: str, rng: np.random.Generator) -> None:
    with warnings.catch_warnings(), pytest.raises(ValueError, match=words):
        warnings.simplefilter("error")
        GaussianMixture(1, prior=prior).fit(rng.standard_normal((20, 2)))
