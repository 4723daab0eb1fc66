"""The command line on rows that may be larger than memory: file to file, whole or not at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from mixtura import GaussianMixture, GaussianMixtureIC, load
from mixtura.cli.commands import application
from mixtura.cli.streaming import progress_line
from mixtura.em import Trajectory
from mixtura.mstep import MStep
from mixtura.table import read_table, reader


def run(*arguments: object) -> Result:
    return CliRunner().invoke(application, [str(one) for one in arguments])


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Two Parquet files of two features, weights and a text column."""
    rows = rng.normal(size=(4000, 2)) + 5.0 * rng.integers(0, 2, 4000)[:, None]
    frame = pd.DataFrame(rows, columns=["a", "b"]).assign(w=rng.integers(1, 3, 4000), t="x")
    (tmp_path / "data").mkdir()
    frame[:1500].to_parquet(tmp_path / "data" / "0.parquet", row_group_size=700)
    frame[1500:].to_parquet(tmp_path / "data" / "1.parquet")
    return tmp_path / "data"


def whole(folder: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.iterdir())], ignore_index=True)


def test_fit_predict_and_score_file_to_file(folder: Path, tmp_path: Path) -> None:
    model_file, labels = tmp_path / "model.json", tmp_path / "labels.csv"
    options = ["--columns", "a,b", "--weights", "w", "--memory-limit", "500M", "--seed", "0"]
    done = run("fit", folder / "*.parquet", "-k", 2, *options, "-o", model_file, "--labels", labels)
    assert done.exit_code == 0, done.output
    frame = whole(folder)
    expected = GaussianMixture(2, random_state=0).fit(frame[["a", "b"]], sample_weight=frame["w"])
    model = load(model_file)
    assert np.array_equal(model.means_, expected.means_)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    wanted = expected.predict(frame[["a", "b"]])
    assert np.array_equal(read_table(labels).frame[:, 0], wanted)
    for ending in ("parquet", "npy", "csv"):
        place = tmp_path / f"again.{ending}"
        assert run("predict", model_file, folder, "-o", place, "--proba").exit_code == 0
        found = read_table(place).frame
        assert np.array_equal(found[:, 0], wanted)
        np.testing.assert_allclose(found[:, 1:], expected.predict_proba(frame[["a", "b"]]), rtol=1e-12)
    done = run("score", model_file, folder, "--weights", "w", "--json")
    facts = json.loads(done.stdout)
    assert facts["mean_log_likelihood"] == pytest.approx(expected.lower_bound_, rel=1e-12)
    assert facts["n_observations"] == frame["w"].sum()


@pytest.mark.parametrize("part_bytes", [1 << 26, 5000])
@pytest.mark.parametrize("ending", ["parquet", "csv.gz", "npy"])
def test_fit_on_a_cluster_of_threads(
    ending: str, part_bytes: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without: any files, their weights, and what stands for a missing value; files cut into parts too."""
    monkeypatch.setattr(reader, "PART_BYTES", part_bytes)
    options, place = ["--columns", "a,b", "--weights", "w", "--missing-values", "NA"], tmp_path / "model.json"
    frame = whole(folder).assign(w=lambda table: table["w"] - 1)
    if ending == "csv.gz":
        frame.loc[::50, "a"] = np.nan
    for number, path in enumerate(sorted(folder.iterdir())):
        part = frame[:1500] if number == 0 else frame[1500:]
        if ending == "parquet":
            part.to_parquet(path, row_group_size=700)
            continue
        path.unlink()
        if ending == "npy":
            np.save(path.with_suffix(".npy"), part[["a", "b", "w"]].to_numpy())
            options[1:4:2] = ["0,1", "2"]
        else:
            part.to_csv(path.with_suffix(".csv.gz"), index=False, na_rep="NA")
    done = run("fit", folder, "-k", 2, *options, "--dask", "local", "--seed", 0, "-o", place)
    assert done.exit_code == 0, done.output
    assert "kB travelled in an iteration" in done.stderr
    expected = GaussianMixture(2, random_state=0).fit(frame[["a", "b"]], sample_weight=frame["w"])
    found = load(place)
    np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-9)
    assert found.n_observations_ == frame["w"].sum()
    assert getattr(found, "feature_names_in_", np.array(["a", "b"])).tolist() == ["a", "b"]


def test_a_bad_file_on_a_cluster(tmp_path: Path) -> None:
    for number, cell in enumerate(["1.0", "much"]):
        (tmp_path / f"{number}.csv").write_text("a,b\n" + "0.0,1.0\n" * 5 + f"3.0,{cell}\n")
    done = run("fit", tmp_path, "-k", 1, "--dask", "local")
    assert done.exit_code == 1
    assert "1.csv: line 7, column 'b': 'much' is not a finite number" in done.stderr


def test_a_choice_file_to_file(folder: Path, tmp_path: Path) -> None:
    frame = whole(folder)
    expected = GaussianMixtureIC([1, 2, 3], covariance_type="full", random_state=0).fit(
        frame[["a", "b"]], sample_weight=frame["w"]
    )
    options = ["--columns", "a,b", "--weights", "w", "--memory-limit", "500M", "--seed", "0"]
    for number, command in enumerate((["fit", folder], ["select", folder, "--covariance", "full"])):
        model_file, labels = tmp_path / f"{number}.json", tmp_path / f"{number}.csv"
        done = run(*command, "-k", "1:3", *options, "-o", model_file, "--labels", labels)
        assert done.exit_code == 0, done.output
        assert np.array_equal(load(model_file).means_, expected.means_)
        assert load(model_file).feature_names_in_.tolist() == ["a", "b"]
        assert np.array_equal(read_table(labels).frame[:, 0], expected.predict(frame[["a", "b"]]))
    done = run("select", folder, "--columns", "a,b", "--plot", tmp_path / "p.png")
    assert done.exit_code == 1 and "--plot needs the rows in memory" in done.stderr


def test_what_fails_leaves_the_earlier_file(folder: Path, tmp_path: Path) -> None:
    model_file, place = tmp_path / "model.json", tmp_path / "labels.parquet"
    assert run("fit", folder, "-k", 1, "--columns", "a,b", "-o", model_file).exit_code == 0
    place.write_bytes(b"earlier")
    last = folder / "1.parquet"
    last.write_bytes(last.read_bytes().replace(b"PAR1", b"PAR0"))
    done = run("predict", model_file, folder, "-o", place)
    assert done.exit_code == 1
    assert "1.parquet: is not a sound Parquet file" in done.stderr
    assert place.read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "labels.parquet", "model.json"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["-k", "1"], 1, "0.parquet: column 't' has type"),
        (["-k", "1:3", "--columns", "a,b", "--dask", "local"], 1, "give one number with -k"),
        (["-k", "1", "--columns", "a,b", "--report", "r.html"], 1, "--report needs the rows in memory"),
        (["-k", "1", "--columns", "a,b", "--memory-limit", "much"], 2, "must be a number of bytes"),
    ],
)
def test_what_cannot_be_done(options: list[str], code: int, message: str, folder: Path) -> None:
    done = run("fit", folder, *options)
    assert done.exit_code == code
    assert message in done.stderr


def test_no_rows_give_no_file(tmp_path: Path, rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    frame.to_parquet(tmp_path / "rows.parquet")
    frame[:0].to_parquet(tmp_path / "none.parquet")
    assert run("fit", tmp_path / "rows.parquet", "-k", 1, "-o", tmp_path / "model.json").exit_code == 0
    for ending in ("csv", "parquet", "npy"):
        place = tmp_path / f"labels.{ending}"
        done = run("predict", tmp_path / "model.json", tmp_path / "none*", "-o", place)
        assert done.exit_code == 1 and "there are no rows of data" in done.stderr
        assert not place.exists()


def test_what_cannot_be_streamed_is_said(folder: Path, tmp_path: Path) -> None:
    model_file = tmp_path / "model.json"
    assert run("fit", folder, "--columns", "a,b", "-k", 1, "-o", model_file).exit_code == 0
    for arguments, message in (
        (("fit", "-", "-k", 1, "--memory-limit", "10M"), "standard input is read whole"),
        (("fit", "-", "-k", 1, "--dask", "local"), "standard input is read whole"),
        (("predict", model_file, folder, "--json"), "--json needs the rows in memory"),
        (("impute", folder), "0.parquet: column 't' has type large_string, not numbers"),
        (("fit", tmp_path / "nowhere", "-k", 1), "nowhere: cannot be read: No such file"),
    ):
        done = run(*arguments)
        assert done.exit_code == 1 and message in done.stderr, done.stderr


def test_the_line_of_progress(rng: np.random.Generator) -> None:
    from mixtura.engine import create_engine
    from mixtura.source import ArraySource
    from mixtura.standardization import Standardization

    rows = rng.normal(size=(500, 2))
    start = GaussianMixture(2, random_state=0, tol=0.1).fit(rows).mixture_
    one = Trajectory(start, MStep("VVV"))
    one.absorb(create_engine("auto", ArraySource(rows), Standardization.identity(2)).reduce([one.forms])[0])
    line = progress_line([one], 0.001)
    assert line.startswith(f"iteration 0  log likelihood {one.log_likelihood:.6f} per row  left to gain not known yet")
    assert line.endswith("0.50 million rows/s")


@pytest.mark.parametrize("absent", ["dask", "distributed"])
def test_without_dask_the_way_to_install_it_is_named(
    absent: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("mixtura.engine.dask")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, absent, None)
    done = run("fit", folder, "-k", 1, "--columns", "a,b", "--dask", "local")
    assert done.exit_code == 1
    assert 'pip install "mixtura[dask]"' in done.stderr and "Traceback" not in done.stderr
