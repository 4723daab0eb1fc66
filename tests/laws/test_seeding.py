"""Seeds: the literal algorithm, and that the compiled one is the same."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura.engine import native_available
from mixtura.initialization import seeding
from mixtura.shape import Array


def problem(rng: np.random.Generator, n_rows: int, n_features: int, weighted: bool) -> tuple[Array, Array]:
    """Rows of which some are equal, and weights."""
    rows = np.round(rng.standard_normal((n_rows, n_features)), 1)
    return rows, rng.uniform(0.5, 3.0, n_rows) if weighted else np.ones(n_rows)


def uniforms(
    rng: np.random.Generator, n_starts: int, n_components: int, n_candidates: int
) -> tuple[Array, Array, Array]:
    """Draws for the first seeds and the others, and where the seeds go."""
    rest = rng.uniform(size=(n_components - 1, n_starts, n_candidates))
    return rng.uniform(size=n_starts), rest, np.empty((n_starts, n_components), dtype=np.int64)


def literal_seeds(rows: Array, weights: Array, first: float, rest: Array) -> tuple[list[int], float]:
    """One set of seeds by loops over rows, from the paper; with fewer distinct rows than seeds, any row."""

    def to_nearest(point: Array, seeds: list[int]) -> float:
        return min((float(np.sum((point - rows[seed]) ** 2)) for seed in seeds), default=1.0)

    def potential(seeds: list[int]) -> float:
        return float(sum(w * to_nearest(x, seeds) for x, w in zip(rows, weights, strict=True)))

    chosen: list[int] = []
    for draws in [np.array([first]), *rest]:
        mass = [w * to_nearest(x, chosen) for x, w in zip(rows, weights, strict=True)]
        mass = mass if sum(mass) > 0 else [1.0] * len(rows)
        drawn = []
        for u in draws:
            row = 0
            while row < len(rows) - 1 and sum(mass[: row + 1]) <= u * sum(mass):
                row += 1
            drawn.append(row)
        chosen.append(min(drawn, key=lambda row: potential([*chosen, row])))
    return chosen, potential(chosen) / float(weights.sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_seeds_are_those_of_the_paper(weighted: bool, rng: np.random.Generator) -> None:
    rows, weights = problem(rng, 25, 2, weighted)
    first, rest, chosen = uniforms(rng, 6, 4, 3)
    spread = seeding.seed(rows, weights, first, rest, chosen)
    for s in range(6):
        expected, mean = literal_seeds(rows, weights, first[s], rest[:, s])
        assert chosen[s].tolist() == expected
        assert spread[s] == pytest.approx(mean)


@pytest.mark.skipif(not native_available(), reason="the native engine was not built")
@pytest.mark.parametrize(("n_rows", "n_features", "n_components"), [(1, 1, 3), (9, 2, 9), (300, 2, 8), (700, 17, 5)])
def test_compiled_seeds_equal_the_oracle(
    n_rows: int, n_features: int, n_components: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the same bits come out of every instruction set, and from any number of threads."""
    from mixtura import _native

    rows, weights = problem(rng, n_rows, n_features, True)
    first, rest, expected = uniforms(rng, 5, n_components, 3)
    spread, found = seeding.seed(rows, weights, first, rest, expected), []
    for level in _native.levels():
        monkeypatch.setenv("MIXTURA_SIMD", level)
        for threads in (1, 2, 7):
            chosen = np.full_like(expected, -1)
            found.append(_native.seed(rows, weights, first, rest, chosen, threads))
            np.testing.assert_array_equal(rows[chosen], rows[expected])
    np.testing.assert_allclose(found[0], spread, rtol=1e-12)
    np.testing.assert_array_equal(found, np.broadcast_to(found[0], np.shape(found)))


@pytest.mark.skipif(not native_available(), reason="the native engine was not built")
def test_seeds_refuse_an_instruction_set_that_is_not_there(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIXTURA_SIMD", "x87")
    with pytest.raises(ValueError, match="x87"):
        seeding.seeds(*problem(rng, 10, 2, True), 2, 2, np.random.RandomState(0))


@pytest.mark.skipif(not native_available(), reason="the native engine was not built")
def test_compiled_seeds_refuse_what_is_not_sound(rng: np.random.Generator) -> None:
    from mixtura import _native

    rows, weights = problem(rng, 10, 2, True)
    first, rest, chosen = uniforms(rng, 2, 3, 2)
    for wrong, match in (
        ((np.where(rows == rows[0, 0], np.nan, rows), weights, first, rest, chosen), "finite"),
        ((rows, weights[1:], first, rest, chosen), "one weight"),
        ((rows, weights, first[1:], rest, chosen), "as many starts"),
        ((rows, weights, first, rest, chosen[:, 1:]), "chosen"),
        ((rows[:0], weights[:0], first, rest, chosen), "empty"),
    ):
        with pytest.raises(ValueError, match=match):
            _native.seed(*(np.ascontiguousarray(one) for one in wrong))
