"""Starts from trees through the estimator: without chance, and on data that are short of rows or of features."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris

from mixtura import GaussianMixture
from mixtura.estimators.base import CollapsedComponentWarning, ConstantFeatureWarning
from mixtura.initialization import hierarchical
from mixtura.initialization.hierarchical import build_tree
from mixtura.shape import Array

IRIS = load_iris().data


def fitted(rows: Array, n_components: int, init_params: str, random_state: int = 0) -> GaussianMixture:
    with warnings.catch_warnings():
        for category in (CollapsedComponentWarning, ConstantFeatureWarning):
            warnings.simplefilter("ignore", category)
        return GaussianMixture(n_components, init_params=init_params, random_state=random_state).fit(rows)


@pytest.fixture(params=["hierarchical", "hierarchical_vii", "ward"])
def init_params(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_no_part_of_chance_nor_of_the_order_of_rows(init_params: str) -> None:
    one, other = fitted(IRIS, 3, init_params, 1), fitted(IRIS, 3, init_params, 2)
    assert np.array_equal(one.means_, other.means_)
    shuffled = fitted(np.random.default_rng(3).permutation(IRIS), 3, init_params)
    np.testing.assert_allclose(shuffled.means_, one.means_, rtol=1e-4)


def test_more_rows_than_are_merged(init_params: str, rng: np.random.Generator) -> None:
    true = rng.integers(0, 3, 20_000)
    rows = rng.standard_normal((20_000, 2)) + 10.0 * np.array([[0, 0], [1, 0], [0, 1]])[true]
    labels = fitted(rows, 3, init_params).predict(rows)
    assert all(len(set(labels[true == k])) == 1 for k in range(3))


@pytest.mark.parametrize(
    "rows",
    [
        np.repeat([[0.0, 1.0], [2.0, 3.0]], 10, axis=0),  # two distinct rows for three components
        np.ones((20, 2)),
        np.column_stack([IRIS[:, 2], np.ones(150)]),
        IRIS[:, [2]],
        np.column_stack([IRIS[:, 2], 3 * IRIS[:, 2]]),
        np.random.default_rng(0).standard_normal((12, 30)),
        1e100 * IRIS,
    ],
    ids=["two distinct rows", "all equal", "constant column", "one column", "a line", "wide", "large"],
)
def test_unusual_rows_are_fitted(init_params: str, rows: Array) -> None:
    model = fitted(rows, 3, init_params)
    assert np.all(np.isfinite(model.means_))
    assert np.isfinite(model.score(rows))


def test_few_rows_are_merged_by_squares(rng: np.random.Generator) -> None:
    """Rows as few as dimensions fill no space that a covariance could describe."""
    rows = rng.standard_normal((12, 8))
    assert np.array_equal(build_tree(rows, np.ones(12)).merges, build_tree(rows, np.ones(12), "EII").merges)


def test_one_row_and_wrong_names() -> None:
    tree = build_tree(np.zeros((3, 2)), np.ones(3))
    assert tree.cut(2).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="at least one group; got 0"):
        tree.cut(0)
    with pytest.raises(ValueError, match="criterion must be one of EII, VVV, VII; got 'EEE'"):
        build_tree(np.zeros((3, 2)), np.ones(3), "EEE")


def test_every_k_shares_the_tree(init_params: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def counted(*arguments: object) -> object:
        built.append(1)
        return build_tree(*arguments)

    monkeypatch.setattr(hierarchical, "build_tree", counted)
    rows = np.random.default_rng(11).standard_normal((40, 2))
    for n_components in (1, 2, 3):
        fitted(rows, n_components, init_params)
    assert len(built) == 1
