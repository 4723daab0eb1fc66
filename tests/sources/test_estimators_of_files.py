"""Every estimator takes files where that can be, and says what to do where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixtura import (
    GaussianMixtureClassifier,
    GaussianMixtureIC,
    GaussianMixtureOutlierDetector,
    GaussianMixtureRegressor,
    open_rows,
)
from mixtura.estimators import selecting
from mixtura.shape import Array
from mixtura.source import FileSource, partition

N_ROWS = 6_000


@pytest.fixture
def rows(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Array:
    """Rows of two groups that are not kept in memory, and of which a sweep sees a tenth."""
    monkeypatch.setattr(partition, "PART_ROWS", 2_048)
    monkeypatch.setattr(FileSource, "at_hand", lambda self: self)
    monkeypatch.setattr(FileSource, "check_limit", lambda self, threads: None)
    monkeypatch.setattr(selecting, "SWEEP_ROWS", 600)
    whole: Array = rng.normal(size=(N_ROWS, 2)) * [1.0, 2.0] + 6.0 * rng.integers(0, 2, N_ROWS)[:, None]
    return whole


def written(rows: Array, folder: Path, **others: Any) -> Path:
    frame = pd.DataFrame(rows, columns=["a", "b"]).assign(**others)
    frame[:2500].to_parquet(folder / "0.parquet", row_group_size=900)
    frame[2500:].to_parquet(folder / "1.parquet")
    return folder


@pytest.mark.parametrize("holes", [False, True])
def test_a_choice_of_files(rows: Array, holes: bool, tmp_path: Path, rng: np.random.Generator) -> None:
    if holes:
        rows[:, 0][rng.random(N_ROWS) < 0.1] = np.nan
    weights = rng.integers(0, 3, N_ROWS).astype(float)
    data = open_rows(written(rows, tmp_path, w=weights), weights="w")
    asked = {"covariance_type": ["VVI", "VII"], "criterion": "icl", "random_state": 0}
    found = GaussianMixtureIC([1, 2, 3], **asked).fit(data)
    same = GaussianMixtureIC([1, 2, 3], **asked).fit(rows, sample_weight=weights)
    assert found.best_params_ == same.best_params_ == {"covariance_type": "VVI", "n_components": 2}
    for name in ("bic", "icl", "log_likelihood"):
        np.testing.assert_allclose(found.results_[name], same.results_[name], rtol=1e-12)
    np.testing.assert_array_equal(found.means_, same.means_)
    assert found.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(found.predict(tmp_path), same.predict(rows))
    with pytest.raises(ValueError, match="criterion 'cv' needs the rows in memory"):
        GaussianMixtureIC(1, criterion="cv").fit(data)


def test_a_choice_of_a_small_file(tmp_path: Path, rng: np.random.Generator) -> None:
    rows = rng.normal(size=(300, 2))
    model = GaussianMixtureIC([1, 2], criterion="cv", random_state=0).fit(written(rows, tmp_path))
    same = GaussianMixtureIC([1, 2], criterion="cv", random_state=0).fit(rows)
    np.testing.assert_array_equal(model.results_["cv"], same.results_["cv"])


@pytest.mark.parametrize("options", [{}, {"contamination": 0.03}])
@pytest.mark.parametrize("holes", [False, True])
def test_outliers_of_files(
    rows: Array, options: dict[str, Any], holes: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    if holes:
        rows[:, 0][rng.random(N_ROWS) < 0.1] = np.nan
    weights = rng.integers(0, 3, N_ROWS).astype(float)
    data = open_rows(written(rows, tmp_path, w=weights), weights="w")
    found = GaussianMixtureOutlierDetector(2, random_state=0, **options).fit(data)
    same = GaussianMixtureOutlierDetector(2, random_state=0, **options).fit(rows, sample_weight=weights)
    assert found.offset_ == same.offset_
    np.testing.assert_array_equal(found.predict(tmp_path), same.predict(rows))
    np.testing.assert_allclose(found.decision_function(tmp_path), same.decision_function(rows), atol=1e-12)
    np.testing.assert_allclose(found.score_samples(tmp_path), same.score_samples(rows), atol=1e-12)
    np.testing.assert_allclose(found.contributions(tmp_path), same.contributions(rows), atol=1e-10)


def test_the_choice_of_a_detector_reads_its_files_once(tmp_path: Path, rng: np.random.Generator) -> None:
    blocks = iter([rng.normal(size=(200, 2)), rng.normal(size=(100, 2))])
    assert GaussianMixtureOutlierDetector(random_state=0).fit(open_rows(blocks)).mixture_.n_components == 1


def test_classes_and_targets_are_in_memory_and_predictions_of_files(rows: Array, tmp_path: Path) -> None:
    written(rows, tmp_path)
    frame, labels = pd.DataFrame(rows, columns=["a", "b"]), np.where(rows.sum(axis=1) > 6, "far", "near")
    classifier = GaussianMixtureClassifier(random_state=0).fit(frame, labels)
    assert np.array_equal(classifier.predict(tmp_path), classifier.predict(frame))
    np.testing.assert_allclose(classifier.predict_proba(tmp_path), classifier.predict_proba(frame), atol=1e-12)
    regressor = GaussianMixtureRegressor(1, random_state=0).fit(frame[["a"]], rows[:, 1])
    np.testing.assert_allclose(regressor.predict(tmp_path), regressor.predict(frame[["a"]]), rtol=1e-10)
    np.testing.assert_allclose(
        regressor.predict_distribution(tmp_path).std, regressor.predict_distribution(frame[["a"]]).std, rtol=1e-10
    )
    for estimator in (GaussianMixtureClassifier(), GaussianMixtureRegressor()):
        for data in (str(tmp_path), tmp_path, [tmp_path], open_rows(tmp_path)):
            with pytest.raises(TypeError, match=r"needs an array or a data frame here, and no files \(.*read them"):
                estimator.fit(data, labels)
