"""What the page's script draws, as plain data: numbers, names and lists."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.mixture import Mixture
from mixtura.report.columns import Column, moments_along, separation, values_along
from mixtura.report.iterations import Iterations
from mixtura.report.markup import shown_name
from mixtura.report.subject import Subject
from mixtura.report.summary import CERTAIN, component_name
from mixtura.report.survey import THRESHOLDS, Survey
from mixtura.shape import Array

__all__ = ["drawings"]

#: Digits of a column's range that are kept: no screen shows more.
DIGITS = 4

#: Features of the rows that are listed.
LISTED_FEATURES = 6


def drawings(
    subject: Subject, survey: Survey, columns: list[Column], iterations: Iterations | str
) -> dict[str, Any]:
    """Everything that the script needs."""
    means, covariances = moments_along(columns, subject.mixture, survey.mean)
    groups = range(len(survey.counts))
    drawn = subject.rows[survey.drawn]
    return {
        "groups": [component_name(subject, group) for group in groups],
        "components": subject.mixture.n_components,
        "shares": _rounded(survey.mass / survey.mass.sum()),
        "columns": _columns(subject, survey, columns),
        "first": _first_pair(subject, columns),
        "points": {
            "row": subject.positions[survey.drawn].tolist(),
            "values": _by_column(values_along(columns, drawn, survey.mean)),
            "label": survey.labels[survey.drawn].tolist(),
            "certainty": _rounded(survey.certainty[survey.drawn]),
            "all": len(subject.rows),
        },
        "means": _by_row(means, np.diff(survey.limits)[:, 0]),
        "covariances": [[_rounded(line) for line in one] for one in covariances],
        "weights": _rounded(subject.mixture.weights),
        "bars": [[_rounded(one) for one in column] for column in survey.bars],
        "certainty": _certainty(subject, survey, columns),
        "iterations": _iterations(iterations, subject, survey, columns),
        "choice": _choice(subject),
    }


def _rounded(values: NDArray[Any]) -> list[float | None]:
    """Numbers with five digits; what is not finite is null."""
    return [None if not math.isfinite(value) else float(f"{value:.5g}") for value in values.tolist()]


def _by_row(values: Array, spreads: Array) -> list[list[float | None]]:
    """Rows of (n, C) values, each column to the digits that its spread (C,) has."""
    columns = [_to_spread(column, spread) for column, spread in zip(values.T, spreads, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def _to_spread(values: Array, spread: float) -> list[float | None]:
    places = DIGITS - math.floor(math.log10(spread)) if spread > 0 else 6
    rounded = np.round(values, max(places, -300)) if places < 300 else values
    return [None if not math.isfinite(value) else value for value in rounded.tolist()]


def _by_column(values: Array) -> list[list[float | None]]:
    """Columns of (n, C) values, each to the digits that its range has."""
    columns = []
    for column in values.T:
        known = column[np.isfinite(column)]
        columns.append(_to_spread(column, float(np.ptp(known)) if known.size else 0.0))
    return columns


def _columns(subject: Subject, survey: Survey, columns: list[Column]) -> list[dict[str, Any]]:
    return [
        {
            "name": column.name,
            "low": float(low),
            "high": float(high),
            "feature": column.feature,
            "center": None if column.feature < 0 else float(survey.mean[column.feature]),
            "spread": None if column.feature < 0 else float(f"{np.sqrt(survey.variance[column.feature]):.5g}"),
            "beyond": _beyond(subject, survey, place),
        }
        for place, (column, (low, high)) in enumerate(zip(columns, survey.limits, strict=True))
    ]


def _beyond(subject: Subject, survey: Survey, place: int) -> float:
    """Weight of the rows that a histogram does not show: its extremes, and missing values."""
    return float(f"{max(subject.total_weight - float(survey.bars[place].sum()), 0.0):.6g}")


def _first_pair(subject: Subject, columns: list[Column]) -> list[int]:
    """Columns that are drawn first: the two features that tell components apart best."""
    values = separation(subject.mixture)
    features = [place for place, column in enumerate(columns) if column.feature >= 0]
    best = sorted(features, key=lambda place: -values[columns[place].feature].round(12))[:2]
    return sorted(best) if len(best) > 1 else [best[0], best[0]]


def _certainty(subject: Subject, survey: Survey, columns: list[Column]) -> dict[str, Any]:
    """The uncertainty explorer: exact counts of all rows, and the least certain ones."""
    rows = subject.rows[survey.listed]
    features = [place for place, column in enumerate(columns) if column.feature >= 0][:LISTED_FEATURES]
    spreads = np.diff(survey.limits)[features, 0]
    positions = subject.positions[survey.listed]
    least = 1 / len(survey.counts)
    return {
        "thresholds": THRESHOLDS.tolist(),
        "from": int(np.searchsorted(THRESHOLDS, least, side="right")),
        "start": int(np.argmin(np.abs(THRESHOLDS - CERTAIN))),
        "below": [_rounded(one) for one in survey.below],
        "total": float(f"{survey.mass.sum():.8g}"),
        "weighted": subject.weights is not None,
        "rows": {
            "row": positions.tolist(),
            "name": None if subject.row_names is None else [shown_name(subject.row_names[i]) for i in positions],
            "label": survey.labels[survey.listed].tolist(),
            "rival": survey.rivals[survey.listed].tolist(),
            "certainty": _rounded(survey.certainty[survey.listed]),
            "columns": features,
            "values": _by_row(rows[:, [columns[place].feature for place in features]].astype(np.float64), spreads),
        },
    }


def _iterations(
    found: Iterations | str, subject: Subject, survey: Survey, columns: list[Column]
) -> dict[str, Any]:
    """The frames of EM, in one plane or along one line."""
    if isinstance(found, str):
        return {"reason": found}
    directions = [column for column in columns if column.feature < 0]
    pair = [columns[place] for place in dict.fromkeys(_first_pair(subject, columns))]
    plane = directions if len(directions) == 2 else pair
    values = values_along(plane, found.rows, survey.mean)
    spreads = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    return {
        "names": [column.name for column in plane],
        "values": _by_column(values),
        "converged": found.converged,
        "rows": found.n_rows,
        "whole": found.whole,
        "sound": found.sound,
        "origin": found.origin,
        "fitted": float(f"{found.fitted:.8g}"),
        "frames": [
            {
                "iteration": frame.iteration,
                **_moments(plane, frame.mixture, survey.mean, spreads),
                "label": frame.labels.tolist(),
                "certainty": (10 * frame.certainty).astype(int).tolist(),
                "level": float(f"{frame.log_likelihood:.8g}"),
            }
            for frame in found.frames
        ],
    }


def _moments(plane: list[Column], mixture: Mixture, center: Array, spreads: Array) -> dict[str, Any]:
    means, covariances = moments_along(plane, mixture, center)
    return {
        "weights": _rounded(mixture.weights),
        "means": _by_row(means, spreads),
        "covariances": [[_rounded(line) for line in one] for one in covariances],
    }


def _choice(subject: Subject) -> dict[str, Any] | None:
    """The criteria of all cells of a choice."""
    if subject.choice is None:
        return None
    table, criterion = subject.choice.results_, subject.choice.criterion
    known = [name for name in ("bic", "icl", "aic", "cv") if name in table]
    return {
        "criterion": criterion,
        "criteria": {name: _exact(table[name]) for name in known},
        "number": table["n_components"].tolist(),
        "model": [str(name) for name in table["covariance_type"]],
        "best": int(subject.choice.best_index_),
    }


def _exact(values: NDArray[Any]) -> list[float | None]:
    """Criteria differ in late digits."""
    return [None if not math.isfinite(value) else round(value, 3) for value in values.tolist()]
