"""Model files: one versioned JSON document, checked to the last number when it is read.

A file holds numbers and names, never code: nothing in it is executed, imported
or looked up as a class. To store another kind of model, add a `Kind` to `kinds.KINDS`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Any

import numpy as np

import mixtura
from mixtura.atomic import replacing
from mixtura.document import Refused, digest, integer, mapping, parse, readable, shorten, text
from mixtura.kinds import KINDS, Kind

__all__ = ["KINDS", "Kind", "ModelFileError", "load", "save"]

SCHEMA = "mixtura-model"
SCHEMA_VERSION = 1
MAX_BYTES = 256 * 2**20  # reading needs some ten times as much memory

FRAME = ("schema", "schema_version", "library_version", "kind", "sha256")

Path = str | os.PathLike[str]


class ModelFileError(ValueError):
    """A model file cannot be read; the message names the file, the place in it and the problem."""


def save(model: Any, path: Path) -> None:
    """Write a fitted model to a file, from which `load` restores it bit for bit.

    The file is written beside its destination and renamed, so that there is
    never half a file under that name.

    Parameters
    ----------
    model : Mixture, or any estimator of a GaussianMixture...
        A fitted estimator, or a bare distribution; of a choice, its best estimator. Of the estimator's
        parameters, numbers, strings, booleans, None and a ConjugatePrior are stored; others
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
        with np.errstate(all="ignore"):
            KINDS[name].restore(document)
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
    estimator or Mixture
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


# Checks


def _kind_of(model: Any) -> str:
    for name, kind in KINDS.items():
        if kind.accepts(model):
            return name
    hint = "; its distribution can be saved: save(model.mixture_, path)" if hasattr(model, "mixture_") else ""
    raise TypeError(f"save takes a {' or a '.join(KINDS)}; got {type(model).__name__}{hint}")


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
    try:
        with np.errstate(all="ignore"):
            model = kind.restore(document)
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
