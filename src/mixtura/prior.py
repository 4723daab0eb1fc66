"""Conjugate priors of means and covariances: a maximum a posteriori M-step, for every covariance model.

The prior is normal for a mean given its covariance, and inverse Wishart for the
covariance (inverse gamma for variances). Its logarithm has the form of the
expected log likelihood, so it acts as rows that were seen before the data: it
adds to each count and to each scatter matrix, and a covariance model's own
``solve`` does the rest (Fraley and Raftery 2007, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mixtura.covariance import CovarianceModel
from mixtura.mixture import Mixture
from mixtura.shape import DIAGONAL, FULL, SPHERICAL, TIED, Array

__all__ = ["ConjugatePrior", "Prior"]

#: Weight of the prior mean, in rows, by default (Fraley and Raftery 2007, section 3.2).
SHRINKAGE = 0.01


@dataclass(frozen=True, eq=False)
class ConjugatePrior:
    """A prior as a user gives it, in the data's units. What is left out comes from the data.

    The defaults are those of Fraley and Raftery (2007, section 3.2), which
    hardly move components that hold enough rows and keep the others from
    collapsing.

    Parameters
    ----------
    mean : array of shape (D,), optional
        Mean of the components' means. Default: the mean of the data.
    shrinkage : float, default=0.01
        Number of rows that the prior mean is worth. 0: means are free.
    degrees_of_freedom : float, optional
        Of the inverse Wishart (or inverse gamma) distribution, more than D - 1. Default: D + 2.
    scale : float, array of shape (D,) or (D, D), optional
        Scale matrix of that distribution: a multiple of the identity, a
        diagonal, or in full. Default: the data's covariance matrix divided by
        K^(2/D), so that K ellipsoids of that size fill the volume of the data.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import ConjugatePrior, GaussianMixture
    >>> X = np.array([[0.0, 0.1], [0.2, 0.0], [9.0, 9.1], [9.2, 9.3]])
    >>> model = GaussianMixture(2, prior=ConjugatePrior(shrinkage=0.1), random_state=0).fit(X)
    >>> bool(np.linalg.det(model.covariances_).min() > 0)
    True
    """

    mean: ArrayLike | None = None
    shrinkage: float = SHRINKAGE
    degrees_of_freedom: float | None = None
    scale: ArrayLike | None = None

    def complete(self, data_mean: Array, data_covariance: Array, n_components: int, shift: Array, unit: Array) -> Prior:
        """The prior in the coordinates (x - shift) / unit, its gaps filled from the data's moments there.

        Raises
        ------
        ValueError
            If a part has the wrong shape, is not finite, or leaves no distribution; it is named.
        """
        n_features = data_mean.size
        mean, scale = data_mean, data_covariance / n_components ** (2.0 / n_features)
        if self.mean is not None:
            mean = (_array("mean", self.mean, [(n_features,)]) - shift) / unit
        if self.scale is not None:
            scale = _dense(self.scale, n_features) / np.multiply.outer(unit, unit)
        freedom = n_features + 2.0 if self.degrees_of_freedom is None else _number(self, "degrees_of_freedom")
        if not freedom > n_features - 1:
            raise ValueError(f"degrees_of_freedom of the prior must be more than {n_features - 1}; got {freedom:g}")
        shrinkage = _number(self, "shrinkage")
        if shrinkage < 0:
            raise ValueError(f"shrinkage of the prior must be >= 0; got {shrinkage:g}")
        return Prior(mean, shrinkage, freedom, scale)


@dataclass(frozen=True, eq=False)
class Prior:
    """A complete prior in the coordinates of a fit; acts on statistics.

    Attributes
    ----------
    mean : array of shape (D,)
    shrinkage : float
    degrees_of_freedom : float
    scale : array of shape (D, D)
    """

    mean: Array
    shrinkage: float
    degrees_of_freedom: float
    scale: Array

    def posterior(
        self, model: CovarianceModel, count: Array, mean: Array, scatter: Array
    ) -> tuple[Array, Array, Array]:
        """Counts, means and scatter matrices that the data and the prior have together.

        With shrinkage kappa and prior mean m (Fraley and Raftery 2007, eq. 10
        to 14)::

            mean_k    -> (n_k mean_k + kappa m) / (n_k + kappa)
            scatter_k -> scatter_k + kappa n_k / (n_k + kappa) (mean_k - m)(mean_k - m)^T + scale
            n_k       -> n_k + the power of |Sigma_k|^(-1/2) in the prior
        """
        n_components = count.size
        towards = self.mean - mean
        pull = self.shrinkage / (count + self.shrinkage)
        scatter = scatter + model.shape.outer((pull * count)[:, None] * towards, towards)
        scatter = scatter + self._scatter(model, n_components)
        return count + self._count(model, n_components), mean + pull[:, None] * towards, scatter

    def log_density(self, mixture: Mixture) -> float:
        """Logarithm of the prior density at a mixture, up to a constant that no parameter is in.

        Weights have a uniform prior. For K components of mean mu_k::

            -1/2 sum_k [c log|Sigma_k| + trace(inv(Sigma_k) (scale + kappa (mu_k - m)(mu_k - m)^T))]
        """
        model, shape, n_components = mixture.model, mixture.shape, mixture.n_components
        away = mixture.means - self.mean
        scatter = self._scatter(model, n_components) + shape.outer(self.shrinkage * away, away)
        logs = shape.log_determinant(mixture.whitener, mixture.n_features)
        determinants = n_components / logs.size * float(logs.sum())  # one stands for all where it is shared
        within = float(np.vdot(shape.precision(mixture.whitener), scatter))
        return self._count(model, n_components) * determinants - 0.5 * within

    def _count(self, model: CovarianceModel, n_components: int) -> float:
        """Rows that each component's count gains: the power c of |Sigma_k|^(-1/2)."""
        n_features = self.mean.size
        power = {
            FULL: self.degrees_of_freedom + n_features + 1,
            TIED: self.degrees_of_freedom + n_features + 1,
            DIAGONAL: self.degrees_of_freedom + 2,
            SPHERICAL: (self.degrees_of_freedom + 2) / n_features,
        }[model.shape]
        of_the_mean = 1.0 if self.shrinkage > 0 else 0.0
        return of_the_mean + power * _share(model, n_components, n_features)

    def _scatter(self, model: CovarianceModel, n_components: int) -> Array:
        """What each component's scatter gains, in the model's shape (their sum where it is shared)."""
        n_features = self.mean.size
        share = _share(model, n_components, n_features)
        if model.shape is TIED:
            return self.scale * (share * n_components)
        if model.shape is FULL:
            return np.broadcast_to(self.scale * share, (n_components, n_features, n_features))
        variances = self.scale.diagonal() * share
        if model.shape is DIAGONAL:
            return np.broadcast_to(variances, (n_components, n_features))
        return np.full(n_components, variances.mean())


def _share(model: CovarianceModel, n_components: int, n_features: int) -> float:
    """The part of the prior that each component gets, so that a shared parameter has it once in all.

    1 where every component has its own covariance, 1/K where they have one in
    common, as Fraley and Raftery (2007, table 1) have it; by the number of
    parameters between these, of which they do not speak.
    """
    return model.n_parameters(n_components, n_features) / (n_components * model.n_parameters(1, n_features))


def _array(name: str, value: Any, shapes: list[tuple[int, ...]]) -> Array:
    array = np.asarray(value, dtype=np.float64)
    if array.shape not in shapes:
        raise ValueError(f"{name} of the prior must have shape {' or '.join(map(str, shapes))}; got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} of the prior must be finite")
    return array


def _number(prior: ConjugatePrior, name: str) -> float:
    return float(_array(name, getattr(prior, name), [()]))


def _dense(value: Any, n_features: int) -> Array:
    """A scale matrix (D, D) from any of its forms, checked."""
    scale = _array("scale", value, [(), (n_features,), (n_features, n_features)])
    scale = scale if scale.ndim == 2 else scale * np.eye(n_features)
    if not np.allclose(scale, scale.T, rtol=1e-9, atol=0.0):
        raise ValueError("scale of the prior must be symmetric")
    if np.linalg.eigvalsh(scale)[0] <= 0:
        raise ValueError("scale of the prior must be positive definite")
    return scale
