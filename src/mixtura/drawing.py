"""The one way from the inner rings to `mixtura.plot`: imported when a picture is asked for, and not before.

Everything below stays free of matplotlib; this module knows only the name of the folder.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["draw", "drawer"]


def drawer(name: str) -> Any:
    """What `mixtura.plot` has under that name.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to.
    """
    return getattr(import_module("mixtura.plot"), name)


def draw(estimator: Any, X: Any, kind: str, **options: Any) -> Any:
    """The display of that kind, drawn."""
    return drawer("draw")(estimator, X, kind, **options)
