"""Description: what is said of a mixture as a whole, its entropy, regions, modes and likeness to others.

Between `Distribution` and `Mixture`, as a file of its own for its length. Here a
background is uniform over its box and nothing beyond it, so that the
distribution is proper.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from scipy.stats import chi2

from mixtura import information, reduction, region
from mixtura.distribution import UNCONSTRAINED, Distribution, RandomState
from mixtura.estimate import Estimate, mean_of
from mixtura.modes import find_modes
from mixtura.quadratic import log_joint
from mixtura.shape import FULL, SPHERICAL, Array

__all__ = ["Description"]


class Description(Distribution):
    """Entropy, divergence, highest-density regions, modes, and fewer components."""

    def entropy(self, n_draws: int = 20_000, random_state: RandomState = 0) -> Estimate:
        """Differential entropy in nats, with its standard error.

        Exact for one component; else the mean of -log density over draws.

        Parameters
        ----------
        n_draws : int
            At least 2.
        random_state : int, Generator, RandomState or None

        Returns
        -------
        Estimate
            ``value`` and ``error``. `entropy_bounds` holds without chance.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> value, error = Mixture.from_parameters([1.0], [[0.0]], [1.0], "spherical").entropy()
        >>> round(value, 4), error
        (1.4189, 0.0)
        """
        if self._gaussian:
            return Estimate(float(information.entropies(self.dense_covariances)[0]), 0.0)
        return mean_of(-self._proper_logpdf(self._draws(n_draws, random_state)))

    def entropy_bounds(self) -> tuple[float, float]:
        """Bounds of the entropy in nats, without chance.

        The better of Kolchinsky and Tracey's (2017) and Huber et al.'s (2008)
        lower bounds, and of Kolchinsky and Tracey's and the Gaussian's upper
        ones. They meet where components coincide or are far apart.

        Raises
        ------
        ValueError
            If there is a background: the bounds are made of distances between Gaussians.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> far = Mixture.from_parameters([0.5, 0.5], [[0.0], [60.0]], [1.0, 1.0], "spherical")
        >>> [round(bound, 4) for bound in far.entropy_bounds()]  # log 2 more than a component's
        [2.1121, 2.1121]
        """
        return information.entropy_bounds(*self._gaussians("entropy_bounds"), self.covariance)

    def kl_divergence(self, other: Description, n_draws: int = 20_000, random_state: RandomState = 0) -> Estimate:
        """Kullback-Leibler divergence from this mixture to another, in nats, with its standard error.

        Exact between single Gaussians; else the mean of the difference of log densities over draws of this one.

        Parameters
        ----------
        other : Mixture
            With as many features.
        n_draws : int
            At least 2.
        random_state : int, Generator, RandomState or None

        Returns
        -------
        Estimate
            ``value`` and ``error``.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> one = Mixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
        >>> two = Mixture.from_parameters([1.0], [[3.0]], [1.0], "spherical")
        >>> one.kl_divergence(two)
        Estimate(value=4.5, error=0.0)
        """
        self._comparable(other)
        if self._gaussian and other._gaussian:
            parts = (self.means, self.dense_covariances, other.means, other.dense_covariances)
            return Estimate(float(information.divergences(*parts)[0, 0]), 0.0)
        rows = self._draws(n_draws, random_state)
        return mean_of(self._proper_logpdf(rows) - other._proper_logpdf(rows))

    def kl_divergence_variational(self, other: Description) -> float:
        """Approximate Kullback-Leibler divergence to another mixture, in nats, without chance.

        Hershey and Olsen's (2007, eq. 20) variational approximation: fast, 0
        between equal mixtures and exact between Gaussians, but no bound.

        Raises
        ------
        ValueError
            If either has a background, or they differ in features.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> one = Mixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
        >>> two = Mixture.from_parameters([1.0], [[3.0]], [1.0], "spherical")
        >>> one.kl_divergence_variational(two)
        4.5
        """
        self._comparable(other)
        name = "kl_divergence_variational"
        return information.variational_divergence(*self._gaussians(name), *other._gaussians(name))

    def hdr_log_level(self, probability: float, n_draws: int = 100_000, random_state: RandomState = 0) -> Estimate:
        """Log density above which a probability lies: the edge of the highest-density region (Hyndman 1996).

        Exact for one component, and in one dimension without a background;
        else a quantile over draws, with its standard error.

        Parameters
        ----------
        probability : float
            Between 0 and 1, exclusive.
        n_draws : int
        random_state : int, Generator, RandomState or None

        Returns
        -------
        Estimate
            ``value`` and ``error``.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> standard = Mixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
        >>> round(standard.hdr_log_level(0.95).value, 4)  # the log density at 1.96
        -2.8397
        """
        if not 0 < probability < 1:
            raise ValueError(f"probability must be between 0 and 1, exclusive; got {probability}")
        if self._gaussian:
            peak = float(self.logpdf(self.means)[0])
            return Estimate(peak - 0.5 * float(chi2.ppf(probability, self.n_features)), 0.0)
        if self.n_features == 1 and self.background is None:
            return Estimate(region.level_on_a_line(self.line, probability), 0.0)
        return region.level_of_draws(self._proper_logpdf(self._draws(n_draws, random_state)), probability)

    def hdr_level(self, probability: float, n_draws: int = 100_000, random_state: RandomState = 0) -> Estimate:
        """Density above which a probability lies: the exponential of `hdr_log_level`, which does not underflow.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> standard = Mixture.from_parameters([1.0], [[0.0]], [1.0], "spherical")
        >>> round(standard.hdr_level(0.95).value, 5)
        0.05845
        """
        value, error = self.hdr_log_level(probability, n_draws, random_state)
        level = float(np.exp(value))
        return Estimate(level, level * error)

    def in_hdr(
        self, rows: ArrayLike, probability: float, n_draws: int = 100_000, random_state: RandomState = 0
    ) -> NDArray[np.bool_]:
        """Whether each of (n, D) rows lies in the highest-density region of a probability; see `hdr_log_level`.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> Mixture.from_parameters([1.0], [[0.0]], [1.0], "spherical").in_hdr([[1.9], [2.0]], 0.95).tolist()
        [True, False]
        """
        level = self.hdr_log_level(probability, n_draws, random_state).value
        return np.asarray(self._proper_logpdf(self._rows(rows)) >= level)

    def modes(self) -> Array:
        """Local maxima (M, D) of the density, the highest first.

        Newton's and fixed-point steps from every mean (Carreira-Perpinan 2000),
        and off saddles to both sides. In one dimension these are all modes; in
        more there can be others than climbs from means reach. A background is
        constant and neither makes nor moves a mode.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> far = Mixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0], "spherical")
        >>> near = Mixture.from_parameters([0.5, 0.5], [[0.0], [1.0]], [1.0, 1.0], "spherical")
        >>> far.modes().round(3).tolist(), near.modes().round(3).tolist()
        ([[9.0], [0.0]], [[0.5]])
        """
        return find_modes(self._with(background=None).forms)

    def reduce(self, n_components: int) -> Self:
        """Fewer components: the pair whose merge costs least merged, again and again (Runnalls 2007).

        Each merge keeps the overall mean and covariance. A background stays.

        Parameters
        ----------
        n_components : int
            How many are left.

        Returns
        -------
        Mixture
            Of covariance type "full" (in one dimension "spherical" where it was of that shape), for merged components
            leave constrained models; itself where nothing is merged.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> three = Mixture.from_parameters([0.25, 0.25, 0.5], [[-1.0], [1.0], [9.0]], [1.0] * 3, "spherical")
        >>> two = three.reduce(2)
        >>> two.means.tolist(), two.covariances.tolist()
        ([[0.0], [9.0]], [2.0, 1.0])
        """
        if isinstance(n_components, bool) or not isinstance(n_components, int | np.integer):
            raise ValueError(f"n_components must be an integer; got {n_components!r}")
        if not 1 <= n_components <= self.n_components:
            raise ValueError(f"n_components must be from 1 to {self.n_components}; got {n_components}")
        if n_components == self.n_components:
            return self
        kept = np.flatnonzero(self.weights > 0)
        parts = (self.weights[kept], self.means[kept], self.dense_covariances[kept])
        weights, means, covariances = reduction.reduce_to(n_components, *parts)
        flat = self.n_features == 1 and self.shape is SPHERICAL
        return self._with(
            weights=weights,
            means=means,
            covariances=covariances[:, 0, 0] if flat else covariances,
            covariance_type=UNCONSTRAINED[SPHERICAL if flat else FULL],
            equal_weights=False,
        )

    @property
    def _gaussian(self) -> bool:
        return bool(self.n_components == 1 and self.noise_weight == 0)

    def _gaussians(self, what: str) -> tuple[Array, Array, Array]:
        """Weights, means and dense covariances of the components that have weight."""
        if self.noise_weight > 0:
            raise ValueError(
                f"{what} is made of distances between Gaussians, and the mixture has a background: "
                "take the estimate by draws, or dataclasses.replace(mixture, background=None, weights=proportions)"
            )
        kept = np.flatnonzero(self.weights > 0)
        return self.weights[kept], self.means[kept], self.dense_covariances[kept]

    def _comparable(self, other: Description) -> None:
        if self.n_features != other.n_features:
            raise ValueError(f"the mixtures have {self.n_features} and {other.n_features} features")

    def _draws(self, size: int, random_state: RandomState) -> Array:
        if size < 2:
            raise ValueError(f"n_draws must be at least 2; got {size}")
        return np.asarray(self.rvs(size, random_state=random_state)[0])

    def _proper_logpdf(self, rows: Array) -> Array:
        """Log density with a background that ends at its box."""
        joint = log_joint(self.forms, rows)
        if self.background is not None:
            joint[~self.background.contains(rows), -1] = -np.inf
        return np.asarray(logsumexp(joint, axis=1))
