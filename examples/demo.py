"""Fit Old Faithful, choose the number of components by BIC, and save a model, labels and a picture in out/."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

import mixtura
from mixtura.datasets import load_old_faithful

matplotlib.use("agg")  # before pyplot: the demo needs no screen

import matplotlib.pyplot as plt

from mixtura.plot import ClassificationDisplay, ModelSelectionDisplay

OUT = Path("out")


def fit_all(data: np.ndarray) -> list[mixtura.GaussianMixture]:
    """One fitted mixture for each number of components from 1 to 9."""
    return [mixtura.GaussianMixture(n_components, random_state=0).fit(data) for n_components in range(1, 10)]


def print_choice(models: list[mixtura.GaussianMixture], best: mixtura.GaussianMixture, data: np.ndarray) -> None:
    """The table behind the choice: log likelihood, parameters and BIC of each."""
    print("components  log likelihood  parameters       BIC")
    for model in models:
        mixture = model.mixture_
        log_likelihood = mixture.logpdf(data).sum()
        mark = "  <- best" if model is best else ""
        print(f"{mixture.n_components:10d}{log_likelihood:16.2f}{mixture.n_parameters:12d}{model.bic(data):10.2f}{mark}")


def draw(models: list[mixtura.GaussianMixture], best: mixtura.GaussianMixture, faithful: dict, path: Path) -> None:
    """Rows coloured by component, beside the BIC curve."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    display = ClassificationDisplay.from_estimator(best, faithful["data"], ax=left)
    left.set_xlabel(f"{faithful['feature_names'][0]} (minutes)")
    left.set_ylabel(f"{faithful['feature_names'][1]} (minutes)")
    left.set_title(f"Old Faithful, {display.mixture.n_components} components, 95 % ellipses")
    ModelSelectionDisplay.from_estimators(models, faithful["data"], ax=right)
    right.set_title("Choice of the number of components")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Fit, choose, print, save."""
    faithful = load_old_faithful()
    models = fit_all(faithful.data)
    best = min(models, key=lambda model: model.bic(faithful.data))
    print_choice(models, best, faithful.data)
    print()
    print(best.summary())
    OUT.mkdir(exist_ok=True)
    mixtura.save(best, OUT / "model.json")
    np.savetxt(OUT / "labels.csv", best.predict(faithful.data), fmt="%d", header="component", comments="")
    draw(models, best, faithful, OUT / "picture.png")
    print(f"\nWrote {OUT}/model.json, {OUT}/labels.csv and {OUT}/picture.png")


if __name__ == "__main__":
    main()
