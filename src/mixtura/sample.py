"""Sample: the rows that starts are made from, and the starts.

They are distinct rows in a canonical order, so that starts do not depend on the
order of the rows and treat a row of weight two as two rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mixtura.estep import statistics_of_partition
from mixtura.initialization import Initializer
from mixtura.initialization.seeding import seeds
from mixtura.mixture import Mixture, MixtureStack
from mixtura.mstep import MStep
from mixtura.shape import SPHERICAL, Array, Shape

__all__ = ["Sample", "canonical_sample", "partition_start", "random_starts", "seeded_starts"]

#: Rows from which starts are made, in all and per component: k-means on more costs more than it improves.
START_ROWS = 4_000
START_ROWS_PER_COMPONENT = 50


@dataclass(frozen=True, eq=False)
class Sample:
    """Standardised rows (n, D) with positive weights (n,)."""

    rows: Array
    weights: Array


def canonical_sample(rows: Array, weights: Array | None) -> Sample:
    """Distinct rows in lexicographic order, with the sums of their weights."""
    mass = np.ones(rows.shape[0]) if weights is None else weights
    order = np.argsort(rows[:, 0], kind="stable")
    ordered = rows[order]
    if not (ordered[1:, 0] == ordered[:-1, 0]).any():  # as is usual, and then the other features decide nothing
        return Sample(ordered, mass[order])
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    first = np.ones(order.size, dtype=bool)
    first[1:] = np.any(ordered[1:] != ordered[:-1], axis=1)
    starts = np.flatnonzero(first)
    return Sample(ordered[starts], np.add.reduceat(mass[order], starts))


def partition_start(sample: Sample, responsibilities: Array, mstep: MStep) -> Mixture:
    """The M-step of given responsibilities (n, K) of a sample."""
    shape = mstep.model.shape
    return mstep(statistics_of_partition(sample.rows, responsibilities * sample.weights[:, None], shape)).mixture


def random_starts(
    sample: Sample, n_components: int, n_starts: int, initializer: Initializer, mstep: MStep, rng: np.random.RandomState
) -> list[Mixture]:
    """Several starts of one kind from one sample."""
    return [
        partition_start(sample, initializer(sample.rows, sample.weights, n_components, rng), mstep)
        for _ in range(n_starts)
    ]


def seeded_starts(
    sample: Sample, n_components: int, n_starts: int, mstep: MStep, rng: np.random.RandomState, n_threads: int = 1
) -> Sequence[Mixture]:
    """Equal balls around k-means++ seeds, as wide as the rows are far from the nearest of them."""
    centers, spread = seeds(sample.rows, sample.weights, n_components, n_starts, rng, n_threads)
    n_features = sample.rows.shape[1]
    ball = _unit_balls(mstep.model.shape, n_components, n_features)
    scales = np.maximum(spread / n_features, mstep.floor)
    balls = scales.reshape(-1, *[1] * ball.ndim) * ball
    weights = np.full((n_starts, n_components), 1.0 / n_components)
    starts = MixtureStack(weights, centers, balls, mstep.covariance_type, mstep.equal_weights)
    return starts if mstep.plain else [mstep.admit(start) for start in starts]


def _unit_balls(shape: Shape, n_components: int, n_features: int) -> Array:
    """Covariances of unit variance in every direction; not to be written to."""
    ball = shape.compress(np.broadcast_to(np.eye(n_features), (n_components, n_features, n_features)))
    return ball / ((n_components if shape.shared else 1) * (n_features if shape is SPHERICAL else 1))
