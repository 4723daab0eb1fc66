"""Colours, markers and lines of components, and axes: what all displays share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike

from mixtura.shape import Array

__all__ = [
    "INK",
    "MARKERS",
    "NOISE_COLOR",
    "PALETTE",
    "RASTER_ROWS",
    "axes_grid",
    "blended",
    "color_of",
    "line_of",
    "marker_of",
    "note",
    "on_axes",
    "plain",
    "sizes_of",
]

#: Okabe and Ito's colours, told apart with any colour vision (yellow left out: too pale on white).
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vP*X<>pH"  # as many again, because colours repeat and prints are grey
LINES = ("-", "--", "-.", (0, (1, 1.2)), (0, (6, 2, 1, 2, 1, 2)))

NOISE_COLOR = "0.55"
INK = "0.25"

#: More points than this are stored as pixels in a vector file.
RASTER_ROWS = 2_000

#: A longer name of a feature is cut, so that it leaves room for the picture.
NAME_LENGTH = 40


def color_of(component: int) -> str:
    """The colour of a component; they repeat after the palette's end."""
    return NOISE_COLOR if component < 0 else PALETTE[component % len(PALETTE)]


def marker_of(component: int) -> str:
    """The marker of a component; of another period than the colours, so pairs repeat late."""
    return "x" if component < 0 else MARKERS[component % len(MARKERS)]


def line_of(component: int) -> Any:
    """The line of a component's ellipse or curve."""
    return LINES[component % len(LINES)]


def blended(shares: Array) -> Array:
    """A colour (n, 3) for each row: its components' colours, mixed as light in the proportions (n, K) or (n, K + 1)."""
    colors = np.array([to_rgb(color_of(k)) for k in range(shares.shape[1])])
    return np.clip(shares @ colors**2.2, 0.0, 1.0) ** (1 / 2.2)


def plain(name: Any) -> str:
    """A feature's name as text that is drawn as it stands: no formula, no new lines, not too long."""
    text = " ".join(str(name).split())
    text = text if len(text) <= NAME_LENGTH else text[: NAME_LENGTH - 1] + "…"
    return text.replace("$", r"\$")


def on_axes(ax: Any, **subplot: Any) -> tuple[Any, Any]:
    """(figure, axes): those given, or new ones."""
    if ax is None:
        _, ax = plt.subplots(layout="constrained", subplot_kw=subplot or None)
    return ax.figure, ax


def axes_grid(ax: Any, rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any, Any]:
    """(figure, whole, array of axes): a grid in place of the axes given, or on a new figure of that size."""
    if ax is None:
        figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **options)
        return figure, axes[0, 0], axes
    ax.set_axis_off()
    spec = ax.get_subplotspec()
    if spec is None:
        raise ValueError("these axes are not part of a grid; pass axes made by plt.subplots, or none")
    grid = spec.subgridspec(rows, columns)
    return ax.figure, ax, grid.subplots(squeeze=False, **options)


def note(ax: Any, texts: Sequence[str]) -> None:
    """Small print above the axes, at the right: what the picture leaves out."""
    said = "; ".join(text for text in texts if text)
    if said:
        ax.annotate(
            said, (1.0, 1.0), xytext=(0, 2), xycoords="axes fraction", textcoords="offset points",
            ha="right", va="bottom", fontsize="x-small", color=INK,
        )  # fmt: skip


def sizes_of(uncertainty: ArrayLike, smallest: float = 8.0, largest: float = 70.0) -> Array:
    """Areas of markers (n,) by uncertainty between 0 and 1."""
    return smallest + (largest - smallest) * np.asarray(uncertainty, dtype=np.float64)
