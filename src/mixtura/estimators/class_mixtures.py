"""EM over components that belong to classes: labelled rows keep to their class's, unlabelled ones take part in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from mixtura.estep import moments_of, statistics_of_partition
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.quadratic import log_joint
from mixtura.shape import Array

__all__ = ["Family", "LabelledRows", "climb", "family_of_classes", "log_likelihood"]


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows (N, D) in the coordinates of the fit, weights (N,), and the class (N,) of each: -1 where unlabelled."""

    rows: Array
    weights: Array
    codes: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Family:
    """Components that share one M-step, and the class (K,) of each; weights are shares of all rows."""

    mixture: Mixture
    owner: NDArray[np.intp]
    mstep: MStep
    collapsed: bool = False

    def of_class(self, code: int) -> Mixture | None:
        """The mixture of one class, with weights that sum to 1; None where it has no component here."""
        mine = np.flatnonzero(self.owner == code)
        if mine.size == 0:
            return None
        part = self.mixture.take(mine)
        return replace(part, weights=part.weights / part.weights.sum())


def family_of_classes(data: LabelledRows, n_classes: int, mstep: MStep) -> Family:
    """One component a class, all of one covariance model: eigenvalue decomposition discriminant analysis.

    The maximum likelihood estimate of labelled rows is one M-step from the statistics of the classes (Bensmail and
    Celeux 1996).
    """
    known = data.codes >= 0
    indicator = (data.codes[known, None] == np.arange(n_classes)) * data.weights[known, None]
    update = mstep(statistics_of_partition(data.rows[known], indicator, mstep.model.shape))
    return Family(update.mixture, np.arange(n_classes), mstep, bool(update.collapsed.any()))


def climb(
    families: Sequence[Family], data: LabelledRows, priors: Array | None, tol: float, max_iter: int
) -> tuple[list[Family], int, bool]:
    """EM from the families given: new ones, iterations, and whether it converged.

    An E-step is a sum over rows, whose responsibilities are restricted to the
    components of their class where that is known (McLachlan and Peel 2000,
    section 2.19; Fraley and Raftery 2002, section 5). The families' own
    statistics are parts of that sum, and each has its own M-step.
    """
    current = [_with_priors(family, priors) for family in families]
    resp, last = _expectation(current, data)
    total = float(data.weights.sum())
    for iteration in range(1, max_iter + 1):
        current = _maximisation(current, data, resp, priors)
        resp, value = _expectation(current, data)
        if value - last <= tol * total:
            return current, iteration, True
        last = value
    return current, max_iter, False


def log_likelihood(families: Sequence[Family], data: LabelledRows) -> float:
    """Sum of log p(row), whatever the labels."""
    return _expectation(families, replace(data, codes=np.full_like(data.codes, -1)))[1]


def _with_priors(family: Family, priors: Array | None) -> Family:
    """The family whose classes have the prior weights given (C,); itself where they are estimated."""
    if priors is None:
        return family
    weights = family.mixture.weights
    of_class = np.bincount(family.owner, weights, minlength=priors.size)[family.owner]
    shares = weights / np.where(of_class > 0, of_class, 1.0) * priors[family.owner]
    return replace(family, mixture=replace(family.mixture, weights=shares))


def _expectation(families: Sequence[Family], data: LabelledRows) -> tuple[Array, float]:
    """Responsibilities (N, K) over the components of all families, and the log likelihood."""
    joint = np.concatenate([log_joint(family.mixture.forms, data.rows) for family in families], axis=1)
    owner = np.concatenate([family.owner for family in families])
    foreign = (data.codes[:, None] >= 0) & (data.codes[:, None] != owner)
    joint[foreign] = -np.inf
    log_density = np.asarray(logsumexp(joint, axis=1))
    return np.exp(joint - log_density[:, None]), float(data.weights @ log_density)


def _maximisation(
    families: Sequence[Family], data: LabelledRows, resp: Array, priors: Array | None
) -> list[Family]:
    updated, start, total = [], 0, float(data.weights.sum())
    for family in families:
        own = resp[:, start : start + family.owner.size] * data.weights[:, None]
        start += family.owner.size
        statistics = moments_of(data.rows, own, family.mixture.means, family.mixture.shape, 0.0, float(own.sum()))
        update = family.mstep(statistics, family.mixture)
        mixture = replace(update.mixture, weights=statistics.count / total)
        one = replace(family, mixture=mixture, collapsed=bool(update.collapsed.any()))
        updated.append(_with_priors(one, priors))
    return updated
