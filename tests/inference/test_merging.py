"""Merging of components by entropy: against brute force, and on clusters that are not Gaussian."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from mixtura import GaussianMixture, merge_components
from mixtura.merging import elbow


def entropy_of(shares, weights):
    positive = np.where(shares > 0, shares, 1.0)
    return -float((weights[:, None] * shares * np.log(positive)).sum())


def crossing(rng, n_rows=600):
    """Four clusters of which two are crosses of two Gaussians: six components (Baudry et al. 2010, section 4.1)."""
    arms = [
        ([0, 0], [2.0, 0.05], 0.2), ([0, 0], [0.05, 2.0], 0.2), ([12, 0], [1.0, 1.0], 0.1),
        ([8, 9], [2.0, 0.05], 0.2), ([8, 9], [0.05, 2.0], 0.2), ([-8, 9], [1.0, 1.0], 0.1),
    ]  # fmt: skip
    labels = np.array([0, 0, 1, 2, 2, 3])
    chosen = rng.choice(6, n_rows, p=[arm[2] for arm in arms])
    rows = np.array([rng.normal(arms[k][0], np.sqrt(arms[k][1])) for k in chosen])
    return rows, labels[chosen]


@pytest.fixture
def fitted(rng):
    rows, labels = crossing(rng)
    means = [[0.5, 0], [0, 0.5], [12, 0], [8.5, 9], [8, 9.5], [-8, 9]]
    spread = np.array([[2.0, 0.05], [0.05, 2.0], [1, 1], [2.0, 0.05], [0.05, 2.0], [1, 1]])
    model = GaussianMixture(6, covariance_type="diag", means_init=means, precisions_init=1 / spread).fit(rows)
    return model, rows, labels


def test_each_merge_is_the_best_of_all_pairs(fitted, rng):
    model, rows, _ = fitted
    weights = rng.uniform(0.5, 2.0, len(rows))
    merging = merge_components(model, rows, weights)
    shares = model.predict_proba(rows)
    for step, (a, b) in enumerate(merging.merges):
        number = 6 - step
        assert merging.entropy[number - 1] == pytest.approx(entropy_of(shares, weights), rel=1e-9, abs=1e-9)
        after = {}
        for i in range(number):
            for j in range(i + 1, number):
                joined = np.delete(shares, j, axis=1)
                joined[:, i] += shares[:, j]
                after[i, j] = (entropy_of(joined, weights), joined)
        best = min(value for value, _ in after.values())
        assert after[a, b][0] == pytest.approx(best, rel=1e-9, abs=1e-9)
        shares = after[a, b][1]
    assert merging.entropy[0] == pytest.approx(0.0, abs=1e-9)
    assert (np.diff(merging.entropy) >= -1e-9).all()


def test_crosses_are_one_cluster_each(fitted):
    model, rows, labels = fitted
    merging = merge_components(model, rows)
    assert merging.suggested == 4
    found = merging.predict(rows)
    for cluster in range(4):  # the same partition, whatever the clusters are called
        assert np.unique(found[labels == cluster]).size == 1
    assert np.unique(found).size == 4


def test_probabilities_of_new_rows_are_sums_of_responsibilities(fitted, rng):
    model, rows, _ = fitted
    merging = merge_components(model, rows)
    fresh = rng.normal(4, 6, (50, 2))
    shares = model.predict_proba(fresh)
    for number in range(1, 7):
        clusters = merging.clusters(number)
        assert sorted(set(clusters.tolist())) == list(range(number))
        chances = merging.predict_proba(fresh, number)
        for m in range(number):
            np.testing.assert_allclose(chances[:, m], shares[:, clusters == m].sum(axis=1), atol=1e-12)
        np.testing.assert_array_equal(merging.predict(fresh, number), chances.argmax(axis=1))
    np.testing.assert_array_equal(merging.predict(fresh, 6), model.predict(fresh))


def test_a_row_of_weight_two_is_two_rows(fitted):
    model, rows, _ = fitted
    weights = np.where(np.arange(len(rows)) % 3 == 0, 2.0, 1.0)
    repeated = np.repeat(rows, weights.astype(int), axis=0)
    once, twice = merge_components(model, rows, weights), merge_components(model, repeated)
    np.testing.assert_allclose(once.entropy, twice.entropy, rtol=1e-9, atol=1e-9)
    assert once.merges == twice.merges


def test_the_elbow_is_where_two_lines_meet():
    assert elbow(np.array([0.0, 0.0, 0.0, 10.0, 20.0])) == 3
    assert elbow(np.array([0.0, 1.0, 2.0, 3.0, 9.0, 15.0])) == 4
    assert elbow(np.array([0.0])) == 1 and elbow(np.array([0.0, 5.0])) == 2


def test_one_component_and_bad_numbers(rng):
    rows = rng.normal(size=(50, 2))
    merging = merge_components(GaussianMixture(1).fit(rows), rows)
    assert merging.suggested == 1 and merging.merges == ()
    assert merging.columns["n_clusters"].tolist() == [1]
    for number in (0, 2):
        with pytest.raises(ValueError, match="between 1 and 1"):
            merging.predict(rows, number)
    with pytest.raises(NotFittedError):
        merge_components(GaussianMixture(2), rows)
