"""`mixtura report`: a page from a model file and a table, or one line that says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_cli import run

import mixtura


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(3)
    rows = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(8, 1, (40, 2))])
    table = np.column_stack([rows, rng.integers(1, 3, 100)])
    np.savetxt(folder / "data.csv", table, delimiter=",", header="a,b,w", comments="")
    np.savetxt(folder / "wide.csv", np.column_stack([rows, rows]), delimiter=",", header="c,d,e,f", comments="")
    result = run("fit", folder / "data.csv", "-k", 2, "--weights", "w", "--seed", 5, "-o", folder / "model.json")
    assert result.exit_code == 0, result.stderr
    return folder


def test_a_report_is_written(folder: Path) -> None:
    names = ["--weights", "w", "--title", "Two <groups>"]
    result = run("report", folder / "model.json", folder / "data.csv", "-o", folder / "report.html", *names)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    page = (folder / "report.html").read_text("utf-8")
    assert "<h1>Two &lt;groups&gt;</h1>" in page and "The model finds two groups in 100 rows of weight" in page
    assert "random_state=5" in page and "These are not the rows of the fit" not in page
    assert "High in" in page and '"name":"a"' in page


def test_a_bare_mixture_and_a_detector_have_reports(folder: Path) -> None:
    mixture = mixtura.load(folder / "model.json").mixture_
    mixtura.save(mixture, folder / "mixture.json")
    rows = mixture.rvs(200, random_state=0)[0]
    mixtura.save(mixtura.GaussianMixtureOutlierDetector(2, random_state=0).fit(rows), folder / "detector.json")
    for name, said in (("mixture", "how it was fitted is not known"), ("detector", "As an outlier detector")):
        options = ["--columns", "a,b", "-o", folder / f"{name}.html"]
        result = run("report", folder / f"{name}.json", folder / "data.csv", *options)
        assert result.exit_code == 0, result.stderr
        assert said in (folder / f"{name}.html").read_text("utf-8")


def test_a_fit_and_a_choice_write_their_report(folder: Path) -> None:
    table = [folder / "data.csv", "--columns", "a,b", "--seed", 0]
    assert run("fit", *table, "-k", 2, "--report", folder / "fit.html").exit_code == 0
    result = run("select", *table, "-k", "1:3", "--covariance", "EII,VVV", "--report", folder / "select.html")
    assert (result.exit_code, result.stderr) == (0, "")
    page = (folder / "select.html").read_text("utf-8")
    assert "BIC chose two components" in page and '"criterion":"bic"' in page and '"name":"b"' in page
    assert "were given, not chosen" in (folder / "fit.html").read_text("utf-8").replace("\n", " ")


def test_errors_are_one_line(folder: Path) -> None:
    result = run("report", folder / "model.json", folder / "wide.csv", "--columns", "c,d,e", "-o", folder / "no.html")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1 and "has 3 feature columns" in result.stderr
    for wrong in ("report.pdf", "nowhere/report.html"):
        assert run("report", folder / "model.json", folder / "data.csv", "-o", folder / wrong).exit_code == 2
    assert run("report", folder / "model.json", folder / "data.csv").exit_code == 2
    assert not (folder / "no.html").exists()
