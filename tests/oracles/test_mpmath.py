"""EM in 50-digit arithmetic: the same path, and the same place where it ends (see make_mpmath.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from laws.problems import compact

import mixtura
from mixtura.mixture import Mixture
from mixtura.shape import SPHERICAL, TIED, Array

PROBLEMS = json.loads((Path(__file__).parent / "data" / "mpmath.json").read_text())["problems"]
IDS = [f"{problem['name']}-{problem['covariance_type']}" for problem in PROBLEMS]
#: (problem, iterations): a run that ended earlier has no state after 60.
PATHS = [(i, n) for i, problem in enumerate(PROBLEMS) for n in (1, 5, 60) if str(n) in problem["states"]]
CONVERGED = [i for i, problem in enumerate(PROBLEMS) if "converged" in problem["states"]]


def mixture_of(state: dict[str, Any], covariance_type: str) -> Mixture:
    weights, means, dense = (np.array(state[name], dtype=float) for name in ("weights", "means", "covariances"))
    shape = Mixture(weights, means, dense, covariance_type).shape
    covariances = compact(shape, dense)
    k, d = means.shape
    covariances = covariances / (k if shape is TIED else d if shape is SPHERICAL else 1)
    return Mixture(weights, means, covariances, covariance_type)


def fit_from(start: Mixture, rows: Array, **options: Any) -> mixtura.GaussianMixture:
    return mixtura.GaussianMixture(
        start.n_components,
        covariance_type=start.covariance_type,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=start.shape.precision(start.whitener),
        reg_covar=0,
        **options,
    ).fit(rows)


def assert_reached(model: mixtura.GaussianMixture, problem: dict[str, Any], key: str, tolerance: float) -> None:
    expected = mixture_of(problem["states"][key], problem["covariance_type"])
    rows = np.array(problem["rows"])
    spread = rows.std(axis=0).mean()
    assert model.lower_bound_ * len(rows) == pytest.approx(float(problem["states"][key]["log_likelihood"]), rel=1e-10)
    np.testing.assert_allclose(model.weights_, expected.weights, atol=tolerance)
    np.testing.assert_allclose((model.means_ - expected.means) / spread, 0.0, atol=tolerance)
    np.testing.assert_allclose((model.covariances_ - expected.covariances) / spread**2, 0.0, atol=tolerance)


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize(("index", "iterations"), PATHS, ids=[f"{IDS[i]}-{n}" for i, n in PATHS])
def test_the_path(index: int, iterations: int, engine: str) -> None:
    problem = PROBLEMS[index]
    start = mixture_of(problem["states"]["0"], problem["covariance_type"])
    rows = np.array(problem["rows"])
    assert start.logpdf(rows).sum() == pytest.approx(float(problem["states"]["0"]["log_likelihood"]), rel=1e-10)
    model = fit_from(start, rows, tol=0, max_iter=iterations, algorithm="em", engine=engine)
    assert_reached(model, problem, str(iterations), 1e-9)


@pytest.mark.parametrize("algorithm", ["auto", "em"])
@pytest.mark.parametrize("index", CONVERGED, ids=[IDS[i] for i in CONVERGED])
def test_the_end(index: int, algorithm: str) -> None:
    """Parameters converge like the square root of the log likelihood: 1e-14 per row leaves about 1e-7."""
    problem = PROBLEMS[index]
    start = mixture_of(problem["states"]["0"], problem["covariance_type"])
    model = fit_from(start, np.array(problem["rows"]), tol=1e-14, max_iter=5000, algorithm=algorithm)
    assert model.converged_
    assert_reached(model, problem, "converged", 1e-6)


def test_most_problems_converged() -> None:
    """Else the test above would say little."""
    assert len(CONVERGED) >= 8
    assert {PROBLEMS[i]["covariance_type"] for i in CONVERGED} == {"full", "tied", "diag", "spherical"}
