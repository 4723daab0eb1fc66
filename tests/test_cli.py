"""The command line: data on one stream, messages on the other, exit codes, and no half-written files."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mixtura
from mixtura import GaussianMixture, Mixture

pytest.importorskip("typer")
pytest.importorskip("rich")

from typer.testing import CliRunner

from mixtura.cli.commands import application

SEED = 7
PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
ENVIRONMENT = {**os.environ, **PLAIN, "PYTHONPATH": str(Path(mixtura.__file__).parents[1])}  # installed or not

#: The command line, which says "ready" when it begins to fit.
ANNOUNCED = """
import sys
from mixtura.cli import commands, main
work = commands._fit_all
def announce(*arguments):
    print("ready", file=sys.stderr, flush=True)
    return work(*arguments)
commands._fit_all = announce
main()
"""


def run(*arguments: Any, stdin: bytes | None = None) -> Any:
    return CliRunner().invoke(application, [str(one) for one in arguments], input=stdin, env=PLAIN)


def process(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mixtura", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, **options)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two groups of rows in a file, and a model of them."""
    folder = tmp_path_factory.mktemp("command line")
    rng = np.random.default_rng(SEED)
    rows = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(8, 1, (30, 2))])
    lines = [f"{x!r},{y!r},text,{1 + i % 2}" for i, (x, y) in enumerate(rows.tolist())]
    (folder / "data.csv").write_text("\n".join(["a,b,kind,w", *lines]) + "\n")
    (folder / "bare.csv").write_text("\n".join(line.split(",text")[0] for line in lines))
    result = run("fit", folder / "data.csv", "-k", 2, "--columns", "a,b", "--seed", 0, "-o", folder / "model.json")
    assert result.exit_code == 0, result.stderr
    return folder


# fit


def test_fit_shows_the_model_and_writes_it(folder: Path) -> None:
    result = run("fit", folder / "data.csv", "-k", "2", "--columns", "a,b", "--seed", "0")
    assert result.exit_code == 0 and result.stderr == ""
    assert "components" in result.stdout and "a (sd)" in result.stdout
    model = mixtura.load(folder / "model.json")
    assert model.n_components == 2 and model.feature_names_in_.tolist() == ["a", "b"]


def test_fit_chooses_among_several_by_bic(folder: Path, tmp_path: Path) -> None:
    files = ["--labels", tmp_path / "labels.csv", "-o", tmp_path / "model.json"]
    result = run("fit", folder / "data.csv", "-k", "1:3", "--columns", "a,b", "--seed", "0", *files)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[1:4]] == ["1", "2", "3"]
    assert result.stdout.splitlines()[2].endswith("best")
    labels = [int(row["label"]) for row in rows_of((tmp_path / "labels.csv").read_text())]
    assert len(labels) == 90 and len(set(labels[:60])) == 1 and labels[0] != labels[-1]
    assert mixtura.load(tmp_path / "model.json").n_components == 2


def test_fit_with_equal_weights(folder: Path) -> None:
    options = ("-k", 2, "--columns", "a,b", "--seed", "0", "--json")
    free = json.loads(run("fit", folder / "data.csv", *options).stdout)
    equal = json.loads(run("fit", folder / "data.csv", "--equal-weights", *options).stdout)
    assert equal["weights"] == [0.5, 0.5] != free["weights"] and equal["equal_weights"] is True
    assert equal["n_parameters"] == free["n_parameters"] - 1


def test_fit_with_a_prior(folder: Path) -> None:
    options = ("-k", 2, "--columns", "a,b", "--seed", "0", "--json")
    free = json.loads(run("fit", folder / "data.csv", *options).stdout)
    unnamed = json.loads(run("fit", folder / "data.csv", "--prior", "none", *options).stdout)
    with_prior = json.loads(run("fit", folder / "data.csv", "--prior", "default", *options).stdout)
    assert free == unnamed and with_prior["log_likelihood"] < free["log_likelihood"]
    refused = run("fit", folder / "data.csv", "--prior", "strong", *options)
    assert refused.exit_code == 2 and "strong" in refused.stderr


def test_fit_with_noise(folder: Path, tmp_path: Path) -> None:
    clean = np.loadtxt(folder / "data.csv", delimiter=",", skiprows=1, usecols=(0, 1))
    rows = np.concatenate([clean, [[500.0, -500.0]]])
    np.savetxt(tmp_path / "noisy.csv", rows, delimiter=",", header="a,b", comments="")
    files = ("-o", tmp_path / "model.json", "--labels", tmp_path / "labels.csv", "--plot", tmp_path / "noisy.png")
    result = run("fit", tmp_path / "noisy.csv", "-k", 2, "--seed", 0, "--noise", *files)
    assert result.exit_code == 0 and "uniform over a volume" in result.stdout
    assert (tmp_path / "labels.csv").read_text().split()[-1] == "-1"
    chances = rows_of(run("predict", tmp_path / "model.json", tmp_path / "noisy.csv", "--proba").stdout)
    assert list(chances[-1]) == ["label", "probability_0", "probability_1", "probability_noise"]
    assert float(chances[-1]["probability_noise"]) > 0.99
    facts = json.loads(run("info", tmp_path / "model.json", "--json").stdout)
    assert facts["n_parameters"] == 11 + 2 and 0 < facts["noise_weight"] < 0.2


def test_fit_as_json(folder: Path) -> None:
    result = run("fit", folder / "data.csv", "-k", "1,2", "--columns", "a,b", "--covariance", "VVI", "--json")
    facts = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert facts["n_components"] == 2 and facts["converged"] is True and facts["feature_names"] == ["a", "b"]
    assert [one["n_components"] for one in facts["selection"]] == [1, 2]
    assert facts["bic"] == pytest.approx(facts["selection"][1]["bic"])


def test_weights_count_rows(folder: Path, tmp_path: Path) -> None:
    table = rows_of((folder / "data.csv").read_text())
    doubled = "\n".join(["a,b", *(f"{row['a']},{row['b']}" for row in table for _ in range(int(row["w"])))])
    (tmp_path / "doubled.csv").write_text(doubled)
    options = ["-k", 2, "--columns", "a,b", "--json", "--seed", 0]
    weighted = json.loads(run("fit", folder / "data.csv", "--weights", "w", *options).stdout)
    repeated = json.loads(run("fit", tmp_path / "doubled.csv", *options).stdout)
    assert weighted["n_observations"] == repeated["n_observations"] == 135
    assert weighted["log_likelihood"] == pytest.approx(repeated["log_likelihood"], rel=1e-6)


def test_a_number_that_cannot_be_fitted_is_a_line_of_the_choice(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("1,2\n3,4\n5,7\n")
    result = run("fit", tmp_path / "few.csv", "-k", "1,9", "--json")
    selection = json.loads(result.stdout)["selection"]
    assert selection[0]["error"] is None and selection[1]["bic"] is None and "9" in selection[1]["error"]
    assert run("fit", tmp_path / "few.csv", "-k", "9").exit_code == 1


def test_what_did_not_converge_is_written_and_exits_3(folder: Path, tmp_path: Path) -> None:
    options = ["--columns", "a,b", "--max-iter", 1, "-o", tmp_path / "model.json"]
    result = run("fit", folder / "data.csv", "-k", 2, *options)
    assert result.exit_code == 3
    assert result.stderr.startswith("mixtura: warning: EM stopped at max_iter")
    assert not mixtura.load(tmp_path / "model.json").converged_


@pytest.mark.parametrize("components", ["2", "1:3"])
def test_fit_draws(folder: Path, tmp_path: Path, components: str) -> None:
    pytest.importorskip("matplotlib")
    result = run("fit", folder / "bare.csv", "-k", components, "--plot", tmp_path / "plot.png")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_fit_reads_standard_input(folder: Path) -> None:
    result = run("fit", "-", "-k", "2", "--json", stdin=(folder / "bare.csv").read_bytes())
    assert json.loads(result.stdout)["n_observations"] == 90


def test_missing_values_go_through_every_command(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "data.csv").read_text().splitlines()
    lines[3], lines[5] = ",".join(["", *lines[3].split(",")[1:]]), "?,NA,text,1"
    (tmp_path / "holed.csv").write_text("\n".join(lines))
    asked = ("--columns", "a,b", "--missing-values", "NA,?")
    refused = run("fit", tmp_path / "holed.csv", "-k", 2, "--columns", "a,b", "--missing-values", "NA")
    assert refused.exit_code == 1 and "line 6, column 'a': '?' is no number" in refused.stderr
    drawn = ("--plot", tmp_path / "plot.png", "-o", tmp_path / "model.json")
    result = run("fit", tmp_path / "holed.csv", "-k", 2, "--seed", 0, "--json", *asked, *drawn)
    assert result.exit_code == 0 and "1 rows have no observed value (row 4)" in result.stderr
    rows = np.loadtxt(folder / "bare.csv", delimiter=",")
    rows[2, 0], rows[4] = np.nan, np.nan
    with pytest.warns(UserWarning, match="no observed value"):
        expected = GaussianMixture(2, random_state=0).fit(rows)
    assert json.loads(result.stdout)["log_likelihood"] == pytest.approx(90 * expected.lower_bound_, abs=1e-9)
    found = rows_of(run("predict", tmp_path / "model.json", tmp_path / "holed.csv", "--proba", *asked).stdout)
    assert float(found[4]["probability_0"]) == pytest.approx(expected.weights_[0], abs=1e-9)
    scored = json.loads(run("score", tmp_path / "model.json", tmp_path / "holed.csv", "--json", *asked).stdout)
    assert scored["log_likelihood"] == pytest.approx(90 * expected.lower_bound_, abs=1e-9)


# predict, score, sample, info


def test_predict(folder: Path, tmp_path: Path) -> None:
    plain = rows_of(run("predict", folder / "model.json", folder / "data.csv").stdout)
    result = run("predict", folder / "model.json", folder / "data.csv", "--proba", "-o", tmp_path / "out.csv")
    assert result.stdout == ""
    full = rows_of((tmp_path / "out.csv").read_text())
    assert [row["label"] for row in plain] == [row["label"] for row in full]
    assert all(abs(float(row["probability_0"]) + float(row["probability_1"]) - 1) < 1e-12 for row in full)
    both = json.loads(run("predict", folder / "model.json", folder / "data.csv", "--proba", "--json").stdout)
    assert [str(label) for label in both["labels"]] == [row["label"] for row in plain]
    assert np.shape(both["probabilities"]) == (90, 2)


def test_predict_takes_the_features_by_name_and_else_by_position(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "swapped.csv").write_text(
        "\n".join(["b,a", *(f"{row['b']},{row['a']}" for row in rows_of((folder / "data.csv").read_text()))])
    )
    expected = run("predict", folder / "model.json", folder / "data.csv").stdout
    assert run("predict", folder / "model.json", tmp_path / "swapped.csv").stdout == expected
    assert run("predict", folder / "model.json", folder / "bare.csv").stdout == expected
    (tmp_path / "other.csv").write_text("a,c\n1,2\n")
    result = run("predict", folder / "model.json", tmp_path / "other.csv")
    assert result.exit_code == 1 and "has no column 'b'; it has a, c" in result.stderr
    renamed = run("predict", folder / "model.json", tmp_path / "other.csv", "--columns", "a,c")
    assert renamed.exit_code == 0 and "columns a,c are taken for the model's features a,b" in renamed.stderr
    (tmp_path / "narrow.csv").write_text("1\n2\n")
    result = run("predict", folder / "model.json", tmp_path / "narrow.csv")
    assert result.exit_code == 1 and "has 1 feature columns, but the model" in result.stderr


def test_score(folder: Path) -> None:
    facts = json.loads(run("score", folder / "model.json", folder / "data.csv", "--json").stdout)
    model = mixtura.load(folder / "model.json")
    rows = np.loadtxt(folder / "bare.csv", delimiter=",")
    assert facts["log_likelihood"] == pytest.approx(model.mixture_.logpdf(rows).sum())
    assert facts["bic"] == pytest.approx(-2 * facts["log_likelihood"] + 11 * np.log(90))
    assert facts["aic"] == pytest.approx(-2 * facts["log_likelihood"] + 22)
    text = run("score", folder / "model.json", folder / "data.csv", "--weights", "w").stdout
    assert text.splitlines()[0].split() == ["n_observations", "135"]


def test_sample(folder: Path, tmp_path: Path) -> None:
    first = run("sample", folder / "model.json", "-n", 20, "--seed", 3).stdout
    assert first == run("sample", folder / "model.json", "-n", 20, "--seed", 3).stdout
    assert len(rows_of(first)) == 20 and set(rows_of(first)[0]) == {"a", "b"}
    document = json.loads(run("sample", folder / "model.json", "-n", 20, "--seed", 3, "--json").stdout)
    assert document["rows"][4] == [float(value) for value in rows_of(first)[4].values()]
    assert run("sample", folder / "model.json", "-n", 5, "-o", tmp_path / "out.npy").stdout == ""
    assert np.load(tmp_path / "out.npy").shape == (5, 2)


def test_info(folder: Path) -> None:
    assert "a (sd)" in run("info", folder / "model.json").stdout
    facts = json.loads(run("info", folder / "model.json", "--json").stdout)
    assert facts["status"] == "CONVERGED" and facts["n_parameters"] == 11


def test_a_bare_mixture_is_a_model_too(folder: Path, tmp_path: Path) -> None:
    mixtura.save(Mixture.from_parameters([0.5, 0.5], [[0, 0], [8, 8]], [1, 1], "spherical"), tmp_path / "bare.json")
    assert "spherical" in run("info", tmp_path / "bare.json").stdout
    labels = [row["label"] for row in rows_of(run("predict", tmp_path / "bare.json", folder / "bare.csv").stdout)]
    assert labels == ["0"] * 60 + ["1"] * 30


# Errors


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fit"],
        ["fit", "x.csv"],
        ["fit", "x.csv", "-k", "none"],
        ["fit", "x.csv", "-k", "0"],
        ["fit", "x.csv", "-k", "5:2"],
        ["fit", "x.csv", "-k", "1:"],
        ["fit", "x.csv", "-k", "1:1000000000000"],
        ["fit", "x.csv", "-k", "2", "--covariance", "round"],
        ["fit", "x.csv", "-k", "2", "--init", "guess"],
        ["fit", "x.csv", "-k", "2", "--max-iter", "0"],
        ["fit", "x.csv", "-k", "2", "-o", "no/such/folder/model.json"],
        ["fit", "x.csv", "-k", "2", "--plot", "plot.xyz"],
        ["sample", "x.json", "-n", "0"],
        ["wonder"],
    ],
)
def test_usage_exits_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["fit", "absent.csv", "-k", "2"], "mixtura: error: absent.csv: cannot be read: No such file or directory\n"),
        (["info", "absent.json"], "mixtura: error: absent.json: the file cannot be read: No such file or directory\n"),
    ],
)
def test_failure_exits_1_with_one_line(arguments: list[str], expected: str, tmp_path: Path) -> None:
    result = process(*arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", expected)


def test_a_text_column_is_named_with_advice(folder: Path) -> None:
    result = run("fit", folder / "data.csv", "-k", "2")
    assert result.exit_code == 1
    assert "column 'kind' is text (line 2: 'text'); choose the numeric columns: --columns a,b,w" in result.stderr


def test_version_and_module() -> None:
    result = process("--version")
    assert (result.returncode, result.stdout) == (0, f"mixtura {mixtura.__version__}\n")


def test_without_typer_there_is_a_hint() -> None:
    code = "import sys; sys.modules['typer'] = None; import mixtura.cli; mixtura.cli.main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == 'mixtura: error: the command line needs typer and rich: pip install "mixtura[cli]"\n'


# Streams and signals


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_reader_that_leaves_is_no_error(folder: Path) -> None:
    command = [sys.executable, "-m", "mixtura", "sample", str(folder / "model.json"), "-n", "50000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.readline() == b"a,b\n"
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 0


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_an_interrupt_exits_130_and_leaves_no_file(folder: Path, tmp_path: Path) -> None:
    options = ["--tol", "0", "--max-iter", "100000000", "-o", str(tmp_path / "model.json")]
    command = [sys.executable, "-c", ANNOUNCED, "fit", str(folder / "bare.csv"), "-k", "3", *options]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        assert running.stderr is not None and running.stderr.readline() == b"ready\n"
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert stdout == b"" and stderr == b"mixtura: interrupted\n"
    assert not list(tmp_path.iterdir())
