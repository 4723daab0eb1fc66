"""How often intervals of the weighted likelihood bootstrap cover the truth; `make coverage` runs the long study."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mixtura import GaussianMixture, Mixture, bootstrap_parameters
from mixtura.bootstrap import matching

RESULTS = Path(__file__).parent / "coverage.json"

TRUTH = Mixture.from_parameters(
    [0.6, 0.4], [[0.0, 0.0], [3.0, 1.0]], [[[1.0, 0.3], [0.3, 0.5]], [[0.6, -0.2], [-0.2, 1.2]]]
)


def coverage(n_samples: int, n_resamples: int, level: float, seed: int) -> NDArray[np.float64]:
    """Share of samples of 300 rows in which each parameter's interval holds the true one."""
    rng = np.random.default_rng(seed)
    wanted = (TRUTH.weights, TRUTH.means, TRUTH.dense_covariances)
    hits = []
    for _ in range(n_samples):
        rows, _ = TRUTH.rvs(300, random_state=rng)
        start = {"weights_init": TRUTH.weights, "means_init": TRUTH.means}
        model = GaussianMixture(2, **start, precisions_init=np.linalg.inv(TRUTH.covariances)).fit(rows)
        order = matching(TRUTH, model.mixture_)
        seed_here = int(rng.integers(2**31))
        result = bootstrap_parameters(model, rows, n_resamples=n_resamples, random_state=seed_here)
        low, high = result.intervals(level)
        inside = [
            ((getattr(low, name)[order] <= true) & (true <= getattr(high, name)[order])).ravel()
            for name, true in zip(("weights", "means", "covariances"), wanted, strict=True)
        ]
        hits.append(np.concatenate(inside))
    return np.mean(hits, axis=0)


def main() -> None:
    """Run the long study and store its result."""
    level, n_resamples, seed = 0.95, 499, 20261
    n_samples = int(sys.argv[1]) if len(sys.argv) > 1 else 220
    covered = coverage(n_samples, n_resamples, level, seed)
    kinds = {"weights": covered[:2], "means": covered[2:6], "covariances": covered[6:]}
    document = {
        "level": level, "rows": 300, "samples": n_samples, "resamples": n_resamples, "seed": seed,
        "coverage": {name: [round(float(one), 4) for one in part] for name, part in kinds.items()},
        "mean": round(float(covered.mean()), 4),
    }  # fmt: skip
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document))


if __name__ == "__main__":
    main()
