"""Model files: one versioned JSON document, checked to the last number when it is read.

A file holds numbers and names, never code: nothing in it is executed, imported
or looked up as a class. To store another kind of model, add a `Kind` to `KINDS`.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import mixtura
from mixtura.atomic import replacing
from mixtura.document import (
    Refused,
    boolean,
    describe,
    digest,
    integer,
    listing,
    mapping,
    number,
    parse,
    readable,
    shorten,
    text,
)
from mixtura.em import Status
from mixtura.estimators.parameters import check_parameters
from mixtura.mixture import Mixture
from mixtura.mixture_document import describe_mixture, mixture_in

__all__ = ["KINDS", "Kind", "ModelFileError", "load", "save"]

SCHEMA = "mixtura-model"
SCHEMA_VERSION = 1
MAX_BYTES = 256 * 2**20  # reading needs some ten times as much memory

FRAME = ("schema", "schema_version", "library_version", "kind", "sha256")
FIT_KEYS = (
    "converged", "status", "n_iter", "lower_bound", "lower_bounds", "n_features_in", "n_observations", "log_likelihood",
)  # fmt: skip

Path = str | os.PathLike[str]


class ModelFileError(ValueError):
    """A model file cannot be read; the message names the file, the place in it and the problem."""


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
        From a document's checked mixture, and its unchecked other sections, to a model.
    sections : tuple of str
        Keys of the document besides the frame that all kinds share.
    """

    accepts: Callable[[Any], bool]
    describe: Callable[[Any], dict[str, Any]]
    restore: Callable[[Mixture, Mapping[str, Any]], Any]
    sections: tuple[str, ...]


def save(model: Any, path: Path) -> None:
    """Write a fitted model to a file, from which `load` restores it bit for bit.

    The file is written beside its destination and renamed, so that there is
    never half a file under that name.

    Parameters
    ----------
    model : GaussianMixture, GaussianMixtureIC or Mixture
        A fitted estimator, or a bare distribution; of a choice, its best estimator. Of the estimator's
        parameters, numbers, strings, booleans and None are stored; others
        (arrays of starting values, random generators, callables) are not and
        have their defaults after loading.
    path : str or path-like

    Raises
    ------
    TypeError
        If the model is of a kind that has no file format.
    ValueError
        If it is not fitted, or holds numbers that `load` would refuse.

    Examples
    --------
    >>> import os, tempfile, mixtura
    >>> mixture = mixtura.Mixture.from_parameters([0.3, 0.7], [[0.0], [4.0]], [1.0, 2.0], "spherical")
    >>> path = os.path.join(tempfile.mkdtemp(), "model.json")
    >>> mixtura.save(mixture, path)
    >>> mixtura.load(path).means.tolist()
    [[0.0], [4.0]]
    """
    model = getattr(model, "best_estimator_", model)
    name = _kind_of(model)
    document = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "library_version": str(getattr(mixtura, "__version__", "unknown")),
        "kind": name,
        **KINDS[name].describe(model),
    }
    try:
        mixture = mixture_in(document["mixture"])
        if "fit" in document:
            _fit_in(document["fit"], mixture)
            _names_in(document["feature_names"], mixture.n_features)
        document["sha256"] = digest(document)
    except ValueError as error:
        raise ValueError(f"the model cannot be saved: {error}") from None
    content = readable(document).encode("ascii")
    if len(content) > MAX_BYTES:
        raise ValueError(f"the model cannot be saved: its file would have {len(content)} bytes, of at most {MAX_BYTES}")
    with replacing(path, "wb") as stream:
        stream.write(content)


def load(path: Path) -> Any:
    """The model in a file that `save` wrote.

    Every number, size, name and the checksum are tested. Nothing in the file is
    executed, so a file from a stranger is safe to load.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    GaussianMixture or Mixture
        Whatever was saved, with the same parameters bit for bit.

    Raises
    ------
    ModelFileError
        If the file cannot be read or is not a sound model file.

    Examples
    --------
    >>> import os, tempfile, mixtura
    >>> path = os.path.join(tempfile.mkdtemp(), "model.json")
    >>> mixtura.save(mixtura.Mixture.from_parameters([1.0], [[0.0]], [[1.0]], "diag"), path)
    >>> mixtura.load(path).logpdf([[0.0]]).round(4).tolist()
    [-0.9189]
    """
    try:
        return _restore(parse(_read(path)))
    except Refused as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(f"{os.fspath(path)!s}: the file cannot be read: {reason}") from error


# Kinds


def _kind_of(model: Any) -> str:
    for name, kind in KINDS.items():
        if kind.accepts(model):
            return name
    hint = "; its distribution can be saved: save(model.mixture_, path)" if hasattr(model, "mixture_") else ""
    raise TypeError(f"save takes a {' or a '.join(KINDS)}; got {type(model).__name__}{hint}")


def _describe_estimator(model: Any) -> dict[str, Any]:
    if getattr(model, "mixture_", None) is None:
        raise ValueError(f"this {type(model).__name__} is not fitted yet; call fit before save")
    names = getattr(model, "feature_names_in_", None)
    parameters = {name: _scalar(value) for name, value in model.get_params(deep=False).items()}
    total = getattr(model, "log_likelihood_", None)
    return {
        **describe_mixture(model.mixture_),
        "feature_names": None if names is None else [str(name) for name in names],
        "options": {name: value for name, value in parameters.items() if _storable(value)},
        "fit": {
            "converged": bool(model.converged_),
            "status": model.status_.name,
            "n_iter": int(model.n_iter_),
            "lower_bound": float(model.lower_bound_),
            "lower_bounds": [float(bound) for bound in model.lower_bounds_],
            "n_features_in": int(model.n_features_in_),
            "n_observations": float(model.n_observations_),
            "log_likelihood": None if total is None else float(total),
        },
    }


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _storable(value: Any) -> bool:
    return value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def _restore_estimator(estimator_class: Any, mixture: Mixture, document: Mapping[str, Any]) -> Any:
    options = _options_in(document["options"], estimator_class)
    fit = _fit_in(document["fit"], mixture)
    names = _names_in(document["feature_names"], mixture.n_features)
    estimator = estimator_class(**options)
    try:
        check_parameters(estimator)
    except (ValueError, TypeError) as error:
        raise Refused("options", str(error)) from None
    total = fit.pop("log_likelihood")
    estimator._set_fitted(mixture, **fit)
    if total is not None:
        estimator.log_likelihood_ = total
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)
    return estimator


#: By the name under which files know them.
KINDS: dict[str, Kind] = {
    "mixture": Kind(
        lambda model: isinstance(model, Mixture), describe_mixture, lambda mixture, document: mixture, ("mixture",)
    ),
    "GaussianMixture": Kind(
        lambda model: type(model) is mixtura.GaussianMixture,
        _describe_estimator,
        lambda mixture, document: _restore_estimator(mixtura.GaussianMixture, mixture, document),
        ("mixture", "feature_names", "options", "fit"),
    ),
}


# Checks


def _read(path: Path) -> bytes:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise Refused("", "not a regular file")
    with open(path, "rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Refused("", f"more than {MAX_BYTES} bytes, which no model file has")
    return content


def _restore(document: dict[str, Any]) -> Any:
    _check_frame(document)
    kind = KINDS[document["kind"]]
    mapping(document, "", (*FRAME, *kind.sections))
    mixture = mixture_in(document["mixture"])
    try:
        with np.errstate(all="ignore"):
            model = kind.restore(mixture, document)
        expected = digest(document)
    except Refused:
        raise
    except (ValueError, TypeError, ArithmeticError, RecursionError, np.linalg.LinAlgError) as error:
        raise Refused("", f"the parameters do not make a model: {error}") from None
    if document["sha256"] != expected:
        raise Refused("sha256", "the checksum does not match; the file was changed after it was saved")
    return model


def _check_frame(document: Mapping[str, Any]) -> None:
    if document.get("schema") != SCHEMA:
        raise Refused("schema", f"must be {SCHEMA!r}; this is no mixtura model file")
    version = integer(document.get("schema_version"), "schema_version")
    if version != SCHEMA_VERSION:
        writer = shorten(document.get("library_version"))
        raise Refused(
            "schema_version",
            f"this library reads version {SCHEMA_VERSION}; the file has {version}, written by mixtura {writer}. "
            "Install that version, or a newer one",
        )
    text(document.get("library_version"), "library_version")
    if text(document.get("kind"), "kind") not in KINDS:
        raise Refused("kind", f"must be one of {', '.join(KINDS)}; got {shorten(document['kind'])}")


def _options_in(section: Any, estimator_class: Any) -> dict[str, Any]:
    known = estimator_class().get_params(deep=False)
    if not isinstance(section, dict):
        raise Refused("options", f"must be an object; got {describe(section)}")
    for name, value in section.items():
        if name not in known:
            raise Refused(f"options.{shorten(name)}", "no such parameter in this version of mixtura")
        if not _storable(value):
            raise Refused(f"options.{name}", f"must be a number, a string, true, false or null; got {describe(value)}")
        if isinstance(known[name], bool):
            boolean(value, f"options.{name}")
    return section


def _fit_in(section: Any, mixture: Mixture) -> dict[str, Any]:
    """Arguments of ``_set_fitted``, and the log likelihood."""
    section = mapping(section, "fit", FIT_KEYS)
    status = text(section["status"], "fit.status")
    if status not in Status.__members__:
        raise Refused("fit.status", f"must be one of {', '.join(Status.__members__)}; got {shorten(status)}")
    n_features = integer(section["n_features_in"], "fit.n_features_in")
    if n_features != mixture.n_features:
        raise Refused("fit.n_features_in", f"must be {mixture.n_features}, as the means have it; got {n_features}")
    bounds = listing(section["lower_bounds"], "fit.lower_bounds", minimum=0)
    total = section["log_likelihood"]
    return {
        "converged": boolean(section["converged"], "fit.converged"),
        "status": Status[status],
        "n_iter": integer(section["n_iter"], "fit.n_iter"),
        "lower_bounds": [number(bound, f"fit.lower_bounds[{i}]") for i, bound in enumerate(bounds)],
        "n_observations": number(section["n_observations"], "fit.n_observations", minimum=0.0),
        "lower_bound": number(section["lower_bound"], "fit.lower_bound"),
        "log_likelihood": None if total is None else number(total, "fit.log_likelihood"),
    }


def _names_in(section: Any, n_features: int) -> list[str] | None:
    if section is None:
        return None
    names = listing(section, "feature_names")
    if len(names) != n_features:
        raise Refused("feature_names", f"must be {n_features}, one a column of the means; got {len(names)}")
    for i, name in enumerate(names):
        text(name, f"feature_names[{i}]")
    if len(set(names)) < len(names):
        raise Refused("feature_names", "a name appears twice")
    return names
