"""The search behind n_init="auto": the best optimum, whatever the seed, and a truthful report."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris

from mixtura import GaussianMixture, datasets, search
from mixtura.em import EMOptions, Trajectory
from mixtura.engine import create_engine
from mixtura.initialization.seeding import seeds
from mixtura.mstep import MStep
from mixtura.sample import Sample, partition_start
from mixtura.source import ArraySource, sampled
from mixtura.standardization import Standardization

IRIS = load_iris().data
GEYSER = datasets.load_old_faithful().data


@pytest.mark.parametrize(
    "rows, covariance_type, best, within",
    [
        (IRIS, "full", -180.185, 2e-3),
        (GEYSER, "tied", -1126.3159, 1e-3),
        (GEYSER, "full", -1114.4399, 1e-2),
    ],
    ids=["iris full", "geyser tied", "geyser full"],
)
def test_three_components_reach_the_best_known_optimum_from_every_seed(rows, covariance_type, best, within):
    """Log likelihoods of an independent EM, from many starts to 1e-11; 3 to 49 of 50 k-means starts reach them."""
    for seed in range(50):
        model = GaussianMixture(3, covariance_type=covariance_type, random_state=seed).fit(rows)
        assert model.lower_bound_ * len(rows) == pytest.approx(best, abs=within), f"seed {seed}"


def overlapping(seed: int, n_rows: int = 3000, n_components: int = 12) -> np.ndarray:
    """Rows of a mixture with components that touch."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0, 3, (n_components, 3))
    scale = rng.uniform(0.3, 1.0, (n_components, 3))
    chosen = rng.integers(n_components, size=n_rows)
    return means[chosen] + scale[chosen] * rng.standard_normal((n_rows, 3))


@pytest.mark.parametrize("seed", range(3))
def test_a_search_beats_or_equals_twenty_k_means_starts(seed):
    rows = overlapping(seed)
    many = GaussianMixture(12, n_init=20, random_state=seed).fit(rows)
    searched = GaussianMixture(12, random_state=seed).fit(rows)
    assert searched.lower_bound_ >= many.lower_bound_ - 2e-5


def test_moves_mend_an_optimum_that_em_cannot_leave():
    """Two components on one cluster and one on two: no EM step moves one across the gap between."""
    rng = np.random.default_rng(3)
    centers = np.array([[0.0, 0.0], [20.0, 0.0], [23.0, 0.0]])
    rows = np.concatenate([center + rng.standard_normal((200, 2)) for center in centers])
    stuck = np.repeat([0, 1, 2, 2], [100, 100, 200, 200])
    to = Standardization.of_moments(rows.mean(axis=0), rows.var(axis=0), True)
    engine = create_engine("auto", ArraySource(rows), to)
    mstep = MStep("full")
    sample = Sample(to.rows(rows), np.ones(600))
    start = partition_start(sample, np.eye(3)[stuck], mstep)
    em = Trajectory(start, mstep, EMOptions())
    search.run(engine, [em])
    hunt = search.Search(engine, engine, 600, mstep)
    best = hunt.best([start])
    assert best.log_likelihood > em.log_likelihood + 0.04
    assert hunt.report.n_accepted >= 1
    np.testing.assert_allclose(np.sort(best.mixture.weights), 1 / 3, atol=0.05)


def test_moves_among_many_components_are_ranked_on_fewer_rows():
    """Of 36 clusters in a square, one has two components and two have one: the rows of short runs show it."""
    rng = np.random.default_rng(5)
    assert search.MANY_COMPONENTS < 36
    centers = 8.0 * np.stack(np.meshgrid(range(6), range(6)), axis=-1).reshape(-1, 2)
    cluster = np.repeat(np.arange(36), 150)
    rows = centers[cluster] + rng.standard_normal((cluster.size, 2))
    stuck = np.where(cluster == 1, 0, cluster)
    stuck[(cluster == 20) & (np.arange(cluster.size) % 2 == 0)] = 1
    to = Standardization.of_moments(rows.mean(axis=0), rows.var(axis=0), True)
    fine, coarse = (create_engine("auto", ArraySource(some), to) for some in (rows, rows[::3].copy()))
    mstep = MStep("full")
    sample = Sample(to.rows(rows), np.ones(len(rows)))
    start = partition_start(sample, np.eye(36)[stuck], mstep)
    em = Trajectory(start, mstep, EMOptions())
    search.run(fine, [em])
    hunt = search.Search(coarse, fine, len(rows), mstep)
    best = hunt.best([start])
    assert best.log_likelihood > em.log_likelihood + 0.01
    assert hunt.report.n_accepted >= 1
    np.testing.assert_allclose(best.mixture.weights, 1 / 36, atol=0.002)


def test_the_report_says_what_was_tried():
    model = GaussianMixture(3, random_state=0).fit(GEYSER)
    report = model.search_
    assert report.n_starts == search.start_count(3) == 6
    assert report.n_accepted <= report.n_moves
    assert len(report.optima) == len(report.times_reached) >= 1
    assert list(report.optima) == sorted(report.optima, reverse=True)
    assert sum(report.times_reached) >= search.SURVIVORS
    assert "6 starts" in str(report)


def test_a_number_of_starts_means_no_search():
    assert GaussianMixture(3, n_init=2, random_state=0).fit(GEYSER).search_ is None
    assert GaussianMixture(1, random_state=0).fit(GEYSER).search_ is None


@pytest.mark.parametrize("n_init", ["automatic", 0, 1.5, True, None])
def test_another_n_init_is_refused(n_init):
    with pytest.raises((TypeError, ValueError), match="n_init"):
        GaussianMixture(2, n_init=n_init).fit(GEYSER)


def test_the_search_is_the_same_for_any_number_of_threads():
    rows = overlapping(1)
    fits = [GaussianMixture(6, random_state=5, n_threads=n).fit(rows) for n in (1, 2, 7)]
    for other in fits[1:]:
        np.testing.assert_array_equal(other.means_, fits[0].means_)
        assert other.search_ == fits[0].search_


def test_no_run_of_the_search_is_longer_than_max_iter(monkeypatch):
    seen = []
    original = search.run_starts
    monkeypatch.setattr(search, "run_starts", lambda *a: seen.append(original(*a)) or seen[-1])
    with pytest.warns(UserWarning, match="max_iter"):
        GaussianMixture(3, max_iter=2, random_state=0).fit(GEYSER)
    assert max(one.n_iter for runs in seen for one in runs) == 2


def test_seeds_are_rows_drawn_far_from_each_other_and_weights_count_as_rows():
    rng = np.random.RandomState(0)
    rows = np.repeat(np.array([[0.0], [10.0], [20.0]]), 50, axis=0) + np.random.RandomState(1).randn(150, 1)
    centers, spread = seeds(rows, np.ones(150), 3, 20, rng)
    for found in centers:
        np.testing.assert_allclose(np.sort(found[:, 0]), [0, 10, 20], atol=4)
    assert spread.shape == (20,) and np.all(spread > 0)
    weights = np.random.RandomState(2).randint(1, 4, 150)
    weighted = seeds(rows, weights.astype(float), 3, 5, np.random.RandomState(3))
    repeated = seeds(np.repeat(rows, weights, axis=0), np.ones(weights.sum()), 3, 5, np.random.RandomState(3))
    np.testing.assert_array_equal(weighted[0], repeated[0])
    np.testing.assert_allclose(weighted[1], repeated[1], rtol=1e-12)


def test_few_rows_a_component_get_a_short_search():
    report = GaussianMixture(3, random_state=0).fit(IRIS).search_
    assert report.n_moves == 0 and sum(report.times_reached) == 1, "50 rows a component, in four features"
    assert GaussianMixture(3, random_state=0).fit(np.tile(IRIS, (20, 1))).search_.n_moves > 0


def test_a_subsample_takes_a_row_of_weight_two_for_two_rows(rng):
    rows, weights = rng.normal(size=(3000, 2)), rng.integers(1, 6, 3000).astype(float)
    weights[7] = 3000.0
    source = ArraySource(rows, weights)
    sums = []
    for seed in range(2000):
        part = sampled(source, 100, np.random.RandomState(seed))
        assert part.total_weight == pytest.approx(weights.sum()) and part.n_rows <= 100
        sums.append(part.weights @ part.rows)
    error = np.std(sums, axis=0) / np.sqrt(len(sums))
    assert np.all(np.abs(np.mean(sums, axis=0) - weights @ rows) < 4.5 * error)
    assert np.all(np.std(sums, axis=0) < 0.2 * weights.sum())  # rows drawn alike: the heavy one is there or is not
    heavy = part.weights[np.flatnonzero((part.rows == rows[7]).all(axis=1))]
    assert heavy == pytest.approx([3000.0], rel=0.1)


def test_few_rows_of_large_weight_are_not_lost():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(50_000, 2)), rng.normal(size=(8, 2)) * 0.3 + 1.5])
    weights = np.concatenate([np.ones(50_000), np.full(8, 2_000.0)])
    found = [GaussianMixture(2, random_state=seed).fit(rows, sample_weight=weights) for seed in range(3)]
    bounds = [model.lower_bound_ for model in found]
    assert max(bounds) - min(bounds) < 1e-4
    assert all(abs(model.weights_.min() - 16 / 66) < 0.02 for model in found)
