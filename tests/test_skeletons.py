"""The skeletons that CONTRIBUTING points to run, and do what they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mixtura import covariance
from mixtura.em import EMOptions, Trajectory, run
from mixtura.engine import NumpyEngine, RowOutput
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.source import ArraySource
from mixtura.standardization import Standardization

SKELETONS = Path(__file__).parents[1] / "docs" / "skeletons"


def skeleton(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"skeleton_{name}", SKELETONS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rows() -> np.ndarray:
    random = np.random.default_rng(0)
    return np.concatenate([random.normal(0, 1, (150, 2)), random.normal(6, 1, (150, 2)), [[50.0, -50.0]]])


def test_the_covariance_model_fits_by_em_and_climbs(rows, monkeypatch):
    model = skeleton("covariance_model").EII()
    monkeypatch.setitem(covariance.MODELS, model.name, model)
    start = Mixture.from_parameters([0.5, 0.5], [[1, 1], [4, 4]], [9.0, 9.0], model.name)
    trajectory = Trajectory(start, MStep(model.name), EMOptions(accelerate=False))
    run(NumpyEngine(ArraySource(rows), Standardization.identity(2)), [trajectory])
    assert np.all(np.diff(trajectory.history) >= -1e-12)
    assert trajectory.n_iter > 2
    assert np.ptp(trajectory.mixture.covariances) == 0
    assert trajectory.mixture.n_parameters == 1 + 4 + 1


def test_the_engine_agrees_with_the_reference(rows):
    rows = np.tile(rows, (20, 1))  # several blocks
    weights = np.random.default_rng(1).random(len(rows))
    parts = ArraySource(rows, weights), Standardization(np.array([3.0, 3.0]), np.array([2.0, 5.0]))
    ours, reference = skeleton("engine").BlockEngine(*parts), NumpyEngine(*parts)
    mixture = Mixture.from_parameters([0.3, 0.7], [[-1, -1], [1, 0]], [[[1, 0.2], [0.2, 1]], [[2, 0], [0, 1]]])
    one, other = ours.reduce([mixture.forms])[0], reference.reduce([mixture.forms])[0]
    for name in ("count", "first", "second", "log_likelihood", "total_weight"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-10)
    for output in RowOutput:
        np.testing.assert_allclose(ours.map_rows(mixture.forms, output), reference.map_rows(mixture.forms, output))


def test_the_estimator_finds_the_outlier(rows):
    detector = skeleton("estimator").LowDensityDetector(n_components=2, contamination=0.01, random_state=0)
    labels = detector.fit(rows).predict(rows)
    assert labels[-1] == -1
    assert np.sum(labels == -1) <= 4
