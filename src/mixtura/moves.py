"""Split and merge moves: what a mixture would be with one component more, one less, or one moved elsewhere.

Moves act on sufficient statistics, so that the M-step turns what they return
into a member of any covariance model, and nothing here knows which.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixtura import reduction
from mixtura.engine.engine import Engine
from mixtura.mixture import Mixture
from mixtura.shape import Array, Shape
from mixtura.suffstats import SufficientStats

__all__ = ["compress", "dense_statistics", "merge", "merge_costs", "split"]

#: The halves of a Gaussian cut through its mean are this many deviations to each side: sqrt(2 / pi).
HALF_MEAN = float(np.sqrt(2 / np.pi))

#: Stands for the count of a component that has lost its rows.
SMALLEST = float(np.finfo(np.float64).tiny) ** 0.5


def dense_statistics(engine: Engine, mixture: Mixture) -> SufficientStats:
    """One pass's statistics at a mixture, with every component's dense second moments; not those of a background."""
    statistics = engine.reduce([mixture.forms.dense()])[0]
    if mixture.background is None:
        return statistics
    parts = ("count", "first", "second", "reference")
    return replace(statistics, **{name: getattr(statistics, name)[:-1] for name in parts})


def compress(statistics: SufficientStats, shape: Shape) -> SufficientStats:
    """Statistics with dense second moments as those of another shape."""
    return replace(statistics, second=shape.compress(statistics.second), shape=shape)


def merge(statistics: SufficientStats, first: int, second: int) -> SufficientStats:
    """Statistics with two components added into one, which takes the place of the first."""
    common = statistics.recenter(np.broadcast_to(statistics.reference[first], statistics.reference.shape))
    kept = np.delete(np.arange(common.count.size), second)
    target = int(np.flatnonzero(kept == first)[0])
    parts = [part[kept] for part in (common.count, common.first, common.second)]
    for part, whole in zip(parts, (common.count, common.first, common.second), strict=True):
        part[target] += whole[second]
    return replace(common, count=parts[0], first=parts[1], second=parts[2], reference=common.reference[kept])


def split(statistics: SufficientStats, component: int) -> SufficientStats:
    """Statistics with one component cut through its mean across its longest axis; the new half comes last.

    The halves of a Gaussian with longest axis v of variance l have means
    ``mean +- sqrt(2 l / pi) v`` and each the covariance ``S - (2 l / pi) v v^T``;
    their sum is the statistics that were there.
    """
    mean, scatter = statistics.mean_and_scatter()
    values, vectors = np.linalg.eigh(scatter[component] / max(statistics.count[component], SMALLEST))
    axis = vectors[:, -1]
    axis = axis * np.sign(axis[np.abs(axis).argmax()])  # of two directions the same one on every machine
    step = HALF_MEAN * np.sqrt(max(values[-1], 0.0)) * axis
    half = 0.5 * statistics.count[component]
    moved = mean[component] - statistics.reference[component]
    within = 0.5 * scatter[component] - half * np.outer(step, step)
    sides = [moved - step, moved + step]
    first = [half * side for side in sides]
    second = [within + half * np.outer(side, side) for side in sides]
    return replace(
        statistics,
        count=_divided(statistics.count, component, [half, half]),
        first=_divided(statistics.first, component, first),
        second=_divided(statistics.second, component, second),
        reference=_divided(statistics.reference, component, [statistics.reference[component]] * 2),
    )


def _divided(part: Array, component: int, halves: list[Array] | list[float]) -> Array:
    """An array along the components with one of them replaced by its first half, and the second half at the end."""
    divided = np.concatenate([part, np.asarray(halves[1])[None]])
    divided[component] = halves[0]
    return divided


def merge_costs(statistics: SufficientStats) -> Array:
    """Bound on the log likelihood that each merge loses: (K, K), infinite on and above the diagonal.

    ``1/2 (n_ij log |S_ij| - n_i log |S_i| - n_j log |S_j|)`` with the merged
    component's moments (Runnalls 2007, eq. 16).
    """
    mean, scatter = statistics.mean_and_scatter()
    return reduction.merge_costs(np.maximum(statistics.count, SMALLEST), mean, scatter)
