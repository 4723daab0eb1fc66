"""Split and merge moves: what a mixture would be with one component more, one less, or one moved elsewhere.

Moves act on sufficient statistics, so that the M-step turns what they return
into a member of any covariance model, and nothing here knows which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mixtura import reduction
from mixtura.engine.engine import Engine
from mixtura.mixture import Mixture
from mixtura.shape import FULL, Array, Shape
from mixtura.suffstats import SufficientStats

__all__ = ["compress", "dense_statistics", "merge", "merge_costs", "split"]

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


def compress(statistics: SufficientStats, shape: Shape) -> SufficientStats:
    """Statistics with dense second moments as those of another shape."""
    return replace(statistics, second=shape.compress(statistics.second), shape=shape)


def merge(several: Sequence[SufficientStats], pairs: Sequence[Pair]) -> list[SufficientStats]:
    """Of each statistics, those with its pair of components added into one, which takes the place of the first.

    All are of K components, and there are as many pairs (first, second) as statistics.
    """
    rows, (first, second) = np.arange(len(pairs)), np.array(pairs).T
    stack = {name: np.stack([getattr(one, name) for one in several]) for name in PARTS}
    gone = {name: part[rows, second] for name, part in stack.items()}
    moved = replace(several[0], **gone).recenter(stack["reference"][rows, first])
    for name in ("count", "first", "second"):
        stack[name][rows, first] += getattr(moved, name)
    kept = np.arange(several[0].count.size) != second[:, None]
    left = {name: part[kept].reshape(len(rows), -1, *part.shape[2:]) for name, part in stack.items()}
    return _unstacked(several[0], left)


def split(statistics: SufficientStats, components: Sequence[int]) -> list[SufficientStats]:
    """For each component the statistics with it cut through its mean across its longest axis; the new half comes last.

    The halves of a Gaussian with longest axis v of variance l have means
    ``mean +- sqrt(2 l / pi) v`` and each the covariance ``S - (2 l / pi) v v^T``;
    their sum is the statistics that were there.
    """
    one = statistics.take(np.asarray(components))
    outer = one.shape.outer
    mean, scatter = one.mean_and_scatter()
    values, vectors = np.linalg.eigh(scatter / np.maximum(one.count, SMALLEST)[:, None, None])
    axis = vectors[:, :, -1]
    largest = np.take_along_axis(axis, np.abs(axis).argmax(axis=1)[:, None], axis=1)
    axis = axis * np.sign(largest)  # of two directions the same one on every machine
    step = HALF_MEAN * np.sqrt(np.maximum(values[:, -1:], 0.0)) * axis
    half = 0.5 * one.count
    moved = mean - one.reference
    within = 0.5 * scatter - half[:, None, None] * outer(step, step)

    def side(to: Array) -> dict[str, Array]:
        second = within + half[:, None, None] * outer(to, to)
        return {"count": half, "first": half[:, None] * to, "second": second, "reference": one.reference}

    here, there = side(moved - step), side(moved + step)
    rows, size = np.arange(len(components)), statistics.count.size
    stack = {}
    for name in PARTS:
        whole = getattr(statistics, name)
        stack[name] = np.empty((rows.size, size + 1, *whole.shape[1:]))
        stack[name][:, :size] = whole
        stack[name][rows, components] = here[name]
        stack[name][:, size] = there[name]
    return _unstacked(statistics, stack)


def _unstacked(like: SufficientStats, stack: dict[str, Array]) -> list[SufficientStats]:
    """Statistics whose parts lie one after the other."""
    return [
        replace(like, count=count, first=first, second=second, reference=reference)
        for count, first, second, reference in zip(*(stack[name] for name in PARTS), strict=True)
    ]


def merge_costs(statistics: SufficientStats) -> Array:
    """Bound on the log likelihood that each merge loses: (K, K), infinite on and above the diagonal.

    ``1/2 (n_ij log |S_ij| - n_i log |S_i| - n_j log |S_j|)`` with the merged
    component's moments (Runnalls 2007, eq. 16).
    """
    mean, scatter = statistics.mean_and_scatter()
    return reduction.merge_costs(np.maximum(statistics.count, SMALLEST), mean, scatter)
