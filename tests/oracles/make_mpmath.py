"""Writes data/mpmath.json: EM of a few small problems in 50-digit arithmetic.

    python tests/oracles/make_mpmath.py

It shares no code with the library: densities are written with determinants and inverses of mpmath, EM as
in Dempster, Laird and Rubin (1977). Rows, starting responsibilities and results are kept as decimal
strings; rows are multiples of 1/64, so binary floating point has them exactly.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from mpmath import det, diag, eye, inverse, log, matrix, mp, mpf, nstr, pi

DIGITS = 50
KEPT_DIGITS = 30
TYPES = ("full", "tied", "diag", "spherical")
TARGET = Path(__file__).parent / "data" / "mpmath.json"

RECORDED = (0, 1, 5, 60)
CONVERGED = "1e-40"  # an iteration that gains less is the last; a fit that gets there is recorded once more
LONGEST = 1500

#: name, rows, features, components, centres' distance, offset of the data
PROBLEMS = (
    ("separated", 24, 2, 2, 6, 0),
    ("overlapping", 30, 2, 2, 1, 0),
    ("three", 36, 1, 3, 5, 0),
    ("offset", 24, 2, 2, 6, 100000),
)


def make_rows(name: str, n_rows: int, n_features: int, n_components: int, distance: int, offset: int) -> list:
    """Rows on a grid of 1/64, grouped around n_components centres on a line."""
    source = random.Random(name)
    rows = []
    for i in range(n_rows):
        centre = distance * (i % n_components)
        rows.append(
            [
                offset + centre + round(64 * source.gauss(0, 1 + 0.3 * (i % n_components))) / 64
                for _ in range(n_features)
            ]
        )
    return rows


def start(n_rows: int, n_components: int) -> list:
    """Responsibilities of 3/4 for the row's own group and equal shares of the rest for the others."""
    rest = mpf(1) / 4 / (n_components - 1)
    return [[mpf(3) / 4 if k == i % n_components else rest for k in range(n_components)] for i in range(n_rows)]


def constrained(covariance_type: str, counts: list, scatters: list) -> list:
    """Maximum-likelihood covariances of the four models from counts and scatter matrices."""
    d = scatters[0].rows
    if covariance_type == "full":
        return [scatter / count for scatter, count in zip(scatters, counts, strict=True)]
    if covariance_type == "tied":
        total = sum(scatters[1:], scatters[0]) / sum(counts)
        return [total for _ in counts]
    if covariance_type == "diag":
        return [diag([s[i, i] / n for i in range(d)]) for s, n in zip(scatters, counts, strict=True)]
    return [eye(d) * (sum(s[i, i] for i in range(d)) / (n * d)) for s, n in zip(scatters, counts, strict=True)]


def maximise(covariance_type: str, rows: list, resp: list) -> tuple[list, list, list]:
    """Weights, means and covariances from responsibilities."""
    components = range(len(resp[0]))
    counts = [sum(r[k] for r in resp) for k in components]
    means = [sum((r[k] * row for r, row in zip(resp, rows, strict=True)), rows[0] * 0) / counts[k] for k in components]
    scatters = []
    for k in components:
        scatter = matrix(rows[0].rows, rows[0].rows)
        for r, row in zip(resp, rows, strict=True):
            scatter += r[k] * (row - means[k]) * (row - means[k]).T
        scatters.append(scatter)
    weights = [count / len(rows) for count in counts]
    return weights, means, constrained(covariance_type, counts, scatters)


def expect(rows: list, weights: list, means: list, covariances: list) -> tuple[list, object]:
    """Responsibilities, and the log likelihood."""
    d = rows[0].rows
    factors = [
        weight / mp.sqrt((2 * pi) ** d * det(covariance))
        for weight, covariance in zip(weights, covariances, strict=True)
    ]
    precisions = [inverse(covariance) for covariance in covariances]
    resp, total = [], mpf(0)
    for row in rows:
        joint = [
            factor * mp.exp(-((row - mean).T * precision * (row - mean))[0] / 2)
            for factor, mean, precision in zip(factors, means, precisions, strict=True)
        ]
        resp.append([value / sum(joint) for value in joint])
        total += log(sum(joint))
    return resp, total


def text(value: object) -> object:
    """Nested lists of decimal strings."""
    if isinstance(value, matrix):
        return [[nstr(value[i, j], KEPT_DIGITS) for j in range(value.cols)] for i in range(value.rows)]
    if isinstance(value, list):
        return [text(one) for one in value]
    return nstr(value, KEPT_DIGITS)


def state(parameters: tuple[list, list, list], log_likelihood: object) -> dict:
    """One point of a fit, as it is written."""
    weights, means, covariances = parameters
    return {
        "weights": text(weights),
        "means": [[nstr(mean[i], KEPT_DIGITS) for i in range(mean.rows)] for mean in means],
        "covariances": text(covariances),
        "log_likelihood": text(log_likelihood),
    }


def solve(covariance_type: str, numbers: list, n_components: int) -> dict:
    """Parameters and log likelihood after the recorded numbers of EM iterations, and where it converged."""
    rows = [matrix(row) for row in numbers]
    parameters = maximise(covariance_type, rows, start(len(rows), n_components))
    states, before = {}, None
    for iteration in range(LONGEST):
        resp, log_likelihood = expect(rows, *parameters)
        if iteration in RECORDED:
            states[str(iteration)] = state(parameters, log_likelihood)
        if before is not None and log_likelihood - before < mpf(CONVERGED):
            states["converged"] = state(parameters, log_likelihood)
            break
        before = log_likelihood
        parameters = maximise(covariance_type, rows, resp)
    return states


def main() -> None:
    """Write the file."""
    mp.dps = DIGITS
    results = []
    for name, n_rows, n_features, n_components, distance, offset in PROBLEMS:
        rows = make_rows(name, n_rows, n_features, n_components, distance, offset)
        for covariance_type in TYPES:
            states = solve(covariance_type, rows, n_components)
            results.append({"name": name, "covariance_type": covariance_type, "rows": rows, "states": states})
    note = f"EM in {DIGITS}-digit arithmetic, written by tests/oracles/make_mpmath.py; covariances are dense"
    TARGET.write_text(json.dumps({"note": note, "problems": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
