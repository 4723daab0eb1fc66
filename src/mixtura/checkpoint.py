"""Checkpoints: runs of EM in a file, from which they go on with the same bits.

A checkpoint is a JSON document with a checksum. Arrays are the bytes they have
in memory, floats their hexadecimal digits, so that nothing is rounded. It holds
values only: nothing in it is executed, imported or looked up outside `VALUES`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.atomic import replacing
from mixtura.background import Background
from mixtura.document import Refused, digest, parse
from mixtura.em import Status
from mixtura.mixture import Mixture
from mixtura.mstep import Update
from mixtura.search import SearchReport
from mixtura.shape import SHAPES
from mixtura.source import Source
from mixtura.suffstats import SufficientStats

__all__ = ["CheckpointError", "CheckpointFile", "CheckpointWarning", "decoded", "encoded", "facts_of", "fingerprint"]

SCHEMA = "mixtura-checkpoint"
SCHEMA_VERSION = 1

#: The values that a checkpoint may hold beside numbers, names and arrays of these types.
VALUES: dict[str, Any] = {one.__name__: one for one in (Background, Mixture, SearchReport, SufficientStats, Update)}
ARRAYS = ("<f8", "|b1", "<i8", "<u4", "<u8")


class CheckpointError(ValueError):
    """A checkpoint cannot be written or read, or belongs to another fit; the message names the file."""


class CheckpointWarning(UserWarning):
    """The newest checkpoint is damaged; the one before it was taken."""


def encoded(value: Any) -> Any:
    """A value as JSON's values, with every bit."""
    if isinstance(value, np.ndarray):
        kind = value.dtype.newbyteorder("<").str
        assert kind in ARRAYS, kind
        order: Literal["C", "F"] = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        data = base64.b64encode(value.astype(kind, copy=False).tobytes(order)).decode("ascii")
        return {"array": kind, "shape": list(value.shape), "order": order, "bytes": data}
    if isinstance(value, Status):
        return {"status": value.name}
    if isinstance(value, float):
        return {"float": float(value).hex()}
    if any(value is shape for shape in SHAPES):
        return {"form": value.name}
    if is_dataclass(value):
        assert type(value) is VALUES[type(value).__name__]
        return {"value": type(value).__name__, **{f.name: encoded(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, Mapping):
        return {"keys": {str(key): encoded(item) for key, item in value.items()}}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [encoded(item) for item in value]}
    return value.item() if isinstance(value, np.generic) else value


def decoded(value: Any) -> Any:
    """The value that `encoded` wrote."""
    if not isinstance(value, dict):
        return value
    kind = next(iter(value), "")
    if kind == "array":
        assert value["array"] in ARRAYS
        flat = np.frombuffer(base64.b64decode(value["bytes"], validate=True), dtype=value["array"])
        return np.array(flat.reshape(value["shape"], order=value["order"]), order=value["order"])
    if kind == "value":
        return VALUES[value["value"]](**{name: decoded(item) for name, item in value.items() if name != "value"})
    content = value[kind]
    if kind in ("tuple", "list"):
        return {"tuple": tuple, "list": list}[kind](decoded(item) for item in content)
    if kind == "keys":
        return {key: decoded(item) for key, item in content.items()}
    scalars: dict[str, Callable[[str], Any]] = {
        "float": float.fromhex,
        "status": Status.__getitem__,
        "form": {shape.name: shape for shape in SHAPES}.__getitem__,
    }
    return scalars[kind](content)


def fingerprint(source: Source) -> str:
    """What tells one set of rows and weights from another: its own, or a hash of every block."""
    own = getattr(source, "fingerprint", None)
    if own is not None:
        return str(own)
    state = hashlib.sha256(f"{source.n_rows} x {source.n_features}".encode())
    for block in source.blocks():
        for part in (block.rows, block.weights):
            state.update(b"none" if part is None else _bytes_of(part))
    return state.hexdigest()


def _bytes_of(array: NDArray[Any]) -> bytes:
    return f"{array.dtype.str}{array.shape}".encode() + np.ascontiguousarray(array).tobytes()


def facts_of(value: Any) -> Any:
    """An option in a form that can be written and compared: numbers and names as they are, arrays by their hash."""
    if value is None or isinstance(value, bool | int | str | np.generic):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): facts_of(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {"kind": type(value).__name__, **{f.name: facts_of(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, np.ndarray | list | tuple):
        array = np.asarray(value)
        content = repr(array.tolist()).encode() if array.dtype == object else _bytes_of(array)
        return f"array of shape {array.shape}, sha256 {hashlib.sha256(content).hexdigest()[:16]}"
    return getattr(value, "__qualname__", type(value).__name__)


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint and the one before it, ``PATH.previous``.

    Parameters
    ----------
    path : str
    facts : dict
        What a fit has to agree on with a checkpoint: data, options, version.
    """

    path: str
    facts: dict[str, Any]

    @property
    def previous(self) -> str:
        """Where the checkpoint before the last one is."""
        return self.path + ".previous"

    def write(self, state: Any) -> None:
        """Write beside, make durable, and rename: at every moment there is a whole one.

        Raises
        ------
        CheckpointError
            If that fails; the checkpoints that were there are untouched.
        """
        document = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **self.facts, "state": encoded(state)}
        document["sha256"] = digest(document)
        content = json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")
        try:
            with replacing(self.path, "wb", self.previous) as stream:
                stream.write(content)
        except OSError as error:
            raise CheckpointError(
                f"checkpoint {self.path} cannot be written: {error.strerror or error}; "
                "the one before it, if there was one, is still good"
            ) from error

    def read(self) -> Any:
        """The state of the newest sound checkpoint; None where there is no checkpoint.

        Raises
        ------
        CheckpointError
            If it belongs to other data or options, or if none that is there is sound.
        """
        damage = []
        for path in (self.path, self.previous):
            if os.path.exists(path) and not os.path.isfile(path):
                raise CheckpointError(f"checkpoint {path} cannot be a folder or a device; name another file")
            try:
                with open(path, "rb") as stream:
                    document = parse(stream.read())
                if document.get("sha256") != digest(document):
                    raise Refused("sha256", "the checksum does not match")
                self._compare(path, document)
                state = _state_of(document)
            except FileNotFoundError:
                continue
            except CheckpointError:
                raise
            except (Refused, OSError) as error:
                damage.append(f"{path}: {error}")
                continue
            if damage:
                warnings.warn(
                    f"a checkpoint is damaged ({damage[0]}); going on from {path}", CheckpointWarning, stacklevel=2
                )
                with contextlib.suppress(OSError):
                    os.replace(path, self.path)  # the next write would put the damaged one in the place of this one
            return state
        if damage:
            raise CheckpointError(
                f"no sound checkpoint: {'; '.join(damage)}; delete them to start afresh, or name another file"
            )
        return None

    def sweep(self) -> None:
        """Remove what a process left that was killed while it wrote."""
        folder, name = os.path.split(os.path.realpath(self.path))
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                if entry.name.startswith(f".{name[:100]}.") and entry.name.endswith(".part"):
                    os.unlink(entry.path)

    def _compare(self, path: str, document: Mapping[str, Any]) -> None:
        if (document.get("schema"), document.get("schema_version")) != (SCHEMA, SCHEMA_VERSION):
            raise CheckpointError(f"{path} is no checkpoint that this version of mixtura reads; name another file")
        advice = f"delete it and {self.previous}, or name another file"
        for name, what in (("version", "by another version of mixtura"), ("data", "for other rows or weights")):
            if document.get(name) != self.facts[name]:
                raise CheckpointError(f"checkpoint {path} was written {what}; {advice}")
        there, here = document.get("options"), json.loads(json.dumps(self.facts["options"]))
        if there != here:
            names = [name for name in here if not isinstance(there, dict) or there.get(name) != here[name]]
            said = ", ".join(f"{name} was {there.get(name)!r} and is {here[name]!r}" for name in names if there)
            raise CheckpointError(f"checkpoint {path} was written with other options ({said}); {advice}")


def _state_of(document: Mapping[str, Any]) -> Any:
    try:
        return decoded(document["state"])
    except (KeyError, TypeError, ValueError, AssertionError, AttributeError) as error:
        raise Refused("state", f"not what a fit writes: {error!r}") from None
