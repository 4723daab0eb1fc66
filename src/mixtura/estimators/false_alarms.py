"""The log density below which a mixture itself draws a stated share of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from mixtura.mixture import LOG_TWO_PI, Mixture
from mixtura.shape import Array

__all__ = ["ThresholdShifts", "threshold_of_mixture", "threshold_of_rows"]

#: Rows to draw: so many in the tail, as far as the limits of the whole allow.
ROWS_IN_TAIL, FEWEST_ROWS, MOST_ROWS = 2_500, 100_000, 1_000_000
BLOCK_VALUES = 2**21

#: Fewer, where they serve many patterns of missing features, each of which takes their density in its own features.
SHARED_IN_TAIL, FEWEST_SHARED, MOST_SHARED = 500, 20_000, 200_000

SEED = 20261

#: Sums of weights differ by this much from rounding, relative.
ROUNDING = 1e-9


def threshold_of_mixture(mixture: Mixture, rate: float) -> tuple[float, float]:
    """The t with P(log p(X) < t) = rate where X is drawn from the mixture, and the standard error of that rate.

    Of one component log p(X) = const - Q / 2 with Q of D degrees of freedom in
    chi-square, so t is exact (error 0). Otherwise t is a quantile of many
    draws, always the same ones, whose radius within each component is
    stratified; the error stated is that of plain draws, which stratification in
    proportion never exceeds (Cochran 1977, section 5.6).
    """
    if mixture.n_components == 1:
        half_determinant = float(np.sum(mixture.shape.log_determinant(mixture.whitener, mixture.n_features)))
        peak = half_determinant - 0.5 * mixture.n_features * LOG_TWO_PI
        return peak - 0.5 * float(chdtri(mixture.n_features, rate)), 0.0
    size = int(np.clip(ROWS_IN_TAIL / rate, FEWEST_ROWS, MOST_ROWS))
    log_density = np.concatenate([mixture.logpdf(rows) for rows in _stratified_draws(mixture, size)])
    return float(np.quantile(log_density, rate)), float(np.sqrt(rate * (1.0 - rate) / log_density.size))


class ThresholdShifts:
    """By how much the t of what was observed of rows differs from t itself.

    What was observed has the mixture's marginal; of nothing at all it is a
    density of 1, and its threshold as low. Of more than one component all
    patterns share the draws, and each is looked at once, in however many pieces the rows come.

    Parameters
    ----------
    mixture : Mixture
    rate : float
    """

    def __init__(self, mixture: Mixture, rate: float) -> None:
        self._mixture, self._rate = mixture, rate
        self._known: dict[bytes, float] = {}

    def __call__(self, rows: NDArray[Any]) -> Array:
        """The difference (n,) for rows (n, D)."""
        missing = np.isnan(rows)
        if not missing.any():
            return np.zeros(rows.shape[0])
        patterns, inverse = np.unique(missing, axis=0, return_inverse=True)
        shifts = np.array([self._of(pattern) for pattern in patterns])
        return np.asarray(shifts[inverse.reshape(-1)])

    def _of(self, missing: NDArray[np.bool_]) -> float:
        key = missing.tobytes()
        if key not in self._known:
            self._known[key] = self._threshold(missing) - self._whole if missing.any() else 0.0
        return self._known[key]

    def _threshold(self, missing: NDArray[np.bool_]) -> float:
        """The t of one pattern."""
        if missing.all():
            return 0.0
        seen = np.flatnonzero(~missing)
        part = self._mixture.marginal(seen)
        if self._mixture.n_components == 1:
            return threshold_of_mixture(part, self._rate)[0]
        blocks = np.array_split(self._draws[:, seen], max(1, self._draws.size // BLOCK_VALUES))
        return float(np.quantile(np.concatenate([part.logpdf(block) for block in blocks]), self._rate))

    @cached_property
    def _whole(self) -> float:
        return threshold_of_mixture(self._mixture, self._rate)[0]

    @cached_property
    def _draws(self) -> Array:
        size = int(np.clip(SHARED_IN_TAIL / self._rate, FEWEST_SHARED, MOST_SHARED))
        return np.concatenate(list(_stratified_draws(self._mixture, size)))


def _stratified_draws(mixture: Mixture, size: int) -> Iterator[Array]:
    """Blocks of rows from the mixture, its components and the radii within them in proportion."""
    rng = np.random.default_rng(SEED)
    factors = np.linalg.cholesky(mixture.dense_covariances)
    # systematic shares: each is rounded up or down, with the right expectation
    bounds = np.floor(np.cumsum(mixture.weights) * size + rng.random()).astype(int)
    per_block = max(BLOCK_VALUES // mixture.n_features, 1)
    for k, count in enumerate(np.diff(bounds, prepend=0)):
        upper_tail = (rng.permutation(count) + rng.random(count)) / max(count, 1)
        for start in range(0, count, per_block):
            radius = np.sqrt(chdtri(mixture.n_features, upper_tail[start : start + per_block]))
            direction = rng.standard_normal((radius.size, mixture.n_features))
            direction *= (radius / np.linalg.norm(direction, axis=1))[:, None]
            yield mixture.means[k] + direction @ factors[k].T


def threshold_of_rows(log_density: Array, weights: Array | None, share: float) -> float:
    """The threshold below which lie the rows of lowest density, at most that share of the weight (N,).

    It stands midway between two rows, so that no row is decided by rounding;
    rows of one density are all above it or all below.
    """
    counted = np.ones(log_density.size) if weights is None else weights
    values, inverse = np.unique(log_density[counted > 0], return_inverse=True)
    below = np.cumsum(np.bincount(inverse, counted[counted > 0]))
    n_below = int(np.searchsorted(below, share * below[-1] * (1.0 + ROUNDING), side="right"))
    if n_below == 0:
        return float(values[0] - ROUNDING * (1.0 + abs(values[0])))
    if n_below == values.size:  # cannot be with a share below 1, but for rounding
        return float(values[-1])
    return float(0.5 * (values[n_below - 1] + values[n_below]))
