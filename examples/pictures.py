"""Draw every picture of `mixtura.plot` from real data (Old Faithful, iris, wine) into out/pictures/."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("agg")  # before pyplot: no screen is needed

import matplotlib.pyplot as plt
from sklearn.datasets import load_iris, load_wine

import mixtura
from mixtura.datasets import load_old_faithful

OUT = Path("out") / "pictures"


def save(display: object, name: str) -> None:
    """Write a display's figure."""
    display.figure_.savefig(OUT / f"{name}.png", dpi=110)
    plt.close("all")
    print(f"{OUT / name}.png")


def draw_faithful() -> None:
    """Two features, and one."""
    data = load_old_faithful(as_frame=True).data
    three = mixtura.GaussianMixture(3, covariance_type="tied", random_state=0).fit(data)
    save(three.plot(data), "classification")
    save(three.plot(data, kind="uncertainty"), "uncertainty")
    save(three.plot(data, kind="density"), "density")
    save(three.plot(data, kind="density", style="surface"), "density_surface")
    save(three.plot(data, kind="k_means"), "k_means")
    save(three.plot(data, kind="merging"), "merging")
    save(mixtura.GaussianMixture(2, noise=True, random_state=0).fit(data).plot(data), "classification_noise")
    save(mixtura.GaussianMixtureOutlierDetector(2, random_state=0).fit(data).plot(data), "outliers")
    waiting = data[["waiting"]]
    line = mixtura.GaussianMixture(2, random_state=0).fit(waiting)
    save(line.plot(waiting), "classification_one_feature")
    save(line.plot(waiting, kind="density"), "density_one_feature")
    save(line.plot(waiting, kind="uncertainty"), "uncertainty_one_feature")


def draw_iterations() -> None:
    """EM step by step, in two dimensions and in one."""
    data = load_old_faithful(as_frame=True).data
    start = {"trace": True, "n_init": 1, "means_init": [[3.0, 85.0], [3.4, 60.0]], "random_state": 0}
    model = mixtura.GaussianMixture(2, **start).fit(data)
    save(model.trace_.strip(), "iterations")
    save(model.plot(kind="convergence", scale="log"), "convergence")
    model.trace_.animate(OUT / "iterations.gif")
    iris = load_iris(as_frame=True).data
    overlapping = mixtura.GaussianMixture(3, trace=True, random_state=0).fit(iris)
    save(overlapping.trace_.strip(features=(2, 3)), "iterations_iris")
    overlapping.trace_.animate(OUT / "iterations_iris.gif", features=(2, 3))
    start["means_init"] = [[66.0], [74.0]]
    line = mixtura.GaussianMixture(2, **start).fit(data[["waiting"]])
    save(line.trace_.strip(), "iterations_one_feature")
    line.trace_.animate(OUT / "iterations_one_feature.gif")


def draw_iris_and_wine() -> None:
    """More than two features: pairs, directions, profiles, and the choice of a model."""
    iris, wine = load_iris(as_frame=True), load_wine(as_frame=True)
    model = mixtura.GaussianMixture(3, covariance_type="VEV", random_state=0).fit(iris.data)
    save(model.plot(iris.data, features="all"), "pairs_iris")
    save(model.plot(iris.data, directions="discriminating"), "directions_iris")
    save(model.plot(iris.data, kind="uncertainty", directions="discriminating"), "uncertainty_iris")
    choice = mixtura.GaussianMixtureIC(random_state=0).fit(iris.data)
    save(choice.plot(), "selection_iris")
    save(choice.plot(kind="selection", style="table"), "selection_table_iris")
    classes = mixtura.GaussianMixtureClassifier(random_state=0).fit(wine.data, wine.target)
    save(classes.plot(wine.data, directions="discriminating"), "classes_wine")
    model = mixtura.GaussianMixture(3, covariance_type="EEE", random_state=0).fit(wine.data)
    save(model.plot(wine.data, directions="discriminating"), "directions_wine")
    save(model.plot(kind="profile"), "profile_wine")


def main() -> None:
    """Draw everything."""
    OUT.mkdir(parents=True, exist_ok=True)
    draw_faithful()
    draw_iterations()
    draw_iris_and_wine()


if __name__ == "__main__":
    main()
