"""Search: from the data to the mixture that a full EM run ends at.

The policy, in order. Starts are made on a subsample of distinct rows in a
canonical order, so that they do not depend on the order of the rows and treat
a row of weight two as two rows. Where the data are much larger than the
subsample, several short runs are made there for each start, all in the same
passes, and the best goes on there to its optimum: a pass over the subsample costs
a small fraction of one over the data, and leaves few of those to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixtura.climb import run
from mixtura.em import EMOptions, Trajectory
from mixtura.engine.engine import Engine
from mixtura.estep import statistics_of_partition
from mixtura.initialization import Initializer
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import Array

__all__ = ["Sample", "best_of", "canonical_sample", "partition_start", "warm_up"]

#: Rows from which starts are made, in all and per component: k-means on more costs more than it improves.
START_ROWS = 4_000
START_ROWS_PER_COMPONENT = 50

#: Rows of the subsample on which EM runs before the data: this many, or this many per free parameter.
WARM_UP_ROWS = 20_000
WARM_UP_ROWS_PER_PARAMETER = 30

#: The warm-up pays only where the data are several times larger than its subsample.
WARM_UP_RATIO = 4

#: On the subsample, each start is the best of this many short runs: a run that sets out for a poor optimum shows
#: it in a few dozen iterations, and costs more passes over the data than all short runs together.
SHORT_RUNS = 8
SHORT_ITERATIONS = 30

#: The warm-up stops at this gap per row: sampling moves the optimum by more.
WARM_UP_TOL = 1e-5
WARM_UP_ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class Sample:
    """Standardised rows (n, D) with positive weights (n,)."""

    rows: Array
    weights: Array


def canonical_sample(rows: Array, weights: Array | None) -> Sample:
    """Distinct rows in lexicographic order, with the sums of their weights."""
    mass = np.ones(rows.shape[0]) if weights is None else weights
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


def warm_up_rows(n_rows: int, n_parameters: int) -> int | None:
    """Size of the subsample on which EM should run first; None where the data are too small for that to pay."""
    wanted = max(WARM_UP_ROWS, WARM_UP_ROWS_PER_PARAMETER * n_parameters)
    return wanted if wanted * WARM_UP_RATIO <= n_rows else None


def warm_up(engine: Engine, starts: Sequence[Mixture], n_kept: int, mstep: MStep, options: EMOptions) -> list[Mixture]:
    """Where EM on a subsample's engine leads the most promising of the starts, best first."""
    quick = replace(options, tol=max(options.tol, WARM_UP_TOL), max_iter=SHORT_ITERATIONS)
    short = [Trajectory(start, mstep, quick) for start in starts]
    run(engine, short)
    survivors = sorted(short, key=merit, reverse=True)[:n_kept]
    longer = replace(quick, max_iter=WARM_UP_ITERATIONS)
    trajectories = [Trajectory(one.mixture, mstep, longer) for one in survivors]
    run(engine, trajectories)
    return [one.mixture for one in sorted(trajectories, key=merit, reverse=True)]


def merit(trajectory: Trajectory) -> tuple[bool, float]:
    """What makes one run better than another: first no component at the floor, then the log likelihood.

    With a component at the floor, the likelihood says where the floor stands,
    not how well the mixture fits.
    """
    return (not trajectory.collapsed.any(), trajectory.log_likelihood)


def best_of(
    engine: Engine,
    starts: Sequence[Mixture],
    mstep: MStep,
    options: EMOptions,
    on_pass: Callable[[Sequence[Trajectory]], None] | None = None,
) -> Trajectory:
    """Run every start to its end, side by side; the best by `merit`."""
    trajectories = [Trajectory(start, mstep, options) for start in starts]
    run(engine, trajectories, on_pass)
    return max(trajectories, key=merit)
