"""A trace as a moving picture."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.animation import FFMpegWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from mixtura.plot.classification import check_probability
from mixtura.plot.stage import Stage
from mixtura.plot.style import PALETTE
from mixtura.trace import Step, Trace

__all__ = ["animate"]

#: Of a moving picture's palette.
COLORS = 64

SAID = {
    "start": "start: rows belong to nobody yet",
    "E": "E step: rows are shared out",
    "M": "M step: components move",
    "end": "end",
}


def animate(
    trace: Trace,
    path: str | os.PathLike[str],
    *,
    features: Sequence[int] = (0, 1),
    directions: str = "features",
    probability: float = 0.95,
    n_iterations: int = 25,
    smoothness: int = 4,
    frames_per_second: int = 5,
    size: tuple[float, float] = (5.0, 4.8),
    dpi: int = 90,
) -> None:
    """Write a trace as a moving picture.

    Parameters
    ----------
    trace : Trace
    path : str or path
        ``.gif``, or ``.mp4``, which needs the program ffmpeg.
    features : sequence of one or two int, default=(0, 1)
    directions : {"features", "discriminating"}, default="features"
    probability : float, default=0.95
        Share of a component's mass inside its ellipse.
    n_iterations : int, default=25
        Of a longer run so many are shown: the first, then ever fewer.
    smoothness : int, default=4
        Frames in which a component moves from where it was to where an M step puts it.
    frames_per_second : int, default=5
    size : tuple of float, default=(5.0, 4.8)
        Width and height in inches.
    dpi : int, default=90

    Raises
    ------
    ValueError
        If the path ends otherwise.
    RuntimeError
        If there is no ffmpeg.

    Examples
    --------
    >>> import mixtura
    >>> from mixtura.datasets import load_old_faithful
    >>> model = mixtura.GaussianMixture(2, trace=True, random_state=0).fit(load_old_faithful().data)
    >>> model.trace_.animate("em.gif")  # doctest: +SKIP
    """
    writer = _writer(Path(path), frames_per_second)
    check_probability(probability)
    stage = Stage.of(trace, features, directions, probability)
    figure = Figure(figsize=size, dpi=dpi)
    above, below = figure.subplots(2, 1, height_ratios=[5, 1])
    _arrange(figure, size)
    with writer.saving(figure, str(path), dpi):
        for step, way, repeats in _frames(trace, n_iterations, smoothness):
            above.clear()
            below.clear()
            stage.draw(above, step, way)
            stage.view.label(above)
            above.set_ylabel(stage.vertical)
            said = f"{SAID[step.name]}" if step.iteration == 0 else f"iteration {step.iteration} · {SAID[step.name]}"
            above.set_title(said, fontsize="medium", loc="left")
            _draw_progress(below, trace, step)
            writer.keep(repeats)


def _arrange(figure: Figure, size: tuple[float, float]) -> None:
    """Margins in inches, which text has whatever the size is; a layout made anew for each frame would tremble."""
    width, height = size
    left, right, top, bottom, gap = 0.6, 0.15, 0.35, 0.45, 0.75
    mean_height = max(0.5 * (height - top - bottom - gap), 0.1)
    edges = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height, "top": 1 - top / height}
    if edges["left"] < edges["right"] and edges["bottom"] < edges["top"]:  # else there is no room for text anyway
        figure.subplots_adjust(**edges, hspace=gap / mean_height)


class _GifWriter:
    """Frames that each know how long they stay."""

    def __init__(self, frames_per_second: int) -> None:
        self._seconds = 1.0 / frames_per_second
        self._frames: list[tuple[Image.Image, int]] = []

    @contextmanager
    def saving(self, figure: Figure, path: str, dpi: int) -> Iterator[None]:
        """Collect frames of a figure, and write them at the end."""
        self._canvas: Any = FigureCanvasAgg(figure)
        yield
        (first, _), *rest = self._frames
        times = [duration for _, duration in self._frames]
        first.save(path, save_all=True, append_images=[one for one, _ in rest], duration=times, loop=0)

    def keep(self, repeats: int) -> None:
        """Take the figure as it is, to stay that many frames."""
        self._canvas.draw()
        picture = Image.fromarray(np.asarray(self._canvas.buffer_rgba())[..., :3])
        palette = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=COLORS)
        self._frames.append((palette, round(1000 * self._seconds * repeats)))


class _FilmWriter(FFMpegWriter):
    """ffmpeg, which is given a frame as often as it stays."""

    def keep(self, repeats: int) -> None:
        """Take the figure as it is, to stay that many frames."""
        for _ in range(repeats):
            self.grab_frame()


def _writer(path: Path, frames_per_second: int) -> Any:
    ending = path.suffix.lower()
    if ending == ".gif":
        return _GifWriter(frames_per_second)
    if ending != ".mp4":
        raise ValueError(f"path must end in .gif or .mp4; got {path.name!r}")
    if not FFMpegWriter.isAvailable():
        raise RuntimeError("an .mp4 file needs the program ffmpeg, which is not installed; install it, or write a .gif")
    return _FilmWriter(fps=frames_per_second)


def _frames(trace: Trace, n_iterations: int, smoothness: int) -> Iterator[tuple[Step, float, int]]:
    """(step, part of its way, how often) of each frame."""
    last = trace.n_iterations
    shown = set(range(1, last + 1))
    if last > n_iterations:
        head = max(1, n_iterations // 2)
        tail = np.geomspace(head, last, n_iterations - head + 1)
        shown = set(range(1, head + 1)) | set(np.rint(tail).astype(int).tolist())
    for step in trace.steps:
        if step.name in ("start", "end"):
            yield step, 1.0, 5 if step.name == "start" else 8
        elif step.iteration not in shown:
            continue
        elif step.name == "E":
            yield step, 1.0, 2 if step.iteration <= 5 else 1
        else:
            count = smoothness if step.iteration <= 8 else max(1, smoothness // 2)
            for i in range(count):
                yield step, (i + 1) / count, 1


def _draw_progress(ax: Any, trace: Trace, step: Step) -> None:
    """The log likelihood, and where on it the step stands."""
    values = trace.log_likelihoods
    ax.plot(np.arange(values.size), values, color="0.8", lw=1.2)
    done = step.iteration if step.name != "E" else step.iteration - 1
    ax.plot(np.arange(done + 1), values[: done + 1], color=PALETTE[0], lw=1.8)
    ax.plot([done], [values[done]], "o", color=PALETTE[0], ms=5)
    ax.margins(y=0.2)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("iteration", fontsize="small")
    ax.set_title(f"log likelihood per row {step.log_likelihood:.4f}", fontsize="small", loc="left")
    ax.tick_params(labelsize="x-small")
