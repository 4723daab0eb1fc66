"""Distribution: what may be asked of a mixture beside its density and its draws.

The base of `Mixture`, whose arrays it reads. Methods check what they are given
and say what the background means to them; the mathematics is in the modules
named after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.background import Background
from mixtura.conditional import Conditionals, conditional_moments, feature_positions, normalise, require_definite
from mixtura.cumulative import Line, box_of_gaussian
from mixtura.estimate import Estimate
from mixtura.quadratic import log_joint
from mixtura.shape import DIAGONAL, FULL, SPHERICAL, TIED, Array

__all__ = ["Distribution"]

#: The model that asks nothing of a shape's matrices: a part of a constrained mixture need not obey its model.
UNCONSTRAINED = {FULL: "full", TIED: "tied", DIAGONAL: "diag", SPHERICAL: "spherical"}

#: What stays to be the weight of a background that is given everything: a mixture has components.
ALMOST_ONE = float(np.nextafter(1.0, 0.0))

RandomState = int | np.random.Generator | np.random.RandomState | None


class Distribution:
    """Marginals, conditionals and probabilities of a Gaussian mixture."""

    weights: Array
    means: Array
    covariances: Array
    equal_weights: bool
    background: Background | None

    if TYPE_CHECKING:  # what Mixture adds

        def __getattr__(self, name: str) -> Any: ...

    @property
    def mean(self) -> Array:
        """Overall mean (D,), the background's box included.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> Mixture.from_parameters([0.25, 0.75], [[0.0], [4.0]], [1.0, 1.0], "spherical").mean.tolist()
        [3.0]
        """
        center = 0.0 if self.background is None else self.background.weight * self.background.center
        return np.asarray(self.weights @ self.means + center)

    @property
    def covariance(self) -> Array:
        """Overall covariance (D, D): within components and between them, the background's box included.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> Mixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0], "spherical").covariance.tolist()
        [[5.0]]
        """
        mean = self.mean
        apart = self.means - mean
        total = np.einsum("k,kij->ij", self.weights, self.dense_covariances)
        total += (apart * self.weights[:, None]).T @ apart
        if self.background is not None:
            away = self.background.center - mean
            total += self.background.weight * (self.background.covariance + np.outer(away, away))
        return np.asarray(total)

    def marginal(self, features: int | Sequence[int] | NDArray[np.intp]) -> Self:
        """The distribution of some features, in the order given.

        Parameters
        ----------
        features : int or sequence of int
            Positions of features, each once.

        Returns
        -------
        Mixture
            Of covariance type "full", "tied", "diag" or "spherical", whichever has the covariances' shape: a part
            of a constrained covariance need not obey the constraint. A background is that of the box's sides along
            these features.

        Raises
        ------
        ValueError
            If a feature is not there or twice, or a background's box is oblique: its marginal is then not uniform.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> joint = Mixture.from_parameters([1.0], [[0.0, 5.0]], [[[1.0, 0.8], [0.8, 4.0]]])
        >>> joint.marginal([1]).means.tolist(), joint.marginal([1]).covariances.tolist()
        ([[5.0]], [[[4.0]]])
        """
        chosen = feature_positions(features, self.n_features, "marginal")
        return self._with(
            means=self.means[:, chosen],
            covariances=self.shape.select(self.covariances, chosen),
            covariance_type=UNCONSTRAINED[self.shape],
            background=None if self.background is None else self.background.select(chosen),
        )

    def condition(self, given: Mapping[int, float]) -> Self:
        """The distribution of the other features, in their order, given the values of some.

        Weights are taken in the log domain, so a value far from every component
        is no trouble; see `condition_rows` for many rows at once.

        Parameters
        ----------
        given : mapping of int to float
            The value of each given feature, by position.

        Returns
        -------
        Mixture
            Of covariance type "full", "tied", "diag" or "spherical", as `marginal`. A background stays uniform over
            its box's sides along the other features.

        Raises
        ------
        ValueError
            If a feature is not there, none is left, a value is not finite or so far out that its squared distance
            overflows, a covariance is singular (the message names the feature), or a background's box is oblique.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> joint = Mixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0.8], [0.8, 1.0]]])
        >>> found = joint.condition({0: 1.0})
        >>> found.means.round(4).tolist(), found.covariances.round(4).tolist()
        ([[0.8]], [[[0.36]]])
        """
        features = list(given)
        chosen, kept = self._split(features)
        values = np.array([[float(given[feature]) for feature in features]])
        weights, _, noise = self._shares(chosen, values)
        means, covariances = conditional_moments(self.shape, self.means, self.covariances, chosen, kept, values)
        return self._with(
            weights=weights[0],
            means=means[0],
            covariances=covariances,
            covariance_type=UNCONSTRAINED[self.shape],
            equal_weights=False,
            background=self._noise_of(kept, min(float(noise[0]), ALMOST_ONE)),
        )

    def condition_rows(self, features: int | Sequence[int] | NDArray[np.intp], rows: ArrayLike) -> Conditionals:
        """The distributions of the other features given these, one a row.

        Each component's conditional covariance is the same for all rows.

        Parameters
        ----------
        features : int or sequence of int
            Positions of the given features.
        rows : array of shape (n, number of given features)
            Their values, in the order of ``features``.

        Returns
        -------
        Conditionals
            Weights (n, K), means (n, K, D') and covariances (K, D', D'), with mean and covariance of each row.

        Raises
        ------
        ValueError
            As `condition`.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> joint = Mixture.from_parameters(
        ...     [0.5, 0.5], [[0.0, 0.0], [3.0, 3.0]], [[[1.0, 0.8], [0.8, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
        >>> joint.condition_rows([0], [[-9.0], [9.0]]).mean.round(3).tolist()
        [[-7.2], [3.0]]
        """
        chosen, kept = self._split(features)
        values = np.asarray(rows, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != chosen.size:
            raise ValueError(f"rows must have shape (n, {chosen.size}), a column for each feature; got {values.shape}")
        weights, log_density, noise = self._shares(chosen, values)
        means, covariances = conditional_moments(self.shape, self.means, self.covariances, chosen, kept, values)
        return Conditionals(
            weights,
            means,
            np.asarray(self.shape.dense(covariances, self.n_components, kept.size)),
            kept,
            log_density,
            noise,
            self._noise_of(kept, self.noise_weight),
        )

    def cdf(self, rows: ArrayLike) -> Array:
        """Probability that no feature exceeds a row's: (n,) for (n, D) rows; in one dimension (n,) points will do.

        A background counts as uniform over its box. Exact in one dimension and where features are independent within
        components, else the value of `box_probability`, which also gives its error.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> two = Mixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0], "spherical")
        >>> two.cdf([2.0, 4.0]).round(4).tolist()
        [0.5, 0.75]
        """
        points = np.asarray(rows, dtype=np.float64)
        if self.n_features == 1:
            return self.line.cdf(points if points.ndim == 1 else self._rows(points)[:, 0])
        unbounded = np.full(self.n_features, -np.inf)
        return np.array([self.box_probability(unbounded, row).value for row in self._rows(points)])

    def ppf(self, probabilities: ArrayLike) -> Array:
        """Quantiles, the inverse of `cdf`, in one dimension; also called `quantile`.

        Relative accuracy is kept in the lower tail, down to the smallest probabilities.

        Raises
        ------
        ValueError
            If there is more than one feature, or a probability is not between 0 and 1.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> two = Mixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0], "spherical")
        >>> two.ppf([0.5, 0.75]).round(3).tolist()
        [2.0, 4.0]
        """
        asked = np.asarray(probabilities, dtype=np.float64)
        if not np.all((asked >= 0) & (asked <= 1)):
            raise ValueError("probabilities must be between 0 and 1")
        return self.line.ppf(asked.reshape(-1)).reshape(asked.shape)

    quantile = ppf

    def box_probability(
        self, lower: ArrayLike, upper: ArrayLike, n_points: int = 4096, random_state: RandomState = 0
    ) -> Estimate:
        """Probability of a box whose sides follow the features, with its standard error.

        Exact where features are independent within components; else by Genz's (1992) transformation of each
        component's integral, at scrambled Sobol points.

        Parameters
        ----------
        lower, upper : array of shape (D,)
            Corners; they may be infinite.
        n_points : int
            Points of each of eight independent scramblings, a power of two.
        random_state : int, Generator, RandomState or None

        Returns
        -------
        Estimate
            ``value`` and ``error``, from the spread of the eight.

        Raises
        ------
        ValueError
            If the corners are no box, or a background's box is oblique: how much of it lies in another is not known.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> joint = Mixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.5, 1.0]]])
        >>> value, error = joint.box_probability([0.0, 0.0], [float("inf")] * 2)
        >>> round(value, 4), error < 1e-4  # a third: 1/4 + arcsin(rho) / (2 pi)
        (0.3333, True)
        """
        low, high = (np.asarray(corner, dtype=np.float64) for corner in (lower, upper))
        if low.shape != (self.n_features,) or high.shape != low.shape or not np.all(low <= high):
            raise ValueError(f"lower and upper must have shape ({self.n_features},), with lower <= upper")
        if n_points < 2 or n_points & (n_points - 1):
            raise ValueError(f"n_points must be a power of two; got {n_points}")
        parts = [Estimate(share, 0.0) for share in self._noise_in(low, high)]
        rng = generator(random_state)
        dense = self.dense_covariances
        for k, weight in enumerate(self.weights):
            part = box_of_gaussian(low - self.means[k], high - self.means[k], dense[k], n_points, rng)
            parts.append(Estimate(weight * part.value, weight * part.error))
        total = sum(part.value for part in parts)
        return Estimate(float(min(total, 1.0)), float(np.sqrt(sum(part.error**2 for part in parts))))

    @property
    def line(self) -> Line:
        """A mixture of one feature as weights, means and standard deviations."""
        if self.n_features != 1:
            raise ValueError(f"this is for one feature only; the mixture has {self.n_features}: take a marginal")
        scales = np.sqrt(self.dense_covariances[:, 0, 0])
        if self.background is None:
            return Line(self.weights, self.means[:, 0], scales)
        low, high = self.background.limits()
        weights = np.append(self.weights, self.background.weight)
        return Line(weights, self.means[:, 0], scales, (float(low[0]), float(high[0])))

    def _noise_in(self, lower: Array, upper: Array) -> list[float]:
        if self.background is None:
            return []
        low, high = self.background.limits()
        inside = np.clip(np.minimum(upper, high) - np.maximum(lower, low), 0.0, None)
        return [self.background.weight * float(np.prod(inside / (high - low)))]

    def _noise_of(self, kept: NDArray[np.intp], weight: float) -> Background | None:
        return None if self.background is None else replace(self.background.select(kept), weight=weight)

    def _split(self, features: int | Sequence[int] | NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        chosen = feature_positions(features, self.n_features, "condition")
        kept = np.setdiff1d(np.arange(self.n_features), chosen)
        if kept.size == 0:
            raise ValueError("condition: every feature is given and none is left")
        return chosen, kept

    def _shares(self, chosen: NDArray[np.intp], values: Array) -> tuple[Array, Array, Array]:
        """Weights (n, K) of the components given values, log densities of the values, and noise's weight."""
        for position in np.flatnonzero(~np.isfinite(values).all(axis=0)):
            raise ValueError(f"condition: feature {int(chosen[position])} is given a value that is not finite")
        marginal = self.marginal(chosen)
        require_definite(marginal.shape, marginal.covariances, chosen)
        with np.errstate(over="ignore"):
            joint = log_joint(marginal.forms, values)
        shares, log_density = normalise(joint, values, chosen)
        size = self.n_components
        return shares[:, :size], log_density, shares[:, size:].sum(axis=1)


def generator(random_state: RandomState) -> np.random.Generator:
    """A generator from what scikit-learn's users give."""
    if isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(2**31))
    return np.random.default_rng(random_state)
