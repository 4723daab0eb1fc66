"""The memory limit holds, as the system sees it, on data more than five times as large."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

LIMIT = 40_000_000
N_ROWS, N_FEATURES = 2_600_000, 10

#: The peak is that of /proc, because getrusage's begins with the parent's (Linux keeps it across exec).
PROBE = """
import json, sys, warnings
from pathlib import Path
from mixtura import GaussianMixture, open_rows
warnings.simplefilter("ignore")
small, large, limit = sys.argv[1:]
peak = lambda: 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
model = GaussianMixture(3, random_state=0, max_iter=2, n_init=1, n_threads=2)
model.fit(open_rows(small, memory_limit=limit))  # imports everything, and starts the threads
model.score(open_rows(small))
before = peak()
model.fit(open_rows(large, memory_limit=limit))
fitted = peak()
model.score(open_rows(large, memory_limit=limit))
print(json.dumps({"fit": fitted - before, "score": peak() - before, "rows": model.n_observations_}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("ending", ["parquet", "npy"])
def test_peak_memory_is_below_the_limit(ending: str, tmp_path: Path, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((N_ROWS, N_FEATURES)) + 3.0 * rng.integers(0, 3, N_ROWS)[:, None]
    assert rows.nbytes > 5 * LIMIT
    for name, part in (("small", rows[:30_000]), ("large", rows)):
        write(tmp_path / f"{name}.{ending}", part)
    del rows
    command = [sys.executable, "-c", PROBE, *(str(tmp_path / f"{name}.{ending}") for name in ("small", "large"))]
    done = subprocess.run([*command, str(LIMIT)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["rows"] == N_ROWS
    assert found["fit"] < LIMIT
    assert found["score"] < LIMIT


def write(path: Path, rows: np.ndarray) -> None:
    if path.suffix == ".npy":
        np.save(path, rows)
        return
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({f"x{j}": column for j, column in enumerate(rows.T)})
    parquet.write_table(table, path, compression="none", use_dictionary=False, row_group_size=len(rows))
