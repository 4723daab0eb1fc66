"""A run that is written down after any pass and taken up by another process ends with the same bits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from laws.problems import Engines, random_mixture, random_rows, random_start, standardization_of
from mixtura import em
from mixtura.checkpoint import decoded, encoded
from mixtura.em import EMOptions, Status, Trajectory
from mixtura.mstep import MStep


def through_a_file(state: dict[str, Any]) -> Any:
    return decoded(json.loads(json.dumps(encoded(state), allow_nan=False)))


@pytest.mark.parametrize("accelerate", [False, True], ids=["plain", "accelerated"])
def test_a_run_goes_on_with_the_same_bits(
    covariance_type: str, loop_engine: Engines, rng: np.random.Generator, accelerate: bool
) -> None:
    rows = random_rows(rng, random_mixture(rng, covariance_type, 3), 200)
    to = standardization_of(rows, covariance_type)
    engine = loop_engine(rows, None, to)
    start, mstep = to.forward(random_start(rng, rows, covariance_type, 3)), MStep(covariance_type)
    options = EMOptions(tol=0.0, max_iter=24, accelerate=accelerate)
    whole, states = Trajectory(start, mstep, options), []
    em.run(engine, [whole], lambda runs: states.append(through_a_file(runs[0].snapshot())))
    for state in states[::3]:
        again = Trajectory(state["start"], mstep, options)
        again.restore(state)
        em.run(engine, [again])
        assert again.history == whole.history and again.gap == whole.gap and again.status is whole.status
        for name in ("weights", "means", "covariances"):
            np.testing.assert_array_equal(getattr(again.mixture, name), getattr(whole.mixture, name))
    assert whole.status is Status.MAX_ITERATIONS


def test_every_bit_comes_back(rng: np.random.Generator) -> None:
    numbers = np.array([0.1, -0.0, np.inf, -np.inf, np.nan, 5e-324, np.nextafter(1.0, 2.0), 1e308])
    state = {"array": numbers, "float": float(numbers[6]), "inf": np.inf, "turned": rng.random((3, 4)).T, "none": None}
    again = through_a_file({**state, "flags": np.array([True, False]), "status": Status.RUNNING, "list": [1, (2,)]})
    assert again["array"].tobytes() == numbers.tobytes()
    assert again["float"] == numbers[6] and again["inf"] == np.inf and again["none"] is None
    assert again["turned"].flags.f_contiguous and np.array_equal(again["turned"], state["turned"])
    assert again["flags"].tolist() == [True, False] and again["status"] is Status.RUNNING
    assert again["list"] == [1, (2,)]
