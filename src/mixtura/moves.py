"""Split and merge moves: what a mixture would be with one component more, one less, or one moved elsewhere.

Moves act on sufficient statistics, so that the M-step turns what they return
into a member of any covariance model, and nothing here knows which. Several
moves are made at once: statistics of equally many components, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mixtura import reduction
from mixtura.engine.engine import Engine
from mixtura.mixture import Mixture
from mixtura.shape import FULL, Array
from mixtura.suffstats import SufficientStats

__all__ = ["cheapest_merges", "dense_statistics", "merge", "merge_costs", "repeated", "split"]

#: The halves of a Gaussian cut through its mean are this many deviations to each side: sqrt(2 / pi).
HALF_MEAN = float(np.sqrt(2 / np.pi))

#: What statistics have of each component, in the order of their fields.
PARTS = ("count", "first", "second", "reference")

#: Stands for the count of a component that has lost its rows.
SMALLEST = float(np.finfo(np.float64).tiny) ** 0.5

Pair = tuple[int, int]


def dense_statistics(engine: Engine, mixture: Mixture, known: SufficientStats | None = None) -> SufficientStats:
    """Statistics at a mixture with every component's dense second moments; not those of a background.

    Those that are known there, if they are dense; else of one pass.
    """
    if known is None or known.shape is not FULL:
        known = engine.reduce([mixture.forms.dense()])[0]
    return known if mixture.background is None else known.take(slice(-1))


def repeated(statistics: SufficientStats, number: int) -> SufficientStats:
    """The same statistics as many times over, one after the other."""
    return statistics.take(np.tile(np.arange(statistics.count.size), number))


def merge(several: SufficientStats, pairs: Sequence[Pair]) -> SufficientStats:
    """Of each statistics, those with its pair of components added into one, which takes the place of the first.

    Statistics of equal size lie one after the other, as many as there are pairs (first, second); so do those returned.
    """
    size = several.count.size // len(pairs)
    first, second = np.array(pairs).T + size * np.arange(len(pairs))
    gone = several.take(second).recenter(several.reference[first])
    kept = np.ones(several.count.size, dtype=bool)
    kept[second] = False
    sums = []
    for name in ("count", "first", "second"):
        both = getattr(several, name).copy()
        both[first] += getattr(gone, name)
        sums.append(both[kept])
    return replace(several, count=sums[0], first=sums[1], second=sums[2], reference=several.reference[kept])


def split(statistics: SufficientStats, components: Sequence[int]) -> SufficientStats:
    """For each component the statistics with it cut through its mean across its longest axis; the new half comes last.

    The halves of a Gaussian with longest axis v of variance l have means
    ``mean +- sqrt(2 l / pi) v`` and each the covariance ``S - (2 l / pi) v v^T``;
    their sum is the statistics that were there. What is returned lies one after the other.
    """
    one = statistics.take(np.asarray(components))
    outer = one.shape.outer
    mean, scatter = one.mean_and_scatter()
    values, vectors = np.linalg.eigh(scatter / np.maximum(one.count, SMALLEST)[:, None, None])
    axis = vectors[:, :, -1]
    largest = axis[np.arange(len(axis)), np.abs(axis).argmax(axis=1)]
    axis = axis * np.sign(largest)[:, None]  # of two directions the same one on every machine
    step = HALF_MEAN * np.sqrt(np.maximum(values[:, -1:], 0.0)) * axis
    half = 0.5 * one.count
    moved = mean - one.reference
    within = 0.5 * scatter - half[:, None, None] * outer(step, step)

    def side(to: Array) -> dict[str, Array]:
        second = within + half[:, None, None] * outer(to, to)
        return {"count": half, "first": half[:, None] * to, "second": second, "reference": one.reference}

    here, there = side(moved - step), side(moved + step)
    rows, size = np.arange(len(components)), statistics.count.size
    parts = []
    for name in PARTS:
        whole = getattr(statistics, name)
        stack = np.empty((rows.size, size + 1, *whole.shape[1:]))
        stack[:, :size] = whole
        stack[rows, components] = here[name]
        stack[:, size] = there[name]
        parts.append(stack.reshape(-1, *whole.shape[1:]))
    count, first, second, reference = parts
    return replace(statistics, count=count, first=first, second=second, reference=reference)


def merge_costs(statistics: SufficientStats) -> Array:
    """Bound on the log likelihood that each merge loses: (K, K), infinite on and above the diagonal.

    ``1/2 (n_ij log |S_ij| - n_i log |S_i| - n_j log |S_j|)`` with the merged
    component's moments (Runnalls 2007, eq. 16).
    """
    mean, scatter = statistics.mean_and_scatter()
    return reduction.merge_costs(np.maximum(statistics.count, SMALLEST), mean, scatter)


def cheapest_merges(statistics: SufficientStats, number: int) -> list[Pair]:
    """At most so many pairs (i, j), j < i, that lose the least by `merge_costs`; the cheapest first."""
    first, second = np.tril_indices(statistics.count.size, -1)
    order = np.argsort(merge_costs(statistics)[first, second], kind="stable")[:number]
    return list(zip(first[order].tolist(), second[order].tolist(), strict=True))
