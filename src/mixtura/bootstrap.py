"""Bootstrap: how sure the parameters of a fitted mixture are.

The weighted likelihood bootstrap (Newton and Raftery 1994) refits the mixture
under random weights of the rows. No row is ever left out, so components that a
few rows hold up survive, which those of the ordinary bootstrap often do not
(O'Hagan, Murphy, Scrucca and Gormley 2019).
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from mixtura.estimators.base import (
    CollapsedComponentWarning,
    check_is_fitted,
    check_random_state,
    check_rows,
    check_weights,
    in_parallel,
)
from mixtura.mixture import Mixture
from mixtura.shape import Array

__all__ = ["ParameterBootstrap", "Parameters", "bootstrap_parameters"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Parameters:
    """One number for each parameter of a mixture: weights (K,), means (K, D) and covariances (K, D, D)."""

    weights: Array
    means: Array
    covariances: Array


@dataclass(frozen=True, eq=False)
class ParameterBootstrap:
    """Refits of a mixture under random weights of the rows.

    Attributes
    ----------
    estimate : Parameters
        The fitted mixture's, with dense covariances whatever the model.
    weights : array of shape (B, K)
    means : array of shape (B, K, D)
    covariances : array of shape (B, K, D, D)
        Of each refit, its components in the order of the fitted mixture's.
    n_failed : int
        Refits that are not among them because a component collapsed.
    """

    estimate: Parameters
    weights: Array
    means: Array
    covariances: Array
    n_failed: int

    @property
    def n_resamples(self) -> int:
        """Number B of sound refits."""
        return int(self.weights.shape[0])

    @property
    def standard_errors(self) -> Parameters:
        """Standard deviation of each parameter over the refits."""
        return Parameters(*(part.std(axis=0, ddof=1) for part in (self.weights, self.means, self.covariances)))

    def intervals(self, level: float = 0.95) -> tuple[Parameters, Parameters]:
        """Lower and upper ends of percentile intervals (Efron 1982, section 10.4) at a level.

        Raises
        ------
        ValueError
            If the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"level must be between 0 and 1; got {level}")
        parts = (self.weights, self.means, self.covariances)
        low, high = (
            Parameters(*(np.quantile(part, tail, axis=0) for part in parts))
            for tail in ((1 - level) / 2, (1 + level) / 2)
        )
        return low, high

    def columns(self, level: float = 0.95) -> dict[str, Any]:
        """Columns for a table with a line a parameter: ``pandas.DataFrame(result.columns())``."""
        low, high = self.intervals(level)
        n_components, n_features = self.estimate.means.shape
        rows, across = np.triu_indices(n_features)
        names = [f"weights[{k}]" for k in range(n_components)]
        names += [f"means[{k}, {j}]" for k in range(n_components) for j in range(n_features)]
        names += [f"covariances[{k}, {i}, {j}]" for k in range(n_components) for i, j in zip(rows, across, strict=True)]
        values = {"estimate": self.estimate, "standard_error": self.standard_errors, "lower": low, "upper": high}
        return {"parameter": names} | {
            name: np.concatenate([one.weights, one.means.ravel(), one.covariances[:, rows, across].ravel()])
            for name, one in values.items()
        }


def bootstrap_parameters(
    estimator: Any,
    X: Any,
    *,
    n_resamples: int = 999,
    sample_weight: ArrayLike | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> ParameterBootstrap:
    """Standard errors and intervals of a mixture's parameters, by the weighted likelihood bootstrap.

    Parameters
    ----------
    estimator : fitted GaussianMixture
    X : array or data frame of shape (N, D)
        The rows of the fit.
    n_resamples : int, default=999
        Refits. An interval at level 0.95 rests on the 25 outermost at each end.
    sample_weight : array of shape (N,), optional
        The weights of the fit.
    random_state : int, RandomState or None
    n_jobs : int, optional
        Processes, as in joblib. The result is the same for any number.
    progress : callable, optional
        Called as ``progress(done, total)`` after each refit.

    Returns
    -------
    ParameterBootstrap

    Raises
    ------
    ValueError
        If fewer than two refits were sound.

    Notes
    -----
    Weights of the rows are exponential, scaled to their total: a uniform
    Dirichlet times N (Newton and Raftery 1994, section 2). A row of frequency
    weight v draws from a gamma distribution of shape v, as the sum over v rows
    would. Each refit starts from the fitted mixture, so that components keep their
    places; they are matched to it all the same, by the least total expected
    distance of one to the other.

    Examples
    --------
    >>> import mixtura
    >>> from mixtura.datasets import load_old_faithful
    >>> data = load_old_faithful().data
    >>> model = mixtura.GaussianMixture(2, random_state=0).fit(data)
    >>> result = mixtura.bootstrap_parameters(model, data, n_resamples=99, random_state=0)
    >>> lower, upper = result.intervals(0.9)
    >>> bool((lower.means < model.means_).all() and (model.means_ < upper.means).all())
    True
    """
    check_is_fitted(estimator)
    if n_resamples < 2:
        raise ValueError(f"n_resamples must be at least 2; got {n_resamples}")
    rows = check_rows(estimator, X, reset=False, missing_allowed=True)
    given = check_weights(sample_weight, rows.shape[0])
    seeds = check_random_state(random_state).randint(2**31 - 1, size=n_resamples)
    start = copy.copy(estimator).set_params(warm_start=True, verbose=0, random_state=0)
    refits = []
    for done, refit in enumerate(in_parallel(_refit, [(start, rows, given, seed) for seed in seeds], n_jobs), 1):
        refits.append(refit)
        if progress is not None:
            progress(done, n_resamples)
    return _collected(estimator.mixture_, refits)


def _refit(start: Any, rows: Array, given: Array | None, seed: int) -> Mixture | None:
    """The mixture refitted under random weights; None where a component collapsed."""
    rng = np.random.RandomState(seed)
    shares = np.ones(rows.shape[0]) if given is None else given
    weights = np.asarray(rng.standard_gamma(shares))
    total = float(shares.sum())
    model = copy.copy(start)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(rows, sample_weight=weights * (total / weights.sum()))
    if any(issubclass(one.category, CollapsedComponentWarning) for one in caught):
        return None
    mixture: Mixture = model.mixture_
    return mixture.take(matching(start.mixture_, mixture))


def _collected(mixture: Mixture, refits: list[Mixture | None]) -> ParameterBootstrap:
    sound = [one for one in refits if one is not None]
    if len(sound) < 2:
        raise ValueError(
            f"{len(refits) - len(sound)} of {len(refits)} refits had a component that collapsed; "
            "use fewer components or a simpler covariance_type"
        )
    return ParameterBootstrap(
        Parameters(mixture.weights, mixture.means, mixture.dense_covariances),
        np.array([one.weights for one in sound]),
        np.array([one.means for one in sound]),
        np.array([one.dense_covariances for one in sound]),
        len(refits) - len(sound),
    )


def matching(reference: Mixture, other: Mixture) -> NDArray[np.intp]:
    """Indices (K,) of the components of ``other`` in the order of those of ``reference``.

    The cost of a pair is the divergence KL(other_j || reference_k), of which
    only ``E_j[(x - m_k)^T P_k (x - m_k)]`` depends on both.
    """
    n_components, n_features = reference.means.shape
    identity = np.eye(n_features)
    roots = np.stack([reference.shape.project(identity, reference.whitener, k) for k in range(n_components)])
    precisions = (roots @ roots.transpose(0, 2, 1)).reshape(n_components, -1)
    cost = precisions @ other.dense_covariances.reshape(n_components, -1).T
    for k in range(n_components):
        cost[k] += np.square((other.means - reference.means[k]) @ roots[k]).sum(axis=1)
    return np.asarray(linear_sum_assignment(cost)[1])
