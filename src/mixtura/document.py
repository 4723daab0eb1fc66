"""Strict JSON documents: what is not exactly as announced is refused, with its place.

`parse` takes text apart; the functions after it each check one value and return
it, or raise `Refused` with the place ("mixture.means[2][0]") and the problem.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixtura.shape import Array

__all__ = [
    "Refused", "array", "boolean", "describe", "digest", "integer", "listing", "mapping", "number", "parse",
    "place_of", "readable", "shorten", "text",
]  # fmt: skip

LARGEST_EXACT_INTEGER = 2**53  # beyond it, an integer is not a float64


class Refused(ValueError):
    """A problem at a place in a document."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}" if place else problem)


def digest(document: Mapping[str, Any]) -> str:
    """Checksum of all but the checksum, whatever the order and the white space."""
    rest = {key: value for key, value in document.items() if key != "sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def readable(value: Any, depth: int = 2) -> str:
    """JSON with one line a key down to a depth: people can read it and diff it."""
    if not isinstance(value, dict) or not value or depth == 0:
        return json.dumps(value, allow_nan=False)
    inner = (f"{json.dumps(key)}: {readable(item, depth - 1)}" for key, item in value.items())
    lines = ",\n".join(inner).replace("\n", "\n  ")
    return f"{{\n  {lines}\n}}" + ("\n" if depth == 2 else "")


def parse(content: bytes) -> dict[str, Any]:
    """The object that a JSON text holds, with every key once."""
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except UnicodeDecodeError as error:
        raise Refused(f"byte {error.start}", "not UTF-8 text, so not a model file") from None
    except json.JSONDecodeError as error:
        raise Refused(f"line {error.lineno}, column {error.colno}", f"not JSON: {error.msg}") from None
    except RecursionError:
        raise Refused("", "nested more deeply than any model file") from None
    except Refused:
        raise
    except ValueError as error:  # an integer with thousands of digits
        raise Refused("", f"not a model file: {error}") from None
    if not isinstance(document, dict):
        raise Refused("", f"a model file is a JSON object; got {describe(document)}")
    return document


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Refused(shorten(twice), "the key appears twice")
    return unique


def mapping(value: Any, place: str, keys: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """An object with exactly these keys, and perhaps the optional ones."""
    if not isinstance(value, dict):
        raise Refused(place, f"must be an object; got {describe(value)}")
    for key in keys:
        if key not in value:
            raise Refused(place, f"the key {key!r} is missing")
    for key in value:
        if key not in keys and key not in optional:
            raise Refused(place, f"unknown key {shorten(key)}")
    return value


def listing(value: Any, place: str, minimum: int = 1) -> list[Any]:
    """An array of at least so many values of any kind."""
    if not isinstance(value, list) or len(value) < minimum:
        raise Refused(place, f"must be an array of {minimum} or more values; got {describe(value)}")
    return value


def text(value: Any, place: str) -> str:
    """A string that can be written out."""
    if not isinstance(value, str):
        raise Refused(place, f"must be a string; got {describe(value)}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise Refused(place, "holds half a character (a lone surrogate)")
    return value


def boolean(value: Any, place: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Refused(place, f"must be true or false; got {describe(value)}")
    return value


def integer(value: Any, place: str) -> int:
    """An integer from 0 to 2**53."""
    if type(value) is not int or not 0 <= value <= LARGEST_EXACT_INTEGER:
        raise Refused(place, f"must be an integer of 0 or more; got {describe(value)}")
    return value


def number(value: Any, place: str, minimum: float = -math.inf) -> float:
    """A finite number, not below a minimum."""
    if type(value) is not float and (type(value) is not int or abs(value) > LARGEST_EXACT_INTEGER):
        raise Refused(place, f"must be a number; got {describe(value)}")
    if not math.isfinite(value) or value < minimum:
        least = "" if minimum == -math.inf else f" of {minimum:g} or more"
        raise Refused(place, f"must be a finite number{least}; got {value}")
    return float(value)


def array(value: Any, shape: tuple[int, ...], place: str) -> Array:
    """Nested arrays of finite numbers, of exactly this shape."""
    return np.array(_nested(value, shape, place), dtype=np.float64)


def _nested(value: Any, shape: tuple[int, ...], place: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != shape[0]:
        raise Refused(place, f"must be an array of {shape[0]} values; got {describe(value)}")
    if len(shape) > 1:
        return [_nested(item, shape[1:], f"{place}[{i}]") for i, item in enumerate(value)]
    if all(type(item) is float and math.isfinite(item) for item in value):
        return value
    return [number(item, f"{place}[{i}]") for i, item in enumerate(value)]


def place_of(name: str, index: Sequence[int]) -> str:
    """Where an element of an array stands: ``name[2][0]``."""
    return name + "".join(f"[{i}]" for i in index)


def describe(value: Any) -> str:
    """A value in a few words, however large or hostile."""
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_EXACT_INTEGER:
        return "an integer beyond 2**53"
    return "null" if value is None else shorten(value)


def shorten(value: Any, length: int = 60) -> str:
    """A value as it may stand in a message: printable, and not too long."""
    shown = ascii(value)
    return shown if len(shown) <= length else shown[:length] + "..."
