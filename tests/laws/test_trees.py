"""Trees of merges: what they do not depend on, and that each merge is the cheapest of its literal criterion."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from laws.problems import random_mixture, random_rows
from mixtura.engine import native_available
from mixtura.initialization import agglomeration, hierarchical
from mixtura.initialization.hierarchical import Tree, build_tree
from mixtura.shape import Array


@pytest.fixture(params=agglomeration.CRITERIA)
def criterion(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def grid(rng: np.random.Generator, n_rows: int, n_features: int = 3) -> Array:
    """Rounded rows, as data often are: with duplicates, and with pairs at equal distances."""
    return np.round(random_rows(rng, random_mixture(rng, "VVV", n_features=n_features), n_rows), 1)


def smooth(rng: np.random.Generator, n_rows: int, n_features: int = 3) -> Array:
    """Rows without ties."""
    return random_rows(rng, random_mixture(rng, "VVV", n_features=n_features), n_rows)


def literal_criterion(rows: Array, weights: Array, members: list[list[int]], criterion: str, prior: float) -> float:
    """The criterion of a partition, from its definition."""
    total = 0.0
    for group in members:
        mass = weights[group].sum()
        centred = rows[group] - np.average(rows[group], axis=0, weights=weights[group])
        scatter = (centred.T * weights[group]) @ centred
        if criterion == "EII":
            total += np.trace(scatter)
        elif criterion == "VII":
            total += mass * np.log((np.trace(scatter) + prior) / mass)
        else:
            mass += prior
            total += mass * np.linalg.slogdet((scatter + prior * np.eye(rows.shape[1])) / mass)[1]
    return total


def literal_merges(rows: Array, weights: Array, criterion: str, prior: float) -> list[tuple[int, int]]:
    """Every partition that one merge leads to, evaluated in full; the best is taken."""
    groups, merges = [[i] for i in range(len(rows))], []
    while len(groups) > 1:
        found = []
        for i, j in combinations(range(len(groups)), 2):
            rest = [group for k, group in enumerate(groups) if k not in (i, j)]
            partition = [*rest, groups[i] + groups[j]]
            found.append((literal_criterion(rows, weights, partition, criterion, prior), i, j))
        _, i, j = min(found)
        merges.append((groups[i][0], groups[j][0]))
        groups[i] += groups.pop(j)
    return merges


def same_partition(one: Array, other: Array) -> bool:
    """Whether two labellings differ by names alone."""
    pairs = np.unique(np.stack([one, other]), axis=1)
    return pairs.shape[1] == len(np.unique(one)) == len(np.unique(other))


@pytest.mark.parametrize("n_features", [1, 2, 4])
def test_every_merge_is_the_cheapest(criterion: str, n_features: int, rng: np.random.Generator) -> None:
    rows, weights = smooth(rng, 14, n_features), rng.uniform(0.5, 3.0, 14)
    expected = literal_merges(rows, weights, criterion, 0.3)
    assert agglomeration.agglomerate(rows, weights, criterion, 0.3).tolist() == list(map(list, expected))
    assert agglomeration.merges_of(rows, weights, criterion, 0.3).tolist() == list(map(list, expected))


@pytest.mark.skipif(not native_available(), reason="the native engine was not built")
@pytest.mark.parametrize(("n_rows", "n_features"), [(1, 2), (2, 1), (3, 3), (150, 1), (200, 2), (120, 5), (60, 20)])
def test_compiled_merges_equal_the_oracle(
    criterion: str, n_rows: int, n_features: int, rng: np.random.Generator
) -> None:
    rows = np.unique(grid(rng, n_rows, n_features), axis=0)
    weights = rng.integers(1, 4, len(rows)).astype(np.float64)
    native = agglomeration.merges_of(rows, weights, criterion, 1.0)
    assert np.array_equal(native, agglomeration.agglomerate(rows, weights, criterion, 1.0))


def test_cuts_are_nested_and_have_the_groups_asked_for(criterion: str, rng: np.random.Generator) -> None:
    tree = build_tree(grid(rng, 150), np.ones(150), criterion)
    finer = tree.cut(tree.n_leaves)
    for n_groups in range(tree.n_leaves, 0, -1):
        coarser = tree.cut(n_groups)
        assert set(coarser) == set(range(n_groups))
        assert len(np.unique(np.stack([finer, coarser]), axis=1).T) == len(set(finer)), "a group was split"
        finer = coarser
    assert np.array_equal(tree.cut(10**6), tree.cut(tree.n_leaves))


@pytest.mark.parametrize("max_leaves", [10**9, 60])
def test_order_of_the_rows(
    criterion: str, max_leaves: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hierarchical, "MAX_LEAVES", max_leaves)
    rows, weights, order = grid(rng, 200), rng.integers(1, 4, 200).astype(np.float64), rng.permutation(200)
    straight, shuffled = build_tree(rows, weights, criterion), build_tree(rows[order], weights[order], criterion)
    for n_groups in (2, 5, 20):
        assert np.array_equal(shuffled.cut(n_groups), straight.cut(n_groups)[order])


@pytest.mark.parametrize("max_leaves", [10**9, 60])
def test_duplicates_are_weights(
    criterion: str, max_leaves: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hierarchical, "MAX_LEAVES", max_leaves)
    rows, times = smooth(rng, 120), rng.integers(1, 5, 120)
    weighted = build_tree(rows, times.astype(np.float64), criterion)
    repeated = build_tree(np.repeat(rows, times, axis=0), np.ones(times.sum()), criterion)
    assert np.array_equal(weighted.merges, repeated.merges)
    assert np.array_equal(np.repeat(weighted.cut(6), times), repeated.cut(6))


@pytest.mark.parametrize("criterion", ["VVV", "VII"])
def test_likelihoods_of_own_sizes_do_not_see_units(criterion: str, rng: np.random.Generator) -> None:
    rows, weights = smooth(rng, 120), rng.uniform(0.5, 2.0, 120)
    straight = build_tree(rows, weights, criterion)
    mapped = build_tree(rows * [1e-3, 1.0, 1e3] + 5.0, weights, criterion)
    for n_groups in (2, 3, 6, 12):
        assert same_partition(mapped.cut(n_groups), straight.cut(n_groups))


def test_squares_do_not_see_rotations_and_a_common_scale(rng: np.random.Generator) -> None:
    rows, weights = smooth(rng, 120), rng.uniform(0.5, 2.0, 120)
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    straight, mapped = build_tree(rows, weights, "EII"), build_tree(700.0 * rows @ rotation + 5.0, weights, "EII")
    for n_groups in (2, 3, 6, 12):
        assert same_partition(mapped.cut(n_groups), straight.cut(n_groups))


def test_rows_outside_the_sample_follow_their_nearest(
    criterion: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hierarchical, "MAX_LEAVES", 100)
    true = rng.integers(0, 3, 1500)
    rows = rng.standard_normal((1500, 2)) + 30.0 * np.array([[0, 0], [1, 0], [0, 1]])[true]
    tree: Tree = build_tree(rows, rng.uniform(0.5, 2.0, 1500), criterion)
    assert tree.n_leaves <= 100
    assert same_partition(tree.cut(3), true)


def test_lines_are_told_apart_by_free_covariances(rng: np.random.Generator) -> None:
    """Two crossing lines: what the criterion of free covariances is for."""
    along, true = rng.uniform(-3, 3, 300), np.arange(300) % 2
    rows = np.where(true[:, None] == 0, np.stack([along, along], axis=1), np.stack([along, -along], axis=1))
    rows += 0.03 * rng.standard_normal((300, 2))
    far = np.abs(along) > 0.3

    def agreement(criterion: str) -> float:
        found = build_tree(rows, np.ones(300), criterion).cut(2)[far]
        return float(max((found == true[far]).mean(), (found != true[far]).mean()))

    assert agreement("VVV") > 0.95
    assert agreement("EII") < 0.8
