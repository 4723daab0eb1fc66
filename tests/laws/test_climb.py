"""A native climb is the Python loop's run, to rounding; and bitwise its own for any number of threads."""

from __future__ import annotations

import _thread
import signal
from collections.abc import Iterator
from dataclasses import fields, replace
from threading import Timer
from time import monotonic, sleep

import numpy as np
import pytest
from scipy.linalg import eigh
from sklearn.datasets import load_iris

from laws.problems import ENGINES, Engines, assert_same_mixture, assert_same_statistics, random_spd, standardization_of
from mixtura import _native, climb, em, native_climb
from mixtura.covariance import MODELS, orientation, volumes
from mixtura.datasets import load_old_faithful
from mixtura.em import EMOptions, Status, Trajectory
from mixtura.engine import native as engines
from mixtura.engine.engine import Engine
from mixtura.estep import statistics_of_partition
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import Array
from mixtura.standardization import Standardization

#: mclust's two models of a single feature, E and V, are EII and VII there.
KNOWN = [name for name in MODELS if name in _native.covariance_models() and len(name) == 3]
NATIVE = ENGINES[1:]

OPTIONS = {
    "default": EMOptions(),
    "em": EMOptions(accelerate=False, max_iter=60),
    "start": EMOptions(max_iter=0),
    "tol=0": EMOptions(tol=0.0, max_iter=30),
}


@pytest.fixture(params=KNOWN)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=NATIVE, ids=str)
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engines:
    choice: Engines = request.param
    choice.activate(monkeypatch)
    return choice


def problem(name: str, rng: np.random.Generator) -> tuple[Array, Array | None, int]:
    """Rows, weights and a number of components."""
    iris = load_iris().data
    if name == "iris":
        return iris, None, 3
    if name == "faithful":
        return load_old_faithful().data.astype(np.float32), None, 2
    if name == "weighted":
        return iris[:, 1:], rng.uniform(0.0, 3.0, len(iris)), 3
    assert name == "collapsing"
    return np.concatenate([iris, np.repeat(iris[:1], 40, axis=0), np.repeat(iris[120:121], 40, axis=0)]), None, 6


def starts_near(
    rows: Array, weights: Array | None, model: str, k: int, n: int
) -> tuple[Standardization, list[Mixture]]:
    """Starts, in standardised coordinates, from the rows nearest to rows that lie apart; the same in every run."""
    to = standardization_of(rows.astype(np.float64), model)
    z = to.rows(rows)
    mass = np.ones(len(z)) if weights is None else weights
    starts = []
    for first in range(n):
        chosen = [7 * first]
        while len(chosen) < k:
            chosen.append(int(np.square(z[:, None] - z[chosen]).sum(axis=2).min(axis=1).argmax()))
        labels = np.square(z[:, None] - z[chosen]).sum(axis=2).argmin(axis=1)
        parts = statistics_of_partition(z, np.eye(k)[labels] * mass[:, None], MODELS[model].shape)
        starts.append(MStep(model)(parts).mixture)
    return to, starts


def assert_same_run(actual: Trajectory, expected: Trajectory, tolerance: float = 1e-7) -> None:
    assert actual.status is expected.status
    assert actual.n_iter == expected.n_iter
    assert actual.mixture.equal_weights == expected.mixture.equal_weights
    np.testing.assert_allclose(actual.history, expected.history, rtol=tolerance / 100)
    np.testing.assert_array_equal(actual.collapsed, expected.collapsed)
    assert_same_mixture(actual.mixture, expected.mixture, tolerance)
    assert actual.statistics is not None and expected.statistics is not None
    assert_same_statistics(actual.statistics, expected.statistics, tolerance)
    if len(expected.history) < 4:
        assert actual.gap == expected.gap == np.inf
    elif 1e-8 < expected.gap < np.inf:  # below, it is the quotient of rounding errors
        assert actual.gap == pytest.approx(expected.gap, rel=1e-3)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("data", ["iris", "faithful", "weighted", "collapsing"])
def test_a_climb_equals_the_python_loop(
    model: str, native: Engines, data: str, options: str, rng: np.random.Generator
) -> None:
    rows, weights, k = problem(data, rng)
    to, starts = starts_near(rows, weights, model, k, 1)
    engine, floor, limits = native(rows, weights, to), 1e-6, OPTIONS[options]
    if data == "collapsing":  # towards a singular optimum, runs soon amplify the rounding of their starts
        floor, limits = 1e-2, replace(limits, max_iter=min(limits.max_iter, 12))
    step = MStep(model, floor, equal_weights=data == "faithful")
    ours, expected = (Trajectory(starts[0], step, limits) for _ in range(2))
    assert native_climb.Settings(engine).climb(ours) is not None
    climb.run(engine, [ours])
    em.run(engine, [expected])
    assert_same_run(ours, expected)


def test_bitwise_the_same_for_any_number_of_threads(model: str, native: Engines, rng: np.random.Generator) -> None:
    rows, weights, k = problem("weighted", rng)
    to, starts = starts_near(rows, weights, model, k, 9)
    runs = []
    for threads in (1, 2, 7):
        runs.append([Trajectory(start, MStep(model), EMOptions()) for start in starts])
        climb.run(native(rows, weights, to, threads), runs[-1])
    runs.append([Trajectory(start, MStep(model), EMOptions()) for start in starts])
    climb.run(native(rows, weights, to, 2), runs[-1], lambda _: None)
    for several in runs[1:]:
        for one, alone in zip(several, runs[0], strict=True):
            assert one.history == alone.history and one.gap == alone.gap and one.status is alone.status
            for name in ("weights", "means", "covariances"):
                assert np.array_equal(getattr(one.mixture, name), getattr(alone.mixture, name)), name


def test_several_blocks_of_rows(
    model: str, native: Engines, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bits from any number of threads that share them."""
    monkeypatch.setattr(engines, "SHARED_WORK", 1)
    rows = rng.permutation(np.concatenate([load_iris().data + rng.normal(0, 0.1, (150, 4)) for _ in range(40)]))
    to, starts = starts_near(rows, None, model, 3, 1)
    options = EMOptions(max_iter=10)
    expected = Trajectory(starts[0], MStep(model), options)
    em.run(native(rows, None, to), [expected])
    histories = []
    for threads in (1, 2, 7):
        engine, ours = native(rows, None, to, threads), Trajectory(starts[0], MStep(model), options)
        assert native_climb.Settings(engine).climb(ours) is not None
        climb.run(engine, [ours])
        assert_same_run(ours, expected)
        histories.append(ours.history)
    assert histories[0] == histories[1] == histories[2]


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_more_rows_than_are_turned(native: Engines, kind: str, rng: np.random.Generator) -> None:
    rows = (load_iris().data[rng.integers(150, size=20_000)] + rng.normal(0, 0.1, (20_000, 4))).astype(kind)
    to, starts = starts_near(rows, None, "VVV", 2, 1)
    engine, options = native(rows, None, to), EMOptions(max_iter=3)
    ours, expected = (Trajectory(starts[0], MStep("VVV"), options) for _ in range(2))
    assert native_climb.Settings(engine).climb(ours) is not None
    climb.run(engine, [ours])
    em.run(engine, [expected])
    assert_same_run(ours, expected)


def test_progress_is_told_after_every_pass() -> None:
    rows = load_iris().data
    to, starts = starts_near(rows, None, "VVV", 3, 2)
    runs = [Trajectory(start, MStep("VVV"), EMOptions(max_iter=n)) for start, n in zip(starts, (3, 6), strict=True)]
    seen: list[list[int]] = []
    climb.run(NATIVE[0](rows, None, to), runs, lambda told: seen.append([one.n_iter for one in told]))
    assert seen == [[min(i, 3), i] for i in range(7)]


def test_what_the_climb_does_not_know_is_left_to_python(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = load_iris().data
    to, starts = starts_near(rows, None, "VVV", 3, 1)
    fresh = Trajectory(starts[0], MStep("VVV"), EMOptions())
    assert native_climb.Settings(ENGINES[0](rows, None, to)).climb(fresh) is None, "the NumPy engine"
    engine = NATIVE[0](rows, None, to)
    begun = Trajectory(starts[0], MStep("VVV"), EMOptions())
    begun.absorb(engine.reduce([begun.forms])[0])
    assert native_climb.Settings(engine).climb(begun) is None, "a run that has begun"
    with monkeypatch.context() as patch:
        patch.setattr(engines, "CLIMBED_WORK", rows.size)
        assert native_climb.Settings(engine).climb(fresh) is None, "a pass that takes longer than Python does"

    class OtherMStep(MStep):
        """As a prior would be added."""

    other = Trajectory(starts[0], OtherMStep("VVV"), EMOptions())
    assert native_climb.Settings(engine).climb(other) is None, "another M-step"
    monkeypatch.setattr(native_climb, "_known_models", frozenset)
    assert native_climb.Settings(engine).climb(fresh) is None, "a model that was not built"
    expected = Trajectory(starts[0], MStep("VVV"), EMOptions())
    em.run(engine, [expected])
    climb.run(engine, [fresh])
    assert fresh.history == expected.history


def test_runs_of_several_models_side_by_side() -> None:
    rows = load_iris().data
    for engine in (ENGINES[0], NATIVE[0]):
        to = standardization_of(rows, "VII")
        runs = []
        for model in ("VVV", "VII", "EEE", "VVV"):
            _, (start,) = starts_near(to.rows(rows), None, model, 2, 1)
            runs.append(Trajectory(start, MStep(model), EMOptions(max_iter=5)))
        climb.run(engine(rows, None, to), runs)
        assert all(one.n_iter == 5 or one.status is Status.CONVERGED for one in runs)
        assert runs[0].history == runs[3].history


def test_a_climb_knows_its_thinnest_component(model: str, native: Engines, rng: np.random.Generator) -> None:
    rows, weights, k = problem("collapsing", rng)
    to, starts = starts_near(rows, weights, model, k, 1)
    one = Trajectory(starts[0], MStep(model, 1e-6), EMOptions(max_iter=5))
    climb.run(native(rows, weights, to), [one])
    assert one.outcome is not None and one.statistics is not None
    dense = one.mixture.dense_covariances
    pooled = np.einsum("k,kij->ij", one.mixture.weights, dense)
    widths = np.array([eigh(matrix, pooled, eigvals_only=True)[0] for matrix in dense])
    for limit in np.unique(one.statistics.count)[1:]:
        expected = widths[one.statistics.count < limit].min()
        assert one.outcome.thinnest(limit) == pytest.approx(expected, rel=1e-6, abs=1e-13)
    assert one.outcome.thinnest(0.0) == np.inf, "no component has so few rows"


def test_a_climb_that_leaves_float64_is_python_to_do() -> None:
    rows = np.concatenate([load_iris().data, np.full((1, 4), 1e160)])  # its square overflows
    start = Mixture.from_parameters([0.5, 0.5], np.eye(2, 4), np.stack([np.eye(4)] * 2), "full")
    engine = NATIVE[0](rows)
    ours, expected = (Trajectory(start, MStep("full"), EMOptions(max_iter=0)) for _ in range(2))
    native = native_climb.Settings(engine).climb(ours)
    assert native is not None
    native.native.advance(3)
    assert native.native.status == native_climb.FAILED
    for run, one in ((climb.run, ours), (em.run, expected)):
        with np.errstate(all="ignore"), pytest.raises(np.linalg.LinAlgError):
            run(engine, [one])
    assert ours.history == expected.history == [-np.inf]


@pytest.mark.parametrize("threads", [1, 2])
def test_control_c_ends_runs_in_a_sound_state(threads: int) -> None:
    rows = load_iris().data
    to, starts = starts_near(rows, None, "VVV", 3, 3)
    runs = [Trajectory(start, MStep("VVV"), EMOptions(tol=0.0, max_iter=50_000_000)) for start in starts]
    engine = NATIVE[0](rows, None, to, threads)
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        pytest.skip("Ctrl-C has been given another meaning here")
    timer = Timer(0.1, _thread.interrupt_main)
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        climb.run(engine, runs)
    assert {one.status for one in runs} == {Status.INTERRUPTED}
    begun = [one for one in runs if one.history]
    assert len(begun) >= 1
    for one in begun:
        assert one.statistics is not None
        assert engine.reduce([one.mixture.forms])[0].log_likelihood == pytest.approx(one.statistics.log_likelihood)


def test_runs_begin_while_others_are_being_made() -> None:
    rows = load_iris().data
    to, starts = starts_near(rows, None, "VVV", 3, 20)
    runs = [Trajectory(start, MStep("VVV"), EMOptions(tol=0.0, max_iter=300)) for start in starts]
    engine = NATIVE[0](rows, None, to, 2)
    waited = []

    def made(begun: list[native_climb.Climb]) -> Iterator[tuple[Engine, Trajectory]]:
        yield from ((engine, one) for one in runs)
        until = monotonic() + 60
        while begun[0].running and monotonic() < until:
            sleep(0.001)
        waited.append(begun[0].running)

    climbs: list[native_climb.Climb] = []
    with pytest.MonkeyPatch.context() as patch:
        original = native_climb.Crowd.add
        patch.setattr(
            native_climb.Crowd, "add", lambda crowd, *given: (climbs.append(given[1]), original(crowd, *given))[1]
        )
        climb.run_each(made(climbs))
    assert waited == [False], "the first run waited for the last to be made"
    alone = [Trajectory(start, MStep("VVV"), EMOptions(tol=0.0, max_iter=300)) for start in starts]
    climb.run(NATIVE[0](rows, None, to, 1), alone)
    assert [one.history for one in runs] == [one.history for one in alone]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_while_runs_are_made_stops_them_all(threads: int) -> None:
    rows = load_iris().data
    to, starts = starts_near(rows, None, "VVV", 3, 10)
    engine = NATIVE[0](rows, None, to, threads)
    endless = EMOptions(tol=0.0, max_iter=50_000_000)

    def made() -> Iterator[tuple[Engine, Trajectory]]:
        yield from ((engine, Trajectory(start, MStep("VVV"), endless)) for start in starts)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        climb.run_each(made())
    after = Trajectory(starts[0], MStep("VVV"), EMOptions())
    climb.run(engine, [after])
    assert after.status is Status.CONVERGED


def test_the_climb_is_asked_about_every_part_of_an_m_step() -> None:
    """It knows the first three; `plain` says that there are no others."""
    others = [one.name for one in fields(MStep)][3:]
    assert [one.name for one in fields(MStep)][:3] == ["covariance_type", "floor", "equal_weights"]
    assert others == ["prior", "background", "fixed"] and MStep().plain
    for name in others:
        assert not replace(MStep(), **{name: object()}).plain


def test_the_covariance_models_share_their_constants() -> None:
    for name, value in _native.covariance_constants().items():
        home = volumes if hasattr(volumes, name) else orientation
        assert getattr(home, name) == value, name


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 32])
def test_small_eigenproblems(size: int, rng: np.random.Generator) -> None:
    graded = 10.0 ** rng.uniform(-8, 8, size)
    matrices = {
        "any": (lambda a: a + a.T)(rng.standard_normal((size, size))),
        "graded": random_spd(rng, 1, size)[0] * np.sqrt(np.multiply.outer(graded, graded)),
        "repeated": np.eye(size) * 3.0,
        "rank one": np.ones((size, size)),
        "zero": np.zeros((size, size)),
    }
    for name, matrix in matrices.items():
        matrix = 0.5 * (matrix + matrix.T)
        values, vectors = _native.eigen(matrix)
        assert np.all(np.diff(values) >= 0), name
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(size), atol=1e-13, err_msg=name)
        scale = max(np.abs(matrix).max(), 1.0)
        np.testing.assert_allclose((vectors * values) @ vectors.T, matrix, rtol=0, atol=1e-13 * scale, err_msg=name)
        np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix), rtol=0, atol=1e-12 * scale * size, err_msg=name)
    # small eigenvalues to relative accuracy, as the product of all shows
    values, _ = _native.eigen(matrices["graded"])
    assert np.log(values).sum() == pytest.approx(np.linalg.slogdet(matrices["graded"])[1], abs=1e-9)
