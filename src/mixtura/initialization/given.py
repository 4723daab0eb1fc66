"""Starts that the user gives: labels, responsibilities, or parameters in part or whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mixtura.shape import Array

__all__ = ["responsibilities_from"]


def responsibilities_from(given: ArrayLike, n_rows: int, n_components: int) -> Array:
    """(n, K) responsibilities from labels (n,) in 0..K-1, or from responsibilities (n, K).

    Raises
    ------
    ValueError
        If the shape is neither, a label is out of range, or a row of
        responsibilities is negative or does not sum to one; the row is named.
    """
    array = np.asarray(given)
    if array.shape == (n_rows,):
        return _from_labels(array, n_components)
    if array.shape != (n_rows, n_components):
        raise ValueError(
            f"an initialisation must be labels of shape ({n_rows},) or responsibilities of shape "
            f"({n_rows}, {n_components}); got shape {array.shape}"
        )
    shares = array.astype(np.float64)
    sums = shares.sum(axis=1)
    wrong = np.flatnonzero((shares < 0).any(axis=1) | ~(np.abs(sums - 1) < 1e-6))
    if wrong.size:
        row = wrong[0]
        raise ValueError(f"the responsibilities of row {row} must be >= 0 and sum to 1; they sum to {sums[row]}")
    return shares / sums[:, None]


def _from_labels(labels: np.ndarray, n_components: int) -> Array:
    indices = labels.astype(np.intp)
    wrong = np.flatnonzero((indices != labels) | (indices < 0) | (indices >= n_components))
    if wrong.size:
        raise ValueError(
            f"label {labels[wrong[0]]!r} of row {wrong[0]} is not an integer from 0 to {n_components - 1}"
        )
    return np.eye(n_components)[indices]
