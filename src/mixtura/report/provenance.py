"""How to come to the same result again: versions, the call, its seed and a fingerprint of the data."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from typing import Any

import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray

import mixtura
from mixtura.estimators.base import BaseEstimator, check_rows, check_weights
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.mixture import Mixture
from mixtura.report.subject import Subject
from mixtura.report.words import several
from mixtura.shape import Array

__all__ = ["call_of", "digest", "facts_of", "fingerprint"]

BLOCK_ROWS = 65_536


def fingerprint(X: Any, sample_weight: Any = None) -> str:
    """SHA-256 of rows as a report states it: of their number and values, not of their names or type.

    Rows of weight zero count as none.

    Parameters
    ----------
    X : array or data frame of shape (N, D)
        Numbers; float32 and integers count as the float64 they are equal to.
    sample_weight : array of shape (N,), optional

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> from mixtura.report import fingerprint
    >>> fingerprint([[1, 2], [3, 4]]) == fingerprint([[1.0, 2.0], [3.0, 4.0]])
    True
    """
    rows = check_rows(GaussianMixture(), X, reset=True, missing_allowed=True)
    weights = check_weights(sample_weight, len(rows))
    if weights is not None and not weights.all():
        rows, weights = rows[weights > 0], weights[weights > 0]
    return digest(rows, weights)


def digest(rows: NDArray[Any], weights: Array | None) -> str:
    """SHA-256 of checked rows (N, D) and weights (N,)."""
    state = hashlib.sha256(json.dumps(["mixtura rows", *rows.shape]).encode())
    for start in range(0, len(rows), BLOCK_ROWS):
        state.update(_canonical(rows[start : start + BLOCK_ROWS]))
    if weights is not None:
        state.update(b"weights" + _canonical(weights))
    return state.hexdigest()


def _canonical(values: NDArray[Any]) -> bytes:
    """Little-endian float64, row by row, with one kind of NaN and one kind of zero."""
    plain = np.array(values, dtype="<f8") + 0.0
    plain[np.isnan(plain)] = np.nan
    return plain.tobytes()


def call_of(model: Any) -> str:
    """The call that makes the estimator, with the parameters that are not defaults."""
    if isinstance(model, Mixture):
        return f"a distribution of covariance type {model.covariance_type!r}; how it was fitted is not known"
    return model.__repr__(N_CHAR_MAX=2_000) if isinstance(model, BaseEstimator) else repr(model)


def facts_of(subject: Subject) -> list[tuple[str, str]]:
    """What the page says under "How to reproduce this"."""
    rows = several(len(subject.rows), "row") + ("" if subject.weights is None else " of positive weight")
    seed = getattr(subject.model, "random_state", None)
    return [
        ("Call", call_of(subject.model)),
        ("Seed", "none was set" if seed is None else repr(seed)),
        ("mixtura", str(mixtura.__version__)),
        ("Python", f"{platform.python_version()} ({sys.platform}, {platform.machine()})"),
        ("NumPy, SciPy, scikit-learn", f"{np.__version__}, {scipy.__version__}, {sklearn.__version__}"),
        ("Data", f"{rows}, {several(subject.mixture.n_features, 'feature')}"),
        ("SHA-256 of the data", digest(subject.rows, subject.weights)),
    ]
