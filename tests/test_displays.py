"""The displays on what is not plain data: missing values, noise, many components, many rows, odd names, no rows."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris

from mixtura import (
    Background,
    GaussianMixture,
    GaussianMixtureClassifier,
    GaussianMixtureIC,
    GaussianMixtureImputer,
    GaussianMixtureOutlierDetector,
    GaussianMixtureRegressor,
    Mixture,
)
from mixtura.datasets import load_old_faithful

plt = pytest.importorskip("matplotlib.pyplot")
plt.switch_backend("agg")
plot = pytest.importorskip("mixtura.plot")

FAITHFUL = load_old_faithful().data
IRIS = load_iris()
WITH_ROWS = ["classification", "uncertainty", "density", "k_means", "outliers", "merging"]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def two():
    return GaussianMixture(2, random_state=0).fit(FAITHFUL)


def render(display):
    display.figure_.canvas.draw()
    return display


@pytest.mark.parametrize("kind", WITH_ROWS)
def test_missing_values_are_left_out_and_said(two, kind):
    rows = FAITHFUL.copy()
    rows[:7, 1] = np.nan
    rows[7, :] = np.nan
    if kind == "merging":  # its rows have to be predicted; only one has nothing to predict from
        rows = rows[np.arange(len(rows)) != 7]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a row has nothing
        display = render(two.plot(rows, kind=kind))
    left_out = 7 if kind == "merging" else 8
    said = [text.get_text() for ax in display.figure_.axes for text in ax.texts]
    assert any(text.startswith(f"{left_out} ") and ("missing" in text or "incomplete" in text) for text in said), said


def test_float32_and_frames_draw_what_arrays_draw(two):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": FAITHFUL[:, 0], "b": pandas.array(FAITHFUL[:, 1].astype(int), dtype="Int64")})
    display = render(GaussianMixture(2, random_state=0).fit(frame).plot(frame))
    assert display.ax_.get_xlabel() == "a"
    single = two.plot(FAITHFUL.astype(np.float32))
    for one, other in zip(display.ax_.collections, single.ax_.collections, strict=True):
        np.testing.assert_allclose(np.sort(one.get_offsets(), axis=0), np.sort(other.get_offsets(), axis=0), rtol=1e-6)


def test_polars_frames():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": FAITHFUL[:, 0], "b": FAITHFUL[:, 1]})
    display = render(GaussianMixture(2, random_state=0).fit(frame).plot(frame, kind="uncertainty"))
    assert display.ax_.get_ylabel() == "b"


@pytest.mark.parametrize("kind", WITH_ROWS)
def test_noise_has_its_own_look(kind):
    model = GaussianMixture(2, noise=True, random_state=0).fit(FAITHFUL)
    display = render(model.plot(FAITHFUL, kind=kind))
    if kind == "classification":
        drawn = {points.get_label(): len(points.get_offsets()) for points in display.ax_.collections}
        assert drawn["noise"] == int((model.predict(FAITHFUL) == -1).sum()) > 0
    if kind == "outliers":
        np.testing.assert_array_equal(display.outlying, model.predict(FAITHFUL) == -1)


def test_an_oblique_background_is_left_out_of_a_part_of_its_features():
    edges = np.array([[4.0, 4.0, 0.0], [-4.0, 4.0, 0.0], [0.0, 0.0, 4.0]])
    noise = Background(0.2, np.zeros(3), edges)
    mixture = Mixture.from_parameters([0.4, 0.4], [[-1, 0, 0], [1, 0, 0]], [1.0, 1.0], "spherical", background=noise)
    rows, labels = mixture.rvs(100, random_state=0)
    render(plot.ClassificationDisplay(mixture, rows, labels, features=(0, 2)).plot())
    render(plot.DensityDisplay(mixture, rows, features=(1, 2)).plot())


@pytest.mark.parametrize("directions", ["features", "discriminating"])
def test_more_components_than_colours(directions):
    rng = np.random.default_rng(0)
    means = 6.0 * rng.normal(size=(17, 3))
    mixture = Mixture.from_parameters(np.full(17, 1 / 17), means, np.ones(17), "spherical")
    rows, labels = mixture.rvs(400, random_state=0)
    display = render(plot.ClassificationDisplay(mixture, rows, labels, directions=directions).plot())
    looks = {(str(points.get_facecolor()[0, :3]), points.get_paths()[0].vertices.tobytes())
             for points in display.ax_.collections[:17]}  # fmt: skip
    assert len(looks) == 17
    assert {text.get_text() for text in display.ax_.texts} == {str(k) for k in range(17)}
    render(plot.UncertaintyDisplay(mixture, rows, np.eye(17)[labels], directions=directions).plot())


def test_a_million_rows_are_thinned_and_stored_as_pixels(two):
    rows = np.repeat(FAITHFUL, 4000, axis=0)
    assert rows.shape[0] > 1_000_000
    display = two.plot(rows)
    assert sum(len(points.get_offsets()) for points in display.ax_.collections) == 20_000
    assert all(points.get_rasterized() for points in display.ax_.collections)
    assert "20 000 of 1 088 000 rows drawn" in display.ax_.texts[0].get_text()


@pytest.mark.parametrize("name", ["$x$ costs $y^{", r"\frac{a}{b}$", "<b>&amp;</b>", "a\nb\tc", "w" * 300, ""])
def test_hostile_names_are_drawn_as_they_stand(two, name):
    mixture = two.mixture_
    rows, labels = FAITHFUL, two.predict(FAITHFUL)
    display = render(plot.ClassificationDisplay(mixture, rows, labels, feature_names=[name, "b"]).plot())
    assert len(display.ax_.get_xlabel()) <= 50
    render(plot.ProfileDisplay(mixture, [name, "b"]).plot())


def test_names_are_no_formulas(two):
    display = plot.ClassificationDisplay(two.mixture_, FAITHFUL, two.predict(FAITHFUL), feature_names=["$a$", "b"])
    label = display.plot().ax_.xaxis.label
    assert label.get_text() == r"\$a\$"  # what matplotlib draws as $a$


def test_all_pairs_have_a_row_and_a_column_for_each_feature():
    model = GaussianMixture(3, random_state=0).fit(IRIS.data)
    display = render(model.plot(IRIS.data, features="all"))
    assert display.axes_.shape == (4, 4)
    for i in range(4):
        for j in range(4):
            if i != j:
                drawn = np.concatenate([points.get_offsets() for points in display.axes_[i, j].collections])
                np.testing.assert_array_equal(np.sort(drawn, axis=0), np.sort(IRIS.data[:, [j, i]], axis=0))


def test_grids_take_the_place_of_given_axes(two):
    figure, (left, right) = plt.subplots(1, 2)
    display = two.plot(FAITHFUL, kind="k_means", ax=right)
    assert display.figure_ is figure and display.ax_ is right
    assert all(ax.get_subplotspec().get_topmost_subplotspec() is right.get_subplotspec() for ax in display.axes_)
    lonely = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="subplots"):
        two.plot(FAITHFUL, kind="merging", ax=lonely)
    assert two.plot(FAITHFUL, kind="density", ax=left).ax_ is left


# What the pictures say


#: Linear RGB as it is seen without one kind of cone (Machado, Oliveira and Fernandes 2009, severity 1), and with all.
VISIONS = {
    "all": np.eye(3),
    "no long": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no middle": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no short": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(linear):
    """CIE 1976 L*, a*, b* of linear sRGB colours (n, 3)."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = np.clip(linear, 0, 1) @ to_xyz.T / to_xyz.sum(axis=1)
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116).T
    return np.column_stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_differ_for_every_eye(vision):
    from matplotlib.colors import to_rgb

    colors = np.array([to_rgb(color) for color in plot.PALETTE])
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = lab(linear @ np.array(VISIONS[vision]).T)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=2)
    assert apart[np.triu_indices(len(seen), 1)].min() > 10  # some four times what is just noticeable


def test_mixed_colours_are_those_of_the_components_at_the_ends(two):
    from matplotlib.colors import to_rgb

    from mixtura.plot.style import blended

    colors = blended(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]))
    np.testing.assert_allclose(colors[0], to_rgb(plot.PALETTE[0]), atol=1e-12)
    np.testing.assert_allclose(colors[1], to_rgb(plot.PALETTE[1]), atol=1e-12)
    assert np.all(colors[2] >= np.minimum(colors[0], colors[1]) - 1e-12)
    display = two.plot(FAITHFUL, kind="uncertainty")
    np.testing.assert_allclose(display.uncertainty_, 1 - two.predict_proba(FAITHFUL).max(axis=1), rtol=1e-12)
    sizes = np.concatenate([points.get_sizes() for points in display.ax_.collections])
    assert sizes.min() < 10 < sizes.max()


def test_regions_hold_their_probability(two):
    display = two.plot(FAITHFUL, kind="density", probabilities=[0.3, 0.8])
    rows = two.mixture_.rvs(40_000, random_state=1)[0]
    held = [(two.mixture_.pdf(rows) >= level).mean() for level in display.levels_]
    np.testing.assert_allclose(held, [0.3, 0.8], atol=0.012)


def test_levels_on_a_line_are_those_of_the_mixture():
    from mixtura.plot.density import levels_on_a_line

    noise = Background(0.1, np.zeros(1), np.array([[12.0]]))
    for background, weights in ((None, [0.45, 0.1, 0.45]), (noise, [0.4, 0.1, 0.4])):
        parts = (weights, [[-3.0], [0.0], [2.0]], [1.0, 1e-4, 2.0])
        mixture = Mixture.from_parameters(*parts, "spherical", background=background)
        found = levels_on_a_line(mixture, [0.05, 0.5, 0.95])
        for value, probability in zip(found, [0.05, 0.5, 0.95], strict=True):
            expected, error = mixture.hdr_level(probability)
            assert value == pytest.approx(expected, rel=4e-3, abs=4 * error)


def test_profiles_are_of_standardised_features():
    mixture = Mixture.from_parameters([0.25, 0.75], [[0.0, 4.0], [0.0, 0.0]], [[1.0, 1.0], [4.0, 1.0]], "diag")
    display = plot.ProfileDisplay(mixture).plot()
    np.testing.assert_allclose(display.between_, [0.0, 3.0 / 4.0])  # 4 (1/4) (3/4) 4 = 3, beside 1
    assert display.order_.tolist() == [1, 0]
    np.testing.assert_allclose(display.ax_.lines[0].get_xdata(), [3.0 / 2.0, 0.0], atol=1e-12)  # (4 - 1) / 2


def test_k_means_is_scikit_learn_s(two):
    from sklearn.cluster import KMeans

    display = two.plot(FAITHFUL, kind="k_means")
    scale = FAITHFUL.std(axis=0)
    expected = KMeans(2, n_init=10, random_state=0).fit(FAITHFUL / scale).cluster_centers_ * scale
    np.testing.assert_allclose(np.sort(display.centers_, axis=0), np.sort(expected, axis=0), rtol=1e-6)
    nearest = np.square(display.centers_[:, None] / scale - two.means_[None] / scale).sum(axis=2).argmin(axis=1)
    assert nearest.tolist() == [0, 1]  # numbered after the components
    circles = display.axes_[0].patches
    assert len({(round(one.width, 9), round(one.height, 9)) for one in circles}) == 1
    assert circles[0].width / circles[0].height == pytest.approx(scale[0] / scale[1])
    with pytest.raises(ValueError, match="two features"):
        GaussianMixture(2, random_state=0).fit(FAITHFUL[:, :1]).plot(FAITHFUL[:, :1], kind="k_means")


def test_outliers_are_the_detector_s():
    detector = GaussianMixtureOutlierDetector(2, random_state=0).fit(FAITHFUL)
    display = detector.plot(FAITHFUL)
    np.testing.assert_array_equal(display.outlying, detector.predict(FAITHFUL) == -1)
    named = {int(text.get_text()) for text in display.ax_.texts}
    assert named == set(np.flatnonzero(display.outlying).tolist())


def test_a_mixture_s_outliers_keep_the_false_alarm_rate(two):
    rows = two.mixture_.rvs(20_000, random_state=2)[0]
    display = two.plot(rows, kind="outliers", false_alarm_rate=0.05)
    assert display.outlying.mean() == pytest.approx(0.05, abs=0.006)


def test_merged_clusters_share_a_colour():
    model = GaussianMixture(3, covariance_type="tied", random_state=0).fit(FAITHFUL)
    display = model.plot(FAITHFUL, kind="merging")
    assert display.merging.suggested == 2
    colors = [tuple(patch.get_edgecolor()) for patch in display.axes_[1].patches]
    assert len(set(colors)) == 2 and len(colors) == 3
    np.testing.assert_allclose(display.axes_[0].lines[0].get_ydata(), display.merging.entropy)


def test_a_classifier_is_drawn_by_class():
    model = GaussianMixtureClassifier(2, covariance_type="VVV", random_state=0)
    model.fit(IRIS.data[:, :2], IRIS.target_names[IRIS.target])
    display = model.plot(IRIS.data[:, :2])
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["class setosa", "class versicolor", "class virginica"]
    assert len(display.ax_.patches) == 6
    drawn = [len(points.get_offsets()) for points in display.ax_.collections]
    predicted = model.predict(IRIS.data[:, :2])
    assert drawn == [int((predicted == name).sum()) for name in model.classes_]
    with pytest.raises(ValueError, match="kind must be one of classification, density"):
        model.plot(IRIS.data[:, :2], kind="merging")


def test_a_choice_has_a_table_and_other_criteria():
    choice = GaussianMixtureIC([1, 2, 3], covariance_type=["EII", "VVV"], random_state=0).fit(FAITHFUL)
    table = render(choice.plot(kind="selection", style="table"))
    shown = np.array([text.get_text() for text in table.ax_.texts]).reshape(2, 3)
    expected = (choice.results_["bic"] - choice.results_["bic"].min()).reshape(2, 3)
    np.testing.assert_array_equal(shown, [[f"{value:.0f}" for value in row] for row in expected])
    assert choice.plot(kind="selection", criterion="aic").criterion == "AIC"
    with pytest.raises(ValueError, match="criterion must be one of bic, icl, aic"):
        choice.plot(kind="selection", criterion="cv")


def test_a_scale_that_presses_curves_together_is_cut():
    curves = {name: [1000.0 * i + 10.0, 10.0, 11.0 + i, 12.0] for i, name in enumerate(["a", "b", "c", "d"])}
    display = plot.ModelSelectionDisplay([1, 2, 3, 4], curves).plot()
    assert display.ax_.get_ylim()[1] < 100
    assert "lie above" in display.ax_.texts[0].get_text()


@pytest.mark.parametrize("kind", ["classification", "uncertainty", "density", "outliers"])
@pytest.mark.parametrize("features", [(0, 1), (1,)])
def test_one_feature_of_several(two, kind, features):
    display = render(two.plot(FAITHFUL, kind=kind, features=features))
    assert display.ax_.get_xlabel() == f"feature {features[0]}"


def test_kinds_that_are_not_there_and_rows_that_are(two):
    with pytest.raises(ValueError, match="kind must be one of"):
        two.plot(FAITHFUL, kind="pie")
    with pytest.raises(ValueError, match="draws rows"):
        two.plot(kind="density")
    with pytest.raises(ValueError, match="two dimensions"):
        two.plot(FAITHFUL[:, 0])
    with pytest.raises(ValueError, match="kind must be one of"):
        two.plot(kind="selection")
    with pytest.raises(ValueError, match="trace=True"):
        two.plot(kind="iterations")
    assert isinstance(two.plot(), plot.ProfileDisplay)


def test_an_estimator_that_is_not_fitted_says_so():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        GaussianMixture(2).plot(FAITHFUL)


@pytest.mark.parametrize(
    ("display", "message"),
    [
        (lambda two: two.plot(FAITHFUL, directions="best"), "directions must be one of"),
        (lambda two: two.plot(FAITHFUL, kind="density", style="heat"), "style must be one of"),
        (lambda two: two.plot(FAITHFUL, kind="density", probabilities=[1.5]), "between 0 and 1"),
        (lambda two: two.plot(kind="convergence", scale="cubic"), "scale must be one of"),
        (lambda two: plot.ModelSelectionDisplay([1], [1.0], style="pie"), "style must be one of"),
        (lambda two: plot.ConvergenceDisplay([]), "no iterations"),
        (lambda two: plot.UncertaintyDisplay(two.mixture_, FAITHFUL, np.ones((3, 2))), "responsibilities of 3"),
        (lambda two: plot.ClassificationDisplay(two.mixture_, FAITHFUL, np.zeros(272), "every"), "or 'all'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(two, display, message):
    with pytest.raises(ValueError, match=message):
        display(two)


def test_matplotlib_is_imported_when_a_picture_is_asked_for():
    import subprocess
    import sys

    probe = (
        "import sys, mixtura, numpy as np; model = mixtura.GaussianMixture(1, trace=True).fit(np.arange(8.0)[:, None]);"
        "print('matplotlib' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_an_imputer_and_a_regressor_show_the_mixture_behind_them(two):
    holed = FAITHFUL.copy()
    holed[::7, 0] = np.nan
    imputer = GaussianMixtureImputer(2, random_state=0).fit(holed)
    assert imputer.plot(holed).ax_ is not None and imputer.plot().ax_ is not None
    regressor = GaussianMixtureRegressor(2, random_state=0).fit(FAITHFUL[:, :1], FAITHFUL[:, 1])
    assert regressor.plot(FAITHFUL[:, :1], FAITHFUL[:, 1], kind="density").ax_ is not None
