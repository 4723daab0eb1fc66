"""Stepwise EM: parameters that follow a stream of rows, each of which is seen once.

EM's statistics are a sum over all rows. On a stream their mean a row is moved a
step towards that of the rows just seen, and the M-step is made at once::

    s <- (1 - g) s + g s_new,    mixture <- M(s)        (Cappe and Moulines 2009, eq. 10)

With steps g that fall like a power of the rows seen, between 1/2 and 1, the
mixture reaches a maximum of the stream's likelihood, and the mean of its path is
as good as any estimate can be (ibid., theorem 2; Polyak and Juditsky 1992). With
steps of one size it follows a stream that drifts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.suffstats import SufficientStats

__all__ = ["Stream", "aligned", "implied_statistics"]

#: Steps fall like this power of the rows seen. With 1, early rows keep their say though their components were poorly
#: known; with less, the path is wilder. On ten times the rows of the six search problems 0.7 lost least at worst.
POWER = 0.7

#: The mean of the path gives a point seen at half the rows 2**-this of the weight of the last (Shamir and Zhang 2013).
RECENCY = 3.0


@dataclass(frozen=True, eq=False)
class Stream:
    """Where a mixture stands that follows a stream.

    Parameters
    ----------
    mixture : Mixture
        Where the next rows are to be looked at.
    statistics : SufficientStats
        Mean a row, of total weight 1. Its log likelihood is that of rows before they were learnt from.
    seen : float
        Weight of all rows so far.
    known : float
        Weight of the rows that `mixture` was fitted to before the stream began.
    path : SufficientStats or None
        Mean of the statistics since then; None before the first step, and with ``forget``.
    forget : float
        By what share a row's weight falls with each later row of weight one: about ``1 / forget`` rows
        count. 0 forgets nothing.
    memory : float
        The weight that is left of all rows so far; all of it where nothing is forgotten.
    """

    mixture: Mixture
    statistics: SufficientStats
    seen: float
    known: float
    path: SufficientStats | None = None
    forget: float = 0.0
    memory: float = 0.0

    @classmethod
    def begin(cls, mixture: Mixture, statistics: SufficientStats, forget: float = 0.0) -> Stream:
        """A stream that goes on from rows whose statistics at the mixture are given."""
        weight = statistics.total_weight
        memory = min(weight, 1.0 / forget) if forget else weight
        return cls(mixture, statistics.scale(1.0 / weight), weight, weight, None, forget, memory)

    def absorb(self, statistics: SufficientStats, mstep: MStep) -> Stream:
        """The stream after rows whose statistics at `mixture` are given."""
        weight = statistics.total_weight
        if not weight > 0:
            return self
        seen = self.seen + weight
        new = statistics.scale(1.0 / weight)
        memory, step = self._step(weight, seen)
        moved = _between(self.statistics, new, step)
        mixture = mstep(moved.scale(memory), self.mixture).mixture  # a prior counts beside so many rows
        path = None if self.forget else self._mean_of_path(moved, weight, seen)
        return replace(self, mixture=mixture, statistics=moved, seen=seen, path=path, memory=memory)

    def _step(self, weight: float, seen: float) -> tuple[float, float]:
        """What is remembered afterwards, and the size of the step."""
        if self.forget:
            kept = float(np.exp(weight * np.log1p(-self.forget)))
            added = (1.0 - kept) / self.forget  # rows of these also forget one another
            memory = self.memory * kept + added
            return memory, min(1.0, added / memory)
        return seen, min(1.0, weight / seen * (seen / self.known) ** (1.0 - POWER))

    def _mean_of_path(self, moved: SufficientStats, weight: float, seen: float) -> SufficientStats:
        if self.path is None:
            return moved
        share = (RECENCY + 1.0) * weight / (seen - self.known + RECENCY * weight)
        return _between(self.path, moved, share)

    def best(self, mstep: MStep) -> Mixture:
        """The estimate: of the path's mean, or with ``forget`` the last point."""
        return self.mixture if self.path is None else mstep(self.path.scale(self.seen), self.mixture).mixture

    @property
    def log_likelihood(self) -> float:
        """Mean log likelihood a row, of rows before they were learnt from, the later ones counting most."""
        return (self.statistics if self.path is None else self.path).log_likelihood


def _between(old: SufficientStats, new: SufficientStats, step: float) -> SufficientStats:
    """A step from old to new statistics of equal weight, about the new references: those are near the means."""
    return old.recenter(new.reference).scale(1.0 - step) + new.scale(step)


def implied_statistics(mixture: Mixture, weight: float) -> SufficientStats:
    """What rows of that total weight, spread as the mixture says, would give an E-step; about its means.

    The M-step of them is the mixture again, so that a fitted mixture can be
    gone on from without the rows it was fitted to.
    """
    count = weight * mixture.proportions
    nowhere = np.zeros_like(mixture.means)
    shape = mixture.shape
    scatter = shape.compress(mixture.dense_covariances * count[:, None, None])
    return SufficientStats(count, nowhere, scatter, mixture.means, 0.0, weight, shape)


def aligned(mixture: Mixture, like: Mixture) -> Mixture:
    """The mixture with its components in the order of those of another that they lie nearest to.

    The sum of the distances between means is least, in units of the other's
    overall spread, so that a label keeps its meaning from one fit to the next.
    """
    spread = like.means.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    gaps = (like.means[:, None, :] - mixture.means) / scale
    order = linear_sum_assignment(np.square(gaps).sum(axis=2))[1]
    covariances = mixture.shape.take(mixture.covariances, order)
    return replace(mixture, weights=mixture.weights[order], means=mixture.means[order], covariances=covariances)
