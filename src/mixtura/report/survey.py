"""One look at all rows, block by block: which component each belongs to, how surely, and what to draw of them.

However many rows there are, what is kept has the size of a page: exact counts
of all rows, a sample for the pictures, and the least certain rows.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.estimators.incomplete import UnobservedRowWarning
from mixtura.report.columns import Column, values_along
from mixtura.report.subject import Subject
from mixtura.shape import Array

__all__ = ["THRESHOLDS", "Survey", "survey_rows"]

BLOCK_ROWS = 65_536

#: Probabilities of the best component below which a row may count as uncertain: the stops of the page's slider.
THRESHOLDS = np.array([*range(5, 100), 99.5, 99.9, 99.99]) / 100

#: Rows that are drawn, fewer where there are many columns, but some of each component.
DRAWN_ROWS = 3_000
DRAWN_VALUES = 30_000
LEAST_OF_A_COMPONENT = 20

#: Uncertain rows that are listed one by one.
LISTED_ROWS = 200

#: Bars of a histogram, and the rows from which on its ends leave out the extremes.
BARS = 40
MANY_ROWS = 1_000


@dataclass(frozen=True, eq=False)
class Survey:
    """What the look at all rows has found; G = K, or K + 1 with noise, which is the last.

    Attributes
    ----------
    labels, rivals : array of shape (N,)
        Most and second most probable of the G.
    certainty : array of shape (N,)
        Probability of the most probable one.
    counts : array of shape (G,)
        Rows; `mass` the same with weights.
    below : array of shape (G, T)
        Weight of the rows whose certainty is below each of `THRESHOLDS`.
    confusion : array of shape (G, G)
        Mean probability of each for a row of the one in that line.
    mean, variance : array of shape (D,)
        Of what was observed.
    missing : array of shape (D,)
        Rows without a value; `empty` are those without any.
    mean_log_density : float
        Per row.
    drawn, listed : array
        Places of the rows that are drawn, and of the least certain ones, the least certain first.
    limits : array of shape (C, 2)
        Ends of the columns' histograms.
    bars : array of shape (C, G, BARS)
        Weight in each.
    """

    labels: NDArray[np.intp]
    rivals: NDArray[np.intp]
    certainty: Array
    counts: NDArray[np.intp]
    mass: Array
    below: Array
    confusion: Array
    mean: Array
    variance: Array
    missing: NDArray[np.intp]
    empty: int
    mean_log_density: float
    drawn: NDArray[np.intp]
    listed: NDArray[np.intp]
    limits: Array
    bars: Array

    def uncertain_share(self, threshold: float) -> float:
        """Share of the rows whose certainty is below one of `THRESHOLDS`."""
        place = int(np.argmin(np.abs(THRESHOLDS - threshold)))
        return float(self.below[:, place].sum() / self.mass.sum())


@dataclass(eq=False)
class _Tally:
    """Sums over the blocks."""

    labels: list[NDArray[np.intp]]
    rivals: list[NDArray[np.intp]]
    certainty: list[Array]
    joint: Array
    log_density: float = 0.0
    seen: Array | float = 0.0
    total: Array | float = 0.0
    squares: Array | float = 0.0
    missing: NDArray[np.intp] | int = 0
    empty: int = 0


def survey_rows(subject: Subject, columns: list[Column]) -> Survey:
    """Look at all rows of a subject."""
    tally = _tally(subject)
    labels, rivals = np.concatenate(tally.labels), np.concatenate(tally.rivals)
    certainty = np.concatenate(tally.certainty)
    groups = len(tally.joint)
    mass = np.bincount(labels, subject.weights, groups).astype(np.float64)
    pivot = _pivot(subject)
    seen = np.maximum(tally.seen, np.finfo(np.float64).tiny)
    mean = np.asarray(tally.total / seen)
    drawn = _drawn(labels, groups, len(columns))
    limits = _limits(values_along(columns, subject.rows[drawn], pivot + mean))
    return Survey(
        labels,
        rivals,
        certainty,
        np.bincount(labels, minlength=groups),
        mass,
        _below(labels, certainty, subject.weights, groups),
        tally.joint / np.maximum(tally.joint.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny),
        pivot + mean,
        np.maximum(tally.squares / seen - np.square(mean), 0.0),
        np.asarray(tally.missing),
        tally.empty,
        tally.log_density / subject.total_weight,
        drawn,
        _least_certain(certainty),
        limits,
        _bars(subject, columns, labels, limits, pivot + mean, groups),
    )


def _pivot(subject: Subject) -> Array:
    """Where the sums are taken from, so that squares lose no digits: the mixture's mean."""
    return np.asarray(subject.mixture.proportions @ subject.mixture.means)


def _tally(subject: Subject) -> _Tally:
    predictor, pivot = subject.predictor(), _pivot(subject)
    groups = subject.mixture.n_components + subject.has_noise
    tally = _Tally([], [], [], np.zeros((groups, groups)))
    for start in range(0, len(subject.rows), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        rows = subject.rows[part]
        weights = np.ones(len(rows)) if subject.weights is None else subject.weights[part]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnobservedRowWarning)  # the page says it
            shares = predictor.predict_proba(rows)
            tally.log_density += float(weights @ predictor.score_samples(rows))
        _take_shares(tally, shares, weights)
        _take_values(tally, rows - pivot, weights)
    return tally


def _take_shares(tally: _Tally, shares: Array, weights: Array) -> None:
    label = shares.argmax(axis=1)
    each = np.arange(len(label))
    tally.labels.append(label)
    tally.certainty.append(shares[each, label])
    tally.joint += (shares * weights[:, None]).T @ shares
    rest = shares.copy()
    rest[each, label] = -1.0
    tally.rivals.append(rest.argmax(axis=1))


def _take_values(tally: _Tally, centred: Array, weights: Array) -> None:
    gaps = np.isnan(centred)
    if gaps.any():
        tally.missing = tally.missing + gaps.sum(axis=0)
        tally.empty += int(gaps.all(axis=1).sum())
        centred = np.nan_to_num(centred)
        seen = weights @ ~gaps
    else:
        tally.missing = tally.missing + np.zeros(centred.shape[1], dtype=np.intp)
        seen = np.full(centred.shape[1], weights.sum())
    tally.seen = tally.seen + seen
    tally.total = tally.total + weights @ centred
    tally.squares = tally.squares + weights @ np.square(centred)


def _below(labels: NDArray[np.intp], certainty: Array, weights: Array | None, groups: int) -> Array:
    """Weight of each group's rows below each threshold (G, T)."""
    step = np.searchsorted(THRESHOLDS, certainty, side="right")  # the first threshold that is above the certainty
    size = len(THRESHOLDS) + 1
    found = np.bincount(labels * size + step, weights, groups * size).reshape(groups, size)
    return np.asarray(found.cumsum(axis=1)[:, :-1], dtype=np.float64)


def _drawn(labels: NDArray[np.intp], groups: int, n_columns: int) -> NDArray[np.intp]:
    """Rows for the pictures, in order: drawn at random, with more of a small group where it would not be seen."""
    n_rows = len(labels)
    wanted = max(500, min(DRAWN_ROWS, DRAWN_VALUES // n_columns))
    if n_rows <= wanted:
        return np.arange(n_rows)
    rng = np.random.RandomState(0)
    chosen = np.unique(rng.randint(0, n_rows, wanted))
    found = np.bincount(labels[chosen], minlength=groups)
    extra = [
        rng.permutation(np.flatnonzero(labels == group))[:LEAST_OF_A_COMPONENT]
        for group in np.flatnonzero(found < LEAST_OF_A_COMPONENT)
    ]
    return np.unique(np.concatenate([chosen, *extra]))


def _least_certain(certainty: Array) -> NDArray[np.intp]:
    if len(certainty) > LISTED_ROWS:
        candidates = np.argpartition(certainty, LISTED_ROWS)[:LISTED_ROWS]
    else:
        candidates = np.arange(len(certainty))
    candidates = candidates[certainty[candidates] < THRESHOLDS[-1]]
    return np.asarray(candidates[np.lexsort((candidates, certainty[candidates]))])


def _limits(values: Array) -> Array:
    """Ends (C, 2) of histograms: all values of few rows; of many, the extremes are left out."""
    share = 0.0 if len(values) < MANY_ROWS else 0.002
    limits = np.zeros((values.shape[1], 2))
    for place, column in enumerate(values.T):
        known = column[np.isfinite(column)]
        low, high = np.quantile(known, [share, 1 - share]) if known.size else (0.0, 1.0)
        margin = 0.04 * (high - low) or max(abs(low), 1.0) * 0.5
        limits[place] = low - margin, high + margin
    return limits


def _bars(
    subject: Subject, columns: list[Column], labels: NDArray[np.intp], limits: Array, center: Array, groups: int
) -> Array:
    """Weight of each group in each bar of each column (C, G, BARS); what is beyond the ends is in none."""
    bars = np.zeros((len(columns), groups * BARS))
    for start in range(0, len(labels), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        values = values_along(columns, subject.rows[part], center)
        weights = None if subject.weights is None else subject.weights[part]
        for place, (low, high) in enumerate(limits):
            with np.errstate(invalid="ignore"):
                at = (values[:, place] - low) / (high - low) * BARS
                inside = (at >= 0) & (at < BARS)
            cell = labels[part][inside] * BARS + at[inside].astype(np.intp)
            bars[place] += np.bincount(cell, None if weights is None else weights[inside], groups * BARS)
    return bars.reshape(len(columns), groups, BARS)
