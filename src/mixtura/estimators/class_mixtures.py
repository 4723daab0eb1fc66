"""EM over components that belong to classes: labelled rows keep to their class's, unlabelled ones take part in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from mixtura.em import remaining_gain
from mixtura.engine import BatchedRows
from mixtura.estep import moments_of, statistics_of_partition
from mixtura.estimators.incomplete import filled, has_missing
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.quadratic import QuadraticForms, log_joint
from mixtura.shape import Array
from mixtura.suffstats import SufficientStats

__all__ = ["Family", "LabelledRows", "climb", "family_of_classes", "log_likelihood"]

#: A step that gains no more than this, relative, stands still: labelled complete rows have nothing to gain.
STILL = 1e-14


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows (N, D) in the coordinates of the fit, weights (N,), and the class (N,) of each: -1 where unlabelled.

    NaN in the rows stands for a missing value.
    """

    rows: Array
    weights: Array
    codes: NDArray[np.intp]

    @cached_property
    def _incomplete(self) -> BatchedRows | None:
        return BatchedRows(self.rows, None) if has_missing(self.rows) else None

    def joint(self, forms: QuadraticForms) -> Array:
        """Joint log densities (N, K) of what was observed."""
        return log_joint(forms, self.rows) if self._incomplete is None else self._incomplete.joint(forms.dense())

    def moments(self, mixture: Mixture, shares: Array) -> SufficientStats:
        """Moments under weighted responsibilities (N, K); expected ones under the mixture where values are missing."""
        shape = mixture.shape
        if self._incomplete is None:
            return moments_of(self.rows, shares, mixture.means, shape, 0.0, float(shares.sum()))
        dense = self._incomplete.moments(mixture.forms.dense(), shares)
        return replace(dense, second=shape.compress(dense.second), shape=shape)


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
    Celeux 1996); where values are missing, it is where EM starts.
    """
    known = data.codes >= 0
    rows, codes = data.rows[known], data.codes[known]
    if has_missing(rows):
        for code in range(n_classes):
            rows[codes == code] = filled(rows[codes == code])
    indicator = (codes[:, None] == np.arange(n_classes)) * data.weights[known, None]
    update = mstep(statistics_of_partition(rows, indicator, mstep.model.shape))
    return Family(update.mixture, np.arange(n_classes), mstep, bool(update.collapsed.any()))


def climb(
    families: Sequence[Family], data: LabelledRows, priors: Array | None, tol: float, max_iter: int
) -> tuple[list[Family], int, bool]:
    """EM from the families given: new ones, iterations, and whether it converged.

    An E-step is a sum over rows, whose responsibilities are restricted to the
    components of their class where that is known (McLachlan and Peel 2000,
    section 2.19; Fraley and Raftery 2002, section 5). The families' own
    statistics are parts of that sum, and each has its own M-step. It stops on
    the log likelihood that is left to gain, as `mixtura.em` does.
    """
    current = [_with_priors(family, priors) for family in families]
    resp, value = _expectation(current, data)
    total = float(data.weights.sum())
    history = [value / total]
    for iteration in range(1, max_iter + 1):
        current = _maximisation(current, data, resp, priors)
        resp, value = _expectation(current, data)
        history.append(value / total)
        still = history[-1] - history[-2] <= STILL * (1.0 + abs(history[-1]))
        if tol > 0 and (still or remaining_gain(history) < tol):
            return current, iteration, True
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
    joint = np.concatenate([data.joint(family.mixture.forms) for family in families], axis=1)
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
        statistics = data.moments(family.mixture, own)
        update = family.mstep(statistics, family.mixture)
        mixture = replace(update.mixture, weights=statistics.count / total)
        one = replace(family, mixture=mixture, collapsed=bool(update.collapsed.any()))
        updated.append(_with_priors(one, priors))
    return updated
