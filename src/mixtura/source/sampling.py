"""Samples of rows in which a row of weight two is two rows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array
from mixtura.source.arrays import ArraySource
from mixtura.source.file import FileSource
from mixtura.source.protocol import Source

__all__ = ["sampled"]


def sampled(source: Source, size: int, rng: np.random.RandomState) -> ArraySource:
    """About so many rows, each at most once, in the order of the data.

    Rows with weights are drawn in proportion to them, one from each of ``size``
    equal shares of the total weight, and a row that is drawn several times is
    there once with as many times the weight: the expectation of every weighted
    sum over the sample is proportional to that over the data, however few rows
    carry most of the weight (Cochran 1977, section 9A.3). Where weights are on
    other machines, rows are drawn as if there were none, and keep theirs: the
    same expectation, with more variance.
    """
    weights = source.weight_blocks() if isinstance(source, ArraySource | FileSource) else None
    if weights is None:
        # drawing with replacement and dropping repeats: a permutation of a million rows takes longer than a pass
        return source.take(np.unique(rng.randint(0, source.n_rows, size)))
    share = source.total_weight / size
    places, times = _drawn(weights, (np.arange(size) + rng.random_sample(size)) * share)
    found = source.take(places)
    return ArraySource(found.rows, times * share, found.incomplete)


def _drawn(weights: Iterable[Array], points: Array) -> tuple[NDArray[np.intp], Array]:
    """In which rows' shares of the weight increasing points lie: places of rows, and how many points each has."""
    places, times = [], []
    first, done, before = 0, 0, 0.0
    for block in weights:
        ends = before + np.cumsum(block)
        stop = int(np.searchsorted(points, ends[-1]))
        inside, number = np.unique(np.searchsorted(ends, points[done:stop], side="right"), return_counts=True)
        places.append(first + inside)
        times.append(number.astype(np.float64))
        first, done, before = first + block.size, stop, float(ends[-1])
    return np.concatenate(places), np.concatenate(times)
