"""A trace is the textbook's EM, step by step, from a start to the fitted optimum; and its pictures show that."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import multivariate_normal

from mixtura import GaussianMixture
from mixtura.datasets import load_old_faithful

FAITHFUL = load_old_faithful().data
PLAIN = {"n_init": 1, "init_params": "random_from_data", "algorithm": "em", "random_state": 0}


def traced(rows=FAITHFUL, n_components=2, **options):
    return GaussianMixture(n_components, trace=True, **options).fit(rows)


def test_every_step_is_the_textbook_s():
    trace = traced(**PLAIN).trace_
    assert trace.n_iterations >= 5
    for t, (before, after) in enumerate(zip(trace.mixtures, trace.mixtures[1:], strict=False)):
        joint = [np.log(w) + multivariate_normal(m, c).logpdf(FAITHFUL)
                 for w, m, c in zip(before.weights, before.means, before.covariances, strict=True)]  # fmt: skip
        shares = softmax(joint, axis=0).T
        np.testing.assert_allclose(trace.responsibilities(t + 1, FAITHFUL), shares, atol=1e-9)
        count = shares.sum(axis=0)
        np.testing.assert_allclose(after.weights, count / count.sum(), rtol=1e-8)
        np.testing.assert_allclose(after.means, shares.T @ FAITHFUL / count[:, None], rtol=1e-8)
        for k in range(2):
            spread = np.cov(FAITHFUL.T, aweights=shares[:, k], bias=True)
            np.testing.assert_allclose(after.covariances[k], spread, rtol=1e-7)
        assert trace.log_likelihoods[t] == pytest.approx(np.logaddexp(*joint).mean(), abs=1e-10)
        assert trace.log_likelihoods[t + 1] > trace.log_likelihoods[t] - 1e-12


def test_plain_em_from_one_start_is_its_own_trace():
    model = traced(**PLAIN)
    np.testing.assert_allclose(model.trace_.log_likelihoods[1:], model.lower_bounds_, rtol=1e-10)
    np.testing.assert_allclose(model.trace_.mixtures[-1].means, model.means_, rtol=1e-8)
    assert model.trace_.origin == "the start of the fit"


@pytest.mark.parametrize("options", [{}, {"covariance_type": "VEI"}, {"noise": True}, {"prior": "default"}])
def test_the_fit_does_not_change(options):
    plain = GaussianMixture(2, random_state=0, **options).fit(FAITHFUL)
    model = traced(random_state=0, **options)
    assert plain.trace_ is None
    np.testing.assert_array_equal(model.means_, plain.means_)
    np.testing.assert_array_equal(model.covariances_, plain.covariances_)
    trace = model.trace_
    assert trace.log_likelihoods[-1] == pytest.approx(model.lower_bound_, abs=1e-4)
    np.testing.assert_allclose(trace.mixtures[-1].means, model.means_, rtol=2e-2)  # in the same order
    assert (trace.mixtures[-1].background is None) == (model.mixture_.background is None)


def test_after_a_search_the_trace_begins_at_one_of_its_starts():
    from sklearn.datasets import load_iris

    model = traced(load_iris().data, 3, random_state=0)
    trace = model.trace_
    assert trace.origin == "a start of the search"
    assert trace.log_likelihoods[0] < model.lower_bound_ - 0.5
    assert trace.log_likelihoods[-1] == pytest.approx(model.lower_bound_, abs=1e-4)


@pytest.mark.parametrize("led_astray", [False, True])
def test_where_no_start_leads_there_it_begins_at_the_end_of_the_search(monkeypatch, led_astray):
    from sklearn.datasets import load_iris

    from mixtura.estimators import starting

    def lead(end, starts, *_):
        return [end.start.take([0, 0, 1])] if led_astray else []  # two components in one place stay together

    monkeypatch.setattr(starting, "starts_that_lead_to", lead)
    model = traced(load_iris().data, 3, random_state=0)
    assert model.trace_.origin == "the end of the search"
    assert model.trace_.log_likelihoods[0] == pytest.approx(model.lower_bound_, abs=1e-3)


def test_steps_go_start_e_m_e_m_end():
    trace = traced(**PLAIN).trace_
    steps = trace.steps
    assert [step.name for step in steps] == ["start", *["E", "M"] * trace.n_iterations, "end"]
    assert steps[0].shared_by is None
    for step in steps[1:-1]:
        before = trace.mixtures[step.iteration - 1]
        assert step.shared_by is before
        assert step.mixture is (before if step.name == "E" else trace.mixtures[step.iteration])


def test_missing_values_float32_and_many_rows(rng):
    rows = np.concatenate([rng.normal(0, 1, (3000, 2)), rng.normal(5, 1, (3000, 2))]).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows = rows[~np.isnan(rows).all(axis=1)]
    trace = traced(rows, random_state=0).trace_
    assert trace.rows.shape == (2000, 2) and trace.rows.dtype == np.float64
    shares = trace.responsibilities(1)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    model = GaussianMixture(2, random_state=0).fit(rows)
    model._set_fitted(
        trace.mixtures[0], converged=True, status=model.status_, n_iter=1, lower_bounds=[0.0], lower_bound=0.0,
        n_observations=1.0,
    )  # fmt: skip
    np.testing.assert_allclose(shares, model.predict_proba(trace.rows), atol=1e-9)


def test_what_is_held_fixed_stays_in_every_step():
    model = traced(fixed={1: {"mean": [2.0, 55.0]}}, random_state=0)
    for mixture in model.trace_.mixtures:
        np.testing.assert_allclose(mixture.means[1], [2.0, 55.0], rtol=1e-9)
    np.testing.assert_allclose(model.trace_.mixtures[-1].means, model.means_, rtol=1e-3)


def test_what_is_no_flag_is_refused():
    with pytest.raises(TypeError, match="trace must be True or False"):
        GaussianMixture(2, trace="yes").fit(FAITHFUL)


# Pictures


@pytest.fixture
def plt():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    yield pyplot
    pyplot.close("all")


def drawn(stage, step, plt):
    """(colours of the rows, outlines of the components that are drawn in full) of a step."""
    _, ax = plt.subplots()
    stage.draw(ax, step)
    filled = [points for points in ax.collections if len(points.get_facecolors())]
    parts = [np.column_stack([points.get_offsets(), points.get_facecolors()]) for points in filled]
    colors = np.concatenate([np.empty((0, 6)), *parts])
    order = np.lexsort(colors[:, :2].T)
    ellipses = [(*patch.center, patch.width, patch.height) for patch in ax.patches if patch.get_linewidth() > 1.5]
    plt.close()
    return colors[order], np.array(ellipses)


def test_each_e_step_recolours_and_each_m_step_moves(plt):
    """Two overlapping components, from the start to the end."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal([0, 0], 1, (60, 2)), rng.normal([2.4, 0], [1, 0.6], (60, 2))])
    trace = traced(rows, **PLAIN, tol=1e-4).trace_
    from mixtura.plot.stage import Stage

    stage = Stage.of(trace, (0, 1), "features", 0.95)
    colors, ellipses = drawn(stage, trace.steps[0], plt)
    assert len(colors) == 0 and len(ellipses) == 2
    for step in trace.steps[1:-1]:
        next_colors, next_ellipses = drawn(stage, step, plt)
        if step.name == "E":
            np.testing.assert_array_equal(next_ellipses, ellipses)
            assert next_colors.shape != colors.shape or np.any(next_colors != colors)
        else:
            np.testing.assert_array_equal(next_colors, colors)
            assert np.all(np.any(next_ellipses != ellipses, axis=1))
        colors, ellipses = next_colors, next_ellipses
    assert trace.n_iterations >= 10


@pytest.mark.parametrize("features", [[0, 1], [1]])
def test_a_gif_has_a_frame_for_every_step(plt, tmp_path, features):
    image = pytest.importorskip("PIL.Image")
    trace = traced(FAITHFUL[:, features], **PLAIN).trace_
    trace.animate(tmp_path / "em.gif", size=(2.0, 2.0), dpi=40, smoothness=1, n_iterations=3)
    with image.open(tmp_path / "em.gif") as moving:
        assert moving.n_frames >= 2 * min(3, trace.n_iterations)
        frames = []
        for i in range(moving.n_frames):
            moving.seek(i)
            frames.append(np.asarray(moving.convert("RGB"), dtype=float))
    assert all(np.any(a != b) for a, b in pairwise(frames))


def test_films_need_ffmpeg_and_other_endings_are_refused(plt, tmp_path, monkeypatch):
    trace = traced(**PLAIN).trace_
    with pytest.raises(ValueError, match=r"\.gif or \.mp4"):
        trace.animate(tmp_path / "em.png")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="ffmpeg"):
        trace.animate(tmp_path / "em.mp4")


def test_a_strip_has_the_first_steps_and_the_end(plt):
    trace = traced(**PLAIN).trace_
    display = trace.strip(n_pictures=6)
    names = [(step.name, step.iteration) for step in display.steps_]
    assert names[:3] == [("start", 0), ("E", 1), ("M", 1)] and names[-1] == ("end", trace.n_iterations)
    assert len(names) == 6 and names == sorted(names, key=lambda one: one[1])
    assert display.axes_.shape == (2, 4)
    assert len(trace.strip(n_pictures=1000).steps_) == 2 * trace.n_iterations + 2


def test_without_a_trace_there_is_no_strip(plt):
    from mixtura.plot import IterationsDisplay

    with pytest.raises(ValueError, match="trace=True"):
        IterationsDisplay.from_estimator(GaussianMixture(2, random_state=0).fit(FAITHFUL))
