"""What a reader should be warned of: each finding is looked for in the fit and in the rows, and said in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, eigvalsh

from mixtura.em import Status
from mixtura.report.iterations import Iterations
from mixtura.report.subject import Subject
from mixtura.report.survey import Survey
from mixtura.report.words import count, figure, listed, number, percent, several
from mixtura.shape import FULL, Array

__all__ = ["CAUTION", "NOTE", "PROBLEM", "Finding", "collapsed_components", "findings"]

PROBLEM, CAUTION, NOTE = "problem", "caution", "note"

#: A component stands at the floor if an eigenvalue is within this factor of it: the variances here are those of all
#: rows, the fit's may be those of the rows without noise.
AT_THE_FLOOR = 1.5

#: Two components overlap if a row of one has on average this probability of the other.
OVERLAP = 0.15

#: A run of EM ended at a better optimum if it is above by this much per row.
BETTER = 1e-3

#: Criteria that differ by less than this say nothing (Kass and Raftery 1995, section 3.2).
NO_DIFFERENCE = 2.0

#: A mean log likelihood that differs by more than this, relative, is one of other rows.
OTHER_ROWS = 1e-6


@dataclass(frozen=True)
class Finding:
    """A warning: how grave it is, what it is in a few words, and what it means."""

    level: str
    title: str
    text: str


def findings(subject: Subject, survey: Survey, iterations: Iterations | str) -> list[Finding]:
    """All findings, the gravest first."""
    looks = (_of_em, _of_collapse, _of_overlap, _of_search, _of_choice, _of_data, _of_seed)
    found = [finding for look in looks for finding in look(subject, survey)]
    found += _of_iterations(iterations)
    return sorted(found, key=lambda one: (PROBLEM, CAUTION, NOTE).index(one.level))


def _of_em(subject: Subject, survey: Survey) -> Iterator[Finding]:
    status = getattr(subject.fit, "status_", None)
    if subject.fit is not None and status is not None and status is not Status.CONVERGED:
        yield Finding(PROBLEM, "The fit did not converge", status.value)


def collapsed_components(subject: Subject, survey: Survey) -> NDArray[np.intp]:
    """Components with a direction in which they are no wider than the fit's floor allows."""
    scale = np.sqrt(np.where(survey.variance > 0, survey.variance, 1.0))
    floor = AT_THE_FLOOR * float(subject.option("reg_covar", 1e-6))
    if not subject.mixture.model.unit_free:
        scale = np.full_like(scale, np.sqrt(np.mean(survey.variance)) or 1.0)
    dense = subject.mixture.dense_covariances / np.multiply.outer(scale, scale)
    return np.flatnonzero([_least(one) <= floor for one in dense])


def _least(covariance: Array) -> float:
    try:
        return float(eigvalsh(covariance, subset_by_index=[0, 0])[0])
    except LinAlgError:
        return 0.0


def _of_collapse(subject: Subject, survey: Survey) -> Iterator[Finding]:
    collapsed = collapsed_components(subject, survey)
    if collapsed.size:
        yield Finding(
            PROBLEM,
            f"{several(collapsed.size, 'component').capitalize()} collapsed",
            f"Component {listed([str(k) for k in collapsed])} lies on too few distinct rows, or is flat in some "
            "direction, and was held at the smallest width that is allowed. Its density means nothing. Use fewer "
            "components, a simpler covariance model or a prior, or drop constant and collinear features.",
        )
    counts = survey.counts[: subject.mixture.n_components]
    least = subject.mixture.n_features if subject.mixture.shape is FULL else 1
    small = np.setdiff1d(np.flatnonzero((counts > 0) & (counts <= least)), collapsed)
    if small.size:
        told = [f"{k} ({several(int(counts[k]), 'row')})" for k in small]
        yield Finding(
            CAUTION,
            "Very small components",
            f"Too few rows to know a shape: component {listed(told)}.",
        )
    hidden = np.setdiff1d(np.flatnonzero(counts == 0), collapsed)
    if hidden.size:
        yield Finding(
            CAUTION,
            "Components that are nowhere the best",
            f"For no row is component {listed([str(k) for k in hidden])} the most probable: it lies under others, and "
            "is no group that could be seen.",
        )


def _of_overlap(subject: Subject, survey: Survey) -> Iterator[Finding]:
    size = subject.mixture.n_components
    both = survey.confusion[:size, :size]
    pairs = [(both[j, k], j, k) for j in range(size) for k in range(size) if j != k and both[j, k] > OVERLAP]
    if not pairs:
        return
    pairs.sort(reverse=True)
    told = [f"{j} into {k} ({percent(share)})" for share, j, k in pairs]
    yield Finding(
        CAUTION,
        "Components overlap",
        f"A row of one component has, on average, a considerable probability of another: {listed(told, 6)}. "
        "They may be one group that is not Gaussian: merge_components shows which to take together.",
    )


def _of_search(subject: Subject, survey: Survey) -> Iterator[Finding]:
    search = getattr(subject.fit, "search_", None)
    if search is not None and len(search.optima) > 1 and search.times_reached[0] == 1:
        runs = sum(search.times_reached)
        behind = search.optima[0] - search.optima[1]
        yield Finding(
            CAUTION,
            "The optimum is in doubt",
            f"Of {several(runs, 'run')} that were carried to their end, only one came to the best of "
            f"{count(len(search.optima))} optima; the next is {figure(behind)} per row behind. There may be a better "
            "one that was not found. Another random_state, or a larger n_init, would tell.",
        )
    if search is not None and sum(search.times_reached) == 1 and search.n_starts > 1:
        yield Finding(
            NOTE,
            "The optimum was not confirmed",
            f"Of {several(search.n_starts, 'short run')} only the best was carried to its end, as there are few rows "
            "for each component. A larger n_init would tell whether there is a better optimum.",
        )
    single = subject.option("n_init", "auto") == 1 and subject.mixture.n_components > 1
    if search is None and single and subject.choice is None:
        yield Finding(
            NOTE,
            "One start only",
            "The fit made no search (n_init=1): another start may lead to a better optimum.",
        )


def _of_iterations(iterations: Iterations | str) -> Iterator[Finding]:
    if isinstance(iterations, str) or not (iterations.whole and iterations.sound):
        return
    if iterations.gain > BETTER:
        yield Finding(
            CAUTION,
            "There is a better optimum",
            f"A plain run of EM on these rows, made for this page, ended {figure(iterations.gain)} per row above the "
            f"model ({figure(iterations.gain * iterations.n_rows)} in all). Fit again with a larger n_init.",
        )


def _of_choice(subject: Subject, survey: Survey) -> Iterator[Finding]:
    if subject.choice is None:
        return
    table, criterion = subject.choice.results_, subject.choice.criterion
    numbers, values, best = table["n_components"], table[criterion], subject.choice.best_index_
    chosen = numbers[best]
    if chosen == numbers.max() and numbers.max() > numbers.min():
        yield Finding(
            CAUTION,
            "The number of components is at the edge of what was tried",
            f"{criterion.upper()} chose {count(chosen)} components, the largest number tried: more may be better.",
        )
    elif chosen == numbers.min() and chosen > 1 and numbers.max() > numbers.min():
        yield Finding(
            CAUTION,
            "The number of components is at the edge of what was tried",
            f"{criterion.upper()} chose {count(chosen)} components, the smallest number tried: fewer may do.",
        )
    others = np.where(np.arange(values.size) == best, np.nan, values)
    if np.isfinite(others).any():
        second = int(np.nanargmin(others))
        apart = float(values[second] - values[best])
        if apart < NO_DIFFERENCE:
            yield Finding(
                NOTE,
                "The choice was close",
                f"{table['covariance_type'][second]} with {several(numbers[second], 'component')} is only "
                f"{figure(apart)} behind: the data do not tell the two apart.",
            )


def _of_data(subject: Subject, survey: Survey) -> Iterator[Finding]:
    constant = np.flatnonzero(np.sqrt(survey.variance) <= 16 * np.finfo(np.float64).eps * np.abs(survey.mean))
    if constant.size:
        yield Finding(
            CAUTION,
            "Constant features",
            f"{listed([subject.titles[j] for j in constant])}: the same value in every row, which tells nothing apart.",
        )
    total = subject.total_weight
    if survey.missing.any():
        worst = np.argsort(-survey.missing, kind="stable")
        told = [f"{subject.titles[j]} ({percent(survey.missing[j] / len(subject.rows))})" for j in worst[:5]]
        known = f"Most often: {listed(told)}. " if len(subject.names) > 1 else ""
        empty = f"{several(survey.empty, 'row').capitalize()} without any value. " if survey.empty else ""
        yield Finding(
            NOTE,
            "Missing values",
            f"{several(int((survey.missing > 0).sum()), 'feature').capitalize()} with missing values. {known}{empty}"
            "Rows are placed by the values that they have.",
        )
    fitted = getattr(subject.fit, "n_observations_", 0.0)
    if subject.fit is None or not fitted:
        return
    level, bound = survey.mean_log_density, subject.fit.lower_bound_
    if abs(fitted - total) > 1e-9 * total or abs(level - bound) > OTHER_ROWS * (1 + abs(bound)):
        yield Finding(
            CAUTION,
            "These are not the rows of the fit",
            f"The model was fitted to {number(fitted)} rows with mean log likelihood {figure(bound)}; these are "
            f"{number(total)} with {figure(level)}. What is said here is about these rows.",
        )


def _of_seed(subject: Subject, survey: Survey) -> Iterator[Finding]:
    if subject.fit is not None and getattr(subject.fit, "random_state", 0) is None and subject.mixture.n_components > 1:
        yield Finding(
            NOTE,
            "No seed",
            "random_state was not set: the same call may give another result the next time.",
        )
