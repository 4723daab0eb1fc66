"""Model files under fuzzing: the result is the same model or a ModelFileError; no warning, no other error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import mixtura
from mixtura import (
    ConjugatePrior,
    GaussianMixture,
    GaussianMixtureClassifier,
    GaussianMixtureImputer,
    GaussianMixtureOutlierDetector,
    GaussianMixtureRegressor,
    Mixture,
    ModelFileError,
)
from mixtura.document import digest, readable

RELAXED = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)


@pytest.fixture(scope="module")
def models() -> list[Any]:
    rows = np.random.default_rng(20260).normal(size=(60, 2))
    rows[30:] += 5
    classes = np.repeat(["a", "b"], 30)
    prior = ConjugatePrior(mean=[0.0, 1.0], scale=[1.0, 2.0])
    return [
        GaussianMixture(2, random_state=3).fit(rows),
        GaussianMixtureClassifier(2, covariance_type="VVI", random_state=3).fit(rows, classes),
        GaussianMixtureOutlierDetector(2, covariance_type="EEE", prior=prior, random_state=3).fit(rows),
        GaussianMixtureImputer(2, add_indicator=True, random_state=3).fit(np.where(rows > 6, np.nan, rows)),
        GaussianMixtureRegressor(2, random_state=3).fit(rows[:, :1], rows[:, 1]),
    ]


@pytest.fixture(scope="module")
def saved(models: list[Any], tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Any]]:
    """The documents of one model of each kind that is an estimator, with the models."""
    path = tmp_path_factory.mktemp("model") / "model.json"
    documents = []
    for model in models:
        mixtura.save(model, path)
        documents.append((path.read_text("ascii"), model))
    return documents


def mixtures_of(model: Any) -> list[Mixture]:
    return model.mixtures_ if hasattr(model, "mixtures_") else [model.mixture_]


def same_mixture(left: Mixture, right: Mixture) -> bool:
    names = ("weights", "means", "covariances")
    same = all(getattr(left, name).tobytes() == getattr(right, name).tobytes() for name in names)
    return same and left.covariance_type == right.covariance_type and left.means.shape == right.means.shape


@RELAXED
@given(data=st.data())
def test_any_sound_mixture_comes_back_bit_for_bit(data: st.DataObject, tmp_path: Path) -> None:
    k, d = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    raw = data.draw(arrays.arrays(np.float64, k, elements=st.floats(0.01, 1.0)))
    means = data.draw(arrays.arrays(np.float64, (k, d), elements=st.floats(-1e300, 1e300)))
    variances = data.draw(arrays.arrays(np.float64, (k, d), elements=st.floats(1e-200, 1e200)))
    before = Mixture(raw / raw.sum(), means, variances, "diag")
    mixtura.save(before, tmp_path / "mixture.json")
    assert same_mixture(before, mixtura.load(tmp_path / "mixture.json"))


def plain(value: Any) -> Any:
    """A parameter as something that can be compared: a prior's lists come back as arrays."""
    if not isinstance(value, ConjugatePrior):
        return value
    return {name: np.asarray(part).tolist() for name, part in vars(value).items()}


def assert_same_or_refused(path: Path, model: Any) -> None:
    try:
        loaded = mixtura.load(path)
    except ModelFileError as error:
        assert str(path) in str(error)
    else:
        assert type(loaded) is type(model)
        assert all(map(same_mixture, mixtures_of(loaded), mixtures_of(model)))
        before, after = model.get_params(), loaded.get_params()
        assert all(plain(before[name]) == plain(after[name]) for name in before | after)
        for name in ("lower_bounds_", "offset_", "bic_"):
            assert getattr(loaded, name, None) == getattr(model, name, None)


@RELAXED
@given(data=st.data())
def test_truncations(data: st.DataObject, saved: list[tuple[str, Any]], tmp_path: Path) -> None:
    document, model = data.draw(st.sampled_from(saved))
    length = data.draw(st.integers(0, len(document)))
    (tmp_path / "model.json").write_text(document[:length], "ascii")
    assert_same_or_refused(tmp_path / "model.json", model)


@RELAXED
@given(data=st.data())
def test_changed_bytes(data: st.DataObject, saved: list[tuple[str, Any]], tmp_path: Path) -> None:
    document, model = data.draw(st.sampled_from(saved))
    content = bytearray(document, "ascii")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "model.json").write_bytes(bytes(content))
    assert_same_or_refused(tmp_path / "model.json", model)


@RELAXED
@given(data=st.data())
def test_removed_and_doubled_stretches(
    data: st.DataObject, saved: list[tuple[str, Any]], tmp_path: Path
) -> None:
    document, model = data.draw(st.sampled_from(saved))
    start = data.draw(st.integers(0, len(document) - 1))
    stop = data.draw(st.integers(start, min(len(document), start + 200)))
    times = data.draw(st.sampled_from([0, 2]))
    (tmp_path / "model.json").write_text(document[:start] + document[start:stop] * times + document[stop:], "ascii")
    assert_same_or_refused(tmp_path / "model.json", model)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] * bool(at) + [place for step, item in steps for place in places(item, (*at, step))]


@RELAXED
@given(data=st.data())
def test_swapped_types_under_a_good_checksum(data: st.DataObject, saved: list[tuple[str, Any]], tmp_path: Path) -> None:
    document, _ = data.draw(st.sampled_from(saved))
    content = json.loads(document)
    place = data.draw(st.sampled_from(places(content)))
    parent = content
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = data.draw(ANY_JSON)
    content["sha256"] = digest(content)
    (tmp_path / "model.json").write_text(readable(content), "ascii")
    try:
        loaded = mixtura.load(tmp_path / "model.json")
    except ModelFileError:
        return
    for mixture in mixtures_of(loaded):
        assert np.all(np.isfinite(mixture.means)) and abs(mixture.weights.sum() - 1) < 1e-7
        assert np.all(np.isfinite(mixture.whitener))
    chances = getattr(loaded, "predict_proba", lambda rows: np.ones((1, 1)))(np.zeros((1, 2)))
    assert np.all(np.isfinite(chances))
