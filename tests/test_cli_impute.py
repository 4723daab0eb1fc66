"""``mixtura impute``: what is missing filled in, everything else untouched."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import mixtura
from mixtura import GaussianMixture, GaussianMixtureImputer
from mixtura.cli.commands import application

SEED = 20261
PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "120"}
LINES = [
    "name,a,kind,b,c",
    '"Ann, B.",1.50,x,2.25,007',
    "Bob,NA,y,3.0,1e1",
    "Cid,2.5,,,3",
    "Dot, 3.10 ,x,3.75,4",
    "Eve,0.9,y,1.0,",
    "Fay,4.0,x,4.6,5",
]
ASKED = ("--columns", "a,b", "--missing-values", "NA", "--seed", "0")


def run(*arguments, stdin=None):
    return CliRunner().invoke(application, [str(one) for one in arguments], input=stdin, env=PLAIN)


def rows_of(text):
    return list(csv.reader(text.splitlines()))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text("\n".join(LINES) + "\n")
    return tmp_path / "data.csv"


FRAME = np.array([[1.5, 2.25], [np.nan, 3.0], [2.5, np.nan], [3.1, 3.75], [0.9, 1.0], [4.0, 4.6]])


def test_only_missing_cells_of_features_change(data):
    result = run("impute", data, *ASKED)
    assert result.exit_code == 0 and result.stderr == ""
    before, after = rows_of("\n".join(LINES)), rows_of(result.stdout)
    expected = GaussianMixtureImputer(random_state=0).fit_transform(FRAME)
    assert float(after[2][1]) == expected[1, 0] and float(after[3][3]) == expected[2, 1]
    after[2][1], after[3][3] = "NA", ""
    assert after == before


def test_by_a_model_of_any_kind(data, tmp_path):
    model = GaussianMixture(2, covariance_type="diag", random_state=0).fit(FRAME)
    model.feature_names_in_ = np.array(["b", "a"], dtype=object)
    imputer = GaussianMixtureImputer.of_fitted(model)
    for one in (model, model.mixture_, imputer):
        mixtura.save(one, tmp_path / "model.json")
        names = () if one is not model.mixture_ else ("--columns", "b,a")
        result = run("impute", data, "--model", tmp_path / "model.json", "--missing-values", "NA", *names)
        assert result.exit_code == 0 and result.stderr == ""
        found = rows_of(result.stdout)
        expected = imputer.transform(pd.DataFrame(FRAME[:, ::-1], columns=["b", "a"]))
        assert float(found[2][1]) == expected[1, 1] and float(found[3][3]) == expected[2, 0]


@pytest.mark.parametrize("ending", [".tsv", ".parquet", ".npy"])
def test_other_kinds_of_file(ending, data, tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    expected = GaussianMixtureImputer("auto", random_state=0).fit_transform(FRAME)
    path = tmp_path / f"out{ending}"
    if ending == ".npy":
        np.save(tmp_path / "data.npy", np.column_stack([np.arange(6.0), FRAME]))
        result = run("impute", tmp_path / "data.npy", "--columns", "1,2", "-k", "auto", "--seed", 0, "-o", path)
        assert result.exit_code == 0, result.stderr
        np.testing.assert_array_equal(np.load(path), np.column_stack([np.arange(6.0), expected]))
        return
    result = run("impute", data, *ASKED, "-k", "auto", "-o", path)
    assert result.exit_code == 0 and result.stdout == "", result.stderr
    if ending == ".tsv":
        assert rows_of(path.read_text().replace("\t", "|").replace(",", ";").replace("|", ","))[1][1] == "1.50"
        return
    table = parquet.read_table(path)
    np.testing.assert_array_equal(np.column_stack([table["a"], table["b"]]), expected)
    assert table["kind"].to_pylist() == ["x", "y", "", "x", "y", "x"]
    again = run("impute", path, "--columns", "a,b", "-o", tmp_path / "again.csv")
    assert again.exit_code == 0
    assert [row[0] for row in rows_of((tmp_path / "again.csv").read_text())][1] == "Ann, B."


def test_nulls_of_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"a": [None if np.isnan(v) else v for v in FRAME[:, 0]], "i": [1, 2, 3, 4, 5, 6], "b": FRAME[:, 1]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "in.parquet")
    result = run("impute", tmp_path / "in.parquet", "--columns", "a,b", "--seed", 0, "-o", tmp_path / "out.parquet")
    assert result.exit_code == 0, result.stderr
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["a", "i", "b"] and str(table["i"].type) == "int64"
    np.testing.assert_array_equal(
        np.column_stack([table["a"], table["b"]]), GaussianMixtureImputer(random_state=0).fit_transform(FRAME)
    )


def test_draws(data):
    one = run("impute", data, *ASKED, "--strategy", "draw").stdout
    assert one == run("impute", data, *ASKED, "--strategy", "draw").stdout
    assert one != run("impute", data, *ASKED[:-1], "1", "--strategy", "draw").stdout
    many = rows_of(run("impute", data, *ASKED, "--strategy", "multiple", "-n", 3).stdout)
    assert many[0] == ["imputation", "name", "a", "kind", "b", "c"] and len(many) == 1 + 3 * 6
    assert [row[0] for row in many[1:]] == ["0"] * 6 + ["1"] * 6 + ["2"] * 6
    assert len({row[2] for row in many[1:] if row[1] == "Bob"}) == 3
    assert {row[2] for row in many[1:] if row[1] == "Dot"} == {" 3.10 "}


def test_standard_input_without_a_header():
    result = run("impute", "-", "-k", 1, stdin=b"1,2\n2,\n,4\n3,5\n")
    assert result.exit_code == 0, result.stderr
    assert rows_of(result.stdout)[:2] == [["x0", "x1"], ["1", "2"]]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--strategy", "median"), 2, "median"),
        (("-k", "few"), 2, "few"),
        (("--columns", "a,b"), 1, "line 3, column 'a': 'NA' is no number"),
        (("--columns", "a,b,none"), 1, "has no column 'none'"),
        (("--columns", "a,kind", "--missing-values", "NA,x,y"), 1, "column 'kind' has no value in any row"),
        (("--model", "absent.json"), 1, "absent.json: the file cannot be read"),
    ],
)
def test_what_is_wrong_is_named(arguments, code, message, data):
    result = run("impute", data, *arguments)
    assert result.exit_code == code and message in result.stderr.replace("\n", " ")
    assert str(data) in result.stderr or "absent" in message or code == 2


def test_a_model_that_does_not_fit_is_refused(data, tmp_path):
    mixtura.save(GaussianMixture().fit(np.random.default_rng(0).normal(size=(9, 3))), tmp_path / "model.json")
    result = run("impute", data, "--model", tmp_path / "model.json", *ASKED)
    assert result.exit_code == 1 and "has 2 feature columns, but the model" in result.stderr
    rows = np.random.default_rng(0).normal(size=(50, 2))
    mixtura.save(GaussianMixture(noise=np.arange(50) < 5).fit(rows), tmp_path / "noisy.json")
    result = run("impute", data, "--model", tmp_path / "noisy.json", *ASKED)
    assert result.exit_code == 1 and "noise" in result.stderr
