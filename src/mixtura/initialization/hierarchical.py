"""Deterministic starts: one tree of merges, cut where a number of components is asked for.

The tree is built by classification likelihood (Fraley 1998): every row starts as
a group of its own, and those two groups are merged whose union costs least.
Whatever K is, its partition is a cut of the same tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mixtura.initialization.agglomeration import CRITERIA, merges_of
from mixtura.shape import Array

__all__ = ["Tree", "build_tree", "hierarchical", "hierarchical_vii", "ward"]

#: Rows that are merged: the costs of all pairs take 8 n^2 bytes, and the time grows with n^2 too.
MAX_LEAVES = 2_000

#: Rows that every group has beside its own, as wide as all data (Fraley's alpha): enough to keep small groups from
#: looking too dense to merge.
PRIOR_ROWS = 1.0

#: With fewer distinct rows per dimension than this, no group fills its space, and squares decide.
ROWS_PER_DIMENSION = 2

#: Directions whose variance is a smaller share of the largest are rounding.
NEGLIGIBLE_VARIANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Tree:
    """The merges of an agglomeration.

    Parameters
    ----------
    merges : array of shape (n_leaves - 1, 2)
        In order; two groups by their lowest leaves, the lower one first.
    leaf : array of shape (n,)
        The leaf that each row belongs to: its duplicates', or its nearest.
    """

    merges: NDArray[np.int64]
    leaf: NDArray[np.intp]

    @property
    def n_leaves(self) -> int:
        """Groups before the first merge."""
        return len(self.merges) + 1

    def cut(self, n_groups: int) -> NDArray[np.intp]:
        """Labels (n,) of the partition into that many groups, or into all leaves where there are fewer.

        Groups are numbered by their lowest leaf, so the cuts of one tree are nested.

        Raises
        ------
        ValueError
            If `n_groups` is less than one.
        """
        if n_groups < 1:
            raise ValueError(f"a tree is cut into at least one group; got {n_groups}")
        root = np.arange(self.n_leaves)
        done = self.merges[: max(self.n_leaves - n_groups, 0)]
        root[done[:, 1]] = done[:, 0]
        while np.any(root[root] != root):
            root = root[root]
        return np.unique(root, return_inverse=True)[1].reshape(-1)[self.leaf]


def build_tree(rows: Array, weights: Array, criterion: str = "VVV") -> Tree:
    """The tree of (n, D) rows with positive weights (n,).

    Duplicates are merged first, with the sum of their weights, so the tree
    depends neither on the order of the rows nor on how weights are spread over
    equal ones. Of more than 2000 distinct rows, 2000 are merged, drawn by weight
    from equal parts of the rows in lexicographic order; the others follow the
    nearest of these.

    Parameters
    ----------
    rows : array of shape (n, D)
        In standardised coordinates.
    weights : array of shape (n,)
    criterion : {"VVV", "VII", "EII"}
        "VVV" merges groups as free covariances describe them, "VII" as balls of
        different sizes do, both whatever the units of the features: the rows are
        standardised and half sphered first (mclust's SVD; Scrucca and Raftery
        2015). "EII" is Ward's method, unchanged by rotations and a common scale;
        of two rows a dimension or fewer, no other is used.

    Returns
    -------
    Tree

    Raises
    ------
    ValueError
        If the criterion is neither.

    References
    ----------
    C. Fraley (1998). Algorithms for model-based Gaussian hierarchical clustering.
    SIAM J. Sci. Comput. 20, 270-281.
    L. Scrucca and A. E. Raftery (2015). Improved initialisation of model-based
    clustering using Gaussian hierarchical partitions. Adv. Data Anal. Classif. 9, 447-460.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura.initialization.hierarchical import build_tree
    >>> tree = build_tree(np.array([[0.0], [0.1], [5.0], [5.1], [9.0]]), np.ones(5), "EII")
    >>> tree.cut(3).tolist(), tree.cut(2).tolist()
    ([0, 0, 1, 1, 2], [0, 0, 1, 1, 1])
    """
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}; got {criterion!r}")
    distinct, position = np.unique(rows, axis=0, return_inverse=True)
    leaf = position.reshape(-1)
    mass: Array = np.bincount(leaf, weights=weights).astype(np.float64)
    points = distinct / max(np.abs(distinct).max(), np.finfo(np.float64).tiny)
    if len(points) <= ROWS_PER_DIMENSION * points.shape[1]:
        criterion = "EII"
    if criterion != "EII":
        points = _half_sphered(points, mass)
    if len(points) > MAX_LEAVES:
        chosen, mass = _drawn(mass)
        leaf = cKDTree(points[chosen]).query(points)[1][leaf]
        points = points[chosen]
    return Tree(merges_of(points, mass, criterion, PRIOR_ROWS), leaf)


def _half_sphered(rows: Array, weights: Array) -> Array:
    """Coordinates (n, rank) along principal axes of the standardised rows, each divided by the root of its deviation.

    Groups are often narrow where the data are: dividing by the whole deviation
    (sphering) hides that, not dividing lets the widest axis decide.
    """
    share = weights / weights.sum()
    centred = rows - share @ rows
    deviation = np.sqrt(share @ np.square(centred))
    centred = centred / np.where(np.ptp(rows, axis=0) > 0, deviation, 1.0)
    variance, axes = np.linalg.eigh((centred.T * share) @ centred)
    kept = variance > NEGLIGIBLE_VARIANCE * variance[-1]
    return np.asarray(centred @ (axes[:, kept] / variance[kept] ** 0.25))


def _drawn(weights: Array) -> tuple[NDArray[np.intp], Array]:
    """One draw from each of `MAX_LEAVES` equal parts of the total weight: rows, and the weight drawn on each.

    A fixed seed, not every so-manieth row: rows in order often repeat a pattern.
    """
    cumulative = np.cumsum(weights)
    part = cumulative[-1] / MAX_LEAVES
    where = (np.arange(MAX_LEAVES) + np.random.RandomState(0).uniform(size=MAX_LEAVES)) * part
    drawn = np.minimum(np.searchsorted(cumulative, where, side="right"), len(weights) - 1)
    chosen, times = np.unique(drawn, return_counts=True)
    return chosen, times * part


@lru_cache(maxsize=4)
def _tree_of(rows: bytes, weights: bytes, n_features: int, criterion: str) -> Tree:
    """The tree of rows that were seen a moment ago is still there: every K shares it."""
    values = np.frombuffer(weights)
    return build_tree(np.frombuffer(rows).reshape(values.size, n_features), values, criterion)


def _cut(rows: Array, weights: Array, n_components: int, criterion: str) -> Array:
    tree = _tree_of(rows.tobytes(), weights.tobytes(), rows.shape[1], criterion)
    return np.eye(n_components)[tree.cut(n_components)]


def hierarchical(rows: Array, weights: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """The partition of agglomeration under free covariances (``VVV``); `rng` has no part in it."""
    return _cut(rows, weights, n_components, "VVV")


def hierarchical_vii(rows: Array, weights: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """The partition of agglomeration as balls of different sizes (``VII``); `rng` has no part in it."""
    return _cut(rows, weights, n_components, "VII")


def ward(rows: Array, weights: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """The partition of Ward's agglomeration (``EII``); `rng` has no part in it."""
    return _cut(rows, weights, n_components, "EII")
