"""Cumulative probabilities: in one dimension with their inverse, and of boxes in more."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri
from scipy.stats import qmc

from mixtura.estimate import Estimate
from mixtura.shape import Array

__all__ = ["Line", "box_of_gaussian"]

EPSILON = float(np.finfo(np.float64).eps)
ROOT_TWO_PI = float(np.sqrt(2 * np.pi))
#: Independent scramblings of the points of a box's integral, whose spread is its error.
SCRAMBLINGS = 8
#: Standard normal deviates beyond which a double knows no probability.
FARTHEST = 38.0
#: Steps of a root finder that halves the bracket at every third of them; it stops sooner when a step is rounding.
MAX_STEPS = 400


@dataclass(frozen=True, eq=False)
class Line:
    """A mixture in one dimension: Gaussians, and a uniform between limits whose weight is the last, if there is one."""

    weights: Array
    means: Array
    scales: Array
    limits: tuple[float, float] | None = None

    def mirrored(self) -> Line:
        """The distribution of -x."""
        return replace(
            self, means=-self.means, limits=None if self.limits is None else (-self.limits[1], -self.limits[0])
        )

    def log_cdf(self, points: Array) -> Array:
        """Log of the probability (n,) below each point."""
        parts = log_ndtr((points[:, None] - self.means) / self.scales)
        if self.limits is not None:
            with np.errstate(divide="ignore"):
                uniform = np.log(np.clip((points - self.limits[0]) / (self.limits[1] - self.limits[0]), 0.0, 1.0))
            parts = np.column_stack([parts, uniform])
        return np.asarray(logsumexp(parts, axis=1, b=self.weights))

    def cdf(self, points: Array) -> Array:
        """Probability (n,) below each point."""
        parts = ndtr((points[:, None] - self.means) / self.scales)
        if self.limits is not None:
            uniform = np.clip((points - self.limits[0]) / (self.limits[1] - self.limits[0]), 0.0, 1.0)
            parts = np.column_stack([parts, uniform])
        return parts @ self.weights

    def pdf(self, points: Array) -> Array:
        """Density (n,) at each point; that of the uniform only between its limits."""
        z = (points[:, None] - self.means) / self.scales
        with np.errstate(under="ignore"):
            density = np.exp(-0.5 * z * z) / (self.scales * ROOT_TWO_PI) @ self.weights[: self.means.size]
        if self.limits is not None:
            inside = (points >= self.limits[0]) & (points <= self.limits[1])
            density = density + self.weights[-1] / (self.limits[1] - self.limits[0]) * inside
        return np.asarray(density)

    def ppf(self, probabilities: Array) -> Array:
        """Points (n,) below which these probabilities lie: -inf for 0 and inf for 1.

        The quantile of a mixture lies between the least and the greatest of its
        components' quantiles. Within that bracket Newton's steps on the log
        probability, guarded by bisection, keep relative accuracy in both tails.
        """
        found = np.empty_like(probabilities)
        upper = probabilities > 0.5
        found[~upper] = self._lower_quantiles(probabilities[~upper])
        found[upper] = -self.mirrored()._lower_quantiles(1.0 - probabilities[upper])
        return found

    def _lower_quantiles(self, probabilities: Array) -> Array:
        target = np.full_like(probabilities, -np.inf)
        np.log(probabilities, out=target, where=probabilities > 0)
        own = self.means + self.scales * np.clip(ndtri(probabilities), -FARTHEST, FARTHEST)[:, None]
        if self.limits is not None:
            own = np.column_stack([own, self.limits[0] + (self.limits[1] - self.limits[0]) * probabilities])
        own = own[:, self.weights > 0]
        low, high = own.min(axis=1), own.max(axis=1)
        point = 0.5 * (low + high)
        resolution = EPSILON * float(self.scales.min())
        active = np.arange(point.size)
        for step in range(MAX_STEPS):
            at, aim = point[active], target[active]
            value = self.log_cdf(at)
            below = value < aim
            low[active], high[active] = np.where(below, at, low[active]), np.where(below, high[active], at)
            middle = 0.5 * (low[active] + high[active])
            moved = middle if step % 3 == 2 else self._newton(at, value, aim)
            moved = np.where((moved > low[active]) & (moved < high[active]), moved, middle)
            open_still = (value != aim) & (np.abs(moved - at) > resolution + 2 * EPSILON * np.abs(at))
            active = active[open_still]
            point[active] = moved[open_still]
            if active.size == 0:
                break
        return np.where(probabilities > 0, point, -np.inf)

    def _newton(self, point: Array, value: Array, target: Array) -> Array:
        with np.errstate(all="ignore"):
            return point - (value - target) * np.exp(value) / self.pdf(point)


def box_of_gaussian(lower: Array, upper: Array, covariance: Array, n_points: int, rng: np.random.Generator) -> Estimate:
    """Probability that a centred Gaussian with this covariance lies in a box.

    The integral over the box becomes one over the unit cube of one dimension
    less, by conditioning each feature on those before it (Genz 1992),
    taken at scrambled Sobol points; the spread over independent scramblings
    is the error. Features are taken in the order of their own intervals'
    probabilities (Gibson, Glasbey and Elston 1994). Where the features are
    independent the result is their product, and exact.
    """
    scales = np.sqrt(covariance.diagonal())
    if not np.any(covariance - np.diag(np.square(scales))):
        return Estimate(
            float(_conditioned(lower / scales, upper / scales, np.eye(scales.size), np.zeros((1, 0)))[0]), 0.0
        )
    order = np.argsort(ndtr(upper / scales) - ndtr(lower / scales), kind="stable")
    factor: Array = np.asarray(np.linalg.cholesky(covariance[order[:, None], order]), dtype=np.float64)
    means = np.empty(SCRAMBLINGS)
    for i in range(SCRAMBLINGS):
        points = qmc.Sobol(scales.size - 1, seed=rng).random(n_points)
        means[i] = _conditioned(lower[order], upper[order], factor, points).mean()
    return Estimate(float(means.mean()), float(means.std(ddof=1) / np.sqrt(SCRAMBLINGS)))


def _conditioned(lower: Array, upper: Array, factor: Array, points: Array) -> Array:
    """Products (n,) of the conditional probabilities of the features' intervals."""
    deviates = np.zeros((len(points), lower.size))
    product = np.ones(len(points))
    for i in range(lower.size):
        shift = deviates[:, :i] @ factor[i, :i]
        low, high = (lower[i] - shift) / factor[i, i], (upper[i] - shift) / factor[i, i]
        mirrored = low > 0  # in the left tail probabilities keep their digits
        low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
        start = ndtr(low)
        inside = ndtr(high) - start
        product *= inside
        if i < points.shape[1]:
            drawn = np.clip(ndtri(start + points[:, i] * inside), -FARTHEST, FARTHEST)
            deviates[:, i] = np.where(mirrored, -drawn, drawn)
    return product
