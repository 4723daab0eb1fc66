"""The trace of a fit: its winning run again, by plain EM in Python, which keeps every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mixtura import em, search
from mixtura.climb import run
from mixtura.em import EMOptions, Trajectory
from mixtura.engine import Engine
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.trace import Trace

if TYPE_CHECKING:
    from mixtura.estimators.starting import StartMaker

__all__ = ["record_trace", "starts_that_lead_to"]

#: The trace shows a run that ends this near, per row, to what was fitted; else it is another optimum's.
NEAR = 1e-3

#: Rows that a trace keeps for its pictures.
KEPT_ROWS = 2_000


def starts_that_lead_to(
    end: Trajectory, starts: Sequence[Mixture], engine: Engine, mstep: MStep, options: EMOptions
) -> list[Mixture]:
    """Of a search's starts, those from which plain EM, on the rows searched, climbs to where the search ended."""
    plain = [Trajectory(start, mstep, replace(options, accelerate=False)) for start in starts]
    run(engine, plain)
    return [one.start for one in plain if one.log_likelihood >= end.log_likelihood - search.DISTINCT]


def record_trace(best: Trajectory, maker: StartMaker, engine: Engine, shift: float) -> Trace:
    """Replay a fit: from one of its search's starts that leads near its optimum, or else from its own start.

    Parameters
    ----------
    best : Trajectory
        The run that won.
    maker : StartMaker
        Of the fit; `leading` are the search's starts.
    engine : Engine
        Over all rows.
    shift : float
        What the log likelihood per row has less in the data's units.
    """
    origin = "a start of the search"
    mixtures, values = _replay(maker.leading[0], best, engine) if maker.leading else ([], [-np.inf])
    if not abs(values[-1] - _mean_log_likelihood(best)) <= NEAR:
        origin = "the end of the search" if maker.reports else "the start of the fit"
        mixtures, values = _replay(best.start, best, engine)
    order = _order_of(best.mixture, mixtures[-1])
    if maker.fixed is not None:  # back to the user's order
        order = order[np.argsort(maker.fixed.order)]
    source, n_rows = maker.source, maker.source.n_rows
    if n_rows > KEPT_ROWS:
        source = source.take(np.sort(np.random.default_rng(0).choice(n_rows, KEPT_ROWS, replace=False)))
    rows = source.take(slice(None)).rows
    names = getattr(maker.estimator, "feature_names_in_", ())
    return Trace(
        tuple(maker.standardization.backward(one.take(order)) for one in mixtures),
        np.array(values) - shift,
        np.array(rows, dtype=np.float64),
        tuple(str(name) for name in names),
        origin,
    )


def _replay(start: Mixture, best: Trajectory, engine: Engine) -> tuple[list[Mixture], list[float]]:
    """Every mixture of a run of plain EM, and the log likelihood per row of each."""
    one = Trajectory(start, best.mstep, replace(best.options, accelerate=False))
    mixtures: list[Mixture] = []
    values: list[float] = []

    def keep(_: Sequence[Trajectory]) -> None:
        mixtures.append(one.mixture)
        values.append(_mean_log_likelihood(one))

    em.run(engine, [one], keep)
    return mixtures, values


def _mean_log_likelihood(one: Trajectory) -> float:
    assert one.statistics is not None
    return one.statistics.log_likelihood / one.statistics.total_weight


def _order_of(fitted: Mixture, replayed: Mixture) -> NDArray[np.intp]:
    """The components of a mixture in the order of those of another that they are nearest to."""
    apart = np.square(fitted.means[:, None] - replayed.means[None]).sum(axis=2)
    return np.asarray(linear_sum_assignment(apart)[1])
