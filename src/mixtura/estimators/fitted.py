"""FittedMixture: what is asked of a fitted mixture, for the estimators that hold one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.em import Status
from mixtura.engine import RowOutput
from mixtura.estimators.base import (
    BaseEstimator,
    DensityMixin,
    MissingAllowedMixin,
    check_is_fitted,
    check_random_state,
)
from mixtura.estimators.mapping import mapped, total_log_density
from mixtura.estimators.plotting import PlotMixin
from mixtura.estimators.reported import ReportMixin
from mixtura.mixture import Mixture
from mixtura.shape import Array
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

    def fit_predict(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fit, and return the label (N,) of each row under the fitted parameters."""
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Most probable component of each row: (N,); -1 for noise."""
        return mapped(self, X, RowOutput.LABELS)

    def predict_proba(self, X: Any) -> Array:
        """Posterior probability of each component for each row: (N, K); one column more, the last, for noise."""
        return mapped(self, X, RowOutput.RESPONSIBILITIES)

    def score_samples(self, X: Any) -> Array:
        """Log density of each row: (N,)."""
        return mapped(self, X, RowOutput.LOG_DENSITY)

    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log density, weighted if weights are given."""
        total, count = total_log_density(self, X, sample_weight)
        return total / count

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
        total, count = total_log_density(self, X, sample_weight)
        return -2.0 * total + self.mixture_.n_parameters * float(np.log(count))

    def aic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's information criterion, -2 log L + 2 p: lower is better."""
        total, _ = total_log_density(self, X, sample_weight)
        return -2.0 * total + 2.0 * self.mixture_.n_parameters

    def summary(self) -> str:
        """The fitted model as text: facts, then a line a component."""
        return self._summary(getattr(self, "feature_names_in_", None))

    def _summary(self, names: Sequence[str] | None) -> str:
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
        if self.mixture_.n_held:
            facts.insert(2, ("held fixed", f"{self.mixture_.n_held} parameters"))
        if self.mixture_.background is not None:
            facts.insert(2, ("noise", f"uniform over a volume of {np.exp(self.mixture_.background.log_volume):.4g}"))
        if self.prior is not None:
            facts.insert(2, ("prior", self.prior if isinstance(self.prior, str) else "given"))
        return summary_text(self.mixture_, facts, names)
