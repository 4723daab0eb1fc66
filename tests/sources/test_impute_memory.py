"""Imputation from file to file keeps to the memory limit, as the system sees it, on tables several times as large."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from mixtura import GaussianMixture, GaussianMixtureImputer, save

#: The peak is that of /proc, because getrusage's begins with the parent's (Linux keeps it across exec).
PROBE = """
import json, sys
from pathlib import Path
from typer.testing import CliRunner
from mixtura.cli.commands import application
small, large, output, *options = sys.argv[1:]
def peak(): return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
def impute(data):
    done = CliRunner().invoke(application, ["impute", data, "-o", output, *options, "--threads", "2"])
    assert done.exit_code == 0, done.stderr
impute(small)  # imports everything, and starts the threads
before = peak()
impute(large)
print(json.dumps(peak() - before))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("ending", "limit", "n_rows", "n_columns", "fitted"),
    [("npy", 24_000_000, 800_000, 12, True), ("parquet", 40_000_000, 1_300_000, 12, False),
     ("csv", 2_000_000, 100_000, 4, False)],
)  # fmt: skip
def test_peak_memory_is_below_the_limit(
    ending: str, limit: int, n_rows: int, n_columns: int, fitted: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    rows = rng.standard_normal((n_rows, n_columns))
    rows[:, :2][rng.random((n_rows, 2)) < 0.1] = np.nan
    model = GaussianMixture(1).fit(rows[:, :2][~np.isnan(rows[:, :2]).all(axis=1)][:2000])
    save(model, tmp_path / "model.json")
    names = [tmp_path / f"{name}.{ending}" for name in ("small", "large", "out")]
    for path, part in zip(names, (rows[:3000], rows), strict=False):
        write(path, part)
    assert names[1].stat().st_size > 3 * limit
    last = GaussianMixtureImputer.of_fitted(model).transform(rows[-2000:, :2])
    del rows
    columns = "x0,x1" if ending == "parquet" else "0,1"
    how = ["-k", "1", "--seed", "0"] if fitted else ["--model", str(tmp_path / "model.json")]
    options = ["--memory-limit", str(limit), "--columns", columns, *how]
    command = [sys.executable, "-c", PROBE, *map(str, names), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) < limit
    if ending == "parquet":
        found = parquet.read_table(names[2])
        np.testing.assert_array_equal(np.column_stack([found["x0"][-2000:], found["x1"][-2000:]]), last)
        assert found.num_rows == n_rows


def write(path: Path, rows: np.ndarray) -> None:
    import pyarrow
    from pyarrow import csv

    table = pyarrow.table({f"x{j}": column for j, column in enumerate(rows.T)})
    if path.suffix == ".npy":
        np.save(path, rows)
    elif path.suffix == ".csv":
        csv.write_csv(table, path, csv.WriteOptions(include_header=False))
        path.write_bytes(path.read_bytes().replace(b"nan", b""))
    else:
        parquet.write_table(table, path, compression="none", use_dictionary=False, row_group_size=len(rows))
