"""Several mixtures in one pass, of different sizes, get exactly what each would get alone."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import (
    Engines,
    assert_same_mixture,
    assert_same_statistics,
    fit_all,
    random_mixture,
    random_rows,
    random_start,
)
from mixtura.engine import native_available
from mixtura.source import ArraySource
from mixtura.standardization import Standardization


@pytest.mark.parametrize("sizes", [(1, 1), (3, 1, 8, 2), (5, 5, 5, 5, 5, 5, 5), (1, 26, 3)], ids=str)
def test_several_in_one_pass_equal_each_alone(
    covariance_type: str, engine: Engines, rng: np.random.Generator, sizes: tuple[int, ...]
) -> None:
    mixtures = [random_mixture(rng, covariance_type, k, 4) for k in sizes]
    rows = random_rows(rng, mixtures[0], 2203)
    weights = rng.uniform(0.0, 2.0, len(rows))
    together = engine(rows, weights).reduce([mixture.forms for mixture in mixtures])
    assert len(together) == len(sizes)
    for statistics, mixture in zip(together, mixtures, strict=True):
        (alone,) = engine(rows, weights).reduce([mixture.forms])
        assert statistics.count.shape == (mixture.n_components,)
        assert_same_statistics(statistics, alone, 1e-12)


def test_one_difficult_mixture_does_not_spoil_the_others(
    covariance_type: str, engine: Engines, rng: np.random.Generator
) -> None:
    """A nearly collapsed neighbour may change the arithmetic of a pass, not its meaning."""
    fine = random_mixture(rng, covariance_type)
    narrow = random_mixture(rng, covariance_type, 2)
    narrow = narrow.affine(np.full(3, 1e-5), narrow.means[0])
    rows = random_rows(rng, fine, 2203)
    together, _ = engine(rows).reduce([fine.forms, narrow.forms])
    (alone,) = engine(rows).reduce([fine.forms])
    assert_same_statistics(together, alone, 1e-11)


def test_runs_side_by_side_equal_each_alone(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    """Some end earlier than others; the rest must not notice."""
    rows = random_rows(rng, random_mixture(rng, covariance_type), 300)
    starts = [random_start(rng, rows, covariance_type, k) for k in (2, 3, 1, 3)]
    options = {"tol": 1e-4, "max_iter": 25, "accelerate": False}
    together = fit_all(engine, rows, starts, **options)
    assert len({fit.trajectory.n_iter for fit in together}) > 1
    for fit, start in zip(together, starts, strict=True):
        (alone,) = fit_all(engine, rows, [start], **options)
        assert fit.trajectory.n_iter == alone.trajectory.n_iter
        assert fit.trajectory.status is alone.trajectory.status
        assert_same_mixture(fit.mixture, alone.mixture, 1e-9)


@pytest.mark.skipif(not native_available(), reason="the native engine was not built")
def test_many_mixtures_in_several_passes(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    from mixtura.engine import native

    mixtures = [random_mixture(rng, "full", n) for n in (3, 1, 8, 2)]
    rows = random_rows(rng, mixtures[0], 700)
    forms = [one.forms for one in mixtures]
    together = native.NativeEngine(ArraySource(rows), Standardization.identity(3)).reduce(forms)
    monkeypatch.setattr(native, "MOST_NUMBERS", 150)  # two of the largest, of 8 x 3 x 3
    passes, kernel = [], native.NativeEngine._kernel
    monkeypatch.setattr(
        native.NativeEngine, "_kernel", lambda engine, given: (passes.append(len(given)), kernel(engine, given))[1]
    )
    apart = native.NativeEngine(ArraySource(rows), Standardization.identity(3)).reduce(forms)
    assert passes == [2, 2]
    for one, other in zip(together, apart, strict=True):
        assert_same_statistics(one, other, 1e-13)
