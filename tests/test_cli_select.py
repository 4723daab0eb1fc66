"""`mixtura select`, and `mixtura fit -k 1:9` by it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_cli import run

import mixtura


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("select") / "data.csv"
    rng = np.random.default_rng(3)
    rows = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(8, 1, (40, 2))])
    np.savetxt(path, rows, delimiter=",", header="a,b", comments="")
    return path


def test_the_table_has_the_ten_best_and_a_line_a_model(data: Path, tmp_path: Path) -> None:
    result = run("select", data, "-k", "1:4", "--seed", 0, "-o", tmp_path / "best.json")
    assert result.exit_code == 0 and result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["rank", "covariance", "components", "parameters", "log", "likelihood", "BIC"]
    assert [line.split()[0] for line in lines[1:11]] == [str(rank) for rank in range(1, 11)]
    scores = [float(line.split()[5]) for line in lines[1:11]]
    assert scores == sorted(scores)
    assert len(lines[13:27]) == 14 and {line.split()[0] for line in lines[13:27]} >= {"EII", "VVV"}
    best = mixtura.load(tmp_path / "best.json")
    assert best.n_components == 2 == int(lines[1].split()[2]) and best.feature_names_in_.tolist() == ["a", "b"]


def test_the_document_has_every_cell(data: Path) -> None:
    result = run("select", data, "-k", "2,3", "--covariance", "EII,full", "--criterion", "icl", "--seed", 0, "--json")
    facts = json.loads(result.stdout)
    assert [(cell["covariance_type"], cell["n_components"]) for cell in facts["selection"]] == [
        ("EII", 2), ("EII", 3), ("full", 2), ("full", 3),
    ]  # fmt: skip
    assert facts["criterion"] == "icl" and facts["n_components"] == 2
    assert all(cell["error"] is None and cell["icl"] >= cell["bic"] - 1e-9 for cell in facts["selection"])


def test_cross_validation(data: Path) -> None:
    facts = json.loads(run("select", data, "-k", "1:2", "--covariance", "EII", "--criterion", "cv", "--json").stdout)
    assert facts["selection"][1]["cv"] < facts["selection"][0]["cv"] and facts["n_components"] == 2


def test_cells_that_fail_are_in_the_table_and_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = np.repeat([[0.0, 0.0], [4.0, 1.0], [1.0, 5.0]], 6, axis=0) + np.arange(18)[:, None] % 3 * [0.1, 0.2]
    np.savetxt(tmp_path / "few.csv", rows, delimiter=",")
    options = ("--covariance", "EII,VVV", "--seed", 0, "--plot", tmp_path / "few.png")
    result = run("select", tmp_path / "few.csv", "-k", "1,2,12", *options)
    assert result.exit_code == 0, result.stderr
    assert [line.split()[-1] for line in result.stdout.splitlines() if line.startswith(("EII", "VVV"))] == ["12", "12"]
    assert (tmp_path / "few.png").read_bytes().startswith(b"\x89PNG")


def test_where_nothing_fits_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "same.csv").write_text("1,2\n" * 9)
    result = run("select", tmp_path / "same.csv")
    assert result.exit_code == 1 and "sound fit" in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr


def test_what_did_not_converge_exits_3(data: Path) -> None:
    result = run("select", data, "-k", "3", "--covariance", "VVV", "--max-iter", 2, "--seed", 0)
    assert result.exit_code == 3 and "max_iter" in result.stderr


@pytest.mark.parametrize(
    "wrong",
    [["--covariance", "round"], ["--covariance", "EII,"], ["--criterion", "r2"], ["-k", "0"], ["--plot", "x.txt"]],
)
def test_usage_exits_2(data: Path, wrong: list[str]) -> None:
    result = run("select", data, *wrong)
    assert result.exit_code == 2 and not result.stdout
