"""Results are bitwise the same for any number of threads."""

from __future__ import annotations

import os

import numpy as np
import pytest

from laws.problems import Engines, random_mixture, random_rows
from mixtura.engine import RowOutput, native
from mixtura.engine import threads as counted
from mixtura.source import block_slices

N_ROWS = 20_011


def test_bitwise_the_same_for_any_number_of_threads(
    covariance_type: str, engine: Engines, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "THREADED_WORK", 0)
    assert len(block_slices(N_ROWS)) > 7
    mixture, other = (random_mixture(rng, covariance_type, k) for k in (4, 3))
    rows = random_rows(rng, mixture, N_ROWS)
    weights = rng.uniform(0.0, 3.0, N_ROWS)
    alone = engine(rows, weights, threads=1)
    expected = alone.reduce([mixture.forms, other.forms])
    for threads in (2, 7):
        several = engine(rows, weights, threads=threads)
        for one, two in zip(several.reduce([mixture.forms, other.forms]), expected, strict=True):
            for name in ("count", "first", "second", "log_likelihood", "total_weight"):
                assert np.array_equal(getattr(one, name), getattr(two, name)), f"{name}, {threads} threads"
        for output in RowOutput:
            mapped = several.map_rows(mixture.forms, output)
            assert np.array_equal(mapped, alone.map_rows(mixture.forms, output)), f"{output}, {threads} threads"


def test_bitwise_the_same_when_repeated(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    """Scratch memory that is left from other work must not show."""
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 3001)
    made = engine(rows)
    (first,) = made.reduce([mixture.forms])
    wide = random_mixture(rng, covariance_type, 7, 9)
    engine(random_rows(rng, wide, 500)).reduce([wide.forms])
    (again,) = made.reduce([mixture.forms])
    assert np.array_equal(first.second, again.second)
    assert first.log_likelihood == again.log_likelihood


def test_no_more_threads_than_a_container_has_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(counted, "_share", lambda: 1)
    assert counted.thread_count() == 1
    assert counted.thread_count(5) == 5, "as asked"
    monkeypatch.setattr(counted, "_share", lambda: 10**6)
    several = counted.thread_count()
    assert 1 <= several <= (os.cpu_count() or 1)
    for value, expected in (("1", 1), ("1,4", 1), ("0", several), ("many", several), (str(10**6), several)):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert counted.thread_count() == expected, value
