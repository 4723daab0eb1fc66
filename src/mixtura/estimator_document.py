"""The parts of a model file that estimators share: options, the course of the fit, and the features' names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from mixtura.document import Refused, array, boolean, describe, integer, listing, mapping, number, shorten, text
from mixtura.em import Status
from mixtura.mixture import Mixture
from mixtura.prior import ConjugatePrior

__all__ = ["describe_fit", "describe_options", "finite_in", "fit_in", "names_in", "options_in", "refusing"]

FIT_KEYS = (
    "converged", "status", "n_iter", "lower_bound", "lower_bounds", "n_features_in", "n_observations", "log_likelihood",
)  # fmt: skip
#: A file that is loaded may not say where the next fit has to write.
NOT_STORED = ("checkpoint",)
PRIOR_KEYS = tuple(field.name for field in fields(ConjugatePrior))


def describe_options(model: Any) -> dict[str, Any]:
    """The sections of any estimator: its parameters, where JSON has them, and its features' names."""
    names = getattr(model, "feature_names_in_", None)
    given = {name: value for name, value in model.get_params(deep=False).items() if name not in NOT_STORED}
    parameters = {name: _plain(value) for name, value in given.items()}
    return {
        "feature_names": None if names is None else [str(name) for name in names],
        "options": {name: value for name, value in parameters.items() if _storable(value) or _is_prior(name, value)},
    }


def describe_fit(model: Any) -> dict[str, Any]:
    """The course of a fitted mixture's EM."""
    total = getattr(model, "log_likelihood_", None)
    return {
        "converged": bool(model.converged_),
        "status": model.status_.name,
        "n_iter": int(model.n_iter_),
        "lower_bound": float(model.lower_bound_),
        "lower_bounds": [float(bound) for bound in model.lower_bounds_],
        "n_features_in": int(model.n_features_in_),
        "n_observations": float(model.n_observations_),
        "log_likelihood": None if total is None else float(total),
    }


def _plain(value: Any) -> Any:
    """A parameter as JSON's values, where it has such."""
    if isinstance(value, ConjugatePrior):
        parts = {name: getattr(value, name) for name in PRIOR_KEYS}
        return {name: None if part is None else np.asarray(part).tolist() for name, part in parts.items()}
    return value.item() if isinstance(value, np.generic) else value


def _storable(value: Any) -> bool:
    return value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def _is_prior(name: str, value: Any) -> bool:
    return name == "prior" and isinstance(value, dict)


def options_in(section: Any, estimator_class: Any, n_features: int) -> dict[str, Any]:
    """Checked parameters of an estimator; whether they are ones that it takes is for it to say."""
    known = estimator_class().get_params(deep=False)
    if not isinstance(section, dict):
        raise Refused("options", f"must be an object; got {describe(section)}")
    options = dict(section)
    for name, value in section.items():
        if name not in known or name in NOT_STORED:
            raise Refused(f"options.{shorten(name)}", "no such parameter in this version of mixtura")
        if _is_prior(name, value):
            options[name] = _prior_in(value, n_features)
        elif not _storable(value):
            raise Refused(f"options.{name}", f"must be a number, a string, true, false or null; got {describe(value)}")
        if isinstance(known[name], bool):
            boolean(value, f"options.{name}")
    return options


def _prior_in(section: dict[str, Any], n_features: int) -> ConjugatePrior:
    place = "options.prior"
    section = mapping(section, place, PRIOR_KEYS)
    mean, freedom, scale = section["mean"], section["degrees_of_freedom"], section["scale"]
    if isinstance(scale, list):
        dense = bool(scale) and isinstance(scale[0], list)
        scale = array(scale, (n_features, n_features) if dense else (n_features,), f"{place}.scale")
    elif scale is not None:
        scale = number(scale, f"{place}.scale")
    return ConjugatePrior(
        None if mean is None else array(mean, (n_features,), f"{place}.mean"),
        number(section["shrinkage"], f"{place}.shrinkage"),
        None if freedom is None else number(freedom, f"{place}.degrees_of_freedom"),
        scale,
    )


def refusing(check: Any, *arguments: Any) -> None:
    """Call a check of constructor parameters; what it raises is a refusal of the options."""
    try:
        check(*arguments)
    except (ValueError, TypeError) as error:
        raise Refused("options", str(error)) from None


def fit_in(section: Any, mixture: Mixture) -> dict[str, Any]:
    """Arguments of ``_set_fitted``, and the log likelihood."""
    section = mapping(section, "fit", FIT_KEYS)
    status = text(section["status"], "fit.status")
    if status not in Status.__members__:
        raise Refused("fit.status", f"must be one of {', '.join(Status.__members__)}; got {shorten(status)}")
    n_features = integer(section["n_features_in"], "fit.n_features_in")
    if n_features != mixture.n_features:
        raise Refused("fit.n_features_in", f"must be {mixture.n_features}, as the means have it; got {n_features}")
    bounds = listing(section["lower_bounds"], "fit.lower_bounds", minimum=0)
    return {
        "converged": boolean(section["converged"], "fit.converged"),
        "status": Status[status],
        "n_iter": integer(section["n_iter"], "fit.n_iter"),
        "lower_bounds": [number(bound, f"fit.lower_bounds[{i}]") for i, bound in enumerate(bounds)],
        "n_observations": number(section["n_observations"], "fit.n_observations", minimum=0.0),
        "lower_bound": number(section["lower_bound"], "fit.lower_bound"),
        "log_likelihood": finite_in(section["log_likelihood"], "fit.log_likelihood"),
    }


def finite_in(value: Any, place: str) -> float | None:
    """A finite number, or None for null."""
    return None if value is None else number(value, place)


def names_in(section: Mapping[str, Any], n_features: int) -> list[str] | None:
    """The features' names of a document; None where it has none."""
    if section["feature_names"] is None:
        return None
    names = listing(section["feature_names"], "feature_names")
    if len(names) != n_features:
        raise Refused("feature_names", f"must be {n_features}, one a column of the means; got {len(names)}")
    for i, name in enumerate(names):
        text(name, f"feature_names[{i}]")
    if len(set(names)) < len(names):
        raise Refused("feature_names", "a name appears twice")
    return names
