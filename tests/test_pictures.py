"""Pictures against stored ones, without text and blurred, so that fonts and edges of other versions do not count.

Every picture has a perturbed twin that must fail the same comparison. To draw the stored ones anew, and
then look at them: ``MIXTURA_NEW_BASELINE=1 python -m pytest tests/test_pictures.py``.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mixtura import GaussianMixture, GaussianMixtureIC, GaussianMixtureOutlierDetector
from mixtura.datasets import load_old_faithful

plt = pytest.importorskip("matplotlib.pyplot")
plt.switch_backend("agg")
plot = pytest.importorskip("mixtura.plot")
Image = pytest.importorskip("PIL.Image")
Legend = pytest.importorskip("matplotlib.legend").Legend

BASELINE = Path(__file__).parent / "baseline"
NEW = bool(os.environ.get("MIXTURA_NEW_BASELINE"))

#: Pictures are blurred by squares of so many pixels.
SQUARE = 8

#: Largest root mean square of the differences, of 255: lines that are not snapped to pixels come to 1.6,
#: perturbed pictures to 3.5 and more.
TOLERANCE = 2.5

MODELS = ["EII", "EEI", "EEE", "VVV"]
FAITHFUL = load_old_faithful().data


def fitted(rows, n_components, **options):
    return GaussianMixture(n_components, random_state=0, **options).fit(rows)


@pytest.fixture(scope="module")
def models():
    rows = FAITHFUL
    noisy = np.ones(rows.shape[0], dtype=bool)
    noisy[20:] = False
    return {
        "three": fitted(rows, 3, covariance_type="tied"),
        "noise": fitted(rows, 2, noise=noisy),
        "line": fitted(rows[:, 1:], 2),
        "traced": fitted(rows, 2, trace=True, n_init=1, init_params="random_from_data"),
        "traced line": fitted(rows[:, :1], 2, trace=True, n_init=1, init_params="random_from_data"),
        "outliers": GaussianMixtureOutlierDetector(2, random_state=0).fit(rows),
        "choice": GaussianMixtureIC(range(1, 5), covariance_type=MODELS, random_state=0).fit(rows),
    }


#: Model, columns of the data, and what is drawn.
PICTURES: dict[str, tuple[str, slice, Callable]] = {
    "classification": ("three", slice(0, 2), lambda model, rows: model.plot(rows)),
    "classification_noise": ("noise", slice(0, 2), lambda model, rows: model.plot(rows)),
    "classification_line": ("line", slice(1, 2), lambda model, rows: model.plot(rows)),
    "uncertainty": ("three", slice(0, 2), lambda model, rows: model.plot(rows, kind="uncertainty")),
    "density": ("three", slice(0, 2), lambda model, rows: model.plot(rows, kind="density")),
    "density_line": ("line", slice(1, 2), lambda model, rows: model.plot(rows, kind="density")),
    "surface": ("three", slice(0, 2), lambda model, rows: model.plot(rows, kind="density", style="surface")),
    "profile": ("three", slice(0, 2), lambda model, rows: model.plot(kind="profile")),
    "k_means": ("three", slice(0, 2), lambda model, rows: model.plot(rows, kind="k_means")),
    "outliers": ("outliers", slice(0, 2), lambda model, rows: model.plot(rows)),
    "merging": ("three", slice(0, 2), lambda model, rows: model.plot(rows, kind="merging")),
    "convergence": ("traced", slice(0, 2), lambda model, rows: model.plot(kind="convergence", scale="log")),
    "selection": ("choice", slice(0, 2), lambda model, rows: model.plot(kind="selection")),
    "selection_table": ("choice", slice(0, 2), lambda model, rows: model.plot(kind="selection", style="table")),
    "strip": ("traced", slice(0, 2), lambda model, rows: model.trace_.strip(n_pictures=4)),
    "strip_line": ("traced line", slice(0, 1), lambda model, rows: model.trace_.strip(n_pictures=4)),
}


def pixels(figure):
    """A figure without its text and legends, as (height, width, 3) bytes."""
    for part in figure.findobj(lambda one: hasattr(one, "set_text") or isinstance(one, Legend)):
        part.set_visible(False)
    figure.set_size_inches(6.4, 4.8)
    figure.set_dpi(100)
    figure.canvas.draw()
    return np.rint(pooled(np.asarray(figure.canvas.buffer_rgba())[..., :3], 2)).astype(np.uint8)


def pooled(picture, square):
    """Means of squares of so many pixels."""
    height, width = (side // square for side in picture.shape[:2])
    return picture.astype(float).reshape(height, square, width, square, 3).mean(axis=(1, 3))


def difference(one, other):
    """Root mean square of the differences of two pictures, blurred."""
    return float(np.sqrt(np.mean(np.square(pooled(one, SQUARE) - pooled(other, SQUARE)))))


def draw(models, name, change=lambda model: model):
    model, columns, make = PICTURES[name]
    picture = pixels(make(change(models[model]), FAITHFUL[:, columns]).figure_)
    plt.close("all")
    return picture


def stored(name):
    return np.asarray(Image.open(BASELINE / f"{name}.png").convert("RGB"))


def moved(model):
    """The model with its first component elsewhere, by one of its deviations; or with other values."""
    other = copy.copy(model)
    if hasattr(model, "results_"):
        values = {**model.results_, "bic": model.results_["bic"][::-1].copy()}
        other.results_ = values
        return other
    if hasattr(model, "offset_"):
        other.estimator_, other.offset_ = moved(model.estimator_), model.offset_
        return other
    other.mixture_ = displaced(model.mixture_)
    other.lower_bounds_ = [value - 0.3 for value in model.lower_bounds_[:-3]]
    if model.trace_ is not None:
        mixtures = tuple(displaced(one) for one in model.trace_.mixtures)
        other.trace_ = replace(model.trace_, mixtures=mixtures)
    return other


def displaced(mixture):
    means = mixture.means.copy()
    means[0] += np.sqrt(np.diagonal(mixture.dense_covariances[0]))
    return replace(mixture, means=means)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_like_the_stored_one(models, name):
    picture = draw(models, name)
    if NEW:
        Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(
            BASELINE / f"{name}.png", optimize=True
        )
    assert difference(picture, stored(name)) < TOLERANCE


@pytest.mark.parametrize("name", PICTURES)
def test_another_picture_is_not(models, name):
    assert difference(draw(models, name, moved), stored(name)) > TOLERANCE


@pytest.mark.parametrize("name", ["classification", "k_means", "selection"])
def test_other_fonts_and_edges_are_alike(models, name):
    with plt.rc_context({"font.family": "monospace", "text.hinting": "none", "path.snap": False}):
        assert difference(draw(models, name), stored(name)) < TOLERANCE


def test_all_stored_pictures_are_compared_and_small():
    files = sorted(BASELINE.glob("*.png"))
    assert {file.stem for file in files} == set(PICTURES)
    assert max(file.stat().st_size for file in files) < 20_000
