"""GaussianMixture with parts held fixed: what it finds beside them, and what it refuses."""

import numpy as np
import pytest
from sklearn.base import clone

import mixtura
from mixtura import GaussianMixture

BACKGROUND = {0: {"mean": [0.0, 0.0], "covariance": 25.0}}


def peaks_on_a_background(rng, size=2_000):
    wide = rng.normal(0, 5, (size // 2, 2))
    return np.vstack([wide, rng.normal([2.0, 2.0], 0.5, (size // 4, 2)), rng.normal([-3.0, 1.0], 0.5, (size // 4, 2))])


@pytest.mark.parametrize("covariance_type", ["full", "EEI", "EII", "VEV", "diag"])
def test_two_peaks_are_found_on_a_known_background(covariance_type, rng):
    rows = peaks_on_a_background(rng)
    model = GaussianMixture(3, covariance_type=covariance_type, fixed=BACKGROUND, random_state=0).fit(rows)
    assert model.means_[0].tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(model.mixture_.dense_covariances[0], 25.0 * np.eye(2))
    found = model.means_[np.argsort(model.means_[:, 0])]
    np.testing.assert_allclose(found, [[-3.0, 1.0], [0.0, 0.0], [2.0, 2.0]], atol=0.15)
    assert model.weights_[0] == pytest.approx(0.5, abs=0.05)
    assert np.all(np.diff(model.lower_bounds_) > -1e-10)


def test_the_user_s_order_of_components_is_kept_whatever_the_start(rng):
    rows = peaks_on_a_background(rng)
    given = {2: {"mean": [0.0, 0.0], "covariance": 25.0}, 1: {"weight": 0.25}}
    means = [[2.0, 2.0], [-3.0, 1.0], [0.0, 0.0]]
    labels = np.repeat([2, 0, 1], [1_000, 500, 500])
    for start in ({"means_init": means}, {"init_params": labels}, {"n_init": 2}):
        model = GaussianMixture(3, fixed=given, random_state=0, **start).fit(rows)
        assert model.weights_[1] == 0.25 and model.means_[2].tolist() == [0.0, 0.0]
        if "n_init" not in start:
            np.testing.assert_allclose(model.means_, means, atol=0.15)
    again = model.set_params(warm_start=True, fixed=given).fit(rows)
    assert again.n_iter_ < 10 and again.means_[2].tolist() == [0.0, 0.0]


def test_known_parts_are_a_gain_where_they_are_true_and_a_loss_in_likelihood(rng):
    rows = peaks_on_a_background(rng)
    free = GaussianMixture(3, random_state=0).fit(rows)
    model = GaussianMixture(3, fixed=BACKGROUND, random_state=0).fit(rows)
    assert model.lower_bound_ < free.lower_bound_
    assert model.mixture_.n_parameters == free.mixture_.n_parameters - 5
    assert model.bic(rows) < free.bic(rows)
    total = model.score_samples(rows).sum()
    assert model.aic(rows) == pytest.approx(-2 * total + 2 * (2 + 4 + 6))


def test_all_parts_may_be_held(rng):
    truth = mixtura.Mixture.from_parameters([0.3, 0.7], [[0.0], [4.0]], [[[1.0]], [[2.0]]])
    parts = zip(truth.weights, truth.means, truth.covariances, strict=True)
    given = {k: {"weight": w, "mean": m, "covariance": c} for k, (w, m, c) in enumerate(parts)}
    rows, _ = truth.rvs(100, random_state=rng)
    model = GaussianMixture(2, fixed=given).fit(rows)
    assert model.converged_ and model.mixture_.n_parameters == 0
    np.testing.assert_array_equal(model.weights_, truth.weights)
    assert model.score(rows) == pytest.approx(truth.logpdf(rows).mean(), rel=1e-12)


def test_a_narrow_line_is_held_below_the_floor_and_does_not_count_as_collapsed(rng):
    rows = np.concatenate([rng.normal(0, 1, 300), np.full(20, 0.5)])[:, None]
    given = {1: {"mean": [0.5], "covariance": 1e-10}}
    model = GaussianMixture(2, fixed=given, random_state=0).fit(rows)
    assert model.covariances_[1, 0, 0] == 1e-10
    assert model.weights_[1] == pytest.approx(20 / 320, abs=1e-3)


def test_missing_values_weights_and_float32(rng):
    rows = peaks_on_a_background(rng, 800)
    options = {"fixed": BACKGROUND, "tol": 1e-9, "random_state": 0}
    whole = GaussianMixture(3, **options).fit(rows)
    small = GaussianMixture(3, means_init=whole.means_, **options).fit(rows.astype(np.float32))
    assert small.lower_bound_ == pytest.approx(whole.lower_bound_, abs=1e-5)
    count = rng.integers(1, 3, 800)
    weighted = GaussianMixture(3, means_init=whole.means_, **options).fit(rows, sample_weight=count)
    repeated = GaussianMixture(3, means_init=whole.means_, **options).fit(np.repeat(rows, count, axis=0))
    np.testing.assert_allclose(weighted.means_, repeated.means_, atol=1e-4)
    holes = np.where(rng.random(rows.shape) < 0.1, np.nan, rows)
    holes = holes[~np.isnan(holes).all(axis=1)]
    partial = GaussianMixture(3, means_init=whole.means_, **options).fit(holes)
    assert partial.means_[0].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(partial.means_, whole.means_, atol=0.2)


def test_engines_and_priors_agree_with_what_is_held(rng):
    rows = peaks_on_a_background(rng, 400)
    fits = [GaussianMixture(3, fixed=BACKGROUND, engine=name, random_state=0).fit(rows) for name in ("numpy", "auto")]
    assert fits[0].lower_bound_ == pytest.approx(fits[1].lower_bound_, abs=1e-5)
    model = GaussianMixture(3, fixed=BACKGROUND, prior="default", random_state=0).fit(rows)
    assert model.means_[0].tolist() == [0.0, 0.0]
    assert np.all(np.diff(model.lower_bounds_) > -1e-10)


def test_resamples_and_traces_hold_what_the_fit_held(rng):
    rows = peaks_on_a_background(rng, 400)
    model = GaussianMixture(3, fixed=BACKGROUND, random_state=0, trace=True).fit(rows)
    assert all(np.allclose(one.means[0], 0.0, atol=1e-12) for one in model.trace_.mixtures)
    errors = mixtura.bootstrap_parameters(model, rows, n_resamples=9, random_state=0)
    assert np.ptp(errors.means[:, 0]) == 0.0 and np.ptp(errors.means[:, 1:], axis=0).min() > 0.0
    with pytest.raises(AttributeError, match="partial_fit"):
        model.partial_fit(rows)


def test_a_model_file_keeps_the_number_of_free_parameters(tmp_path, rng):
    model = GaussianMixture(3, fixed=BACKGROUND, random_state=0).fit(peaks_on_a_background(rng, 400))
    mixtura.save(model, tmp_path / "model.json")
    again = mixtura.load(tmp_path / "model.json")
    assert again.fixed is None and again.mixture_.n_held == model.mixture_.n_held == 5
    assert again.summary() == model.summary() and "held fixed" in model.summary()
    assert again.mixture_.marginal([0]).n_held == 0
    assert again.mixture_.take([2, 1, 0]).n_held == 5 and again.mixture_.take([1, 2]).n_held == 0
    assert clone(model).fixed == BACKGROUND


@pytest.mark.parametrize(
    "parameters, error, words",
    [
        ({"fixed": [1.0]}, TypeError, "fixed must be a dictionary"),
        ({"fixed": {0: [1.0]}}, TypeError, r"fixed\[0\] must be a dictionary"),
        ({"fixed": {2: {"mean": [0.0, 0.0]}}}, ValueError, "components from 0 to 1; got 2"),
        ({"fixed": {"a": {}}}, ValueError, "got 'a'"),
        ({"fixed": {0: {"means": [0.0, 0.0]}}}, ValueError, "got 'means'"),
        ({"fixed": {0: {"mean": [0.0]}}}, ValueError, "the mean of component 0 in fixed must have shape"),
        ({"fixed": {0: {"mean": [0.0, np.nan]}}}, ValueError, "must be finite"),
        ({"fixed": {0: {"weight": 0.0}}}, ValueError, "above 0"),
        ({"fixed": {0: {"weight": 1.0}}}, ValueError, "leave nothing to the other"),
        ({"fixed": {0: {"weight": 0.5}, 1: {"weight": 0.4}}}, ValueError, "must sum to 1"),
        ({"fixed": {0: {"weight": 0.5}}, "equal_weights": True}, ValueError, "equal_weights"),
        ({"fixed": {0: {"covariance": 1.0}}, "covariance_type": "tied"}, ValueError, "EEE has one matrix for all"),
        ({"fixed": {0: {"covariance": [[1.0, 2.0], [2.0, 1.0]]}}}, ValueError, "positive definite"),
        ({"fixed": {0: {"covariance": [[1.0, 0.1], [0.2, 1.0]]}}}, ValueError, "symmetric"),
        ({"fixed": {0: {"covariance": [1.0, 2.0]}}, "covariance_type": "spherical"}, ValueError, "VII cannot have"),
        ({"fixed": {1: {"mean": "ab"}}}, ValueError, "the mean of component 1 in fixed must be numbers"),
        ({"fixed": {1: {"covariance": [[1.0], [0.0, 1.0]]}}}, ValueError, "the covariance of component 1 in fixed"),
        ({"fixed": BACKGROUND, "noise": True}, ValueError, "fixed does not go with noise"),
    ],
)
def test_faults_are_named(parameters, error, words, rng):
    with pytest.raises(error, match=words):
        GaussianMixture(2, **parameters).fit(rng.normal(size=(60, 2)))
