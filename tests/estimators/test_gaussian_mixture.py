"""What a user sees of GaussianMixture: attributes, weights, starts, frames, progress."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Peer

from mixtura import GaussianMixture, Status
from mixtura.em import EMOptions, Trajectory, run
from mixtura.engine import create_engine
from mixtura.mstep import MStep
from mixtura.source import ArraySource
from mixtura.standardization import Standardization

IRIS = load_iris().data
TYPES = ("full", "tied", "diag", "spherical")


@pytest.mark.parametrize("covariance_type", TYPES)
def test_attributes_have_the_shapes_of_scikit_learn(covariance_type):
    ours = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(IRIS)
    theirs = Peer(3, covariance_type=covariance_type, random_state=0).fit(IRIS)
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert getattr(ours, name).shape == getattr(theirs, name).shape, name
    assert len(ours.lower_bounds_) == ours.n_iter_
    assert ours.lower_bounds_[-1] == ours.lower_bound_
    assert ours.converged_ and ours.status_ is Status.CONVERGED
    assert ours.n_features_in_ == 4


@pytest.mark.parametrize("covariance_type", TYPES)
def test_methods_agree_with_scikit_learn_at_equal_parameters(covariance_type):
    ours = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(IRIS)
    theirs = Peer(3, covariance_type=covariance_type).fit(IRIS)
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        setattr(theirs, name, getattr(ours, name))
    np.testing.assert_allclose(ours.score_samples(IRIS), theirs.score_samples(IRIS), rtol=1e-10)
    np.testing.assert_allclose(ours.predict_proba(IRIS), theirs.predict_proba(IRIS), atol=1e-10)
    np.testing.assert_array_equal(ours.predict(IRIS), theirs.predict(IRIS))
    for name in ("score", "aic", "bic"):
        assert getattr(ours, name)(IRIS) == pytest.approx(getattr(theirs, name)(IRIS), rel=1e-12)
    eye = np.eye(4)
    if covariance_type == "full":
        np.testing.assert_allclose(ours.precisions_ @ ours.covariances_, np.broadcast_to(eye, (3, 4, 4)), atol=1e-9)


@pytest.mark.parametrize("algorithm", ["auto", "em"])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_the_reported_objective_belongs_to_the_returned_parameters(covariance_type, algorithm):
    model = GaussianMixture(3, covariance_type=covariance_type, algorithm=algorithm, random_state=1)
    model.fit(IRIS)
    assert model.lower_bound_ == pytest.approx(model.score(IRIS), rel=1e-12)
    assert np.all(np.diff(model.lower_bounds_) >= -1e-12)


def test_plain_em_without_tolerance_makes_exactly_max_iter_iterations():
    model = GaussianMixture(3, algorithm="em", tol=0, max_iter=17, random_state=0).fit(IRIS)
    assert model.n_iter_ == 17 and len(model.lower_bounds_) == 17


def test_a_run_out_of_iterations_says_so():
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        model = GaussianMixture(3, max_iter=2, tol=1e-12, random_state=0).fit(IRIS)
    assert not model.converged_ and model.status_ is Status.MAX_ITERATIONS


@pytest.mark.parametrize("covariance_type", TYPES)
def test_integer_weights_are_repetitions_and_zero_weights_removals(covariance_type):
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 4, len(IRIS))
    weighted = GaussianMixture(3, covariance_type=covariance_type, random_state=0, tol=1e-10)
    repeated = clone(weighted).fit(np.repeat(IRIS, counts, axis=0))
    weighted.fit(IRIS, sample_weight=counts)
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-6)
    assert weighted.bic(IRIS, sample_weight=counts) == pytest.approx(repeated.bic(np.repeat(IRIS, counts, axis=0)))
    assert weighted.score(IRIS, sample_weight=counts) == pytest.approx(weighted.lower_bound_)


def test_a_frequency_table_is_a_valid_input():
    speeds = np.arange(10.0, 31.0)[:, None]
    slow, fast = (np.exp(-0.5 * ((speeds[:, 0] - mean) / spread) ** 2) for mean, spread in ((17, 2), (26, 1.5)))
    riders = np.round(200 * slow + 90 * fast)
    model = GaussianMixture(2, random_state=0).fit(speeds, sample_weight=riders)
    np.testing.assert_allclose(np.sort(model.means_[:, 0]), [17, 26], atol=0.2)
    assert model.n_observations_ == riders.sum()


def test_warm_start_goes_on_from_the_last_fit():
    model = GaussianMixture(3, max_iter=3, n_init=1, tol=0, algorithm="em", warm_start=True, random_state=0).fit(IRIS)
    first = model.lower_bound_
    assert model.fit(IRIS).lower_bound_ > first
    straight = GaussianMixture(3, max_iter=6, n_init=1, tol=0, algorithm="em", random_state=0).fit(IRIS)
    assert model.lower_bound_ == pytest.approx(straight.lower_bound_, rel=1e-10)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_every_initialisation_fits_and_is_reproducible(init_params):
    first, second = (GaussianMixture(3, init_params=init_params, random_state=5).fit(IRIS) for _ in range(2))
    np.testing.assert_array_equal(first.means_, second.means_)
    assert np.isfinite(first.lower_bound_)


def test_the_start_can_be_given_as_labels_responsibilities_callable_or_parameters():
    truth = load_iris().target
    shares = np.eye(3)[truth]
    starts = [truth, shares, lambda rows, n_components, random_state: truth]
    fits = [GaussianMixture(3, init_params=start).fit(IRIS) for start in starts]
    given = GaussianMixture(
        3,
        weights_init=fits[0].weights_,
        means_init=fits[0].means_,
        precisions_init=fits[0].precisions_,
    ).fit(IRIS)
    for fit in [*fits[1:], given]:
        assert fit.lower_bound_ == pytest.approx(fits[0].lower_bound_, abs=1e-6)
    only_means = GaussianMixture(3, means_init=fits[0].means_).fit(IRIS)
    assert only_means.lower_bound_ == pytest.approx(fits[0].lower_bound_, abs=1e-3)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_frames_of_every_kind_give_names_and_the_same_fit(make):
    columns = {name: IRIS[:, j] for j, name in enumerate("abcd")}
    model = GaussianMixture(3, random_state=0).fit(make(columns))
    assert list(model.feature_names_in_) == list("abcd")
    plain = GaussianMixture(3, random_state=0).fit(IRIS)
    np.testing.assert_array_equal(model.means_, plain.means_)
    np.testing.assert_array_equal(model.predict(make(columns)), plain.predict(IRIS))


def test_row_order_does_not_change_the_fit():
    shuffled = IRIS[np.random.default_rng(0).permutation(len(IRIS))]
    first, second = (GaussianMixture(3, random_state=0).fit(rows) for rows in (IRIS, shuffled))
    np.testing.assert_allclose(first.means_, second.means_, rtol=1e-7)


def test_a_large_fit_finds_the_optimum_from_any_seed_by_short_runs_on_a_subsample():
    means = np.array([[0, 0], [4, 0], [0, 4], [4, 4], [8, 8], [11, 8]], dtype=float)
    rows = np.random.default_rng(1).standard_normal((120_000, 2)) + np.repeat(means, 20_000, axis=0)
    from_truth = GaussianMixture(6, means_init=means).fit(rows)
    cold = GaussianMixture(6, init_params=lambda X, k, rng: rng.randint(0, k, len(X)), random_state=0).fit(rows)
    for seed in range(4):
        model = GaussianMixture(6, random_state=seed).fit(rows)
        assert model.lower_bound_ == pytest.approx(from_truth.lower_bound_, abs=2e-6)
        assert model.n_iter_ < cold.n_iter_ / 2, "the subsample should have done most of the work"


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_units_do_not_change_the_fit(covariance_type):
    scale = np.array([1e-4, 1.0, 1e3, 7.0])
    plain = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(IRIS)
    scaled = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(IRIS * scale)
    np.testing.assert_allclose(scaled.means_, plain.means_ * scale, rtol=1e-5)
    assert scaled.lower_bound_ + np.log(scale).sum() == pytest.approx(plain.lower_bound_, abs=1e-7)


def test_results_are_bitwise_the_same_for_any_number_of_threads():
    rows = np.random.default_rng(0).standard_normal((60_000, 5))
    rows[:30_000] += 3
    options = {"random_state": 0, "max_iter": 20, "tol": 1e-4}
    fits = [GaussianMixture(3, n_threads=threads, **options).fit(rows) for threads in (1, 2, 7)]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.means_, fits[0].means_)
        np.testing.assert_array_equal(fit.predict_proba(rows), fits[0].predict_proba(rows))


def test_pickle_keeps_everything():
    model = GaussianMixture(3, random_state=0).fit(IRIS)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(IRIS), model.predict_proba(IRIS))
    assert copy.status_ is model.status_


def test_sample_comes_from_the_mixture():
    model = GaussianMixture(3, random_state=0).fit(IRIS)
    rows, components = model.sample(20_000)
    assert rows.shape == (20_000, 4) and components.shape == (20_000,)
    np.testing.assert_allclose(rows.mean(axis=0), IRIS.mean(axis=0), atol=0.08)
    np.testing.assert_allclose(np.bincount(components) / 20_000, model.weights_, atol=0.02)
    np.testing.assert_allclose(np.cov(rows.T), np.cov(IRIS.T), atol=0.15)


def test_summary_states_the_fit():
    text = GaussianMixture(2, random_state=0).fit(pd.DataFrame(IRIS, columns=list("abcd"))).summary()
    assert "BIC" in text and "converged" in text and "a (sd)" in text


def test_verbose_prints_progress(capsys):
    GaussianMixture(3, n_init=1, verbose=1, verbose_interval=5, random_state=0).fit(IRIS)
    assert "iteration 5:" in capsys.readouterr().out
    GaussianMixture(3, verbose=1, random_state=0).fit(IRIS)
    assert "search: 6 starts" in capsys.readouterr().out


def test_scikit_learn_callbacks_see_every_iteration():
    pytest.importorskip("sklearn.callback")

    class Recorder:
        def __init__(self):
            self.ended = 0
            self.torn_down = False

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **kwargs):
            pass

        def on_fit_task_end(self, estimator, context, **kwargs):
            self.ended += 1

        def teardown(self, estimator, context):
            self.torn_down = True

    recorder = Recorder()
    model = GaussianMixture(3, random_state=0).set_callbacks(recorder).fit(IRIS)
    assert recorder.ended == model.n_iter_ + 1
    assert recorder.torn_down


def test_an_interrupted_run_keeps_a_sound_state():
    engine = create_engine("numpy", ArraySource(IRIS), Standardization.of_moments(IRIS.mean(0), IRIS.var(0), True))
    start = GaussianMixture(3, random_state=0, max_iter=1, tol=0).fit(IRIS).mixture_
    frame = Standardization.of_moments(IRIS.mean(0), IRIS.var(0), True)
    trajectory = Trajectory(frame.forward(start), MStep("full"), EMOptions(tol=0.0))

    def interrupt(trajectories):
        if trajectories[0].n_iter == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(engine, [trajectory], interrupt)
    assert trajectory.status is Status.INTERRUPTED
    assert trajectory.log_likelihood == trajectory.history[3]


def test_without_the_native_module_the_numpy_engine_serves_and_says_so_once():
    code = (
        "import sys, warnings; sys.modules['mixtura._native'] = None\n"
        "import numpy as np; from mixtura import GaussianMixture\n"
        "X = np.random.default_rng(0).normal(size=(50, 2))\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    [GaussianMixture(2, random_state=0).fit(X).predict(X) for _ in range(3)]\n"
        "print(sum('NumPy engine' in str(w.message) for w in seen))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
