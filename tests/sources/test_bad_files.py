"""Bad files: the error names the file and the place in it, and nothing is left half done."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from mixtura import GaussianMixture, open_rows
from mixtura.source import FileSource
from mixtura.table import TableError, bytes_of, reader


def frame(n_rows: int = 5000) -> pd.DataFrame:
    rows = np.random.default_rng(3).normal(size=(n_rows, 2))
    return pd.DataFrame(rows, columns=["a", "b"])


def fails(data: Any, message: str, **options: Any) -> None:
    """A fit fails with a message that begins with the place."""
    with pytest.raises(TableError, match=message):
        GaussianMixture(1).fit(open_rows(data, **options))


def test_corrupt_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    frame().to_parquet(path, row_group_size=1000, compression="zstd", write_page_checksum=True)
    whole = path.read_bytes()
    place = parquet.read_metadata(path).row_group(3).column(0).data_page_offset + 500
    path.write_bytes(whole[:place] + bytes(100) + whole[place + 100 :])
    fails(tmp_path, f"^{path}: row group 3: cannot be read")
    path.write_bytes(whole[:-1000])
    fails(tmp_path, f"^{path}: is not a sound Parquet file")
    path.write_bytes(b"")
    fails(tmp_path, f"^{path}: is not a sound Parquet file")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": [1.0], "c": [2.0]}, "1.parquet: has column 'a', column 'c' where .*0.parquet has column 'a', column"),
        ({"a": [1.0]}, "1.parquet: has column 'a' where"),
        ({"a": [1.0], "b": ["x"]}, "1.parquet: column 'b' has type .*string, not numbers"),
    ],
)
def test_a_schema_that_changes(other: dict[str, Any], message: str, tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "0.parquet")
    pd.DataFrame(other).to_parquet(tmp_path / "1.parquet")
    fails(tmp_path / "*.parquet", message)


def test_columns_in_another_order_are_chosen_by_name(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "0.parquet")
    frame()[["b", "a"]].to_parquet(tmp_path / "1.parquet")
    fails(tmp_path, "1.parquet: has column 'b', column 'a' where")
    model = GaussianMixture(1).fit(open_rows(tmp_path, columns=["a", "b"]))
    np.testing.assert_allclose(model.means_[0], frame().mean(), rtol=1e-12)


def test_empty_files_among_others(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "0.parquet")
    frame(0).to_parquet(tmp_path / "1.parquet")
    frame().to_parquet(tmp_path / "2.parquet")
    assert GaussianMixture(1).fit(tmp_path).n_observations_ == 10_000
    (tmp_path / "text").mkdir()
    frame().to_csv(tmp_path / "text" / "0.csv", index=False)
    (tmp_path / "text" / "1.csv").write_text("")
    fails(tmp_path / "text", "1.csv: is empty")
    fails(tmp_path / "none", "none: cannot be read: No such file")
    fails(tmp_path / "*.none", r"\*.none: no file has such a name")
    (tmp_path / "empty").mkdir()
    fails(tmp_path / "empty", "empty: the folder has no file that ends in")
    frame(0).to_parquet(tmp_path / "empty" / "0.parquet")
    fails(tmp_path / "empty", "empty: there are no rows of data")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1.5", "line 4002: has 1 cells where the first row has 2"),
        ("1.5,2,3", "line 4002: has 3 cells where the first row has 2"),
        ("1.5,two", "line 4002, column 'b': 'two' is not a finite number"),
        ("1.5,NA", "line 4002, column 'b': 'NA' is no number; if that is a missing value"),
        ("1.5,inf", "line 4002, column 'b': 'inf' is not a finite number"),
        ('1.5,"2', "line [0-9]+: unexpected end of data"),
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".CSV.GZ"])
def test_bad_lines(line: str, message: str, ending: str, tmp_path: Path) -> None:
    text = frame(4000).to_csv(index=False) + line + "\n"
    path = tmp_path / f"rows{ending}"
    path.write_bytes(gzip.compress(text.encode()) if ending.lower().endswith("gz") else text.encode())
    if line.endswith('"2') and ending.lower().endswith("gz"):
        return  # pyarrow takes a compressed file's last cell without its closing quotation mark
    fails(path, f"^{path}: {message}")


def test_a_compressed_file_that_is_cut_off(tmp_path: Path) -> None:
    whole = gzip.compress(frame(4000).to_csv(index=False).encode())
    (tmp_path / "rows.csv.gz").write_bytes(whole[:-2000])
    fails(tmp_path, "rows.csv.gz: after line 3[0-9]{3}: the compressed file is cut off")


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-1.0, "row group 2, row 5 of it .*, column 'w': the weight -1 is negative"),
        (np.nan, "row group 2, row 5 of it .*, column 'w': the row has no weight"),
        (np.inf, "row group 2, row 5 of it .*, column 'w': inf is infinite"),
    ],
)
def test_weights_that_are_none(weight: float, message: str, tmp_path: Path) -> None:
    weights = np.ones(5000)
    weights[2005] = weight
    frame().assign(w=weights).to_parquet(tmp_path / "rows.parquet", row_group_size=1000)
    fails(tmp_path, f"rows.parquet: {message}", weights="w")
    frame().assign(w=0.0).to_parquet(tmp_path / "rows.parquet")
    fails(tmp_path, f"^{tmp_path}: there are no rows of positive weight: all of column 'w' is zero", weights="w")
    with pytest.raises(ValueError, match="those of a file are a column"):
        GaussianMixture(1).fit(tmp_path, sample_weight=weights)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".npy"])
def test_a_file_that_shrinks_while_it_is_read(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"rows{ending}"
    if ending == ".npy":
        np.save(path, frame())
    else:
        getattr(frame(80_000), f"to_{ending[1:]}")(path, **({"index": False} if ending == ".csv" else {}))
    original = reader.checked

    def shrinking(file: Any, n_rows: int) -> Iterator[Any]:
        for place, piece in enumerate(original(file, 256)):
            if place == 1:
                path.write_bytes(path.read_bytes()[:20_000])
            yield piece

    monkeypatch.setattr(reader, "checked", shrinking)
    fails(path, f"^{path}: ")


def test_a_numpy_file_that_shrinks_between_two_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "rows.npy", np.ascontiguousarray(frame()))
    with open_rows(tmp_path / "rows.npy").source() as source:
        assert isinstance(source, FileSource)
        list(source.blocks())
        (tmp_path / "rows.npy").write_bytes((tmp_path / "rows.npy").read_bytes()[:20_000])
        with pytest.raises(ValueError, match=r"rows.npy: has changed while it was in use"):
            list(source.blocks())
        with pytest.raises(ValueError, match=r"rows.npy: ends before row 5000"):
            source.take(slice(None))


def test_features_that_are_not_the_models(tmp_path: Path) -> None:
    model = GaussianMixture(1).fit(frame())
    frame().assign(c=1.0).to_parquet(tmp_path / "more.parquet")
    assert model.predict(tmp_path / "more.parquet").shape == (5000,)
    frame()[["a"]].to_parquet(tmp_path / "fewer.parquet")
    with pytest.raises(TableError, match=re.escape("fewer.parquet: has no column 'b'; it has a")):
        model.predict(tmp_path / "fewer.parquet")
    np.save(tmp_path / "rows.npy", np.zeros((4, 3)))
    with pytest.raises(ValueError, match="X has 3 features, but GaussianMixture is expecting 2"):
        model.score(tmp_path / "rows.npy")


def test_limits_that_are_none_or_too_small(tmp_path: Path) -> None:
    limits = {"2000": 2000, "500k": 500_000, "1.5 GB": 1_500_000_000, "512MiB": 2**29, "1gib": 2**30, "3Ki": 3072}
    assert {text: bytes_of(text) for text in limits} == limits
    for limit in ("much", "0", -5, "1.2.3G", "5iB"):
        with pytest.raises(ValueError, match="memory_limit must be a number of bytes"):
            open_rows("rows.csv", memory_limit=limit)
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(50_000, 20)))
    with pytest.raises(ValueError, match="memory_limit is 1 MB, but blocks of rows with 20 features"):
        GaussianMixture(1).fit(open_rows(tmp_path / "rows.npy", memory_limit="1MB"))
    with pytest.raises(ValueError, match=r"memory_limit is 12\.5 kB, but"):
        GaussianMixture(1).fit(open_rows(tmp_path / "rows.npy", memory_limit=12_500))


def test_blocks_that_are_none() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 2))
    fails([rows, rows[:, :1]], "block 1: has other columns than the first block")
    fails([rows, rows[0]], r"block 1: has shape \(2,\)")
    fails([(rows, np.ones(3))], r"block 0: has 50 rows, but weights of shape \(3,\)")
    fails([rows.astype(np.float32), rows], "block 1: is float64 where the first block is float32")
    fails([], "there is no block")
    once = open_rows(iter([rows]))
    GaussianMixture(1).fit(once)
    with pytest.raises(TableError, match="can be read only once"):
        GaussianMixture(1).fit(once)
    with pytest.raises(TypeError, match="neither files nor an iterable"):
        GaussianMixture(1).fit(open_rows(3))
