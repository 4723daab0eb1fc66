"""What every test may ask for: a seeded generator, a covariance model, an engine at one instruction set.

The seed of a run stands in the report header and comes from MIXTURA_TEST_SEED where that is set. Each
test draws from a generator of its own, so a test gives the same numbers alone and in the whole suite.
"""

from __future__ import annotations

import os
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # laws, oracles and faults are packages that import one another

from laws.problems import ENGINES, NATIVE_LAWS, Engines

from mixtura.covariance import MODELS, model_names
from mixtura.engine import native_available

SEED_VARIABLE = "MIXTURA_TEST_SEED"
DEFAULT_SEED = 20261

#: Laws that speak of the native engine alone have nothing to say where it was not built.
collect_ignore = [] if native_available() else [f"laws/{name}" for name in NATIVE_LAWS]


def suite_seed() -> int:
    """The seed of this run."""
    return int(os.environ.get(SEED_VARIABLE) or DEFAULT_SEED)


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors; the one that says that the native engine was not built says what is intended here."""
    if not native_available():
        config.addinivalue_line("filterwarnings", "ignore:mixtura uses its NumPy engine:UserWarning")


def pytest_report_header() -> str:
    engines = ", ".join(str(engine) for engine in ENGINES)
    return f"mixtura: {SEED_VARIABLE}={suite_seed()}; engines: {engines}; models: {', '.join(MODELS)}"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator for this test alone."""
    return np.random.default_rng([suite_seed(), zlib.crc32(request.node.name.encode())])


@pytest.fixture(params=model_names(2))
def covariance_type(request: pytest.FixtureRequest) -> str:
    """Every covariance model in turn, but for the two of a single feature."""
    return str(request.param)


@pytest.fixture(params=ENGINES, ids=str)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engines:
    """Every engine in turn, the native one at every instruction set of this processor."""
    choice: Engines = request.param
    choice.activate(monkeypatch)
    return choice


@pytest.fixture(params=ENGINES[:2], ids=str)
def loop_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engines:
    """The oracle and the best native engine, for slow laws of the loop rather than of the arithmetic."""
    choice: Engines = request.param
    choice.activate(monkeypatch)
    return choice
