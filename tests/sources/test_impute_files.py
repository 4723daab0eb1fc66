"""What imputation makes of files is what it makes of the same rows in memory, whatever pieces they are read in."""

from __future__ import annotations

import csv
import datetime
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from mixtura import GaussianMixture, GaussianMixtureImputer, open_rows, save
from mixtura.cli.commands import application
from mixtura.shape import Array
from mixtura.table import TableError, reader

N_ROWS = 2_000
ASKED = ("--columns", "a,b,c", "--seed", "0", "--threads", "1")


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(application, [str(one) for one in arguments], input=stdin)


def impute(*arguments: object) -> None:
    done = run("impute", *arguments)
    assert done.exit_code == 0, done.stderr


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 256 rows, the least there is."""
    monkeypatch.setattr(reader, "MOST_PIECE_BYTES", 1)


@pytest.fixture
def rows(rng: np.random.Generator) -> Array:
    """Rows of two groups, a fifth of whose values is missing."""
    whole = rng.normal(size=(N_ROWS, 3)) @ rng.normal(size=(3, 3)) + 4.0 * rng.integers(0, 2, N_ROWS)[:, None]
    whole[rng.random(whole.shape) < 0.2] = np.nan
    return whole


def table_of(rows: Array) -> pd.DataFrame:
    """The rows with a text and a number before and after, which pass through."""
    frame = pd.DataFrame(rows, columns=list("abc"))
    frame.insert(0, "name", [f"row {i}, so" for i in range(len(rows))])
    return frame.assign(i=np.arange(len(rows)))


def write(path: Path, frame: pd.DataFrame) -> None:
    name = path.name.lower()
    if name.endswith("parquet"):
        frame.to_parquet(path, row_group_size=700)
    elif name.endswith("npy"):
        np.save(path, frame.drop(columns="name"))
    else:
        text = frame.to_csv(index=False, sep="\t" if ".tsv" in name else ",", na_rep="").encode()
        if name.endswith("gz"):
            text = gzip.compress(text)
        if name.endswith("zst"):
            text = pyarrow.compress(text, codec="zstd", asbytes=True)
        path.write_bytes(text)


@pytest.fixture
def expected(rows: Array) -> Array:
    found: Array = GaussianMixtureImputer(random_state=0).fit_transform(rows)
    return found


@pytest.mark.parametrize("name", ["in.csv", "in.csv.gz", "in.CSV.ZST", "in.tsv", "in.parquet", "folder", "*.csv"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_file_to_file(name: str, ending: str, rows: Array, expected: Array, tmp_path: Path) -> None:
    frame, place = table_of(rows), tmp_path / name
    if name in ("folder", "*.csv"):
        (tmp_path / "folder").mkdir()
        parts = (frame[:1100], frame[1100:1100], frame[1100:])
        for number, part in enumerate(parts):
            write(tmp_path / "folder" / f"{number}.csv", part)
        place = tmp_path / "folder" / ("" if name == "folder" else name)
    else:
        write(place, frame)
    out = tmp_path / f"out.{ending}"
    impute(place, "-o", out, "--memory-limit", "1MiB", *ASKED)
    found = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
    assert found.columns.tolist() == frame.columns.tolist()
    np.testing.assert_array_equal(found[list("abc")], expected)
    assert found["name"].tolist() == frame["name"].tolist() and found["i"].astype(int).tolist() == list(range(N_ROWS))


def test_numpy_file_to_numpy_file(rows: Array, expected: Array, tmp_path: Path) -> None:
    write(tmp_path / "in.npy", table_of(rows))
    impute(tmp_path / "in.npy", "--columns", "0,1,2", "--seed", 0, "-o", tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), np.column_stack([expected, np.arange(N_ROWS)]))


@pytest.mark.parametrize("strategy", ["draw", "multiple"])
def test_draws_do_not_depend_on_the_pieces(
    strategy: str, rows: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "in.parquet", table_of(rows))
    asked = [tmp_path / "in.parquet", "--strategy", strategy, "-n", 2, *ASKED, "-o"]
    impute(*asked, tmp_path / "one.csv")
    monkeypatch.setattr(reader, "MOST_PIECE_BYTES", 2**30)
    impute(*asked, tmp_path / "two.csv", "--memory-limit", "64GB")
    found, other = (pd.read_csv(tmp_path / name) for name in ("one.csv", "two.csv"))
    imputer = GaussianMixtureImputer(strategy=strategy, n_imputations=2, random_state=0)
    expected = imputer.fit_transform(rows).reshape(-1, 3)
    for one in (found, other):
        np.testing.assert_allclose(one[list("abc")], expected, rtol=1e-12, atol=1e-12)
    if strategy == "multiple":
        assert found["imputation"].tolist() == [0] * N_ROWS + [1] * N_ROWS


def test_an_imputer_takes_files(rows: Array, expected: Array, tmp_path: Path) -> None:
    weights = np.arange(N_ROWS) % 3.0
    write(tmp_path / "in.parquet", table_of(rows).assign(w=weights, empty=np.nan))
    reader_of_rows = open_rows(tmp_path, columns=["a", "b", "c"])
    imputer = GaussianMixtureImputer(random_state=0).fit(reader_of_rows)
    assert imputer.feature_names_in_.tolist() == list("abc")
    np.testing.assert_array_equal(imputer.transform(reader_of_rows), expected)
    np.testing.assert_array_equal(imputer.transform(tmp_path / "in.parquet"), expected)  # which has more columns
    imputer.set_params(strategy="multiple", n_imputations=2)
    np.testing.assert_allclose(imputer.transform(tmp_path), imputer.transform(pd.DataFrame(rows, columns=list("abc"))))
    imputer.set_params(strategy="mean").set_output(transform="pandas")
    with pytest.raises(ValueError, match="rows of files come back as an array"):
        imputer.transform(str(tmp_path))
    weighted = open_rows(tmp_path, columns=["a", "empty", "b", "c"], weights="w", memory_limit="4MB")
    with pytest.warns(UserWarning, match=r"feature 1 \('empty'\) has no observed value in any row, and is dropped"):
        imputer = GaussianMixtureImputer(random_state=0).fit(weighted)
    same = GaussianMixtureImputer(random_state=0).fit(rows, sample_weight=weights)
    np.testing.assert_array_equal(imputer.mixture_.means, same.mixture_.means)
    np.testing.assert_array_equal(imputer.transform(weighted), same.transform(rows))


def test_features_without_values_of_rows_that_are_not_kept(
    rows: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixtura.source.file.KEPT_SHARE", 0.0)
    monkeypatch.setattr("mixtura.source.FileSource._check_size", lambda self, n_rows: None)
    wide = np.insert(rows, 1, np.nan, axis=1)
    np.save(tmp_path / "in.npy", wide)
    with pytest.warns(UserWarning, match="feature 1 has no observed value"):
        imputer = GaussianMixtureImputer(random_state=0).fit(tmp_path / "in.npy")
    same = GaussianMixtureImputer(random_state=0).fit(rows)
    np.testing.assert_array_equal(imputer.mixture_.means, same.mixture_.means)


def test_columns_of_any_type_pass_through(rows: Array, tmp_path: Path) -> None:
    moment = datetime.datetime(2026, 2, 1, 12, tzinfo=datetime.UTC)
    small = rows[:600]
    columns = {
        "a": pyarrow.array([None if np.isnan(one) else one for one in small[:, 0]]),
        "b": pyarrow.array(small[:, 1], from_pandas=True),
        "c": pyarrow.array(np.arange(600, dtype=np.int16)),  # a feature of which nothing is missing
        "time": pyarrow.array([moment, None] * 300, pyarrow.timestamp("us", "UTC")),
        "kind": pyarrow.array(["x", "y", None] * 200).dictionary_encode(),
        "list": pyarrow.array([[1, 2], None, []] * 200),
        "count": pyarrow.array([None, 2, 3] * 200, pyarrow.int32()),
        "flag": pyarrow.array([True, None] * 300),
    }
    table = pyarrow.table(columns)
    parquet.write_table(table, tmp_path / "in.parquet", row_group_size=500)
    impute(tmp_path / "in.parquet", "-o", tmp_path / "out.parquet", *ASKED)
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.num_columns == table.num_columns
    for name in table.column_names[2:]:
        assert found[name].to_pylist() == table[name].to_pylist(), name
        assert name == "kind" or found[name].type == table[name].type, name
    assert found["a"].null_count == 0
    impute(tmp_path / "in.parquet", "-o", tmp_path / "out.csv", *ASKED)
    with open(tmp_path / "out.csv", newline="") as stream:
        lines = list(csv.reader(stream))
    assert lines[1][2:] == ["0", "2026-02-01 12:00:00+00:00", "x", "[1, 2]", "", "True"]
    done = run("impute", tmp_path / "in.parquet", "-o", tmp_path / "out.npy", *ASKED)
    assert done.exit_code == 1 and "column 'time' is not numeric, and .npy holds numbers" in done.stderr


def test_standard_input_is_an_input_like_any_other() -> None:
    text = b"a,b\n1,2\n2,\n,4\n3,5\n"
    done = run("impute", "-", "-k", 1, "--memory-limit", "10M", stdin=text)
    assert done.exit_code == 0 and done.stdout.startswith("a,b\n1,2\n2,")
    done = run("impute", "-", "-k", 1, stdin=text + b"1,two\n")
    assert done.exit_code == 1 and "error: standard input: line 6, column 'b': 'two' is not a" in done.stderr


def test_texts_of_missing_values_in_a_folder(tmp_path: Path, rows: Array) -> None:
    for name, part in (("0.csv", rows[:1200]), ("1.csv.gz", rows[1200:])):
        table = pd.DataFrame(part, columns=list("abc"))
        table.to_csv(tmp_path / name, index=False, na_rep="?" if name == "0.csv" else "NA")
    asked = [tmp_path, "--missing-values", "NA,?", "--seed", 0]
    impute(*asked, "-o", tmp_path / "out.parquet")
    expected = GaussianMixtureImputer(random_state=0).fit_transform(rows)
    np.testing.assert_array_equal(pd.read_parquet(tmp_path / "out.parquet"), expected)
    (tmp_path / "out.parquet").unlink()
    done = run("fit", *asked, "-k", 2, "-o", tmp_path / "model.json")
    assert done.exit_code == 0, done.stderr
    for command in ("predict", "score"):
        assert run(command, tmp_path / "model.json", tmp_path, "--missing-values", "NA,?").exit_code == 0
        done = run(command, tmp_path / "model.json", tmp_path, "--missing-values", "NA")
        assert done.exit_code == 1 and "'?' is no number; if that is a missing value" in done.stderr


# Bad files: the file and the place are named, and what was there before stays


@pytest.fixture
def folder(tmp_path: Path, rows: Array) -> Path:
    """Two Parquet files; beside them a model and an earlier result."""
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "0.parquet", table_of(rows))
    table_of(rows).to_parquet(tmp_path / "data" / "1.parquet", row_group_size=500, write_page_checksum=True)
    save(GaussianMixture(1).fit(rows[~np.isnan(rows).all(axis=1)]), tmp_path / "model.json")
    (tmp_path / "out.csv").write_text("earlier")
    return tmp_path / "data"


def fails(folder: Path, message: str) -> None:
    """A fit to bad files and an imputation by a model fail alike, and leave nothing but what was there."""
    place = folder.parent
    for model in ((), ("--model", place / "model.json")):
        done = run("impute", folder, *model, "--columns", "a,b,c", "-o", place / "out.csv")
        assert done.exit_code == 1 and message in done.stderr, done.stderr
        assert (place / "out.csv").read_text() == "earlier"
        assert sorted(one.name for one in place.iterdir()) == ["data", "model.json", "out.csv"]


def test_a_corrupt_row_group(folder: Path) -> None:
    path = folder / "1.parquet"
    whole = path.read_bytes()
    place = parquet.read_metadata(path).row_group(2).column(1).data_page_offset + 100
    path.write_bytes(whole[:place] + bytes(100) + whole[place + 100 :])
    fails(folder, f"{path}: row group 2: cannot be read")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": "text"}, "1.parquet: column 'b' has type large_string, not numbers"),
        ({"i": 0.5}, "1.parquet: column 'i' has type double where"),
        ({"more": 1}, "1.parquet: has column 'more' where"),
    ],
)
def test_a_schema_that_changes(change: dict[str, Any], message: str, folder: Path, rows: Array) -> None:
    table_of(rows).assign(**change).to_parquet(folder / "1.parquet")
    fails(folder, message)


def test_an_empty_file_among_others(folder: Path) -> None:
    (folder / "2.csv").write_text("")
    fails(folder, "2.csv: is empty")
    (folder / "2.csv").unlink()
    pd.read_parquet(folder / "0.parquet")[:0].to_parquet(folder / "2.parquet")
    impute(folder, *ASKED, "-o", folder.parent / "out.csv")
    assert len(pd.read_csv(folder.parent / "out.csv")) == 2 * N_ROWS


def test_a_line_that_is_no_row(folder: Path, rows: Array) -> None:
    (folder / "0.parquet").unlink()
    (folder / "1.parquet").unlink()
    write(folder / "0.csv", table_of(rows))
    with open(folder / "0.csv", "a") as stream:
        stream.write("name,1,2\n")
    fails(folder, f"0.csv: line {N_ROWS + 2}: has 3 cells where the first row has 5")


@pytest.mark.parametrize("ending", ["parquet", "csv", "npy"])
def test_a_file_that_shrinks_between_fit_and_imputation(
    ending: str, rows: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"rows.{ending}"
    write(path, table_of(rows))
    original = reader.checked_whole

    def shrinking(file: Any, n_rows: int, integers: Any) -> Iterator[Any]:
        for place, piece in enumerate(original(file, n_rows, integers)):
            if place == 1:
                path.write_bytes(path.read_bytes()[:20_000])
            yield piece

    monkeypatch.setattr(reader, "checked_whole", shrinking)
    columns = "0,1,2" if ending == "npy" else "a,b,c"
    done = run("impute", path, "--columns", columns, "-o", tmp_path / "out.csv")
    assert done.exit_code == 1 and f"error: {path}: " in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_blocks_have_no_other_columns(rows: Array) -> None:
    with pytest.raises(TableError, match="blocks of rows have no other columns"):
        open_rows([rows]).whole()
