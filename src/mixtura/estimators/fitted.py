"""FittedMixture: what is asked of a fitted mixture, for the estimators that hold one."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.em import Status
from mixtura.engine import RowOutput, create_engine
from mixtura.estimators.base import (
    BaseEstimator,
    DensityMixin,
    MissingAllowedMixin,
    NotFiniteError,
    check_is_fitted,
    check_random_state,
    check_rows,
    check_weights,
    inspect_block,
    raise_if_not_finite,
)
from mixtura.estimators.incomplete import has_missing, warn_of_empty_rows
from mixtura.estimators.plotting import PlotMixin
from mixtura.estimators.reported import ReportMixin
from mixtura.mixture import Mixture
from mixtura.shape import Array
from mixtura.source import ArraySource
from mixtura.standardization import Standardization
from mixtura.summary import summary_text

__all__ = ["FittedMixture"]


class FittedMixture(PlotMixin, ReportMixin, MissingAllowedMixin, DensityMixin, BaseEstimator):
    """Predictions, densities, draws, criteria and the summary of an estimator with a `mixture_`."""

    engine: str
    n_threads: int | None
    random_state: Any
    covariance_type: str
    prior: Any

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture to rows."""
        raise NotImplementedError

    def _set_fitted(
        self,
        mixture: Mixture,
        *,
        converged: bool,
        status: Status,
        n_iter: int,
        lower_bounds: list[float],
        lower_bound: float,
        n_observations: float,
    ) -> None:
        """Set all fitted attributes; also what `mixtura.load` calls."""
        self.mixture_ = mixture
        self.weights_, self.means_, self.covariances_ = mixture.weights, mixture.means, mixture.covariances
        self.converged_, self.status_, self.n_iter_ = converged, status, n_iter
        self.lower_bounds_, self.lower_bound_ = lower_bounds, lower_bound
        self.n_features_in_ = mixture.n_features
        self.n_observations_ = n_observations

    @property
    def precisions_cholesky_(self) -> Array:
        """Upper triangular U with U U^T = precision; its square root where not dense."""
        check_is_fitted(self)
        return self.mixture_.whitener

    @property
    def precisions_(self) -> Array:
        """Inverse covariances."""
        return self.mixture_.shape.precision(self.precisions_cholesky_)

    def _map(self, X: Any, output: RowOutput) -> NDArray[Any]:
        """A value for each of new rows, computed in the fitted mixture's own coordinates."""
        check_is_fitted(self)
        rows = check_rows(self, X, reset=False, missing_allowed=True)
        standardization = Standardization.of_mixture(self.mixture_)
        engine = create_engine(self.engine, ArraySource(rows), standardization, self.n_threads)
        forms = standardization.forward(self.mixture_).forms
        try:
            values = engine.map_rows(forms, output, inspect_block)
        except NotFiniteError:
            raise_if_not_finite(rows, getattr(self, "feature_names_in_", None), missing_allowed=True)
            warn_of_empty_rows(rows, stacklevel=3)
            source = ArraySource(rows, incomplete=has_missing(rows))
            engine = create_engine(self.engine, source, standardization, self.n_threads)
            values = engine.map_rows(forms, output)
        if output is not RowOutput.LOG_DENSITY:
            return values
        return values - getattr(engine, "log_jacobian", standardization.log_jacobian)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fit, and return the label (N,) of each row under the fitted parameters."""
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Most probable component of each row: (N,); -1 for noise."""
        labels = self._map(X, RowOutput.LABELS)
        labels[labels == self.mixture_.n_components] = -1
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Posterior probability of each component for each row: (N, K); one column more, the last, for noise."""
        return self._map(X, RowOutput.RESPONSIBILITIES)

    def score_samples(self, X: Any) -> Array:
        """Log density of each row: (N,)."""
        return self._map(X, RowOutput.LOG_DENSITY)

    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log density, weighted if weights are given."""
        log_density = self.score_samples(X)
        weights = check_weights(sample_weight, log_density.shape[0])
        return float(log_density.mean() if weights is None else weights @ log_density / weights.sum())

    def sample(self, n_samples: int = 1) -> tuple[Array, NDArray[np.intp]]:
        """Draw rows (n, D) and the component (n,) of each, grouped by component; -1 for noise, at the end."""
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1; got {n_samples}")
        return self.mixture_.rvs(n_samples, random_state=check_random_state(self.random_state))

    def bic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Bayesian information criterion, -2 log L + p log N: lower is better (Schwarz 1978).

        N is the total weight.
        """
        total, count = self._total_log_likelihood(X, sample_weight)
        return -2.0 * total + self.mixture_.n_parameters * float(np.log(count))

    def aic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's information criterion, -2 log L + 2 p: lower is better."""
        total, _ = self._total_log_likelihood(X, sample_weight)
        return -2.0 * total + 2.0 * self.mixture_.n_parameters

    def _total_log_likelihood(self, X: Any, sample_weight: ArrayLike | None) -> tuple[float, float]:
        log_density = self.score_samples(X)
        weights = check_weights(sample_weight, log_density.shape[0])
        if weights is None:
            return float(log_density.sum()), float(log_density.shape[0])
        return float(weights @ log_density), float(weights.sum())

    def summary(self) -> str:
        """The fitted model as text: facts, then a line a component."""
        check_is_fitted(self)
        total = self.lower_bound_ * self.n_observations_
        bic = -2.0 * total + self.mixture_.n_parameters * np.log(self.n_observations_)
        covariance, name = self.covariance_type, self.mixture_.model.name
        facts = [
            ("components", str(self.mixture_.n_components)),
            ("covariance", covariance if covariance == name else f"{covariance} ({name})"),
            ("observations", f"{self.n_observations_:g}"),
            ("log likelihood", f"{total:.4f}"),
            ("BIC", f"{bic:.4f} ({self.mixture_.n_parameters} parameters)"),
            ("EM", f"{self.status_.name.lower()} after {self.n_iter_} iterations"),
        ]
        if self.mixture_.equal_weights:
            facts.insert(2, ("weights", "held equal"))
        if self.mixture_.background is not None:
            facts.insert(2, ("noise", f"uniform over a volume of {np.exp(self.mixture_.background.log_volume):.4g}"))
        if self.prior is not None:
            facts.insert(2, ("prior", self.prior if isinstance(self.prior, str) else "given"))
        return summary_text(self.mixture_, facts, getattr(self, "feature_names_in_", None))
