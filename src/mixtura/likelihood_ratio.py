"""Likelihood ratio: whether one more component is real.

Twice the log likelihood that one more component gains has no known distribution
where the component is not there, since the parameters of a component of weight
zero mean nothing. Data drawn from the smaller mixture show it (McLachlan 1987).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.estimators.base import (
    CollapsedComponentWarning,
    check_random_state,
    check_rows,
    check_weights,
    clone,
    in_parallel,
    n_workers,
)
from mixtura.mixture import Mixture
from mixtura.shape import Array

__all__ = ["LikelihoodRatioTest", "bootstrap_lrt"]

Progress = Callable[[int, int], None]

#: Resamples that are handed out at a time to each worker: a test may end after any of them.
BATCH = 4


@dataclass(frozen=True, eq=False)
class LikelihoodRatioTest:
    """Tests of K components against K + 1, for rising K until one more is not significant.

    Attributes
    ----------
    n_components : int
        The smallest number that is not rejected; the last tried where all are.
    null : array of shape (T,)
        Number of components K under the null hypothesis of each test.
    statistic : array of shape (T,)
        2 (log L of K + 1 components - log L of K).
    p_value : array of shape (T,)
        NaN where the K + 1 components could not be fitted without collapse.
    n_resamples : array of shape (T,)
        Resamples that each p-value rests on.
    level : float
    resampled : tuple of arrays
        The statistics of each test's resamples.

    Examples
    --------
    See `bootstrap_lrt`.
    """

    n_components: int
    null: NDArray[np.intp]
    statistic: Array
    p_value: Array
    n_resamples: NDArray[np.intp]
    level: float
    resampled: tuple[Array, ...]

    @property
    def columns(self) -> dict[str, Any]:
        """Columns with a line a test: ``pandas.DataFrame(result.columns)``."""
        return {
            "null": self.null,
            "alternative": self.null + 1,
            "statistic": self.statistic,
            "p_value": self.p_value,
            "n_resamples": self.n_resamples,
        }


def bootstrap_lrt(
    estimator: Any,
    X: Any,
    *,
    max_components: int = 9,
    level: float = 0.05,
    n_resamples: int = 199,
    stop_after: int | None = 20,
    sample_weight: ArrayLike | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> LikelihoodRatioTest:
    """Test K components against K + 1 by the parametric bootstrap, from one component on.

    Parameters
    ----------
    estimator : GaussianMixture
        How to fit; its own number of components plays no role.
    X : array or data frame of shape (N, D)
    max_components : int, default=9
        Largest number under a null hypothesis.
    level : float, default=0.05
        Stop at the first p-value above it.
    n_resamples : int, default=199
        Most resamples of a test; with 199 a p-value can be as low as 0.005, a
        tenth of the usual level.
    stop_after : int or None, default=20
        Stop a test once so many resamples reached the statistic: its p-value
        cannot be small any more (Besag and Clifford 1991). None: never.
    sample_weight : array of shape (N,), optional
        Frequency weights; resamples have as many rows as the weights' sum.
    random_state : int, RandomState or None
    n_jobs : int, optional
        Processes, as in joblib. The result is the same for any number.
    progress : callable, optional
        Called as ``progress(done, n_resamples)`` after each resample of each test.

    Returns
    -------
    LikelihoodRatioTest

    Notes
    -----
    Each resample is drawn from the fitted K components and goes through the
    same two fits as the data (McLachlan 1987), with the data's patterns of missing values at random. The p-value is
    ``(1 + exceeding) / (1 + resamples)``, or where the test stopped early
    ``exceeding / resamples``; both are exact under the null hypothesis
    (Besag and Clifford 1991, section 2).

    Examples
    --------
    >>> import mixtura
    >>> from mixtura.datasets import load_old_faithful
    >>> data = load_old_faithful().data
    >>> result = mixtura.bootstrap_lrt(
    ...     mixtura.GaussianMixture(covariance_type="tied"), data, max_components=1, n_resamples=19, random_state=0)
    >>> result.p_value.tolist()
    [0.05]
    """
    _check(max_components, level, n_resamples)
    rows = check_rows(clone(estimator), X, reset=True, min_rows=2, missing_allowed=True)
    weights = check_weights(sample_weight, rows.shape[0])
    rng = check_random_state(random_state)
    tests: list[tuple[int, float, float, Array]] = []
    smaller, _ = _fit(estimator, rows, weights, 1, rng.randint(2**31 - 1))
    for number in range(1, max_components + 1):
        larger, sound = _fit(estimator, rows, weights, number + 1, rng.randint(2**31 - 1))
        statistic = _statistic(smaller, larger)
        if not sound:
            tests.append((number, statistic, np.nan, np.empty(0)))
            break
        total = rows.shape[0] if weights is None else round(float(weights.sum()))
        seeds = rng.randint(2**31 - 1, size=n_resamples)
        jobs = [(estimator, smaller.mixture_, _Holes.of(rows, weights, total), number, seed) for seed in seeds]
        drawn = _resampled(jobs, statistic, stop_after, n_jobs, progress)
        tests.append((number, statistic, _p_value(drawn, statistic, stop_after), drawn))
        if not tests[-1][2] <= level:
            break
        smaller = larger
    last = tests[-1]
    chosen = last[0] + 1 if last[2] <= level else last[0]
    null, statistics, p_values, resampled = zip(*tests, strict=True)
    return LikelihoodRatioTest(
        chosen, np.array(null), np.array(statistics), np.array(p_values),
        np.array([one.size for one in resampled]), level, resampled,
    )  # fmt: skip


def _check(max_components: int, level: float, n_resamples: int) -> None:
    if max_components < 1:
        raise ValueError(f"max_components must be at least 1; got {max_components}")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1; got {level}")
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1; got {n_resamples}")


def _fit(estimator: Any, rows: Array, weights: Array | None, number: int, seed: int) -> tuple[Any, bool]:
    """A fitted estimator of that many components, and whether none of them collapsed."""
    model = clone(estimator).set_params(n_components=number, random_state=seed, verbose=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(rows, sample_weight=weights)
    return model, not any(issubclass(one.category, CollapsedComponentWarning) for one in caught)


def _statistic(smaller: Any, larger: Any) -> float:
    """A search that missed what a smaller mixture has gains nothing: never below zero."""
    return max(0.0, 2.0 * larger.n_observations_ * float(larger.lower_bound_ - smaller.lower_bound_))


@dataclass(frozen=True, eq=False)
class _Holes:
    """Number of rows of a resample, and the patterns of missing values (N, D) that they take over, if there are any."""

    n_rows: int
    missing: NDArray[np.bool_] | None
    shares: Array | None

    @classmethod
    def of(cls, rows: Array, weights: Array | None, n_rows: int) -> _Holes:
        missing = np.isnan(rows)
        return cls(n_rows, missing if missing.any() else None, None if weights is None else weights / weights.sum())

    def draw(self, mixture: Mixture, rng: np.random.RandomState) -> Array:
        """Rows from a mixture; each takes the pattern of any row, for a mixture says nothing of what is missing."""
        rows, _ = mixture.rvs(self.n_rows, random_state=rng)
        if self.missing is None:
            return rows
        whole = self.shares is None and self.n_rows == self.missing.shape[0]
        chosen = rng.permutation(self.n_rows) if whole else rng.choice(len(self.missing), self.n_rows, p=self.shares)
        return np.where(self.missing[chosen], np.nan, rows)


def _resample(estimator: Any, mixture: Mixture, holes: _Holes, number: int, seed: int) -> float:
    """The statistic of rows drawn from a mixture."""
    rng = np.random.RandomState(seed)
    rows = holes.draw(mixture, rng)
    smaller, _ = _fit(estimator, rows, None, number, rng.randint(2**31 - 1))
    larger, _ = _fit(estimator, rows, None, number + 1, rng.randint(2**31 - 1))
    return _statistic(smaller, larger)


def _resampled(
    jobs: list[tuple[Any, ...]],
    statistic: float,
    stop_after: int | None,
    n_jobs: int | None,
    progress: Progress | None,
) -> Array:
    """Statistics of the resamples, in the order of the jobs, up to the one at which the test stops."""
    drawn = np.empty(0)
    step = BATCH * n_workers(n_jobs)
    for start in range(0, len(jobs), step):
        for value in in_parallel(_resample, jobs[start : start + step], n_jobs):
            drawn = np.append(drawn, value)
            if progress is not None:
                progress(drawn.size, len(jobs))
        exceeding = np.cumsum(drawn >= statistic)
        if stop_after is not None and exceeding[-1] >= stop_after:
            return drawn[: 1 + int(np.searchsorted(exceeding, stop_after))]
    return drawn


def _p_value(drawn: Array, statistic: float, stop_after: int | None) -> float:
    exceeding = int(np.sum(drawn >= statistic))
    if stop_after is not None and exceeding >= stop_after:
        return exceeding / drawn.size
    return (1 + exceeding) / (1 + drawn.size)
