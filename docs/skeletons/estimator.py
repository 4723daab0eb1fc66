"""Skeleton of an estimator. Copy it into src/mixtura/estimators/ and export it in src/mixtura/__init__.py.

This one finds outliers by their density. An estimator is a shell: it checks,
calls the library, and stores what it learnt in attributes that end in ``_``.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.estimators.base import BaseEstimator, check_is_fitted
from mixtura.estimators.gaussian_mixture import GaussianMixture


class LowDensityDetector(BaseEstimator):
    """Rows whose density is among the lowest are outliers.

    Parameters
    ----------
    n_components : int, default=1
    contamination : float, default=0.05
        Share of the fitted rows that count as outliers.
    random_state : int, RandomState or None, default=None
    """

    def __init__(self, n_components: int = 1, contamination: float = 0.05, random_state: Any = None) -> None:
        self.n_components = n_components  # stored as given; checked in fit, as scikit-learn asks
        self.contamination = contamination
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Fit the mixture and the threshold to (N, D) rows."""
        self.model_ = GaussianMixture(self.n_components, random_state=self.random_state).fit(X)
        self.threshold_ = float(np.quantile(self.model_.score_samples(X), self.contamination))
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """1 for inliers and -1 for outliers, one for each row."""
        check_is_fitted(self)
        return np.where(self.model_.score_samples(X) < self.threshold_, -1, 1)
