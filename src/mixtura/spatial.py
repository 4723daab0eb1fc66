"""Neighbouring pixels tend to belong together: mean-field EM's E-step of a Potts model, tile by tile."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tile", "smooth_responsibilities", "tiles"]

#: Sweeps over a tile, and so how far a pixel's influence reaches; later ones change few labels.
SWEEPS = 6

#: Pixels in a tile, about: what is worked on stays in the second-level cache.
TILE_PIXELS = 40_000

#: Exponentials below this are not normal numbers in float32, and slow.
SMALLEST_LOG = np.float32(-80.0)

Single = NDArray[np.float32]


class Tile:
    """A box of an image with a margin around it where there is one.

    Parameters
    ----------
    shape : tuple of int
        Of the image's spatial axes.
    box : tuple of slice
        What the tile answers for.
    margin : int
    """

    def __init__(self, shape: tuple[int, ...], box: tuple[slice, ...], margin: int) -> None:
        self.box = box
        wide = [(max(one.start - margin, 0), min(one.stop + margin, n)) for one, n in zip(box, shape, strict=True)]
        self.read = tuple(slice(*one) for one in wide)
        self.inner = tuple(
            slice(one.start - outer[0], one.stop - outer[0]) for one, outer in zip(box, wide, strict=True)
        )


def tiles(shape: tuple[int, ...], margin: int) -> Iterator[Tile]:
    """Tiles that cover an image of that shape without overlap, each to be read with a margin."""
    side = max(16, round(TILE_PIXELS ** (1 / len(shape))))
    ranges = [[slice(start, min(start + side, n)) for start in range(0, n, side)] for n in shape]
    for box in itertools.product(*ranges):
        yield Tile(shape, box, margin)


def smooth_responsibilities(log_density: Single, weight: float) -> Single:
    """Responsibilities under a Potts model, by mean-field sweeps from those without it.

    Each sweep is ``r_ik ~ w_k p_k(x_i) exp(8 weight mean_j r_jk)``, the mean over the ``3^d - 1`` neighbours j of
    pixel i, those across corners included: EM's E-step for a hidden Markov field (Zhang, Brady and Smith 2001) in
    the mean field of Celeux, Forbes and Peyrard (2003).

    Parameters
    ----------
    log_density : array of shape (K, ...)
        Logarithm of each component's weighted density at each pixel, up to a constant of the pixel; float32.
        -inf everywhere marks a pixel that is not there.
    weight : float

    Returns
    -------
    array of shape (K, ...)

    Examples
    --------
    >>> lonely = np.zeros((2, 5, 5), dtype=np.float32)
    >>> lonely[1] = -2.0
    >>> lonely[1, 2, 2] = 4.0
    >>> smooth_responsibilities(lonely, 0.0)[1, 2, 2].round(2), smooth_responsibilities(lonely, 1.0)[1, 2, 2].round(2)
    (np.float32(0.98), np.float32(0.02))
    """
    evidence = np.maximum(log_density, np.float32(-1e4))
    absent = np.isneginf(log_density).all(axis=0)
    responsibilities = _normalised(evidence.copy(), absent)
    beta = np.float32(8.0 * weight / (3 ** (evidence.ndim - 1) - 1))
    for _ in range(SWEEPS if weight > 0 else 0):
        energy = _neighbours(responsibilities)
        energy *= beta
        energy += evidence
        responsibilities = _normalised(energy, absent)
    return responsibilities


def _neighbours(values: Single) -> Single:
    """Sum of each pixel's neighbours (K, ...): a box of three a side, less the pixel itself."""
    total = values
    for axis in range(1, values.ndim):
        line = np.moveaxis(total, axis, 0)
        summed = np.empty_like(total)
        target = np.moveaxis(summed, axis, 0)
        target[...] = line
        target[1:] += line[:-1]
        target[:-1] += line[1:]
        total = summed
    return np.subtract(total, values, out=total if total is not values else None)


def _normalised(logs: Single, absent: Any) -> Single:
    """Exponentials that add up to one over the first axis, in place; zero where nothing is there."""
    logs -= logs.max(axis=0)
    np.maximum(logs, SMALLEST_LOG, out=logs)
    np.exp(logs, out=logs)
    logs /= logs.sum(axis=0)
    if absent.any():
        logs[:, absent] = 0.0
    return logs
