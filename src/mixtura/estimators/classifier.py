"""GaussianMixtureClassifier: a Gaussian mixture for each class, and Bayes' rule."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from mixtura.covariance import covariance_model, model_names
from mixtura.estimators.base import (
    BaseEstimator,
    ClassifierMixin,
    CollapsedComponentWarning,
    ConvergenceWarning,
    MissingAllowedMixin,
    check_is_fitted,
    check_rows,
    check_targets,
    check_weights,
    raise_if_not_finite,
)
from mixtura.estimators.class_mixtures import Family, LabelledRows, climb, family_of_classes, log_likelihood
from mixtura.estimators.fitting import standardize
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.gaussian_mixture_ic import GaussianMixtureIC
from mixtura.estimators.incomplete import has_missing, observed_log_density, warn_of_empty_rows
from mixtura.estimators.mapping import of_rows
from mixtura.estimators.parameters import check_parameters
from mixtura.estimators.plotting import PlotMixin
from mixtura.estimators.reported import ReportMixin
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import Array
from mixtura.source import ArraySource
from mixtura.standardization import Standardization

__all__ = ["GaussianMixtureClassifier"]

AUTO_COMPONENTS = tuple(range(1, 6))


class GaussianMixtureClassifier(PlotMixin, ReportMixin, MissingAllowedMixin, ClassifierMixin, BaseEstimator):
    """Classes as Gaussian mixtures: discriminant analysis by Bayes' rule.

    With one component for every class, all classes share one covariance model
    (Bensmail and Celeux 1996; mclust's EDDA): "EEE" is linear discriminant
    analysis, "VVV" quadratic, and the others lie between. With more, each class
    has a mixture of its own (Hastie and Tibshirani 1996; mclust's MclustDA).

    Parameters
    ----------
    n_components : int, dict or "auto", default=1
        Of each class, or a dictionary from class to number; of "auto", BIC chooses from 1 to 5 for each class.
    covariance_type : str, default="full"
        As in `GaussianMixture`, or "auto": every covariance model is tried, and BIC chooses.
    priors : array of shape (C,), optional
        Probabilities of the classes in sorted order; by default they are estimated.
    tol, reg_covar, max_iter, n_init, init_params, random_state, engine, n_threads
        As in `GaussianMixture`.

    Attributes
    ----------
    classes_ : array of shape (C,)
    mixtures_ : list of Mixture
        The distribution of each class.
    priors_ : array of shape (C,)
    covariance_types_ : list of str
        Covariance model of each class.
    log_likelihood_ : float
        Sum of log p(row), whatever the label, which is the number that mclust has.
    n_parameters_ : int
    bic_ : float
        -2 log L + p log N: lower is better, and mclust's with the opposite sign.
    n_iter_ : int
    converged_ : bool
    n_features_in_ : int
    feature_names_in_ : array of shape (D,)
        Where the input had string column names.

    Notes
    -----
    Rows of class -1 are unlabelled and take part in EM: each belongs to a class
    in proportion to its probability. That holds where there are two
    other classes at least; labels -1 and 1 alone are two classes. The number of components and the covariance
    model are chosen by the labelled rows.

    BIC looks for the density of the rows, not for the fewest errors: on wine its choice errs twice as often in held-out
    rows as the default, which is quadratic discriminant analysis; `benchmarks/classifier.py` has the numbers. With few
    rows for a class, in relation to its features, "EEE" or "auto" is the safer choice.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mixtura import GaussianMixtureClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GaussianMixtureClassifier(covariance_type="VEV").fit(X, y)
    >>> round(model.log_likelihood_, 3), round(model.bic_, 3), round(1 - model.score(X, y), 3)
    (-187.71, 565.824, 0.02)
    """

    def __init__(
        self,
        n_components: Any = 1,
        *,
        covariance_type: str = "full",
        priors: ArrayLike | None = None,
        tol: float = 1e-6,
        reg_covar: float = 1e-6,
        max_iter: int = 1000,
        n_init: int | str = "auto",
        init_params: Any = "kmeans",
        random_state: Any = None,
        engine: str = "auto",
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.priors = priors
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.engine = engine
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixtures of all classes.

        Parameters
        ----------
        X : array or data frame of shape (N, D)
            In memory; `predict` and the like take files too, as `mixtura.open_rows` does.
        y : array of shape (N,)
            Classes; -1 where a row has no label.
        sample_weight : array of shape (N,), optional
            Frequency weights, as in `GaussianMixture.fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For rows, classes, weights or parameters that cannot be fitted.
        """
        rows = check_rows(self, X, reset=True, min_rows=2, missing_allowed=True)
        raise_if_not_finite(rows, getattr(self, "feature_names_in_", None), missing_allowed=True)
        target = check_targets(y, rows.shape[0])
        given = check_weights(sample_weight, rows.shape[0])
        weights = np.ones(rows.shape[0]) if given is None else given
        rows, target, weights = rows[weights > 0], target[weights > 0], weights[weights > 0]
        self.classes_, codes = _classes_and_codes(target)
        priors, numbers = self._check()
        data = LabelledRows(rows.astype(np.float64), weights, codes)
        if has_missing(rows):
            warn_of_empty_rows(rows, stacklevel=2)
            self._check_observed(data)
        if numbers is not None and set(numbers) == {1}:
            self._fit_shared(data, priors)
        else:
            self._fit_separate(data, numbers, priors)
        return self

    def _check(self) -> tuple[Array | None, list[int] | None]:
        """Priors of the classes and their numbers of components; raises for any parameter that is not allowed."""
        check_parameters(self._template(1, "full" if self._automatic else self.covariance_type))
        return self._checked_priors(), self._checked_numbers()

    def _check_observed(self, data: LabelledRows) -> None:
        """Raise where nothing was observed of a feature in a class: nothing tells where the class lies in it."""
        for code, label in enumerate(self.classes_.tolist()):
            unseen = np.flatnonzero(np.isnan(data.rows[data.codes == code]).all(axis=0))
            if unseen.size:
                names = getattr(self, "feature_names_in_", None)
                name = f" ({names[unseen[0]]!r})" if names is not None else ""
                raise ValueError(f"feature {unseen[0]}{name} has no observed value in class {label!r}; drop either")

    @property
    def _automatic(self) -> bool:
        return isinstance(self.covariance_type, str) and self.covariance_type.lower() in ("auto", "all")

    def _template(self, n_components: int, covariance_type: str) -> GaussianMixture:
        own = {"n_components", "covariance_type", "priors"}
        shared = {name: getattr(self, name) for name in self._get_param_names() if name not in own}
        return GaussianMixture(n_components, covariance_type=covariance_type, **shared)

    def _checked_priors(self) -> Array | None:
        if self.priors is None:
            return None
        priors = np.asarray(self.priors, dtype=np.float64)
        if priors.shape != self.classes_.shape:
            raise ValueError(f"priors must have shape {self.classes_.shape}, one a class; got {priors.shape}")
        if not (np.all(priors > 0) and abs(priors.sum() - 1.0) < 1e-8):
            raise ValueError(f"priors must be positive and sum to 1; got {priors}")
        return priors / priors.sum()

    def _checked_numbers(self) -> list[int] | None:
        """Components of each class; None where BIC is to choose."""
        given = self.n_components
        if isinstance(given, str):
            if given != "auto":
                raise ValueError(f"n_components must be 'auto', an integer or a dictionary; got {given!r}")
            return None
        if isinstance(given, Mapping):
            missing = [one for one in self.classes_.tolist() if one not in given]
            if missing:
                raise ValueError(f"n_components has no number for class {missing[0]!r}")
            given = [given[one] for one in self.classes_.tolist()]
        else:
            given = [given] * self.classes_.size
        for number in given:
            if not isinstance(number, Integral) or isinstance(number, bool):
                raise TypeError(f"n_components must be 'auto', an integer or a dictionary of integers; got {number!r}")
            if number < 1:
                raise ValueError(f"n_components must be at least 1; got {number}")
        return [int(number) for number in given]

    def _coordinates(self, data: LabelledRows, unit_free: bool) -> Standardization:
        model = covariance_model("VVV" if unit_free else "VII")
        names = getattr(self, "feature_names_in_", None)
        source = ArraySource(data.rows, data.weights, has_missing(data.rows))
        return standardize(source, model, self.engine, names, self.n_threads)

    def _fit_shared(self, data: LabelledRows, priors: Array | None) -> None:
        """One component a class; of several covariance models, the one of lowest BIC that is sound."""
        names = model_names(data.rows.shape[1]) if self._automatic else (self.covariance_type,)
        free = {name: covariance_model(name).unit_free for name in names}
        grounds = {key: self._coordinates(data, key) for key in dict.fromkeys(free.values())}
        fits = [self._shared(data, priors, name, grounds[free[name]], labelled=True) for name in names]
        best = min(fits, key=lambda one: (one[0], one[1]))
        if (data.codes < 0).any() or len(names) == 1:
            best = self._shared(data, priors, best[2], grounds[free[best[2]]], labelled=False)
        self._finish(best[3], data, priors, grounds[free[best[2]]])

    def _shared(
        self, data: LabelledRows, priors: Array | None, name: str, ground: Standardization, *, labelled: bool
    ) -> tuple[bool, float, str, tuple[list[Family], int, bool]]:
        """(whether a component collapsed, BIC, name, what `climb` returned) of one covariance model."""
        known = data.codes >= 0 if labelled else np.ones(data.codes.size, dtype=bool)
        inner = LabelledRows(ground.rows(data.rows[known]), data.weights[known], data.codes[known])
        start = family_of_classes(inner, self.classes_.size, MStep(name, float(self.reg_covar)))
        fit = climb([start], inner, priors, float(self.tol), int(self.max_iter))
        mixture, total = fit[0][0].mixture, float(inner.weights.sum())
        value = log_likelihood(fit[0], inner) - _log_jacobian(inner, ground)
        bic = -2.0 * value + mixture.n_parameters * float(np.log(total))
        return fit[0][0].collapsed, bic, name, fit

    def _fit_separate(self, data: LabelledRows, numbers: list[int] | None, priors: Array | None) -> None:
        """A mixture for each class from its own rows; then all together where there are unlabelled rows."""
        known = data.codes >= 0
        shares = np.bincount(data.codes[known], data.weights[known]) / data.weights[known].sum()
        ground = self._coordinates(data, not self._automatic and covariance_model(self.covariance_type).unit_free)
        inner = LabelledRows(ground.rows(data.rows), data.weights, data.codes)
        fits = []
        for code, label in enumerate(self.classes_.tolist()):
            mine = (data.codes == code) & ~np.isnan(data.rows).all(axis=1)
            number = None if numbers is None else numbers[code]
            fits.append(self._fit_class(inner.rows[mine], inner.weights[mine], number, label))
        families = []
        for code, fit in enumerate(fits):
            mixture = fit.mixture_
            mstep = MStep(mixture.covariance_type, float(self.reg_covar))
            owner = np.full(mixture.n_components, code)
            families.append(Family(replace(mixture, weights=mixture.weights * shares[code]), owner, mstep))
        self._finish(climb(families, inner, priors, float(self.tol), int(self.max_iter)), data, priors, ground)

    def _fit_class(self, rows: Array, weights: Array, number: int | None, label: Any) -> GaussianMixture:
        """The mixture of one class, in the coordinates of its rows; no more components than it has distinct rows."""
        distinct = np.unique(np.nan_to_num(rows), axis=0).shape[0]
        if number is not None and number > distinct:
            warnings.warn(
                f"class {label!r} has {distinct} distinct rows, and so many components instead of {number}",
                CollapsedComponentWarning,
                stacklevel=4,
            )
            number = distinct
        if rows.shape[0] == 1:  # to a fit a row of twice the weight is two rows
            rows, weights = np.repeat(rows, 2, axis=0), np.repeat(0.5 * weights, 2)
        if number is not None and not self._automatic:
            return self._template(number, self.covariance_type).fit(rows, sample_weight=weights)
        own = {"n_components", "covariance_type", "priors"}
        shared = {name: getattr(self, name) for name in self._get_param_names() if name not in own}
        names = "all" if self._automatic else self.covariance_type
        selection = GaussianMixtureIC(AUTO_COMPONENTS if number is None else number, covariance_type=names, **shared)
        try:
            return selection.fit(rows, sample_weight=weights).best_estimator_
        except ValueError:
            if not hasattr(selection, "results_") or number is not None:
                raise
        simplest = str(selection.results_["covariance_type"][0])  # held at the floor, with a warning
        return self._template(1, simplest).fit(rows, sample_weight=weights)

    def _finish(
        self,
        fit: tuple[list[Family], int, bool],
        data: LabelledRows,
        priors: Array | None,
        ground: Standardization,
    ) -> None:
        families, self.n_iter_, self.converged_ = fit
        back = [replace(family, mixture=ground.backward(family.mixture)) for family in families]
        found = [[one.of_class(code) for one in back] for code in range(self.classes_.size)]
        self.mixtures_: list[Mixture] = [next(one for one in parts if one is not None) for parts in found]
        self.covariance_types_ = [mixture.covariance_type for mixture in self.mixtures_]
        shares = [np.bincount(one.owner, one.mixture.weights, self.classes_.size) for one in families]
        self.priors_: Array = np.sum(shares, axis=0, dtype=np.float64)
        total = float(data.weights.sum())
        inner = LabelledRows(ground.rows(data.rows), data.weights, data.codes)
        self.log_likelihood_ = log_likelihood(families, inner) - _log_jacobian(inner, ground)
        # a family counts its components' weights less one; the families' own shares come to that, less one
        n_parameters = sum(family.mixture.n_parameters for family in families) + len(families) - 1
        self.n_parameters_ = n_parameters - (0 if priors is None else self.classes_.size - 1)
        self.bic_ = -2.0 * self.log_likelihood_ + self.n_parameters_ * float(np.log(total))
        if not self.converged_ and self.tol > 0:
            warnings.warn(f"EM did not converge (max_iter={self.max_iter})", ConvergenceWarning, stacklevel=4)
        if any(family.collapsed for family in families):
            warnings.warn(
                f"a covariance collapsed and was held at reg_covar={self.reg_covar:g} of the features' variance; use "
                "a simpler covariance_type or fewer components, or drop constant and collinear features",
                CollapsedComponentWarning,
                stacklevel=4,
            )

    def _log_joint(self, X: Any) -> Array:
        """log p(row, class): (N, C)."""
        check_is_fitted(self, "mixtures_")
        return of_rows(self, X, self._log_joint_of)

    def _log_joint_of(self, rows: NDArray[Any]) -> Array:
        """The same of checked rows."""
        if not has_missing(rows):
            columns = [mixture.logpdf(rows) for mixture in self.mixtures_]
        else:
            warn_of_empty_rows(rows, stacklevel=5)
            columns = [observed_log_density(one, rows, self.engine, self.n_threads) for one in self.mixtures_]
        return np.stack(columns, axis=1) + np.log(self.priors_)

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each row: (N,)."""
        best = self._log_joint(X).argmax(axis=1)
        return self.classes_[best]

    def predict_log_proba(self, X: Any) -> Array:
        """Log probability of each class for each row: (N, C)."""
        joint = self._log_joint(X)
        return np.asarray(joint - logsumexp(joint, axis=1, keepdims=True))

    def predict_proba(self, X: Any) -> Array:
        """Probability of each class for each row: (N, C)."""
        return np.exp(self.predict_log_proba(X))

    def score_samples(self, X: Any) -> Array:
        """Log density of each row, whatever its class: (N,)."""
        return np.asarray(logsumexp(self._log_joint(X), axis=1))


def _log_jacobian(data: LabelledRows, ground: Standardization) -> float:
    """By how much the log likelihood differs between the data's units and those of the fit."""
    return float(data.weights @ (~np.isnan(data.rows) @ np.log(ground.scale)))


def _classes_and_codes(target: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The classes in sorted order, and the index of each row's class: -1 where it has none."""
    classes, codes = np.unique(target, return_inverse=True)
    if classes.size > 2 and classes.dtype.kind in "if" and classes[0] == -1:
        return classes[1:], codes - 1
    return classes, codes
