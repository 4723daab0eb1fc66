"""Engines: a rack of ways to take the E-step's sum. Found by name; ``auto`` takes the fastest there is."""

from __future__ import annotations

import warnings

from mixtura.engine.engine import Engine, RowOutput
from mixtura.engine.missing import BatchedRows, MissingValuesEngine, RareRows
from mixtura.engine.numpy import NumpyEngine
from mixtura.engine.parts import PartsEngine
from mixtura.shape import Array
from mixtura.source import ArraySource, PartedSource, Source
from mixtura.standardization import Standardization

__all__ = [
    "ENGINES",
    "BatchedRows",
    "Engine",
    "MissingValuesEngine",
    "PartsEngine",
    "RowOutput",
    "create_engine",
    "native_available",
]

ENGINES = ("auto", "native", "numpy")

_said_once = False


def native_available() -> bool:
    """Whether the compiled kernel is installed and this processor can run it."""
    try:
        from mixtura import _native
    except ImportError:
        return False
    return bool(_native.levels())


def create_engine(
    name: str, source: Source, standardization: Standardization, threads: int | None = None
) -> Engine:
    """The engine of that name over a source.

    Raises
    ------
    ValueError
        If there is no such engine.
    ImportError
        If ``native`` is asked for and was not built.
    """
    global _said_once
    if name not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}; got {name!r}")
    if hasattr(source, "create_engine"):
        own: Engine = source.create_engine(name, standardization, threads)
        return own
    if isinstance(source, PartedSource):
        return PartsEngine(source, lambda part: create_engine(name, part, standardization, threads))
    if source.incomplete:
        return _missing_engine(name, source, standardization, threads)
    if name == "numpy":
        return NumpyEngine(source, standardization)
    if native_available():
        from mixtura.engine.native import NativeEngine

        return NativeEngine(source, standardization, threads)
    if name == "native":
        raise ImportError("the native engine was not built; install a C++20 compiler and reinstall mixtura")
    if not _said_once:
        _said_once = True
        warnings.warn(
            "mixtura uses its NumPy engine, several times slower than the native one, which was not built; "
            "install a C++20 compiler and reinstall mixtura to get it",
            stacklevel=2,
        )
    return NumpyEngine(source, standardization)


def _missing_engine(name: str, source: Source, standardization: Standardization, threads: int | None) -> Engine:
    """The engine of that name over rows of which some values are NaN: a part of them at a time."""

    def make(part: ArraySource, to: Standardization) -> Engine:
        return create_engine(name, part, to, threads)

    def make_rare(rows: Array, weights: Array | None) -> RareRows:
        if name == "numpy" or not native_available():
            return BatchedRows(rows, weights)
        from mixtura.engine.native_missing import NativeRows

        return NativeRows(rows, weights, threads)

    def of_part(part: ArraySource) -> Engine:
        return MissingValuesEngine(part, standardization, make, make_rare)

    return PartsEngine(source, of_part)
