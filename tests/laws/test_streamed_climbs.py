"""Native runs over rows that come block by block are bitwise those over the same rows in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from sklearn.datasets import load_iris

from laws.problems import Engines, assert_same_statistics
from laws.test_climb import NATIVE, starts_near
from mixtura import climb, native_climb
from mixtura.em import EMOptions, Status, Trajectory
from mixtura.engine.native import NativeEngine
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import Array
from mixtura.source import ArraySource, Block
from mixtura.standardization import Standardization

OPTIONS = EMOptions(tol=0.0, max_iter=7)


class Streamed:
    """A source that no memory holds."""

    def __init__(
        self, rows: Array, weights: Array | None, on_block: Callable[[int], None] = lambda start: None
    ) -> None:
        self._held = ArraySource(rows, weights)
        self._on_block = on_block
        self.n_rows, self.n_features = rows.shape
        self.total_weight = self._held.total_weight
        self.incomplete = False

    def blocks(self) -> Iterator[Block]:
        for block in self._held.blocks():
            self._on_block(block.start)
            yield block

    def at_hand(self) -> Streamed:
        return self


def problem(rng: np.random.Generator, weighted: bool) -> tuple[Array, Array | None]:
    rows = rng.permutation(np.concatenate([load_iris().data + rng.normal(0, 0.1, (150, 4)) for _ in range(40)]))
    return rows, rng.uniform(0.0, 2.0, len(rows)) if weighted else None


def streamed(source: Streamed, to: Standardization, threads: int) -> NativeEngine:
    return NativeEngine(source, to, threads)  # type: ignore[arg-type]


def runs_of(rows: Array, weights: Array | None, model: str) -> tuple[Standardization, list[Trajectory]]:
    """Three, of which the second ends before the others."""
    to, starts = starts_near(rows, weights, model, 3, 3)
    limits = (OPTIONS, EMOptions(tol=0.0, max_iter=4), OPTIONS)
    return to, [Trajectory(start, MStep(model), options) for start, options in zip(starts, limits, strict=True)]


@pytest.mark.parametrize("engine", NATIVE, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_bits_of_rows_in_memory(
    covariance_type: str, engine: Engines, weighted: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block is read once a pass, whatever the number of runs."""
    engine.activate(monkeypatch)
    rows, weights = problem(rng, weighted)
    starts: list[int] = []
    for told in (False, True):
        for threads in (1, 3):
            to, ours = runs_of(rows, weights, covariance_type)
            over = streamed(Streamed(rows, weights, starts.append), to, threads)
            known = native_climb.Settings(over).climb(ours[0])
            assert known is not None and not known.held
            starts.clear()
            climb.run(over, ours, (lambda _: None) if told else None)
            assert starts == sorted(set(starts)) * 8
            expected = runs_of(rows, weights, covariance_type)[1]
            climb.run(engine(rows, weights, to), expected)
            for one, held in zip(ours, expected, strict=True):
                assert one.history == held.history and one.status is held.status
                assert one.statistics is not None and held.statistics is not None
                assert np.array_equal(one.mixture.covariances, held.mixture.covariances)
                assert_same_statistics(one.statistics, held.statistics, 0.0)


def test_starts_of_a_search() -> None:
    rows, _ = problem(np.random.default_rng(0), False)
    to, starts = starts_near(rows, None, "VVV", 3, 4)
    expected = climb.run_starts(NATIVE[0](rows, None, to), starts, MStep("VVV"), OPTIONS)
    found = climb.run_starts(streamed(Streamed(rows, None), to, 2), starts, MStep("VVV"), OPTIONS)
    assert climb.ends_of(found) == climb.ends_of(expected)
    assert [one.history for one in found] == [one.history for one in expected]


@pytest.mark.parametrize("told", [False, True])
def test_control_c_between_two_blocks(told: bool) -> None:
    rows, _ = problem(np.random.default_rng(0), False)
    to, ours = runs_of(rows, None, "VVV")
    seen: list[int] = []

    def interrupt(start: int) -> None:
        seen.append(start)
        if len(seen) == 14:  # in the fourth pass of four blocks
            raise KeyboardInterrupt

    over = streamed(Streamed(rows, None, interrupt), to, 2)
    with pytest.raises(KeyboardInterrupt):
        climb.run(over, ours, (lambda _: None) if told else None)
    expected = runs_of(rows, None, "VVV")[1]
    climb.run(NATIVE[0](rows, None, to), expected)
    for one, whole in zip(ours, expected, strict=True):
        assert one.status is Status.INTERRUPTED
        assert one.history == whole.history[:3]
        assert one.statistics is not None
        again = over.reduce([one.mixture.forms])[0]
        assert_same_statistics(again, one.statistics, 1e-9)


def test_a_run_that_leaves_float64_is_python_to_do() -> None:
    rows = np.concatenate([load_iris().data, np.full((1, 4), 1e160)])  # its square overflows
    start = Mixture.from_parameters([0.5, 0.5], np.eye(2, 4), np.stack([np.eye(4)] * 2), "full")
    one = Trajectory(start, MStep("VVV"), EMOptions(max_iter=0))
    with np.errstate(all="ignore"), pytest.raises(np.linalg.LinAlgError):
        climb.run(streamed(Streamed(rows, None), Standardization.identity(4), 1), [one])
    assert one.history == [-np.inf]


def test_sums_of_the_wrong_size_are_refused() -> None:
    rows, _ = problem(np.random.default_rng(0), False)
    to, (one, *_) = runs_of(rows, None, "VVV")
    made = native_climb.Settings(streamed(Streamed(rows, None), to, 1)).climb(one)
    assert made is not None
    size = made.native.begin_pass()
    for call in (lambda: made.native.reduce(rows, None, np.empty(size + 1)), lambda: made.native.end_pass(np.empty(1))):
        with pytest.raises(ValueError, match="wrong size"):
            call()
    with pytest.raises(ValueError, match="columns"):
        made.native.reduce(rows[:, 1:], None, np.empty(size))
