"""Tables: the numbers that are in the file, or an error that names the line and the column."""

from __future__ import annotations

import builtins
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mixtura.table import TableError, read_table, text, write_table

RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)


@pytest.fixture(params=["rows", "arrow"])
def path_taken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Small files by the standard library, large ones by pyarrow: both must say the same."""
    if request.param == "arrow":
        pytest.importorskip("pyarrow")
        monkeypatch.setattr(text, "ARROW_BYTES", 0)
    return str(request.param)


def written(tmp_path: Path, content: str, name: str = "data.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


def error_of(path: Path | str, *arguments: Any) -> str:
    with pytest.raises(TableError) as caught:
        read_table(path, *arguments)
    assert str(path) in str(caught.value) or str(path) == "-"
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("content", "names", "frame"),
    [
        ("a,b\n1,2\n3,4\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("1,2\n3,4", None, [[1, 2], [3, 4]]),
        ("\ufeffa,b\r\n1,2\r\n\r\n3,4\r\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("a;b\n1;2\n", ("a", "b"), [[1, 2]]),
        ('"a, b",c\n"1",2\n', ("a, b", "c"), [[1, 2]]),
        ("a\n1e3\n-2.5\n+.5\n", ("a",), [[1000], [-2.5], [0.5]]),
        ("1, 2\n 3,4 \n", None, [[1, 2], [3, 4]]),
        ("\n\na,b\n1,2\n", ("a", "b"), [[1, 2]]),
        ("a_b\n0.1\n", ("a_b",), [[0.1]]),
    ],
)
def test_text(path_taken: str, tmp_path: Path, content: str, names: Any, frame: Any) -> None:
    table = read_table(written(tmp_path, content))
    assert table.names == names and table.weights is None
    assert table.frame.dtype == np.float64 and table.frame.flags.c_contiguous
    np.testing.assert_array_equal(table.frame, frame)


@pytest.mark.parametrize(("name", "delimiter"), [("t.tsv", "\t"), ("t.txt", "\t"), ("t.txt", ","), ("t.CSV", ",")])
def test_the_ending_says_the_delimiter(tmp_path: Path, name: str, delimiter: str) -> None:
    table = read_table(written(tmp_path, f"a{delimiter}b\n1{delimiter}2\n", name))
    assert table.names == ("a", "b") and table.frame.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_standard_input_is_sniffed(monkeypatch: pytest.MonkeyPatch, delimiter: str) -> None:
    content = f"a{delimiter}b\n1{delimiter}2\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert read_table("-").frame.tolist() == [[1.0, 2.0]]


def test_columns_and_weights(path_taken: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,kind,w\n1,2,x,0.5\n3,4,y,2\n")
    table = read_table(path, ["b", "a"], "w")
    assert table.names == ("b", "a") and table.frame.tolist() == [[2, 1], [4, 3]]
    assert table.weights is not None and table.weights.tolist() == [0.5, 2]
    without_header = read_table(written(tmp_path, "1,2,3\n4,5,6\n"), None, "1")
    assert without_header.frame.tolist() == [[1, 3], [4, 6]]


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("", None, "is empty"),
        (" \n\n", None, "is empty"),
        ("a,b\n", None, "has a header but no rows of data"),
        ("a,b\n1,2\n3\n", None, "line 3: has 1 cells where the first row has 2"),
        ("a,b\n1,2\n3,4,5\n", ["a"], "line 3: has 3 cells where the first row has 2"),
        ("a,b\n1,2\n3,four\n", None, "line 3, column 'b': 'four' is not a finite number; correct it"),
        ("1,2\n3,four\n", None, "line 2, column 1: 'four' is not a finite number"),
        ("a,b\n1,2\n\n3, NA\n", None, "line 4, column 'b': ' NA' is no number; if that is a missing value, say so: "),
        ("1,NA\n2,3\n", None, "line 1, column 1: 'NA' is no number; if that is a missing value, say so: "),
        ("a,b\n,\n3,?\n", None, "line 3, column 'b': '?' is no number; if that is a missing value, say so: "),
        ("a,b\n,four\n3,4\n", None, "line 2, column 'b': 'four' is not a finite number; correct it"),
        ("a,kind\n1,\n,y\n", None, "column 'kind' is text (line 3: 'y'); choose the numeric columns: --columns a"),
        ("a,b\n1,inf\n", None, "line 2, column 'b': 'inf' is not a finite number"),
        ("a,b\n1,1_000\n", None, "line 2, column 'b': '1_000' is not a finite number"),
        ("a,kind\n1,x\n3,y\n", None, "column 'kind' is text (line 2: 'x'); choose the numeric columns: --columns a"),
        ("a,kind\n1,x\n3,y\n", ["kind"], "line 2, column 'kind': 'x' is not a finite number"),
        ("a,b\n1,2\n", ["c"], "has no column 'c'; it has a, b"),
        ("1,2\n", ["a"], "has no column 'a'; there is no header, so columns are 0 to 1"),
        ("a,b\n1,2\n", ["a", "a"], "a column is chosen twice: a, a"),
        ("a,a\n1,2\n", None, "two columns have the name 'a'; rename one of them"),
        (",a\n1,2\n", None, "column 0 (counted from 0) has no name; choose the features with --columns"),
        ('a\n"1\n', None, "line 2: unexpected end of data"),
        ('a\n1\n"', None, "line 3: unexpected end of data"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(path_taken: str, tmp_path: Path, content: str, columns: Any, message: str) -> None:
    assert message in error_of(written(tmp_path, content), columns)


@pytest.mark.parametrize(
    ("content", "missing", "frame"),
    [
        ("a,b\n1,\n\n ,4\n", (), [[1, np.nan], [np.nan, 4]]),
        (",2\n3,nan\n", (), [[np.nan, 2], [3, np.nan]]),
        ('a\n1\n""\n\n3\n', (), [[1], [np.nan], [3]]),
        ("NA,2\n3, ?\n", ("NA", "?"), [[np.nan, 2], [3, np.nan]]),
        ("a,b\n-999,-999.0\n-99,9\n", ("-999",), [[np.nan, -999], [-99, 9]]),
        ("a,b\nna,1_0\n2,1\n", ("na", "1_0"), [[np.nan, np.nan], [2, 1]]),
    ],
)
def test_missing_values(path_taken: str, tmp_path: Path, content: str, missing: Any, frame: Any) -> None:
    table = read_table(written(tmp_path, content), missing=missing)
    np.testing.assert_array_equal(table.frame, frame)
    assert (table.names is None) == (not content.startswith("a"))


def test_missing_values_are_those_that_are_named_and_no_others(path_taken: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a,w\n1,1\nNA,\nna,2\n")
    assert "line 4, column 'a': 'na' is no number" in error_of(path, ["a"], None, None, ("NA",))
    assert "line 3, column 'w': the row has no weight" in error_of(path, ["a"], "w", None, ("NA", "na"))


def test_wrong_weights_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a,w\n1,1\n2,-1\n")
    assert "row 1 of the data (counted from 0) has the negative weight -1" in error_of(path, None, "w")
    assert "both a feature and the weights" in error_of(path, ["a", "w"], "w")
    assert "all weights are zero" in error_of(written(tmp_path, "a,w\n1,0\n2,0\n"), None, "w")
    assert "no columns left for features" in error_of(written(tmp_path, "w\n1\n"), None, "w")


def test_a_wrong_cell_late_in_the_file_is_named(path_taken: str, tmp_path: Path) -> None:
    lines = [f"{i},{i}" for i in range(40_000)]
    lines[35_000] = "1,oops"
    assert "line 35001, column 1: 'oops'" in error_of(written(tmp_path, "\n".join(lines)))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    assert "No such file" in error_of(tmp_path / "absent.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "Is a directory" in error_of(tmp_path / "folder.csv")
    assert "unknown kind of file '.xlsx'" in error_of(tmp_path / "data.xlsx")
    (tmp_path / "latin.csv").write_bytes(b"a,b\n1,2\n3,\xe9\n")
    assert "line 3: is not UTF-8 text" in error_of(tmp_path / "latin.csv")


@RELAXED
@given(content=st.binary(max_size=60) | st.text('01.,;\n\r"-e\t xnaN', max_size=60).map(str.encode))
def test_any_bytes_are_a_table_or_a_table_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "any.csv").write_bytes(content)
    results = []
    for limit in (0, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(text, "ARROW_BYTES", limit)
            try:
                results.append(repr(read_table(tmp_path / "any.csv").frame.tolist()))
            except TableError as error:
                results.append(str(error))
    assert results[0] == results[1]


@RELAXED
@given(
    frame=arrays.arrays(np.float64, (3, 2), elements=st.floats(allow_nan=False, allow_infinity=False)),
    ending=st.sampled_from([".csv", ".tsv", ".txt", ".parquet", ".npy"]),
)
def test_what_is_written_is_read_bit_for_bit(tmp_path: Path, frame: np.ndarray, ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"out{ending}"
    write_table(path, {"x": frame[:, 0], "y": frame[:, 1]})
    table = read_table(path)
    assert table.frame.tobytes() == frame.tobytes()
    assert table.names == (None if ending == ".npy" else ("x", "y"))


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "data.parquet"
    parquet.write_table(pyarrow.table({"a": [1, 2], "b": [0.5, None], "kind": ["x", "y"], "w": [1, 3]}), path)
    table = read_table(path, ["a"], "w")
    assert table.names == ("a",) and table.frame.tolist() == [[1], [2]]
    assert "column 'kind' has type string, not numbers; choose others" in error_of(path, ["kind"])
    np.testing.assert_array_equal(read_table(path, ["b"]).frame, [[0.5], [np.nan]])
    assert "row 1 of the data (counted from 0) has no weight" in error_of(path, ["a"], "b")
    nulls = {"i": [None, 2**60 + 1], "f": [True, None], "x": [np.inf, None]}
    parquet.write_table(pyarrow.table(nulls), path)
    np.testing.assert_array_equal(read_table(path, ["i", "f"]).frame, [[np.nan, 1], [2.0**60, np.nan]])
    assert "row 0 (counted from 0), column 'x': inf is infinite; correct it" in error_of(path)
    path.write_bytes(b"PAR1 but not really")
    assert "not a sound Parquet file" in error_of(path)


def test_npy(tmp_path: Path) -> None:
    path = tmp_path / "data.npy"
    np.save(path, np.arange(3))
    assert read_table(path).frame.tolist() == [[0], [1], [2]]
    np.save(path, np.array([[1.0, np.nan]]))
    np.testing.assert_array_equal(read_table(path).frame, [[1.0, np.nan]])
    np.save(path, np.array([[1.0, np.inf]]))
    assert "row 0 (counted from 0), column 1: inf is infinite" in error_of(path)
    np.save(path, np.array([[object()]]), allow_pickle=True)
    assert "not a sound .npy file" in error_of(path)
    np.save(path, np.array([["a"]]))
    assert "must hold a numeric array" in error_of(path)
    path.write_bytes(b"\x93NUMPY")
    assert "not a sound .npy file" in error_of(path)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def hide(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", hide)
    monkeypatch.setattr(text, "ARROW_BYTES", 0)
    assert read_table(written(tmp_path, "a\n1\n")).frame.tolist() == [[1]]
    path = written(tmp_path, "", "data.parquet")
    assert 'pip install "mixtura[io]"' in error_of(path)
    with pytest.raises(TableError, match="mixtura"):
        write_table(path, {"a": [1]})


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_table(tmp_path / "out.csv", {"a": object()})  # type: ignore[dict-item]
    with pytest.raises(TableError, match=r"out.xlsx: cannot write '.xlsx'"):
        write_table(tmp_path / "out.xlsx", {"a": [1]})
    with pytest.raises(TableError, match="No such file"):
        write_table(tmp_path / "no" / "out.csv", {"a": [1]})
    assert not list(tmp_path.iterdir())
