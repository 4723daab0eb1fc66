"""GaussianMixtureIC: the number of components and the covariance model, chosen by a criterion."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.covariance import model_names
from mixtura.em import Status
from mixtura.estimators.base import (
    BaseEstimator,
    ConvergenceWarning,
    DensityMixin,
    MissingAllowedMixin,
    check_is_fitted,
    check_random_state,
)
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.incomplete import warn_of_empty_rows
from mixtura.estimators.opening import opened
from mixtura.estimators.parameters import check_parameters
from mixtura.estimators.plotting import PlotMixin
from mixtura.estimators.reported import ReportMixin
from mixtura.estimators.selecting import Candidate, cross_validate, fit_cells
from mixtura.mixture import Mixture
from mixtura.shape import Array
from mixtura.source import ArraySource, Source

__all__ = ["CRITERIA", "GaussianMixtureIC"]

CRITERIA = ("bic", "icl", "aic", "cv")


class GaussianMixtureIC(PlotMixin, ReportMixin, MissingAllowedMixin, DensityMixin, BaseEstimator):
    """Gaussian mixture whose number of components and covariance model are chosen from the data.

    Every covariance model is fitted with every number of components. The fits
    share their starts and learn from one another: good partitions travel between
    models, components are split for the next number up and merged for the next
    down.

    Parameters
    ----------
    n_components : int or iterable of int, default=(1, ..., 9)
        Numbers of components to try, such as ``range(1, 10)``.
    covariance_type : "all", str or list of str, default="all"
        Covariance models to try: mclust's fourteen names (of one feature: E and V), or scikit-learn's four.
    criterion : {"bic", "icl", "aic", "cv"}, default="bic"
        Lower is better for each of them, as scikit-learn has it (mclust's have the opposite sign).
        "bic": -2 log L + p log N (Schwarz 1978). "icl": BIC plus twice the entropy of the classification, which
        prefers well-separated components (Biernacki, Celeux and Govaert 2000). "aic": -2 log L + 2 p.
        "cv": -2 log density of rows that were held out.
    cv : int, default=5
        Folds of criterion "cv"; each is a whole selection.
    tol, reg_covar, max_iter, equal_weights, prior, algorithm, engine, n_threads
        As in `GaussianMixture`.
    noise : bool, default=False
        Whether every cell has a noise component too.
    n_init : "auto" or int, default="auto"
        Starts for each number of components: "auto" takes a few of `init_params` and one from a tree of merges.
    init_params : str or callable, default="kmeans"
        As in `GaussianMixture`, but for arrays, which would fix the number of components.
    random_state : int, RandomState or None
    n_jobs : int, optional
        Folds of cross-validation at a time, in processes; everything else uses `n_threads`.
    verbose : int, default=0
        1 tells on standard error how far the selection is.

    Attributes
    ----------
    results_ : dict of arrays
        A column each for "covariance_type", "n_components", "n_parameters", "log_likelihood", "bic", "icl", "aic",
        "cv" (with that criterion), "converged", "n_iter", "status" and "reason"; a row for each cell, so that
        ``pandas.DataFrame(model.results_)`` is a table. A cell that has no sound fit is there with NaN and its
        reason, and is never chosen.
    best_index_ : int
        Row of `results_` that was chosen.
    best_params_ : dict
        Its covariance_type and n_components.
    best_estimator_ : GaussianMixture
        Its fit.
    mixture_, weights_, means_, covariances_, converged_, n_iter_, ...
        Of `best_estimator_`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mixtura import GaussianMixtureIC
    >>> model = GaussianMixtureIC(range(1, 4), covariance_type=["EEE", "VEV", "VVV"], random_state=0)
    >>> model.fit(load_iris().data).best_params_
    {'covariance_type': 'VEV', 'n_components': 2}
    >>> model.results_["n_components"].tolist()
    [1, 2, 3, 1, 2, 3, 1, 2, 3]
    """

    _kinds = ("classification", "selection")

    def __init__(
        self,
        n_components: Any = tuple(range(1, 10)),
        *,
        covariance_type: Any = "all",
        criterion: str = "bic",
        cv: int = 5,
        tol: float = 1e-6,
        reg_covar: float = 1e-6,
        max_iter: int = 1000,
        n_init: Any = "auto",
        init_params: Any = "kmeans",
        equal_weights: bool = False,
        noise: bool = False,
        prior: Any = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        algorithm: str = "auto",
        engine: str = "auto",
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.criterion = criterion
        self.cv = cv
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.equal_weights = equal_weights
        self.noise = noise
        self.prior = prior
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.algorithm = algorithm
        self.engine = engine
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit every cell, and choose the one with the lowest criterion.

        Parameters
        ----------
        X : array or data frame of shape (N, D), or files
            Files, as `mixtura.open_rows` takes them or as what it returns, may be larger than memory, but for
            ``criterion="cv"``. The sweep is made on a sample of them, and what it finds is run on over all rows.
        y : ignored
        sample_weight : array of shape (N,), optional
            Frequency weights, as in `GaussianMixture.fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For rows, weights or parameters that cannot be fitted, and where no cell has a sound fit;
            `results_` then says why for each.
        """
        numbers = self._checked_numbers()
        with opened(self, X, sample_weight, lazily=False) as (source, _):
            names = self._checked_models(source.n_features)
            self._check_sizes(source)
            if source.incomplete:
                warn_of_empty_rows(source, stacklevel=2)
            rng = check_random_state(self.random_state)
            cells = [(name, number) for name in names for number in numbers]
            candidates = fit_cells(self, source, cells, rng, self._progress())
            scores = None
            if self.criterion == "cv" and isinstance(source, ArraySource):
                scores = cross_validate(self, source, cells, rng)
        self._choose(candidates, scores)
        return self

    def _checked_numbers(self) -> list[int]:
        """The numbers of components, ascending; also checks all other parameters but covariance_type."""
        given = [self.n_components] if isinstance(self.n_components, Integral) else self.n_components
        if isinstance(given, str) or not hasattr(given, "__iter__"):
            raise TypeError(f"n_components must be an integer or several; got {self.n_components!r}")
        numbers = list(given)
        if not numbers:
            raise ValueError("n_components must hold at least one number")
        if self.criterion not in CRITERIA:
            raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}; got {self.criterion!r}")
        if not (isinstance(self.init_params, str) or callable(self.init_params)):
            raise TypeError("init_params must be a name or a callable: an array would fix the number of components")
        if not isinstance(self.noise, bool | np.bool_):
            raise TypeError(f"noise must be True or False; got {self.noise!r}")
        for number in numbers:
            check_parameters(self._template("full", number))
        return sorted({int(number) for number in numbers})

    def _checked_models(self, n_features: int) -> list[str]:
        given = self.covariance_type
        if isinstance(given, str):
            given = model_names(n_features) if given == "all" else [given]
        names = list(dict.fromkeys(given))
        if not names:
            raise ValueError("covariance_type must hold at least one name")
        for name in names:
            check_parameters(self._template(name, 1))
        return names

    def _check_sizes(self, source: Source) -> None:
        n_rows = source.n_rows
        if self.criterion != "cv":
            return
        if not isinstance(source, ArraySource):
            raise ValueError(
                "criterion 'cv' needs the rows in memory, and these take more than a quarter of the memory_limit; "
                "raise that, or choose another criterion"
            )
        if not isinstance(self.cv, Integral) or not 2 <= self.cv <= n_rows:
            raise ValueError(f"cv must be an integer from 2 to the number of rows, {n_rows}; got {self.cv!r}")

    def _template(self, covariance_type: str, n_components: int) -> GaussianMixture:
        """The estimator of one cell, not fitted."""
        own = {"n_components", "covariance_type", "criterion", "cv", "n_jobs", "verbose"}
        shared = {name: getattr(self, name) for name in self._get_param_names() if name not in own}
        return GaussianMixture(n_components, covariance_type=covariance_type, **shared)

    #: Called as ``on_step(done, total)`` where someone set it: for progress bars.
    on_step: Callable[[int, int], None] | None = None

    def _progress(self) -> Callable[[int, int], None] | None:
        if self.on_step is not None or not self.verbose:
            return self.on_step
        return lambda done, total: print(f"selection: step {done} of {total}", file=sys.stderr, flush=True)

    def _choose(self, candidates: list[Candidate], scores: Array | None) -> None:
        """Set all fitted attributes."""
        self.results_ = _columns(candidates, scores)
        values = self.results_[self.criterion]
        if not np.isfinite(values).any():
            reasons = dict.fromkeys(str(reason) for reason in self.results_["reason"] if reason)
            raise ValueError(f"no covariance model with any number of components has a sound fit: {'; '.join(reasons)}")
        self.best_index_ = int(np.nanargmin(values))
        best = candidates[self.best_index_]
        assert best.mixture is not None and best.status is not None
        self.best_params_ = {"covariance_type": best.covariance_type, "n_components": best.n_components}
        self.best_estimator_ = self._template(best.covariance_type, best.n_components)
        self.best_estimator_._set_fitted(
            best.mixture,
            converged=best.status is Status.CONVERGED,
            status=best.status,
            n_iter=best.n_iter,
            lower_bounds=list(best.lower_bounds),
            lower_bound=best.log_likelihood / best.total_weight,
            n_observations=best.total_weight,
        )
        if hasattr(self, "feature_names_in_"):
            self.best_estimator_.feature_names_in_ = self.feature_names_in_
        if best.status is Status.MAX_ITERATIONS and self.tol > 0:
            warnings.warn(f"{best.status.value} (max_iter={self.max_iter})", ConvergenceWarning, stacklevel=3)

    def __getattr__(self, name: str) -> Any:
        """Fitted attributes are the best estimator's: weights_, means_, mixture_ and the rest."""
        if name in DELEGATED and "best_estimator_" in self.__dict__:
            return getattr(self.best_estimator_, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def mixture_(self) -> Mixture:
        """The chosen distribution."""
        return self._best().mixture_

    def _best(self) -> GaussianMixture:
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    def fit_predict(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fit, and return the label (N,) of each row under the best model."""
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Most probable component of each row: (N,)."""
        return self._best().predict(X)

    def predict_proba(self, X: Any) -> Array:
        """Posterior probability of each component for each row: (N, K)."""
        return self._best().predict_proba(X)

    def score_samples(self, X: Any) -> Array:
        """Log density of each row: (N,)."""
        return self._best().score_samples(X)

    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log density, weighted if weights are given."""
        return self._best().score(X, y, sample_weight)

    def sample(self, n_samples: int = 1) -> tuple[Array, NDArray[np.intp]]:
        """Draw rows (n, D) and the component (n,) of each, grouped by component."""
        return self._best().sample(n_samples)

    def bic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Bayesian information criterion of the best model on rows: lower is better."""
        return self._best().bic(X, sample_weight)

    def aic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's information criterion of the best model on rows: lower is better."""
        return self._best().aic(X, sample_weight)

    def summary(self) -> str:
        """The best model as text."""
        return self._best().summary()


#: Fitted attributes that are the best estimator's.
DELEGATED = {
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "converged_", "status_", "n_iter_",
    "lower_bound_", "lower_bounds_", "n_observations_",
}  # fmt: skip


def _columns(candidates: list[Candidate], scores: Array | None) -> dict[str, Any]:
    """The columns of `results_`."""
    status = [one.status.name if one.status is not None else "FAILED" for one in candidates]
    names = ("log_likelihood", "bic", "icl", "aic")
    columns = {
        "covariance_type": np.array([one.covariance_type for one in candidates], dtype=object),
        "n_components": np.array([one.n_components for one in candidates]),
        "n_parameters": np.array([one.n_parameters for one in candidates]),
    } | {name: np.array([getattr(one, name) for one in candidates]) for name in names}
    reasons = [one.reason for one in candidates]
    if scores is not None:
        fitted = np.array([one.mixture is not None for one in candidates])
        columns["cv"] = np.where(fitted, scores, np.nan)
        held = "no finite optimum was found on the rows of a fold"
        reasons = [one or (held if np.isnan(score) else "") for one, score in zip(reasons, scores, strict=True)]
    return columns | {
        "converged": np.array([one.status is Status.CONVERGED for one in candidates]),
        "n_iter": np.array([one.n_iter for one in candidates]),
        "status": np.array(status, dtype=object),
        "reason": np.array(reasons, dtype=object),
    }
