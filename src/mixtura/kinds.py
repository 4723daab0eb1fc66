"""The kinds of model that a file can hold: what `mixtura.save` writes of each, and how `mixtura.load` makes it again.

A kind is found by its name in the file; no name is looked up as a class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mixtura
from mixtura.document import Refused, array, boolean, integer, listing, mapping, number, shorten, text
from mixtura.estimator_document import (
    describe_fit,
    describe_options,
    finite_in,
    fit_in,
    names_in,
    options_in,
    refusing,
)
from mixtura.estimators.parameters import check_parameters
from mixtura.mixture import WEIGHT_TOLERANCE, Mixture
from mixtura.mixture_document import describe_mixture, mixture_in

__all__ = ["KINDS", "Kind"]

ESTIMATOR = ("feature_names", "options", "fit")
CLASSIFIER_FIT_KEYS = ("converged", "n_iter", "log_likelihood", "n_parameters", "bic")
NO_NAMES = {"feature_names": None}
THRESHOLD_KEYS = ("offset", "false_alarm_error")


@dataclass(frozen=True)
class Kind:
    """A kind of model that a file can hold.

    Parameters
    ----------
    accepts : callable
        Whether `save` may write that model as this kind.
    describe : callable
        From a model to the sections of its document.
    restore : callable
        From the unchecked sections of a document to a model; raises `Refused` where they are not sound.
    sections : tuple of str
        Keys of the document besides the frame that all kinds share.
    """

    accepts: Callable[[Any], bool]
    describe: Callable[[Any], dict[str, Any]]
    restore: Callable[[Mapping[str, Any]], Any]
    sections: tuple[str, ...]


def _fitted(model: Any, attribute: str) -> Any:
    if getattr(model, attribute, None) is None:
        raise ValueError(f"this {type(model).__name__} is not fitted yet; call fit before save")
    return getattr(model, attribute)


def _set_names(model: Any, names: list[str] | None) -> Any:
    if names is not None:
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


# GaussianMixture


def _describe_mixture_fit(model: Any) -> dict[str, Any]:
    return {
        "mixture": describe_mixture(_fitted(model, "mixture_")),
        **describe_options(model),
        "fit": describe_fit(model),
    }


def _restore_mixture_fit(document: Mapping[str, Any]) -> Any:
    mixture = mixture_in(document["mixture"])
    options = options_in(document["options"], mixtura.GaussianMixture, mixture.n_features)
    return _fitted_mixture(mixtura.GaussianMixture(**options), mixture, document)


def _fitted_mixture(estimator: Any, mixture: Mixture, document: Mapping[str, Any]) -> Any:
    fit = fit_in(document["fit"], mixture)
    names = names_in(document, mixture.n_features)
    refusing(check_parameters, estimator)
    total = fit.pop("log_likelihood")
    estimator._set_fitted(mixture, **fit)
    if total is not None:
        estimator.log_likelihood_ = total
    return _set_names(estimator, names)


# GaussianMixtureOutlierDetector


def _describe_detector(model: Any) -> dict[str, Any]:
    inner = _fitted(model, "estimator_")
    error = model.false_alarm_error_
    return {
        "mixture": describe_mixture(inner.mixture_),
        **describe_options(model),
        "fit": describe_fit(inner),
        "threshold": {
            "offset": float(model.offset_),
            "false_alarm_error": None if np.isnan(error) else float(error),
        },
    }


def _restore_detector(document: Mapping[str, Any]) -> Any:
    mixture = mixture_in(document["mixture"])
    if mixture.background is not None:
        raise Refused("mixture.background", "a detector has none")
    detector_class = mixtura.GaussianMixtureOutlierDetector
    detector = detector_class(**options_in(document["options"], detector_class, mixture.n_features))
    refusing(detector._check_shares)
    threshold = mapping(document["threshold"], "threshold", THRESHOLD_KEYS)
    detector.offset_ = number(threshold["offset"], "threshold.offset")
    error = finite_in(threshold["false_alarm_error"], "threshold.false_alarm_error")
    detector.false_alarm_error_ = float("nan") if error is None else error
    inner = detector._template(mixture.n_components, mixture.covariance_type)
    detector.estimator_ = _fitted_mixture(inner, mixture, document)
    detector.n_features_in_ = mixture.n_features
    return _set_names(detector, names_in(document, mixture.n_features))


# GaussianMixtureImputer


def _describe_imputer(model: Any) -> dict[str, Any]:
    inner = _fitted(model, "estimator_")
    return {
        "mixture": describe_mixture(inner.mixture_),
        **describe_options(model),
        "fit": describe_fit(inner),
        "columns": {
            "observed": model.observed_features_.tolist(),
            "indicated": np.isin(np.arange(model.n_features_in_), model.indicator_features_).tolist(),
        },
        "tried": {"n_components": list(model.bic_), "bic": [float(value) for value in model.bic_.values()]},
    }


def _restore_imputer(document: Mapping[str, Any]) -> Any:
    mixture = mixture_in(document["mixture"])
    if mixture.background is not None:
        raise Refused("mixture.background", "an imputer has none")
    imputer_class = mixtura.GaussianMixtureImputer
    model = imputer_class(**options_in(document["options"], imputer_class, mixture.n_features))
    refusing(model._check)
    columns = mapping(document["columns"], "columns", ("observed", "indicated"))
    observed, indicated = (_flags_in(columns[name], f"columns.{name}") for name in ("observed", "indicated"))
    if observed.sum() != mixture.n_features:
        raise Refused("columns.observed", f"must be true {mixture.n_features} times, once a column of the means")
    if indicated.size != observed.size or np.any(~observed & ~indicated):
        raise Refused("columns.indicated", "must be one a column of the data, and true where nothing was observed")
    model._set_columns(observed, np.flatnonzero(indicated))
    inner = model._template(mixture.n_components)
    model.estimator_ = _fitted_mixture(inner, mixture, {**document, **NO_NAMES})
    tried = mapping(document["tried"], "tried", ("n_components", "bic"))
    numbers = [integer(one, "tried.n_components") for one in listing(tried["n_components"], "tried.n_components", 0)]
    values = array(tried["bic"], (len(numbers),), "tried.bic")
    model.bic_ = dict(zip(numbers, values.tolist(), strict=True))
    return _set_names(model, names_in(document, observed.size))


def _flags_in(section: Any, place: str) -> NDArray[np.bool_]:
    return np.array([boolean(one, f"{place}[{i}]") for i, one in enumerate(listing(section, place))])


# GaussianMixtureRegressor


def _describe_regressor(model: Any) -> dict[str, Any]:
    inner = _fitted(model, "estimator_")
    return {
        "mixture": describe_mixture(inner.mixture_),
        **describe_options(model),
        "fit": describe_fit(inner),
        "targets": {"number": int(model.n_targets_), "flat": bool(model._flat)},
    }


def _restore_regressor(document: Mapping[str, Any]) -> Any:
    mixture = mixture_in(document["mixture"])
    if mixture.background is not None:
        raise Refused("mixture.background", "a regressor has none")
    targets = mapping(document["targets"], "targets", ("number", "flat"))
    number_of, flat = integer(targets["number"], "targets.number"), boolean(targets["flat"], "targets.flat")
    if not 1 <= number_of < mixture.n_features or (flat and number_of > 1):
        raise Refused("targets.number", f"must leave a feature, and be 1 where flat; got {number_of}")
    regressor_class = mixtura.GaussianMixtureRegressor
    model = regressor_class(**options_in(document["options"], regressor_class, mixture.n_features))
    refusing(model._check)
    model.estimator_ = _fitted_mixture(model._template(mixture.n_components), mixture, {**document, **NO_NAMES})
    model.n_targets_, model._flat = number_of, flat
    model.n_features_in_ = mixture.n_features - number_of
    return _set_names(model, names_in(document, model.n_features_in_))


# GaussianMixtureClassifier


def _describe_classifier(model: Any) -> dict[str, Any]:
    mixtures = _fitted(model, "mixtures_")
    return {
        "mixtures": [describe_mixture(one) for one in mixtures],
        "classes": _describe_classes(model.classes_),
        "priors": model.priors_.tolist(),
        **describe_options(model),
        "fit": {
            "converged": bool(model.converged_),
            "n_iter": int(model.n_iter_),
            "log_likelihood": float(model.log_likelihood_),
            "n_parameters": int(model.n_parameters_),
            "bic": float(model.bic_),
        },
    }


def _describe_classes(classes: NDArray[Any]) -> dict[str, Any]:
    kind = "str" if classes.dtype.kind == "U" else classes.dtype.name
    if kind not in CLASS_TYPES or (kind == "object" and not all(isinstance(one, str) for one in classes)):
        raise ValueError(f"the model cannot be saved: its classes are neither numbers nor text but {classes.dtype}")
    return {"type": kind, "values": classes.tolist()}


#: Checks of one class in a file, by NumPy's name of the type; integers of either sign, so not `integer`.
CLASS_TYPES: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"), number),
    **dict.fromkeys(("float32", "float64"), number),
    "bool": boolean,
    "str": text,
    "object": text,
}


def _classes_in(section: Any, n_classes: int) -> NDArray[Any]:
    section = mapping(section, "classes", ("type", "values"))
    kind = text(section["type"], "classes.type")
    if kind not in CLASS_TYPES:
        raise Refused("classes.type", f"must be one of {', '.join(CLASS_TYPES)}; got {shorten(kind)}")
    values = listing(section["values"], "classes.values")
    if len(values) != n_classes:
        raise Refused("classes.values", f"must be {n_classes}, one a mixture; got {len(values)}")
    checked = [CLASS_TYPES[kind](value, f"classes.values[{i}]") for i, value in enumerate(values)]
    if any(not before < after for before, after in pairwise(checked)):
        raise Refused("classes.values", "must be in rising order, each once")
    classes: NDArray[Any] = np.array(values, dtype=np.str_ if kind == "str" else kind)
    if classes.tolist() != values:
        raise Refused("classes.values", f"are not all of type {kind}")
    return classes


def _restore_classifier(document: Mapping[str, Any]) -> Any:
    sections = listing(document["mixtures"], "mixtures")
    mixtures = [mixture_in(section, f"mixtures[{i}]") for i, section in enumerate(sections)]
    n_features = mixtures[0].n_features
    for i, one in enumerate(mixtures):
        if one.n_features != n_features:
            raise Refused(f"mixtures[{i}].means", f"must have {n_features} columns, as the first; got {one.n_features}")
        if one.background is not None:
            raise Refused(f"mixtures[{i}].background", "a class has none")
    classifier_class = mixtura.GaussianMixtureClassifier
    model = classifier_class(**options_in(document["options"], classifier_class, n_features))
    model.mixtures_, model.n_features_in_ = mixtures, n_features
    model.covariance_types_ = [one.covariance_type for one in mixtures]
    model.classes_ = _classes_in(document["classes"], len(mixtures))
    priors = array(document["priors"], (len(mixtures),), "priors")
    if np.any(priors <= 0) or not abs(priors.sum() - 1.0) <= WEIGHT_TOLERANCE:
        raise Refused("priors", "must be positive and sum to 1")
    model.priors_ = priors
    refusing(model._check)
    fit = mapping(document["fit"], "fit", CLASSIFIER_FIT_KEYS)
    model.converged_ = boolean(fit["converged"], "fit.converged")
    model.n_iter_ = integer(fit["n_iter"], "fit.n_iter")
    model.log_likelihood_ = number(fit["log_likelihood"], "fit.log_likelihood")
    model.n_parameters_ = integer(fit["n_parameters"], "fit.n_parameters")
    model.bic_ = number(fit["bic"], "fit.bic")
    return _set_names(model, names_in(document, n_features))


#: By the name under which files know them.
KINDS: dict[str, Kind] = {
    "mixture": Kind(
        lambda model: isinstance(model, Mixture),
        lambda model: {"mixture": describe_mixture(model)},
        lambda document: mixture_in(document["mixture"]),
        ("mixture",),
    ),
    "GaussianMixture": Kind(
        lambda model: type(model) is mixtura.GaussianMixture,
        _describe_mixture_fit,
        _restore_mixture_fit,
        ("mixture", *ESTIMATOR),
    ),
    "GaussianMixtureOutlierDetector": Kind(
        lambda model: type(model) is mixtura.GaussianMixtureOutlierDetector,
        _describe_detector,
        _restore_detector,
        ("mixture", *ESTIMATOR, "threshold"),
    ),
    "GaussianMixtureImputer": Kind(
        lambda model: type(model) is mixtura.GaussianMixtureImputer,
        _describe_imputer,
        _restore_imputer,
        ("mixture", *ESTIMATOR, "columns", "tried"),
    ),
    "GaussianMixtureRegressor": Kind(
        lambda model: type(model) is mixtura.GaussianMixtureRegressor,
        _describe_regressor,
        _restore_regressor,
        ("mixture", *ESTIMATOR, "targets"),
    ),
    "GaussianMixtureClassifier": Kind(
        lambda model: type(model) is mixtura.GaussianMixtureClassifier,
        _describe_classifier,
        _restore_classifier,
        ("mixtures", "classes", "priors", *ESTIMATOR),
    ),
}
