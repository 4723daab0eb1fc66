"""Mixture: the parameters of a Gaussian mixture, and the distribution they define."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from mixtura.background import Background
from mixtura.covariance import CovarianceModel, covariance_model
from mixtura.description import Description
from mixtura.quadratic import QuadraticForms, log_joint
from mixtura.shape import FULL, TIED, Array, Shape

__all__ = ["Mixture", "MixtureStack"]

LOG_TWO_PI = float(np.log(2 * np.pi))
WEIGHT_TOLERANCE = 1e-8  # weights are renormalised; a larger gap than this is a mistake
SYMMETRY_TOLERANCE = 1e-9  # of a covariance's largest entry


@dataclass(frozen=True, eq=False)
class Mixture(Description):
    """A Gaussian mixture distribution with K components in D dimensions.

    A frozen value. Build one from outside with `Mixture.from_parameters`, which
    checks everything, or take ``estimator.mixture_`` of a fitted estimator.

    Parameters
    ----------
    weights : array of shape (K,)
        Mixing proportions; with the background's weight, if there is one, their sum is 1.
    means : array of shape (K, D)
    covariances : array
        In the compact shape of the covariance model: (K,) for "spherical", E,
        V, EII, VII; (K, D) for "diag", EEI, VEI, EVI, VVI; (D, D) for "tied",
        EEE; (K, D, D) for "full", VEE, EVE, VVE, EEV, VEV, EVV, VVV.
    covariance_type : str
        Name of the covariance model. It gives the shape, and the number of
        parameters; whether the covariances obey the model is not checked, as
        those of a component at the floor of a fit need not.
    equal_weights : bool
        Whether all weights are equal by constraint, and so are no parameters.
    background : Background, optional
        Uniform noise beside the K components.
    n_held : int
        Parameters that a fit held fixed: they are not counted.

    Examples
    --------
    >>> import mixtura
    >>> mixture = mixtura.Mixture.from_parameters(
    ...     weights=[0.5, 0.5], means=[[0.0], [4.0]], covariances=[1.0, 1.0],
    ...     covariance_type="spherical")
    >>> mixture.pdf([[0.0], [4.0]]).round(4).tolist()
    [0.1995, 0.1995]
    >>> mixture.n_parameters
    5
    """

    weights: Array
    means: Array
    covariances: Array
    covariance_type: str = "full"
    equal_weights: bool = False
    background: Background | None = None
    n_held: int = 0

    @classmethod
    def from_parameters(
        cls,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        covariance_type: str = "full",
        equal_weights: bool = False,
        background: Background | None = None,
    ) -> Mixture:
        """A checked mixture from anything that looks like arrays.

        Raises
        ------
        ValueError
            If shapes disagree, a number is not finite, weights do not sum to 1
            (or, where they have to be, not equal), or a covariance is
            not symmetric positive definite; the message names the component.
        """
        mixture = cls(
            np.array(weights, dtype=np.float64),
            np.array(means, dtype=np.float64, ndmin=2),
            np.array(covariances, dtype=np.float64),
            covariance_type,
            bool(equal_weights),
            background,
        )
        mixture._check()
        return replace(mixture, weights=mixture.proportions * (1.0 - mixture.noise_weight))

    def _check(self) -> None:
        if self.means.ndim != 2 or self.means.size == 0:
            raise ValueError(f"means must have shape (K, D) with K, D >= 1; got {self.means.shape}")
        self.model.n_parameters(*self.means.shape)  # raises where the model is not for that many features
        expected = {
            "weights": (self.n_components,),
            "covariances": self.shape.array_shape(*self.means.shape),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} must have shape {shape} for {self.n_components} components, {self.n_features} "
                    f"features and covariance_type={self.covariance_type!r}; got {getattr(self, name).shape}"
                )
        for name in ("weights", "means", "covariances"):
            if not np.all(np.isfinite(getattr(self, name))):
                raise ValueError(f"{name} must be finite")
        if self.background is not None:
            self.background.check(self.n_features)
        total = self.weights.sum() + self.noise_weight
        if np.any(self.weights < 0) or abs(total - 1.0) > WEIGHT_TOLERANCE:
            raise ValueError(f"weights must be >= 0 and sum to 1; they sum to {total:.10g}")
        if self.equal_weights and np.ptp(self.weights) > WEIGHT_TOLERANCE:
            raise ValueError(f"weights must be equal where equal_weights=True; got {self.weights}")
        self._check_covariances()

    def _check_covariances(self) -> None:
        if self.shape not in (FULL, TIED):
            for component in np.flatnonzero(~(self.covariances > 0).reshape(self.n_components, -1).all(axis=1)):
                raise ValueError(f"a variance of component {component} is not positive")
            return
        for k, matrix in enumerate(self.covariances.reshape(-1, self.n_features, self.n_features)):
            if np.any(np.abs(matrix - matrix.T) > SYMMETRY_TOLERANCE * np.abs(matrix).max()):
                raise ValueError(f"the covariance of component {k} is not symmetric")
            try:
                np.linalg.cholesky(matrix)
            except np.linalg.LinAlgError:
                raise ValueError(f"the covariance of component {k} is not positive definite") from None

    @property
    def model(self) -> CovarianceModel:
        """The covariance model that `covariance_type` names."""
        return covariance_model(self.covariance_type)

    @property
    def shape(self) -> Shape:
        """Shape of `covariances`."""
        return self.model.shape

    @property
    def n_components(self) -> int:
        """K."""
        return int(self.means.shape[0])

    @property
    def n_features(self) -> int:
        """D."""
        return int(self.means.shape[1])

    @property
    def n_parameters(self) -> int:
        """Free parameters: K - 1 weights (none where they are equal), K D means, those of the covariances.

        What a fit held fixed (`n_held`) is not counted.
        A background has two more, its weight and its volume, as mclust counts
        them (Fraley and Raftery 2002, section 6).
        """
        k, d = self.means.shape
        of_noise = 0 if self.background is None else 2
        of_weights = 0 if self.equal_weights else k - 1
        return of_noise + of_weights + k * d + self.model.n_parameters(k, d) - self.n_held

    @property
    def noise_weight(self) -> float:
        """Weight of the background; 0 without one."""
        return 0.0 if self.background is None else self.background.weight

    @property
    def proportions(self) -> Array:
        """Weights (K,) among the components alone: their sum is 1 whatever the background has."""
        return self.weights / self.weights.sum()

    @cached_property
    def whitener(self) -> Array:
        """U with U U^T = inv(covariance), in the covariances' shape.

        Raises
        ------
        numpy.linalg.LinAlgError
            If a covariance is not positive definite.
        """
        return self.shape.whiten(self.covariances)

    @cached_property
    def dense_covariances(self) -> Array:
        """Covariances as (K, D, D), whatever the model."""
        return self.shape.dense(self.covariances, self.n_components, self.n_features)

    @cached_property
    def forms(self) -> QuadraticForms:
        """What an E-step needs: log w_k N(x; k) as one quadratic form a component, a flat one for noise."""
        shape, n_features = self.shape, self.n_features
        with np.errstate(divide="ignore"):
            const = np.log(self.weights)
        const += shape.log_determinant(self.whitener, n_features) - 0.5 * n_features * LOG_TWO_PI
        forms = QuadraticForms(const, self.means, self.whitener, shape)
        if self.background is None:
            return forms
        edges = self.background.edges
        return forms.with_flat(self.background.log_density, edges.T @ edges)

    def logpdf(self, rows: ArrayLike) -> Array:
        """Log density at each row: (n,) for (n, D) rows.

        Examples
        --------
        >>> from mixtura import Mixture
        >>> standard = Mixture.from_parameters([1.0], [[0.0, 0.0]], [1.0], "spherical")
        >>> standard.logpdf([[0.0, 0.0]]).round(6).tolist()
        [-1.837877]
        """
        return np.asarray(logsumexp(log_joint(self.forms, self._rows(rows)), axis=1))

    def pdf(self, rows: ArrayLike) -> Array:
        """Density at each row: (n,) for (n, D) rows."""
        return np.exp(self.logpdf(rows))

    def rvs(
        self, size: int = 1, random_state: int | np.random.Generator | np.random.RandomState | None = None
    ) -> tuple[Array, NDArray[np.intp]]:
        """Draw rows, with the component each came from.

        Parameters
        ----------
        size : int
            Number of rows.
        random_state : int, Generator, RandomState or None

        Returns
        -------
        rows : array of shape (size, D)
            Grouped by component, as scikit-learn's ``sample`` returns them; the background's are last.
        components : array of shape (size,)
            -1 where a row is of the background.
        """
        if random_state is None or isinstance(random_state, int | np.integer):
            random_state = np.random.default_rng(random_state)
        shares = np.append(self.weights, [] if self.background is None else [self.background.weight])
        counts = random_state.multinomial(size, shares / shares.sum())
        factors = np.linalg.cholesky(self.dense_covariances)
        noise = random_state.standard_normal((size, self.n_features))
        components = np.repeat(np.arange(shares.size), counts)
        rows = np.empty_like(noise)
        for k in np.flatnonzero(counts[: self.n_components]):
            chosen = components == k
            rows[chosen] = self.means[k] + noise[chosen] @ factors[k].T
        if self.background is not None:
            components[components == self.n_components] = -1
            rows[components == -1] = self.background.draw(int(counts[-1]), random_state)
        return rows, components

    def _with(self, **changes: Any) -> Self:
        return replace(self, **{"n_held": 0, **changes})

    def affine(self, scale: Array, shift: Array) -> Mixture:
        """The distribution of ``x * scale + shift`` where x has this one (scale and shift: (D,))."""
        return replace(
            self,
            means=self.means * scale + shift,
            covariances=self.shape.rescale(self.covariances, scale),
            background=None if self.background is None else self.background.affine(scale, shift),
        )

    def take(self, components: Sequence[int] | NDArray[np.intp]) -> Mixture:
        """The same mixture with its components selected or reordered; weights renormalised, a background kept."""
        chosen = np.asarray(components, dtype=np.intp)
        weights = self.weights[chosen]
        return replace(
            self,
            weights=weights / weights.sum() * (1.0 - self.noise_weight),
            means=self.means[chosen],
            covariances=self.shape.take(self.covariances, chosen),
            n_held=self.n_held if chosen.size == self.n_components else 0,
        )

    def _rows(self, rows: ArrayLike) -> Array:
        data = np.asarray(rows, dtype=np.float64)
        if data.ndim != 2 or data.shape[1] != self.n_features:
            raise ValueError(f"rows must have shape (n, {self.n_features}); got {data.shape}")
        return data


@dataclass(frozen=True, eq=False)
class MixtureStack(Sequence[Mixture]):
    """Several mixtures of one size and covariance model, without a background: their arrays lie one after the other.

    Attributes
    ----------
    weights : array of shape (S, K)
    means : array of shape (S, K, D)
    covariances : array
        S times what one mixture has.
    covariance_type : str
    equal_weights : bool
    """

    weights: Array
    means: Array
    covariances: Array
    covariance_type: str
    equal_weights: bool

    @classmethod
    def of(cls, mixtures: Sequence[Mixture]) -> MixtureStack:
        """Mixtures that have all this in common."""
        if type(mixtures) is cls:
            return mixtures
        first = mixtures[0]
        if len(mixtures) == 1:  # without a copy
            arrays = first.weights[None], first.means[None], first.covariances[None]
            return cls(*arrays, first.covariance_type, first.equal_weights)
        weights, means, covariances = (
            np.stack([getattr(one, name) for one in mixtures]) for name in ("weights", "means", "covariances")
        )
        return cls(weights, means, covariances, first.covariance_type, first.equal_weights)

    def __len__(self) -> int:
        return int(self.means.shape[0])

    @overload
    def __getitem__(self, which: int) -> Mixture: ...

    @overload
    def __getitem__(self, which: slice) -> MixtureStack: ...

    def __getitem__(self, which: int | slice) -> Mixture | MixtureStack:
        kind = MixtureStack if isinstance(which, slice) else Mixture
        arrays = self.weights[which], self.means[which], self.covariances[which]
        return kind(*arrays, self.covariance_type, self.equal_weights)
