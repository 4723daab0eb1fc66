"""How often does the classifier err on held-out rows, beside scikit-learn's discriminant analyses?

``python benchmarks/classifier.py [--repeats N]``

Stratified ten-fold cross-validation, repeated with other shuffles, the same folds
for all: the default; every covariance model by BIC (EDDA); a mixture for each class,
its size by BIC (MclustDA); linear and quadratic discriminant analysis. Writes
classifier.json, errors, rows and processor seconds a fit; fails if on wine or breast
cancer the default errs oftener than the better of scikit-learn's two.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.model_selection import RepeatedStratifiedKFold

from mixtura import GaussianMixtureClassifier

RESULTS = Path(__file__).parent / "classifier.json"
REPEATS = 3
DATA = {"wine": load_wine, "breast cancer": load_breast_cancer, "iris": load_iris}
PROMISED = ("wine", "breast cancer")
PEERS = ("linear", "quadratic")
CONTENDERS: dict[str, Callable[[], Any]] = {
    "linear": LinearDiscriminantAnalysis,
    "quadratic": lambda: QuadraticDiscriminantAnalysis(tol=1e-12),  # its own tolerance refuses breast cancer
    "default": GaussianMixtureClassifier,
    "BIC, one component": lambda: GaussianMixtureClassifier(covariance_type="auto"),
    "BIC, mixtures": lambda: GaussianMixtureClassifier("auto", random_state=0),
}


def errors(name: str, repeats: int) -> dict[str, Any]:
    """Wrong rows of each contender, of how many, and seconds of a fit."""
    rows, target = DATA[name](return_X_y=True)
    wrong, seconds, total, n_fits = dict.fromkeys(CONTENDERS, 0), dict.fromkeys(CONTENDERS, 0.0), 0, 0
    for fitted, held in RepeatedStratifiedKFold(n_splits=10, n_repeats=repeats, random_state=0).split(rows, target):
        total, n_fits = total + held.size, n_fits + 1
        for contender, make in CONTENDERS.items():
            started = time.process_time()
            model = make().fit(rows[fitted], target[fitted])
            seconds[contender] += time.process_time() - started
            wrong[contender] += int((model.predict(rows[held]) != target[held]).sum())
    return {"rows": total, "wrong": wrong, "seconds": {key: round(one / n_fits, 4) for key, one in seconds.items()}}


def main() -> None:
    """Measure, print, store, and fail where the promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")  # of covariances at the floor
    found: dict[str, Any] = {}
    for name in DATA:
        found[name] = errors(name, repeats)
        shares = ", ".join(f"{key} {one / found[name]['rows']:.4f}" for key, one in found[name]["wrong"].items())
        print(f"{name}: {shares}", flush=True)
    text = {"date": time.strftime("%Y-%m-%d"), "repeats": repeats, "measured": found}
    RESULTS.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    lost = [name for name in PROMISED if found[name]["wrong"]["default"] > min(found[name]["wrong"][p] for p in PEERS)]
    if lost:
        raise SystemExit(f"errs oftener than the better of scikit-learn's two: {', '.join(lost)}")


if __name__ == "__main__":
    main()
