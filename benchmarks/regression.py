"""Regression by a joint mixture against least squares and Gaussian processes, and the time of 100 000 predictions.

``python benchmarks/regression.py``

Ten folds of each problem, shuffled by seed 0: R^2, mean log density of the held-out
targets (where a method has one), and the share of them in the central interval of
90 %. A Gaussian process has an RBF kernel with a length a feature, and noise. Its
joint density of several targets is their product. Writes regression.json; what is
lost is in it too.
"""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_diabetes, load_iris
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mixtura import GaussianMixtureRegressor
from mixtura.datasets import load_old_faithful

HERE = Path(__file__).parent
FOLDS = KFold(10, shuffle=True, random_state=0)


def problems() -> dict[str, tuple[Any, Any]]:
    rng = np.random.default_rng(0)
    iris, faithful = load_iris().data, load_old_faithful().data
    curve = rng.uniform(-3, 3, (500, 1))
    spread = 0.1 + 0.2 * (curve[:, 0] > 0)
    return {
        "diabetes": load_diabetes(return_X_y=True),
        "iris petals from sepals": (iris[:, :2], iris[:, 2:]),
        "faithful waiting": (faithful[:, :1], faithful[:, 1]),
        "faithful duration": (faithful[:, 1:], faithful[:, 0]),
        "sine, two levels of noise": (curve, np.sin(2 * curve[:, 0]) + spread * rng.normal(size=500)),
    }


def methods(n_features: int) -> dict[str, Any]:
    kernel = ConstantKernel() * RBF(np.ones(n_features)) + WhiteKernel()
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    return {
        "least squares": LinearRegression(),
        "mixture, 1": GaussianMixtureRegressor(1),
        "mixture, auto": GaussianMixtureRegressor(random_state=0),
        "Gaussian process": make_pipeline(StandardScaler(), process),
    }


def densities_and_cover(model: Any, rows: Any, targets: Any) -> tuple[float, float] | None:
    """Mean log density, and share inside the central 90 %."""
    if isinstance(model, LinearRegression):
        return None
    if isinstance(model, GaussianMixtureRegressor):
        levels = model.predict_distribution(rows).cdf(targets)
        log_density = model.predict_distribution(rows).logpdf(targets)
    else:
        mean, std = model.predict(rows, return_std=True)
        levels = norm.cdf(targets, mean, std)
        log_density = norm.logpdf(targets, mean, std).reshape(len(rows), -1).sum(axis=1)
    return float(log_density.mean()), float(np.mean((levels >= 0.05) & (levels <= 0.95)))


def compare(rows: Any, targets: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, model in methods(rows.shape[1]).items():
        started, scores, told = time.process_time(), [], []
        for train, test in FOLDS.split(rows):
            model.fit(rows[train], targets[train])
            scores.append(r2_score(targets[test], model.predict(rows[test])))
            told.append(densities_and_cover(model, rows[test], targets[test]))
        found[name] = {"r2": round(float(np.mean(scores)), 4), "seconds": round(time.process_time() - started, 2)}
        if told[0] is not None:
            density, cover = np.mean(told, axis=0)
            found[name] |= {"log_density": round(float(density), 4), "inside_90": round(float(cover), 4)}
        print(f"  {name:18} {found[name]}")
    return found


def times() -> dict[str, float]:
    """Seconds for 100 000 rows of 20 features and 5 components."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(100_000, 20))
    targets = 2 * rows[:, 0] + np.sin(2 * rows[:, 1]) + 0.1 * rng.normal(size=100_000)
    holes = np.where(rng.random(rows.shape) < 0.2, np.nan, rows)
    model = GaussianMixtureRegressor(5, random_state=0).fit(rows[:5000], targets[:5000])
    jobs = {
        "mean": lambda: model.predict(rows),
        "mean and deviation": lambda: model.predict(rows, return_std=True),
        "quantile": lambda: model.predict_quantile(rows, 0.9),
        "five draws": lambda: model.sample_y(rows, 5),
        "mean, 20 % missing": lambda: model.predict(holes),
        "quantile, 20 % missing": lambda: model.predict_quantile(holes, 0.9),
    }
    found = {}
    for name, job in jobs.items():
        taken = []
        for _ in range(3):
            started = time.process_time()
            job()
            taken.append(time.process_time() - started)
        found[name] = round(float(np.median(taken)), 3)
        print(f"  {name:24} {found[name]} s")
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    results: dict[str, Any] = {}
    for name, (rows, targets) in problems().items():
        print(name)
        results[name] = compare(rows, targets)
    print("100 000 predictions")
    results["seconds for 100 000 rows"] = times()
    (HERE / "regression.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
