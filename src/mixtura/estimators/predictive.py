"""Predictive distributions: a Gaussian mixture of the targets for each row of features.

The parameters of a conditional mixture are `Mixture.condition_rows`'s where all
features are known. Where some are missing they belong with the targets to what
is not known, and the targets' marginal of the conditional is what is wanted: with
L the Cholesky factor of the unknown features' block of the precision, the
targets last, their covariance is ``inv(L_tt L_tt^T)`` (see `observation`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, ndtr, ndtri

from mixtura.estep import normalised
from mixtura.mixture import LOG_TWO_PI, Mixture
from mixtura.observation import Batch, expected_joint
from mixtura.shape import Array

__all__ = ["PredictiveDistribution", "predictive", "quantiles"]

EPSILON = float(np.finfo(np.float64).eps)
RandomState = int | np.random.Generator | np.random.RandomState | None
#: Standard normal deviates beyond which a double knows no probability.
FARTHEST = 38.0
ROOT_TWO_PI = float(np.sqrt(2 * np.pi))
#: Steps of a root finder that halves the bracket at every third of them; it stops sooner when a step is rounding.
MAX_STEPS = 400
#: Rows, or equations for quantiles, that are worked on together.
BLOCK_ROWS = 8192


@dataclass(frozen=True, eq=False)
class PredictiveDistribution:
    """Distributions of T targets given the features of n rows: a Gaussian mixture a row.

    Where ``flat``, there is one target and no axis for it in what is given and returned.

    Attributes
    ----------
    weights : array of shape (n, K)
    means : array of shape (n, K, T)
    covariances : array of shape (K, T, T) or (n, K, T, T)
        The first where all rows have them in common, which they have where no feature is missing.
    flat : bool

    Examples
    --------
    >>> from mixtura import GaussianMixtureRegressor
    >>> model = GaussianMixtureRegressor(1).fit([[0.0], [1.0], [2.0], [3.0]], [1.0, 0.0, 3.0, 2.0])
    >>> found = model.predict_distribution([[1.5], [2.5]])
    >>> found.mean.round(3).tolist(), found.std.round(3).tolist()
    ([1.5, 2.1], [0.894, 0.894])
    >>> found.cdf(found.ppf(0.9)).round(6).tolist()
    [0.9, 0.9]
    >>> found[0].means.round(3).tolist()  # the mixture of one row
    [[1.5]]
    """

    weights: Array
    means: Array
    covariances: Array
    flat: bool = False

    def __len__(self) -> int:
        return int(self.weights.shape[0])

    def __getitem__(self, row: int) -> Mixture:
        """The distribution of one row."""
        covariances = self.covariances if self.covariances.ndim == 3 else self.covariances[row]
        return Mixture(self.weights[row], self.means[row], covariances)

    @property
    def mean(self) -> Array:
        """Means (n, T)."""
        return self._shown(np.einsum("nk,nkt->nt", self.weights, self.means))

    @property
    def covariance(self) -> Array:
        """Covariances (n, T, T), also where there is no axis for targets elsewhere."""
        apart = self.means - np.einsum("nk,nkt->nt", self.weights, self.means)[:, None]
        within = "nk,kst->nst" if self.covariances.ndim == 3 else "nk,nkst->nst"
        total = np.einsum(within, self.weights, self.covariances)
        return np.asarray(total + np.einsum("nk,nks,nkt->nst", self.weights, apart, apart))

    @property
    def std(self) -> Array:
        """Standard deviations (n, T)."""
        apart = self.means - np.einsum("nk,nkt->nt", self.weights, self.means)[:, None]
        variances = np.square(self._scales) + np.square(apart)
        return self._shown(np.sqrt(np.einsum("nk,nkt->nt", self.weights, variances)))

    def logpdf(self, targets: ArrayLike) -> Array:
        """Log density (n,) at one vector of targets a row: (n, T)."""
        apart = self._targets(targets)[:, None] - self.means
        factors = np.linalg.cholesky(self.covariances)
        if factors.ndim == 3:
            white = np.moveaxis(np.linalg.solve(factors, np.moveaxis(apart, 0, 2)), 2, 0)
        else:
            white = np.linalg.solve(factors, apart[..., None])[..., 0]
        logs = np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)
        joint = -0.5 * np.square(white).sum(axis=2) - logs - 0.5 * LOG_TWO_PI * apart.shape[2]
        return np.asarray(logsumexp(joint, axis=1, b=self.weights))

    def pdf(self, targets: ArrayLike) -> Array:
        """Density (n,) at one vector of targets a row: (n, T)."""
        return np.exp(self.logpdf(targets))

    def cdf(self, targets: ArrayLike) -> Array:
        """Probability (n, T) that each target, on its own, is not above a value."""
        below = ndtr((self._targets(targets)[:, None] - self.means) / self._scales)
        return self._shown(np.einsum("nk,nkt->nt", self.weights, below))

    def ppf(self, probabilities: ArrayLike) -> Array:
        """Quantiles of each target on its own: (n, T) for one probability, (n, T, Q) for Q of them.

        Raises
        ------
        ValueError
            If a probability is not between 0 and 1, or they are more than a list.
        """
        asked = np.asarray(probabilities, dtype=np.float64)
        if asked.ndim > 1 or not np.all((asked >= 0) & (asked <= 1)):
            raise ValueError(f"probabilities must be a number or a list of numbers between 0 and 1; got {asked}")
        n_rows, _, n_targets = self.means.shape
        scales = np.broadcast_to(self._scales, self.means.shape)
        found = np.empty((n_rows, n_targets, asked.size))
        for t in range(n_targets):
            for i, one in enumerate(asked.reshape(-1)):
                found[:, t, i] = quantiles(self.weights, self.means[:, :, t], scales[:, :, t], float(one))
        return self._shown(found.reshape(n_rows, n_targets, *asked.shape))

    quantile = ppf

    def rvs(self, size: int = 1, random_state: RandomState = None) -> Array:
        """Draws (size, n, T)."""
        if random_state is None or isinstance(random_state, int | np.integer):
            random_state = np.random.default_rng(random_state)
        n_rows, n_components, n_targets = self.means.shape
        steps = np.cumsum(self.weights, axis=1)
        level = random_state.uniform(size=(size, n_rows)) * steps[:, -1]
        drawn = np.minimum((level[..., None] >= steps).sum(axis=2), n_components - 1)
        factors, every = np.linalg.cholesky(self.covariances), np.arange(n_rows)
        chosen = factors[drawn] if factors.ndim == 3 else factors[every, drawn]
        noise = random_state.standard_normal((size, n_rows, n_targets))
        rows = self.means[every, drawn] + np.einsum("inst,int->ins", chosen, noise)
        return rows[:, :, 0] if self.flat else rows

    @property
    def _scales(self) -> Array:
        """Standard deviations of the components: (K, T) or (n, K, T)."""
        return np.sqrt(np.diagonal(self.covariances, axis1=-2, axis2=-1))

    def _shown(self, values: Array) -> Array:
        return values[:, 0] if self.flat else values

    def _targets(self, targets: ArrayLike) -> Array:
        given = np.asarray(targets, dtype=np.float64)
        expected = self.means.shape[:1] if self.flat else (len(self), self.means.shape[2])
        if given.shape != expected:
            raise ValueError(f"targets must have shape {expected}, as many as there are rows; got {given.shape}")
        return given.reshape(len(self), -1)


def predictive(mixture: Mixture, rows: Array, *, flat: bool = False) -> PredictiveDistribution:
    """The distribution of a mixture's last features given rows (n, D) of the first, NaN where they are missing."""
    n_features, n_missing = rows.shape[1], np.isnan(rows).sum(axis=1)
    if not n_missing.any():
        known = mixture.condition_rows(np.arange(n_features), rows)
        return PredictiveDistribution(known.weights, known.means, known.covariances, flat)
    n_rows, n_components, n_targets = rows.shape[0], mixture.n_components, mixture.n_features - n_features
    weights, means = np.empty((n_rows, n_components)), np.empty((n_rows, n_components, n_targets))
    covariances = np.empty((n_rows, n_components, n_targets, n_targets))
    for number in np.unique(n_missing):
        group = np.flatnonzero(n_missing == number)
        found = predictive(mixture, rows[group]) if number == 0 else _from_batches(mixture, rows[group])
        weights[group], means[group], covariances[group] = found.weights, found.means, found.covariances
    return PredictiveDistribution(weights, means, covariances, flat)


def _from_batches(mixture: Mixture, rows: Array) -> PredictiveDistribution:
    """For rows that miss equally many features."""
    parts = [_of_batch(mixture, rows[start : start + BLOCK_ROWS]) for start in range(0, rows.shape[0], BLOCK_ROWS)]
    weights, means, covariances = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return PredictiveDistribution(weights, means, covariances)


def _of_batch(mixture: Mixture, rows: Array) -> tuple[Array, Array, Array]:
    n_targets = mixture.n_features - rows.shape[1]
    whole = np.column_stack([rows, np.full((rows.shape[0], n_targets), np.nan)])
    flags = np.isnan(whole)
    missing: NDArray[np.intp] = np.nonzero(flags)[1].reshape(rows.shape[0], -1)
    batch, forms = Batch(np.where(flags, 0.0, whole), missing), mixture.forms.dense()
    joint, means, covariances = [], [], []
    for k in range(mixture.n_components):
        log_density, deviation, factor = expected_joint(forms, batch, k)
        root = np.linalg.inv(factor[:, -n_targets:, -n_targets:])  # triangular; root^T root is the covariance
        joint.append(log_density)
        means.append(mixture.means[k, -n_targets:] + deviation[:, -n_targets:])
        covariances.append(np.swapaxes(root, 1, 2) @ root)
    return normalised(np.stack(joint, axis=1))[0], np.stack(means, axis=1), np.stack(covariances, axis=1)


def quantiles(weights: Array, means: Array, scales: Array, probability: float) -> Array:
    """Points (n,) below which one-dimensional mixtures, a row of (n, K) parameters each, have that probability.

    The quantile of a mixture lies between the least and the greatest of its
    components' quantiles. Within that bracket Newton's steps on the log
    probability, guarded by bisection, keep relative accuracy in both tails.
    """
    if probability in (0.0, 1.0):
        return np.full(weights.shape[0], -np.inf if probability == 0.0 else np.inf)
    if probability > 0.5:
        return -quantiles(weights, -means, scales, 1.0 - probability)
    found = np.empty(weights.shape[0])
    for start in range(0, found.size, BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        found[part] = _lower_quantiles(weights[part], means[part], scales[part], probability)
    return found


def _lower_quantiles(weights: Array, means: Array, scales: Array, probability: float) -> Array:
    """The same for a probability of at most a half, where sums of normal probabilities keep their digits."""
    deviate = max(float(ndtri(probability)), -FARTHEST)
    own = means + scales * deviate
    low = np.where(weights > 0, own, np.inf).min(axis=1)
    high = np.where(weights > 0, own, -np.inf).max(axis=1)
    center = np.einsum("nk,nk->n", weights, means)
    spread = np.sqrt(np.einsum("nk,nk->n", weights, np.square(scales) + np.square(means - center[:, None])))
    point, resolution = np.clip(center + spread * deviate, low, high), EPSILON * scales.min(axis=1)
    active = np.arange(point.size)
    for step in range(MAX_STEPS):
        at, weight, scale = point[active], weights[active], scales[active]
        z = (at[:, None] - means[active]) / scale
        value = np.einsum("nk,nk->n", weight, ndtr(z))
        below = value < probability
        low[active], high[active] = np.where(below, at, low[active]), np.where(below, high[active], at)
        moved = 0.5 * (low[active] + high[active])
        with np.errstate(all="ignore"):
            density = np.einsum("nk,nk->n", weight / scale, np.exp(-0.5 * z * z)) / ROOT_TWO_PI
            gap = np.log(value / probability)
            newton = at - gap * (value / density)
        if step % 3 != 2:
            moved = np.where((newton > low[active]) & (newton < high[active]), newton, moved)
        rounding = resolution[active] + 2 * EPSILON * np.abs(at)
        going = (np.abs(gap) > 8 * EPSILON) & (np.abs(moved - at) > rounding) & ~(np.abs(newton - at) <= rounding)
        active = active[going]
        point[active] = moved[going]
        if active.size == 0:
            break
    return point
