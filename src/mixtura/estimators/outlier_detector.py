"""GaussianMixtureOutlierDetector: rows to which a fitted mixture gives too low a density."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.estimators.base import (
    BaseEstimator,
    MissingAllowedMixin,
    OutlierMixin,
    check_is_fitted,
    check_rows,
    check_weights,
    raise_if_not_finite,
)
from mixtura.estimators.contributions import observed_contributions
from mixtura.estimators.false_alarms import ThresholdShifts, threshold_of_mixture, threshold_of_rows
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.gaussian_mixture_ic import GaussianMixtureIC
from mixtura.estimators.mapping import log_density, of_rows
from mixtura.estimators.opening import opened, reader_of
from mixtura.estimators.plotting import PlotMixin
from mixtura.estimators.reported import ReportMixin
from mixtura.mixture import Mixture
from mixtura.shape import Array
from mixtura.source import ArraySource

__all__ = ["GaussianMixtureOutlierDetector"]

AUTO_COMPONENTS = tuple(range(1, 6))


class GaussianMixtureOutlierDetector(PlotMixin, ReportMixin, MissingAllowedMixin, OutlierMixin, BaseEstimator):
    """Outliers as the rows that a Gaussian mixture of all rows finds improbable.

    Parameters
    ----------
    n_components : "auto", int or iterable of int, default="auto"
        Of several, BIC chooses; "auto" is 1 to 5, and 1 where that has no sound fit, as with constant features.
    covariance_type : str or list of str, default="full"
        As in `GaussianMixture`; of several, and of "auto" or "all" for every covariance model, BIC chooses.
    contamination : float, optional
        Share of the fitted rows that are outliers, above 0 and at most 0.5: those of lowest density. Rows that
        share one density are all outliers or none, so that the share is never exceeded.
    false_alarm_rate : float, default=0.01
        Share of good rows that may be taken for outliers, above 0 and below 1: the threshold is the log density
        below which the fitted mixture draws that share of its own rows. Not used where `contamination` is given.
        Rows with missing values (NaN) have the threshold of the mixture's marginal over what was observed, so that
        the promise holds for each pattern of missing features.
    equal_weights, prior, tol, reg_covar, max_iter, n_init, init_params, random_state, algorithm, engine, n_threads
        As in `GaussianMixture`.

    Attributes
    ----------
    estimator_ : GaussianMixture
        The mixture's fit.
    mixture_ : Mixture
    offset_, threshold_ : float
        Rows of a lower log density are outliers.
    false_alarm_error_ : float
        Bound of the standard error with which the threshold keeps `false_alarm_rate`, from the
        draws that place it: zero for one component, whose threshold is a quantile of chi-square. NaN with
        `contamination`. That the parameters were estimated, and that rows need not follow a mixture, is not in
        it: of the benign tumours in scikit-learn's breast cancer data (285 rows fitted, 30 features) 15 % of those
        held out fall below a rate of 0.01.
    n_features_in_ : int
    feature_names_in_ : array of shape (D,)
        Where the input had string column names.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianMixtureOutlierDetector
    >>> X = np.random.default_rng(0).normal(size=(500, 3))
    >>> detector = GaussianMixtureOutlierDetector(n_components=1, false_alarm_rate=0.001).fit(X)
    >>> detector.predict([[0.0, 0.0, 0.0], [0.0, 9.0, 0.0]]).tolist()
    [1, -1]
    >>> detector.contributions([[0.0, 9.0, 0.0]], excess=True).argmax(axis=1).tolist()
    [1]
    """

    _kinds = ("outliers", "profile")

    def __init__(
        self,
        n_components: Any = "auto",
        *,
        covariance_type: Any = "full",
        contamination: float | None = None,
        false_alarm_rate: float = 0.01,
        equal_weights: bool = False,
        prior: Any = None,
        tol: float = 1e-6,
        reg_covar: float = 1e-6,
        max_iter: int = 1000,
        n_init: int | str = "auto",
        init_params: Any = "kmeans",
        random_state: Any = None,
        algorithm: str = "auto",
        engine: str = "auto",
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.contamination = contamination
        self.false_alarm_rate = false_alarm_rate
        self.equal_weights = equal_weights
        self.prior = prior
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.algorithm = algorithm
        self.engine = engine
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture and the threshold.

        Parameters
        ----------
        X : array or data frame of shape (N, D), or files
            Files, as `mixtura.open_rows` takes them or as what it returns, may be larger than memory; `predict`
            and the like take them too.
        y : ignored
        sample_weight : array of shape (N,), optional
            Frequency weights, as in `GaussianMixture.fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For rows, weights or parameters that cannot be fitted.
        """
        self._check_shares()
        if reader_of(self, X, fitted=False) is None:
            rows = self._checked(X)
            weights = check_weights(sample_weight, rows.shape[0])
            self.estimator_ = self._fitted_mixture(X, weights)
            self._place_threshold([ArraySource(rows, weights)])
            return self
        with opened(self, X, sample_weight) as (source, _):
            self.estimator_ = self._fitted_mixture(source, None)
            self._place_threshold(source.parts())
        if hasattr(self, "feature_names_in_"):
            self.estimator_.feature_names_in_ = self.feature_names_in_
        return self

    def _place_threshold(self, parts: Iterable[ArraySource]) -> None:
        """Set the threshold from the mixture, or from the rows' own densities."""
        if self.contamination is None:
            rate = float(self.false_alarm_rate)
            self.offset_, self.false_alarm_error_ = threshold_of_mixture(self.mixture_, rate)
            return
        excess, shares = [], []
        shifts = self._shifts()
        for part in parts:
            excess.append(log_density(self.estimator_, part.rows) - shifts(part.rows))
            shares.append(np.ones(part.n_rows) if part.weights is None else part.weights)
        self.offset_ = threshold_of_rows(np.concatenate(excess), np.concatenate(shares), float(self.contamination))
        self.false_alarm_error_ = float("nan")

    def _check_shares(self) -> None:
        for name, largest in (("contamination", 0.5), ("false_alarm_rate", 1.0 - 2.0**-53)):
            value = getattr(self, name)
            if value is None and name == "contamination":
                continue
            if not isinstance(value, Real) or isinstance(value, bool):
                raise TypeError(f"{name} must be a number; got {value!r}")
            if not 0.0 < float(value) <= largest:
                limit = "at most 0.5" if largest == 0.5 else "below 1"
                raise ValueError(f"{name} must be above 0 and {limit}; got {value}")

    def _shared(self) -> dict[str, Any]:
        """Parameters that the mixture has too."""
        own = {"n_components", "covariance_type", "contamination", "false_alarm_rate"}
        return {name: getattr(self, name) for name in self._get_param_names() if name not in own}

    def _template(self, n_components: int, covariance_type: str) -> GaussianMixture:
        """The mixture's estimator, not fitted."""
        return GaussianMixture(n_components, covariance_type=covariance_type, **self._shared())

    def _fitted_mixture(self, X: Any, sample_weight: ArrayLike | None) -> GaussianMixture:
        """One mixture where one is asked for, the best of several by BIC otherwise."""
        shared = self._shared()
        names = self.covariance_type
        names = "all" if isinstance(names, str) and names.lower() == "auto" else names
        numbers = self.n_components
        if isinstance(numbers, str):
            if numbers != "auto":
                raise ValueError(f"n_components must be 'auto' or integers; got {numbers!r}")
            numbers = AUTO_COMPONENTS
            one = GaussianMixtureIC(1, covariance_type=names, **shared)
            try:
                one.fit(X, sample_weight=sample_weight)
            except ValueError:
                if not hasattr(one, "results_"):
                    raise
                # singular as a whole and so in parts: one component, held at the floor, with a warning
                numbers, names = 1, str(one.results_["covariance_type"][0])
        if isinstance(numbers, Integral) and isinstance(names, str) and names != "all":
            return self._template(int(numbers), names).fit(X, sample_weight=sample_weight)
        selection = GaussianMixtureIC(numbers, covariance_type=names, **shared)
        return selection.fit(X, sample_weight=sample_weight).best_estimator_

    def _checked(self, X: Any) -> NDArray[Any]:
        """Rows (N, D) to fit, perhaps with NaN where a value is missing."""
        rows = check_rows(self, X, reset=True, min_rows=2, missing_allowed=True)
        raise_if_not_finite(rows, getattr(self, "feature_names_in_", None), missing_allowed=True)
        return rows

    def _shifts(self) -> ThresholdShifts:
        """By how much the threshold of what was observed of each row differs from that of complete rows."""
        return ThresholdShifts(
            self.mixture_, float(self.false_alarm_rate if self.contamination is None else self.contamination)
        )

    @property
    def mixture_(self) -> Mixture:
        """The fitted distribution."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.mixture_

    @property
    def n_iter_(self) -> int:
        """Iterations of the mixture's EM."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.n_iter_

    @property
    def threshold_(self) -> float:
        """Rows of a lower log density are outliers."""
        check_is_fitted(self)
        return self.offset_

    def fit_predict(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fit, and return 1 for inliers and -1 for outliers: (N,)."""
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    def score_samples(self, X: Any) -> Array:
        """Log density of each row: (N,). The lower, the less normal."""
        check_is_fitted(self, "estimator_")
        return of_rows(self, X, partial(log_density, self.estimator_))

    def decision_function(self, X: Any) -> Array:
        """Log density above the threshold: (N,), negative for outliers; the threshold is that of the observed part."""
        check_is_fitted(self)
        shifts = self._shifts()
        return of_rows(self, X, lambda rows: log_density(self.estimator_, rows) - self.offset_ - shifts(rows))

    def predict(self, X: Any) -> NDArray[np.int64]:
        """1 for inliers and -1 for outliers: (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def contributions(self, X: Any, *, excess: bool = False) -> Array:
        """How improbable each value is, given the other values of its row: -log p(x_j | x_rest), (N, D).

        Parameters
        ----------
        X : array or data frame of shape (N, D)
        excess : bool, default=False
            Less what is usual for the feature under the mixture. A log density depends on units, and on how well
            the other features tell this one: only the excess can be compared between features.

        Returns
        -------
        array of shape (N, D)
            NaN where a value is missing; it is no condition of the others either.

        Examples
        --------
        >>> from mixtura import GaussianMixtureOutlierDetector, datasets
        >>> X = datasets.load_old_faithful().data
        >>> detector = GaussianMixtureOutlierDetector(n_components=2, random_state=0).fit(X)
        >>> detector.contributions([[2.0, 55.0], [2.0, 85.0]]).round(1).tolist()
        [[-0.4, 2.6], [15.0, 17.9]]
        """
        check_is_fitted(self)
        return of_rows(self, X, lambda rows: observed_contributions(self.mixture_, rows, excess))
