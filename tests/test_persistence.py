"""Model files: what is loaded is what was saved, bit for bit, and anything else is refused."""

from __future__ import annotations

import json
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mixtura
from mixtura import GaussianMixture, Mixture, ModelFileError, persistence
from mixtura.atomic import replacing
from mixtura.document import digest, readable

TYPES = ("full", "tied", "diag", "spherical")
PARAMETERS = ("weights", "means", "covariances")
SEED = 20260


def rows_of_three_groups() -> np.ndarray:
    rng = np.random.default_rng(SEED)
    centres = np.array([[0.0, 0.0], [6.0, 1.0], [-3.0, 7.0]])
    return (centres[:, None, :] + rng.normal(size=(3, 40, 2))).reshape(-1, 2)


def fitted(covariance_type: str = "full", **options: Any) -> GaussianMixture:
    options = {"random_state": 3, "max_iter": 400, **options}
    return GaussianMixture(3, covariance_type=covariance_type, **options).fit(rows_of_three_groups())


def same_bits(left: Any, right: Any) -> bool:
    one, other = np.asarray(left), np.asarray(right)
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()


def same_mixture(left: Mixture, right: Mixture) -> bool:
    same = all(same_bits(getattr(left, name), getattr(right, name)) for name in PARAMETERS)
    return same and left.covariance_type == right.covariance_type


@pytest.fixture(scope="module")
def model() -> GaussianMixture:
    return fitted()


@pytest.fixture(scope="module")
def document(model: GaussianMixture, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "model.json"
    mixtura.save(model, path)
    return path.read_text("ascii")


def write_signed(path: Path, content: dict[str, Any]) -> None:
    """A document whose checksum holds: what a hostile writer would make."""
    content["sha256"] = digest(content)
    path.write_text(readable(content), "ascii")


# Round trips


@pytest.mark.parametrize("covariance_type", TYPES)
def test_an_estimator_comes_back_bit_for_bit(covariance_type: str, tmp_path: Path) -> None:
    before = fitted(covariance_type)
    mixtura.save(before, tmp_path / "model.json")
    after = mixtura.load(tmp_path / "model.json")
    rows = rows_of_three_groups()
    assert type(after) is GaussianMixture
    assert same_mixture(before.mixture_, after.mixture_)
    for name in ("predict", "predict_proba", "score_samples"):
        assert same_bits(getattr(before, name)(rows), getattr(after, name)(rows))
    for name in ("converged_", "status_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_"):
        assert getattr(before, name) == getattr(after, name)
    assert before.n_observations_ == after.n_observations_
    assert before.get_params() == after.get_params()
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert same_bits(getattr(before, name), getattr(after, name))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_pickle_keeps_the_bits_too(covariance_type: str) -> None:
    before = fitted(covariance_type)
    after = pickle.loads(pickle.dumps(before))
    assert same_mixture(before.mixture_, after.mixture_)
    assert same_bits(before.predict_proba(rows_of_three_groups()), after.predict_proba(rows_of_three_groups()))


def test_weights_are_not_normalised_again(tmp_path: Path) -> None:
    weights = np.array([0.1, 0.2, 0.7]) * (1 + 3e-12)
    mixtura.save(Mixture(weights, np.eye(3), np.ones(3), "spherical"), tmp_path / "mixture.json")
    assert same_bits(mixtura.load(tmp_path / "mixture.json").weights, weights)


def test_feature_names_are_kept(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows_of_three_groups(), columns=["länge, mm", "weight"])
    before = GaussianMixture(2, random_state=0).fit(frame)
    mixtura.save(before, tmp_path / "model.json")
    after = mixtura.load(tmp_path / "model.json")
    assert after.feature_names_in_.tolist() == ["länge, mm", "weight"]
    assert after.feature_names_in_.dtype == object
    assert same_bits(before.predict(frame), after.predict(frame))


def test_options_that_are_no_json_have_their_defaults_after_loading(tmp_path: Path) -> None:
    before = fitted(means_init=np.zeros((3, 2)) + np.arange(3)[:, None], random_state=np.random.RandomState(1))
    before.set_params(max_iter=np.int64(17))
    mixtura.save(before, tmp_path / "model.json")
    after = mixtura.load(tmp_path / "model.json")
    assert after.means_init is None and after.random_state is None
    assert after.max_iter == 17 and type(after.max_iter) is int


def test_the_file_is_text_with_a_line_a_key(document: str) -> None:
    content = json.loads(document)
    assert (content["schema"], content["schema_version"], content["kind"]) == ("mixtura-model", 1, "GaussianMixture")
    assert content["library_version"] == mixtura.__version__
    assert sum(line.startswith('    "means": [[') for line in document.splitlines()) == 1
    assert document.isascii() and document.endswith("}\n")


# What cannot be saved


def test_an_unfitted_estimator_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not fitted yet; call fit"):
        mixtura.save(GaussianMixture(), tmp_path / "model.json")
    assert not list(tmp_path.iterdir())


def test_an_unknown_kind_is_not_saved(model: GaussianMixture, tmp_path: Path) -> None:
    class Mine(GaussianMixture):
        pass

    with pytest.raises(TypeError, match=r"got dict"):
        mixtura.save({}, tmp_path / "model.json")
    with pytest.raises(TypeError, match=r"got Mine; its distribution can be saved"):
        mixtura.save(_copied(Mine(), model), tmp_path / "model.json")


def _copied(target: Any, model: GaussianMixture) -> Any:
    target.mixture_ = model.mixture_
    return target


def test_what_load_would_refuse_is_not_saved(tmp_path: Path) -> None:
    broken = Mixture(np.array([1.0]), np.array([[np.nan]]), np.array([1.0]), "spherical")
    with pytest.raises(ValueError, match=r"cannot be saved: mixture.means\[0\]\[0\]: must be a finite number"):
        mixtura.save(broken, tmp_path / "model.json")
    assert not list(tmp_path.iterdir())


# Atomicity


def test_a_failed_write_leaves_the_old_file_and_no_other(
    document: str, model: GaussianMixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.json"
    path.write_text(document, "ascii")

    def fail(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        mixtura.save(model, path)
    assert path.read_text("ascii") == document
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "file") as stream:
        stream.write("half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_permissions_and_links_survive(model: GaussianMixture, tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    mixtura.save(model, link)
    assert link.is_symlink() and stat.S_IMODE(target.stat().st_mode) == 0o640
    assert same_mixture(mixtura.load(target).mixture_, model.mixture_)


# Hostile files


def assert_refused(path: Path, match: str = "") -> None:
    with pytest.raises(ModelFileError, match=match) as caught:
        mixtura.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "line 1, column 1: not JSON"),
        (b"\xff\xfe", "byte 0: not UTF-8"),
        (b"[]", "a JSON object; got an array of 0"),
        (b"{}", "schema: must be 'mixtura-model'"),
        (b"[" * 200_000, "nested more deeply"),
        (b'{"a":' * 200_000, "nested more deeply"),
        (b'{"schema": "mixtura-model", "schema": 1}', "'schema': the key appears twice"),
        (b'{"schema": "mixtura-model", "schema_version": 2, "library_version": "9.0"}', "version 1; the file has 2"),
        (b'{"schema": "mixtura-model", "schema_version": true}', "schema_version: must be an integer"),
        (b"9" * 5000, "Exceeds the limit"),
    ],
)
def test_what_is_no_model_file_is_refused(content: bytes, match: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(content)
    assert_refused(tmp_path / "model.json", match)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path, "not a regular file")
    assert_refused(tmp_path / "absent.json", "cannot be read: No such file")


def test_a_huge_file_is_refused_without_reading_it(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.json").write_text(document, "ascii")
    monkeypatch.setattr(persistence, "MAX_BYTES", 100)
    assert_refused(tmp_path / "model.json", "more than 100 bytes")


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


SURGERY: list[tuple[tuple[Any, ...], Any, str]] = [
    (("mixture", "weights", 1), float("nan"), r"mixture.weights\[1\]: must be a finite number; got nan"),
    (("mixture", "weights", 1), True, r"mixture.weights\[1\]: must be a number; got True"),
    (("mixture", "weights"), [0.5, 0.6, -0.1], r"mixture.weights\[2\]: must not be negative"),
    (("mixture", "weights"), [0.5, 0.6, 0.1], r"mixture.weights: must sum to 1; they sum to 1.2"),
    (("mixture", "weights"), [1e308, 1e308, 1e308], "mixture.weights: must sum to 1"),
    (("mixture", "weights"), [], "mixture.weights: must be an array of 1 or more"),
    (("mixture", "means", 2), [1.0], r"mixture.means\[2\]: must be an array of 2 values; got an array of 1"),
    (("mixture", "means", 2, 1), "1.0", r"mixture.means\[2\]\[1\]: must be a number; got '1.0'"),
    (("mixture", "means", 2, 1), 10**30, r"mixture.means\[2\]\[1\]: must be a number; got an integer beyond"),
    (("mixture", "means"), [[], [], []], r"mixture.means\[0\]: must be an array of 1 or more"),
    (("mixture", "means", 0), {}, r"mixture.means\[0\]: must be an array"),
    (("mixture", "covariances", 1, 0, 1), 0.5, "covariance of component 1 is not symmetric"),
    (("mixture", "covariances", 2), [[1.0, 2.0], [2.0, 1.0]], "component 2 is not positive definite"),
    (("mixture", "covariances", 0), [[1.0, 1e308], [-1e308, 1.0]], "component 0 is not symmetric"),
    (("mixture", "covariances"), [1.0, 1.0, 1.0], r"covariances\[0\]: must be an array of 2 values; got 1.0"),
    (("mixture", "covariances"), nested(50), "covariances: must be an array of 3"),
    (("mixture", "covariance_type"), "os.system", "covariance_type"),
    (("mixture", "covariance_type"), ["full"], "covariance_type: must be a string"),
    (("mixture", "covariance_type"), "spherical", r"covariances\[0\]: must be a number; got an array of 2"),
    (("mixture", "more"), 1, "mixture: unknown key 'more'"),
    (("kind",), "os.system", "kind: must be one of mixture, GaussianMixture"),
    (("kind",), "mixture", "unknown key 'feature_names'"),
    (("options", "n_components"), 0, "options: n_components must be at least 1"),
    (("options", "tol"), "small", "options: tol must be a number"),
    (("options", "warm_start"), 1, "options.warm_start: must be true or false"),
    (("options", "__class__"), "x", "options.'__class__': no such parameter"),
    (("options", "random_state"), {"a": 1}, "options.random_state: must be a number, a string"),
    (("options",), [], "options: must be an object"),
    (("fit", "status"), "WONDERFUL", "fit.status: must be one of"),
    (("fit", "n_iter"), -1, "fit.n_iter: must be an integer of 0 or more"),
    (("fit", "n_iter"), 1.0, "fit.n_iter: must be an integer of 0 or more"),
    (("fit", "converged"), 1, "fit.converged: must be true or false"),
    (("fit", "n_features_in"), 3, "fit.n_features_in: must be 2"),
    (("fit", "n_observations"), -1.0, "fit.n_observations: must be a finite number of 0 or more"),
    (("fit", "lower_bounds"), [0.0, None], r"fit.lower_bounds\[1\]: must be a number; got null"),
    (("fit", "lower_bound"), float("inf"), "fit.lower_bound: must be a finite number; got inf"),
    (("feature_names",), ["a"], "feature_names: must be 2"),
    (("feature_names",), ["a", "a"], "feature_names: a name appears twice"),
    (("feature_names",), ["a", 2], r"feature_names\[1\]: must be a string; got 2"),
    (("feature_names",), ["a", "\ud800"], r"feature_names\[1\]: holds half a character"),
]


@pytest.mark.parametrize(("place", "value", "match"), SURGERY)
def test_a_well_signed_but_unsound_document_is_refused(
    document: str, tmp_path: Path, place: tuple[Any, ...], value: Any, match: str
) -> None:
    content = json.loads(document)
    parent = content
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    path = tmp_path / "model.json"
    try:
        write_signed(path, content)
    except ValueError:  # NaN and infinity, which no honest writer writes
        path.write_text(json.dumps(content), "ascii")
    assert_refused(path, match)


@pytest.mark.parametrize("key", ["sha256", "mixture", "options", "fit", "feature_names", "library_version"])
def test_a_missing_key_is_refused(document: str, key: str, tmp_path: Path) -> None:
    content = json.loads(document)
    del content[key]
    (tmp_path / "model.json").write_text(json.dumps(content), "ascii")
    assert_refused(tmp_path / "model.json", key)


def test_a_changed_number_is_noticed(document: str, tmp_path: Path) -> None:
    content = json.loads(document)
    content["mixture"]["means"][0][0] += 1e-9
    (tmp_path / "model.json").write_text(readable(content), "ascii")
    assert_refused(tmp_path / "model.json", "sha256: the checksum does not match")


def test_a_small_file_cannot_ask_for_much_memory(tmp_path: Path) -> None:
    d = 100_000  # dense, one such covariance would take 80 GB
    wide = Mixture(np.array([1.0]), np.zeros((1, d)), np.ones((1, d)), "diag")
    mixtura.save(wide, tmp_path / "wide.json")
    assert same_mixture(mixtura.load(tmp_path / "wide.json"), wide)
