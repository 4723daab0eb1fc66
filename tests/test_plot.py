"""The displays draw what the mixture says: counted and measured on the figure, without a screen."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import chi2

from mixtura import GaussianMixtureIC
from mixtura.mixture import Mixture

plt = pytest.importorskip("matplotlib.pyplot")
plt.switch_backend("agg")
plot = pytest.importorskip("mixtura.plot")
ClassificationDisplay, ModelSelectionDisplay = plot.ClassificationDisplay, plot.ModelSelectionDisplay


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def three_dimensional() -> Mixture:
    factors = np.random.default_rng(3).normal(size=(3, 3, 3))
    covariances = factors @ factors.transpose(0, 2, 1) + np.eye(3)
    return Mixture.from_parameters([0.2, 0.3, 0.5], [[0, 0, 0], [9, 0, 5], [0, 9, -5]], covariances)


def as_estimator(mixture: Mixture) -> SimpleNamespace:
    """What the displays need of an estimator, and no more."""

    def predict(rows):
        offsets = np.asarray(rows)[:, None, :] - mixture.means
        return np.einsum("nkd,nkd->nk", offsets, offsets).argmin(axis=1)

    return SimpleNamespace(mixture_=mixture, predict=predict, bic=lambda rows: -2 * mixture.logpdf(rows).sum())


def test_every_row_is_drawn_once_under_its_component():
    mixture = three_dimensional()
    rows, labels = mixture.rvs(200, random_state=0)
    display = ClassificationDisplay(mixture, rows, labels, features=(2, 0)).plot()
    assert len(display.ax_.collections) == 3
    for k, points in enumerate(display.ax_.collections):
        np.testing.assert_array_equal(points.get_offsets(), rows[labels == k][:, [2, 0]])
    assert display.ax_.get_xlabel() == "feature 2"


@pytest.mark.parametrize("probability", [0.5, 0.95])
@pytest.mark.parametrize("features", [(0, 1), (2, 0)])
def test_an_ellipse_is_the_contour_of_its_probability(probability, features):
    mixture = three_dimensional()
    rows, labels = mixture.rvs(50, random_state=1)
    display = ClassificationDisplay(mixture, rows, labels, features).plot(probability=probability)
    chosen = list(features)
    for k, ellipse in enumerate(display.ax_.patches):
        outline = ellipse.get_patch_transform().transform(ellipse.get_path().vertices)
        # the curve is a spline through these knots; only they lie on the ellipse exactly
        knots = outline[np.isclose(np.linalg.norm(ellipse.get_path().vertices, axis=1), 1.0)]
        offsets = knots - mixture.means[k, chosen]
        precision = np.linalg.inv(mixture.dense_covariances[k][np.ix_(chosen, chosen)])
        distances = np.einsum("nd,de,ne->n", offsets, precision, offsets)
        assert len(knots) >= 4
        np.testing.assert_allclose(distances, chi2.ppf(probability, df=2), rtol=1e-9)


def test_one_feature_is_a_histogram_with_the_densities_under_their_sum():
    mixture = Mixture.from_parameters([0.4, 0.6], [[0.0], [6.0]], [1.0, 2.0], "spherical")
    rows, labels = mixture.rvs(300, random_state=0)
    display = ClassificationDisplay(mixture, rows, labels).plot(bins=20)
    assert len(display.ax_.patches) == 20
    curves = {line.get_label(): line.get_data() for line in display.ax_.lines}
    grid, total = curves["mixture"]
    np.testing.assert_allclose(total, mixture.pdf(grid[:, None]), rtol=1e-12)
    np.testing.assert_allclose(curves["component 0"][1] + curves["component 1"][1], total, rtol=1e-12)


def test_a_plane_has_a_legend_of_its_components():
    mixture = three_dimensional()
    display = ClassificationDisplay(mixture, *mixture.rvs(30, random_state=0)).plot()
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["component 0", "component 1", "component 2"]


def test_from_estimator_follows_the_convention_of_displays():
    pandas = pytest.importorskip("pandas")
    mixture = three_dimensional()
    frame = pandas.DataFrame(mixture.rvs(60, random_state=0)[0], columns=["length", "width", "depth"])
    figure, ax = plt.subplots()
    display = ClassificationDisplay.from_estimator(as_estimator(mixture), frame, features=(0, 2), ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("length", "depth")
    assert display.plot() is display
    assert display.ax_ is not ax


@pytest.mark.parametrize(
    ("features", "message"), [((0, 3), "between 0 and 2"), ((1, 1), "different"), ((0, 1, 2), "one or two")]
)
def test_features_that_cannot_be_drawn_are_refused(features, message):
    mixture = three_dimensional()
    with pytest.raises(ValueError, match=message):
        ClassificationDisplay(mixture, np.zeros((2, 3)), np.zeros(2, dtype=int), features)


def test_rows_of_another_width_and_bad_probabilities_are_refused():
    mixture = three_dimensional()
    with pytest.raises(ValueError, match=r"rows must have shape \(n, 3\)"):
        ClassificationDisplay(mixture, np.zeros((2, 2)), np.zeros(2, dtype=int))
    display = ClassificationDisplay(mixture, np.zeros((2, 3)), np.zeros(2, dtype=int))
    with pytest.raises(ValueError, match="probability"):
        display.plot(probability=95)


def test_neighbouring_components_differ_in_colour_and_marker():
    n_pairs = len(set(plot.PALETTE)) * len(set(plot.MARKERS))
    assert len({(plot.color_of(k), plot.marker_of(k)) for k in range(n_pairs)}) == n_pairs
    assert n_pairs == 84


def test_many_components_are_numbered_instead_of_listed():
    means = 5.0 * np.stack(np.meshgrid(range(3), range(3)), axis=-1).reshape(9, 2)
    mixture = Mixture.from_parameters(np.full(9, 1 / 9), means, np.ones(9), "spherical")
    display = ClassificationDisplay(mixture, *mixture.rvs(90, random_state=0)).plot()
    assert display.ax_.get_legend() is None
    assert {text.get_text(): text.xy for text in display.ax_.texts} == {str(k): tuple(means[k]) for k in range(9)}


def test_selection_marks_the_lowest_of_several_curves():
    curves = {"full": [30.0, 20.0, 25.0], "diag": [28.0, np.nan, 19.0]}
    display = ModelSelectionDisplay([1, 2, 3], curves, criterion="ICL").plot()
    assert display.best_ == ("diag", 3)
    assert display.ax_.texts[0].get_text() == "diag, K = 3"
    assert display.ax_.get_ylabel() == "ICL (lower is better)"
    assert {line.get_label() for line in display.ax_.lines} >= {"full", "diag"}


def test_selection_from_estimators_sorts_them_by_number_of_components():
    mixtures = [three_dimensional(), three_dimensional().take([0]), three_dimensional().take([0, 2])]
    rows = mixtures[0].rvs(100, random_state=0)[0]
    display = ModelSelectionDisplay.from_estimators([as_estimator(mixture) for mixture in mixtures], rows)
    assert display.n_components == [1, 2, 3]
    expected = [-2 * mixtures[i].logpdf(rows).sum() for i in (1, 2, 0)]
    np.testing.assert_allclose(display.values, expected, rtol=1e-12)
    assert display.best_ == ("", 3)


def test_a_choice_is_drawn_with_a_cross_for_each_cell_that_failed():
    rows = np.random.default_rng(0).normal(size=(12, 2))
    choice = GaussianMixtureIC([1, 2, 13], covariance_type=["EII", "VVV"], criterion="icl", random_state=0).fit(rows)
    display = ModelSelectionDisplay.from_selection(choice)
    assert display.criterion == "ICL" and display.n_components == [1, 2, 13]
    assert display.best_ == (choice.best_params_["covariance_type"], choice.best_params_["n_components"])
    crosses = [line for line in display.ax_.lines if line.get_marker() == "x"]
    failed = int(np.isnan(choice.results_["icl"]).sum())
    assert len(crosses) == failed >= 2
    assert [line.get_label() for line in crosses].count("no sound fit") == 1
    assert all(abs(line.get_xdata()[0] - 13) < 0.5 for line in crosses if line.get_xdata()[0] > 3)


@pytest.mark.parametrize("values", [[1.0, 2.0], {"full": [1.0]}])
def test_curves_of_another_length_are_refused(values):
    with pytest.raises(ValueError, match="must have 3 values"):
        ModelSelectionDisplay([1, 2, 3], values)


def test_a_selection_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no value"):
        ModelSelectionDisplay([1], [np.nan])


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    monkeypatch.delitem(sys.modules, "mixtura.plot")
    with pytest.raises(ImportError, match=r'pip install "mixtura\[plot\]"'):
        importlib.import_module("mixtura.plot")
