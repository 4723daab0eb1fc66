"""partial_fit goes through files once, a piece after the other, and learns nothing of a file that is bad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixtura import GaussianMixture, open_rows
from mixtura.estimators import streaming
from mixtura.table import TableError


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two CSV files with weights; few of their rows are held."""
    monkeypatch.setattr(streaming, "fine_rows", lambda n_rows, n_parameters: 400)
    rows = rng.normal(size=(6000, 2)) + 5.0 * rng.integers(0, 2, 6000)[:, None]
    frame = pd.DataFrame(rows, columns=["a", "b"]).assign(w=rng.integers(0, 3, 6000))
    frame[:2500].to_csv(tmp_path / "0.csv", index=False)
    frame[2500:].to_csv(tmp_path / "1.csv", index=False)
    return tmp_path


def test_a_folder_is_learnt_as_its_pieces_are(folder: Path) -> None:
    rows = open_rows(folder, weights="w", memory_limit="1MB")
    model = GaussianMixture(2, random_state=0).partial_fit(rows)
    by_piece, n_pieces = GaussianMixture(2, random_state=0), 0
    for piece, weights in rows:
        by_piece.partial_fit(piece, sample_weight=weights)
        n_pieces += 1
    assert n_pieces == 2
    np.testing.assert_array_equal(model.means_, by_piece.means_)
    assert model.n_observations_ == sum(weights.sum() for _, weights in rows if weights is not None)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    batch = GaussianMixture(2, random_state=0).fit(rows)
    assert batch.score(rows) - model.score(rows) < 0.003


def test_a_fit_goes_on_with_another_file(folder: Path) -> None:
    model = GaussianMixture(2, random_state=0).fit(open_rows(folder / "0.csv", columns=["a", "b"]))
    model.partial_fit(folder / "1.csv")  # which has one column more
    assert model.n_observations_ == 6000
    np.save(folder / "wide.npy", np.zeros((5, 3)))
    with pytest.raises(ValueError, match="X has 3 features, but GaussianMixture is expecting 2"):
        model.partial_fit(folder / "wide.npy")
    with pytest.raises(ValueError, match="those of a file are a column"):
        model.partial_fit(folder / "1.csv", sample_weight=np.ones(3500))


def test_nothing_is_learnt_of_a_bad_file(folder: Path) -> None:
    model = GaussianMixture(2, random_state=0).partial_fit(open_rows(folder / "0.csv", columns=["a", "b"]))
    before = model.means_.copy()
    with open(folder / "1.csv", "a") as stream:
        stream.write("1.5,two,1\n")
    with pytest.raises(TableError, match=r"1.csv: line 3502, column 'b': 'two' is not a finite number"):
        model.partial_fit(open_rows(folder / "1.csv", columns=["a", "b"], memory_limit="1MB"))
    np.testing.assert_array_equal(model.means_, before)
    assert model.n_observations_ == 2500
    (folder / "none.csv").write_text("a,b\n")
    with pytest.raises(ValueError, match="no rows"):
        model.partial_fit(folder / "none.csv")
