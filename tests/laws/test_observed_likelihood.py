"""The likelihood of what was observed, against numerical integration and an optimiser that know nothing of EM."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.stats import multivariate_normal

from laws.problems import Engines, random_mixture, random_rows
from mixtura import GaussianMixture
from mixtura.em import EMOptions, Trajectory, run
from mixtura.engine import create_engine
from mixtura.engine.engine import RowOutput
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import Array
from mixtura.source import ArraySource
from mixtura.standardization import Standardization


def one_hole_a_row(rng: np.random.Generator, rows: Array, share: float) -> Array:
    """Rows of two features, of some of which one is missing."""
    holed = rows.copy()
    some = np.flatnonzero(rng.random(len(rows)) < share)
    holed[some, rng.integers(0, 2, some.size)] = np.nan
    return holed


def integrated(mixture: Mixture, row: Array) -> float:
    """Log of the density of a row, integrated over its missing coordinate."""
    missing = np.isnan(row)
    if not missing.any():
        return float(mixture.logpdf(row[None])[0])
    centre, spread = mixture.mean[missing][0], np.sqrt(mixture.covariance[missing, missing][0])

    def density(value: float) -> float:
        return float(mixture.pdf(np.where(missing, value, row)[None])[0])

    edges = np.linspace(centre - 40 * spread, centre + 40 * spread, 41)
    parts = [quad(density, low, high, epsabs=0.0, epsrel=1e-10)[0] for low, high in pairwise(edges)]
    return float(np.log(np.sum(parts)))


def test_it_is_the_integral_over_the_missing_coordinate(engine: Engines, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, "VVV", 2, 2)
    rows = one_hole_a_row(rng, random_rows(rng, mixture, 24), 0.8)
    source = ArraySource(rows, incomplete=True)
    over = create_engine(engine.name, source, Standardization.identity(2), 1)
    found = over.map_rows(mixture.forms, RowOutput.LOG_DENSITY)
    np.testing.assert_allclose(found, [integrated(mixture, row) for row in rows], atol=1e-6)
    total = over.reduce([mixture.forms])[0].log_likelihood
    assert total == pytest.approx(sum(integrated(mixture, row) for row in rows), abs=1e-6 * len(rows))


def literal(parameters: Array, rows: Array) -> float:
    """Mean log likelihood of two components in two dimensions: marginals by scipy, covariances by their factors."""
    log_weights = log_softmax([0.0, parameters[0]])
    joint = np.empty((2, len(rows)))
    for k, (mean, entries) in enumerate(zip(parameters[1:5].reshape(2, 2), parameters[5:].reshape(2, 3), strict=True)):
        factor = np.array([[np.exp(entries[0]), 0.0], [entries[1], np.exp(entries[2])]])
        covariance = factor @ factor.T
        for seen in ([True, True], [True, False], [False, True]):
            own = np.all(~np.isnan(rows) == seen, axis=1)
            part = np.ix_(seen, seen)
            density = multivariate_normal.logpdf(rows[own][:, seen], mean[seen], covariance[part])
            joint[k, own] = log_weights[k] + density
    return float(np.logaddexp(joint[0], joint[1]).mean())


def parameters_of(mixture: Mixture) -> Array:
    factors = np.linalg.cholesky(mixture.dense_covariances)
    entries = [[np.log(one[0, 0]), one[1, 0], np.log(one[1, 1])] for one in factors]
    return np.concatenate([[np.log(mixture.weights[1] / mixture.weights[0])], mixture.means.ravel(), np.ravel(entries)])


def test_two_components_reach_the_optimum_that_a_numerical_optimiser_finds() -> None:
    rng = np.random.default_rng(0)
    truth = Mixture.from_parameters([0.4, 0.6], [[0, 0], [4, 3]], [[[1, 0.5], [0.5, 1]], [[1, -0.6], [-0.6, 2]]])
    rows = one_hole_a_row(rng, truth.rvs(120, random_state=1)[0], 0.4)
    best = minimize(lambda one: -literal(one, rows), parameters_of(truth), method="BFGS", options={"gtol": 1e-7})
    one = Trajectory(truth, MStep("VVV"), EMOptions(1e-12, 5000))
    run(create_engine("numpy", ArraySource(rows, incomplete=True), Standardization.identity(2), 1), [one])
    found = one.mixture
    assert one.log_likelihood == pytest.approx(literal(parameters_of(found), rows), abs=1e-10)
    assert one.log_likelihood == pytest.approx(-best.fun, abs=1e-6)
    np.testing.assert_allclose(parameters_of(found), best.x, atol=2e-3)
    estimator = GaussianMixture(2, tol=1e-10, random_state=0).fit(rows)
    assert estimator.lower_bound_ >= -best.fun - 1e-6


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV"])
def test_a_fit_tends_to_that_of_complete_rows_as_holes_get_few(covariance_type: str) -> None:
    rng = np.random.default_rng(1)
    truth = Mixture.from_parameters([0.4, 0.6], [[0, 0, 0], [5, 4, 3]], [np.eye(3), 2 * np.eye(3)])
    rows = truth.rvs(400, random_state=1)[0]
    row, column = np.divmod(rng.permutation(800), 2)  # the third feature is always there
    whole = GaussianMixture(2, covariance_type=covariance_type, tol=1e-10, random_state=0).fit(rows)
    apart = []
    for count in (240, 24, 2):
        holed = rows.copy()
        holed[row[:count], column[:count]] = np.nan
        one = GaussianMixture(2, covariance_type=covariance_type, tol=1e-10, random_state=0).fit(holed)
        apart.append(float(np.abs(one.score_samples(rows) - whole.score_samples(rows)).mean()))
    assert apart[2] < apart[1] < apart[0] < 0.2 and apart[2] < 0.01
