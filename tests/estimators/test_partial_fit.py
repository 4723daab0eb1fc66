"""partial_fit: what a stream of rows teaches a mixture, whatever pieces it comes in."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest

from mixtura import GaussianMixture
from mixtura.estimators import minibatch, streaming

ATTRIBUTES = [
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "mixture_", "converged_", "status_",
    "n_iter_", "lower_bound_", "lower_bounds_", "search_", "n_features_in_", "n_observations_",
]  # fmt: skip


@pytest.fixture
def small_buffer(monkeypatch):
    """Few rows are held, so that most of a stream is followed step by step."""
    monkeypatch.setattr(streaming, "fine_rows", lambda n_rows, n_parameters: 400)


def blobs(rng, n_rows):
    """Three overlapping groups in the plane."""
    centers = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 5.0]])
    return rng.normal(size=(n_rows, 2)) + centers[rng.choice(3, n_rows, p=[0.5, 0.3, 0.2])]


def stream(model, rows, n_blocks, weights=None):
    for part in np.array_split(np.arange(len(rows)), n_blocks):
        model.partial_fit(rows[part], sample_weight=None if weights is None else weights[part])
    return model


def excess(model, rows, weights=None):
    """How far a model's likelihood is below that of a batch fit: nats a row."""
    batch = GaussianMixture(model.n_components, covariance_type=model.covariance_type, random_state=0)
    return batch.fit(rows, sample_weight=weights).score(rows, sample_weight=weights) - model.score(
        rows, sample_weight=weights
    )


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEE"])
@pytest.mark.parametrize("n_blocks", [1, 100])
def test_one_pass_ends_near_the_batch_optimum(covariance_type, n_blocks, rng, small_buffer):
    rows = blobs(rng, 4000)
    model = stream(GaussianMixture(3, covariance_type=covariance_type, random_state=0), rows, n_blocks)
    assert excess(model, rows) < 0.003
    assert model.n_observations_ == 4000
    assert abs(model.lower_bound_ - model.score(rows)) < 0.2


def test_a_pass_over_held_rows_is_nearly_the_fit(rng):
    rows = blobs(rng, 1000)
    assert excess(stream(GaussianMixture(3, random_state=0), rows, 20), rows) < 0.002


def test_rows_one_at_a_time(rng, small_buffer):
    rows = blobs(rng, 600)
    model = GaussianMixture(3, random_state=0)
    for n, row in enumerate(rows, 1):
        model.partial_fit(row[None])
        assert hasattr(model, "mixture_") == (n >= 3)
    assert excess(model, rows) < 0.03
    assert all(hasattr(model, name) for name in ATTRIBUTES)


def test_a_sorted_block_is_seen_as_a_whole(rng, small_buffer):
    rows = blobs(rng, 6000)
    rows = rows[np.argsort(rows[:, 0])]
    assert excess(GaussianMixture(3, random_state=0).partial_fit(rows), rows) < 0.003


def test_weights_are_numbers_of_rows(rng, small_buffer):
    rows, weights = blobs(rng, 3000), rng.integers(0, 4, 3000).astype(float)
    model = stream(GaussianMixture(3, random_state=0), rows, 40, weights)
    assert excess(model, rows, weights) < 0.003
    assert model.n_observations_ == weights.sum()


def test_missing_values(rng, small_buffer):
    rows = blobs(rng, 3000)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows = rows[~np.isnan(rows).all(axis=1)]
    model = stream(GaussianMixture(3, random_state=0), rows, 40)
    assert excess(model, rows) < 0.004


def test_it_goes_on_from_a_fit(rng):
    rows = blobs(rng, 6000)
    model = GaussianMixture(3, random_state=0).fit(rows[:500])
    before, order = excess(model, rows), model.means_
    stream(model, rows[500:], 50)
    assert excess(model, rows) < min(0.002, before)
    assert model.n_observations_ == 6000
    np.testing.assert_allclose(model.means_, order, atol=0.5)  # components keep their places


def test_fit_begins_anew(rng):
    rows = blobs(rng, 500)
    model = GaussianMixture(3, random_state=0).partial_fit(rows + 100).fit(rows)
    np.testing.assert_array_equal(model.means_, GaussianMixture(3, random_state=0).fit(rows).means_)
    assert model.partial_fit(rows).n_observations_ == 1000


def test_components_keep_their_order(rng):
    rows = blobs(rng, 2000)
    model, seen = GaussianMixture(3, random_state=0), []
    for part in np.array_split(rows, 20):
        seen.append(model.partial_fit(part).means_)
    for before, after in itertools.pairwise(seen[3:]):
        np.testing.assert_allclose(before, after, atol=1.0)  # groups are 4 apart


def test_with_forget_the_mixture_follows_a_moving_mean(rng):
    path = np.linspace(0.0, 15.0, 200)
    models = {forget: GaussianMixture(2, forget=forget, random_state=0) for forget in (0.0, 0.005)}
    for place in path:
        block = rng.normal(size=(20, 1)) + np.where(rng.random((20, 1)) < 0.5, place, place + 8.0)
        for model in models.values():
            model.partial_fit(block)
    ahead = np.sort(models[0.005].means_.ravel()) - [path[-1], path[-1] + 8.0]
    # 1 / forget = 200 rows are ten blocks, in which the mean moves by 0.75
    assert np.all(np.abs(ahead) < 1.5)
    assert np.abs(np.sort(models[0.0].means_.ravel()) - [path[-1], path[-1] + 8.0]).max() > 3.0


def test_a_far_row_does_not_bring_a_collapse(rng, small_buffer):
    rows = blobs(rng, 2000)
    model = stream(GaussianMixture(3, random_state=0), rows, 20)
    model.partial_fit(np.full((1, 2), 1e4))
    assert np.all(np.isfinite(model.means_)) and np.all(np.linalg.eigvalsh(model.covariances_) > 1e-8)


def test_a_pickle_goes_on_where_the_original_does(rng, small_buffer):
    rows = blobs(rng, 1200)
    model = stream(GaussianMixture(3, random_state=0), rows[:700], 7)
    copy = pickle.loads(pickle.dumps(model))
    for one in (model, copy):
        stream(one, rows[700:], 5)
    np.testing.assert_array_equal(model.means_, copy.means_)


@pytest.mark.parametrize(
    ("change", "rows", "message"),
    [
        ({}, np.zeros((3, 3)), "X has 3 features, but GaussianMixture is expecting 2"),
        ({}, np.array([[0.0, np.inf]]), "infinity at row 0, column 1"),
        ({"covariance_type": "diag"}, np.zeros((3, 2)), "covariance_type was 'full' when the stream began"),
        ({"n_components": 4}, np.zeros((3, 2)), "n_components was 3"),
        ({}, np.full((2, 2), 1e200), "overflow"),
    ],
)
def test_an_error_leaves_the_stream_as_it_was(change, rows, message, rng, small_buffer):
    data = blobs(rng, 1500)
    model = stream(GaussianMixture(3, random_state=0), data[:1000], 10)
    untouched = pickle.loads(pickle.dumps(model))
    given = {name: getattr(model, name) for name in change}
    with pytest.raises(ValueError, match=message):
        model.set_params(**change).partial_fit(rows)
    model.set_params(**given).partial_fit(data[1000:])
    np.testing.assert_array_equal(model.means_, untouched.partial_fit(data[1000:]).means_)


def test_a_buffer_that_the_caller_reuses(rng):
    rows, buffer = blobs(rng, 600), np.empty((100, 2))
    model = GaussianMixture(3, random_state=0)
    for part in np.split(rows, 6):
        buffer[:] = part
        model.partial_fit(buffer)
    same = stream(GaussianMixture(3, random_state=0), rows, 6)
    np.testing.assert_array_equal(model.means_, same.means_)


@pytest.mark.parametrize("given", [{"noise": True}, {"fixed": {0: {"mean": [0.0, 0.0]}}}])
def test_noise_and_fixed_parts_have_no_streams(given):
    model = GaussianMixture(2, **given)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as error:
        model.partial_fit(np.zeros((3, 2)))
    assert f"does not work with {next(iter(given))}" in str(error.value.__cause__)


def test_a_prior_holds_on_a_stream(rng, small_buffer):
    rows = blobs(rng, 1500)
    for start in (GaussianMixture(3, prior="default", random_state=0), GaussianMixture(3, prior="default").fit(rows)):
        assert excess(stream(start, rows, 10), rows) < 0.01


@pytest.mark.parametrize("case", ["plain", "weights", "missing", "noise", "tied", "several starts"])
def test_minibatch_begins_nearer_and_ends_at_the_optimum(case, rng, monkeypatch):
    monkeypatch.setattr(minibatch, "fine_rows", lambda n_rows, n_parameters: 200)
    rows, weights, given = blobs(rng, 4000), None, {"n_components": 3, "n_init": 1, "random_state": 0}
    rows = rows[np.argsort(rows[:, 0])]  # batches must not depend on the order
    if case == "weights":
        weights = rng.integers(1, 4, len(rows))
    elif case == "missing":
        rows[::9, 0] = np.nan
    elif case in ("noise", "tied", "several starts"):
        given |= {"noise": {"noise": True}, "tied": {"covariance_type": "tied"}, "several starts": {"n_init": 3}}[case]
    ends = {
        algorithm: GaussianMixture(**given, algorithm=algorithm).fit(rows, sample_weight=weights)
        for algorithm in ("auto", "minibatch")
    }
    auto, batches = ends["auto"], ends["minibatch"]
    assert batches.converged_ and abs(batches.lower_bound_ - auto.lower_bound_) < 2e-5
    assert batches.lower_bounds_[0] > auto.lower_bounds_[0]


@pytest.mark.parametrize("forget", [-0.1, 1.0, "much"])
def test_forget_is_checked(forget):
    with pytest.raises((ValueError, TypeError), match="forget"):
        GaussianMixture(forget=forget).partial_fit(np.zeros((3, 2)))
