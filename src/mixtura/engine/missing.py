"""An engine over rows with missing values (NaN): expected statistics given what was observed.

Rows are grouped by their pattern of missing features. A pattern of many rows is
one more source for another engine, over the observed features alone, and its
sums are completed afterwards; rows of rare patterns go together by how many
features they miss, in batches of small factorisations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura import observation
from mixtura.engine.engine import Engine, RowOutput
from mixtura.estep import normalised
from mixtura.observation import Batch, expected_joint, residual_moments
from mixtura.quadratic import QuadraticForms
from mixtura.shape import Array
from mixtura.source import ArraySource, Block
from mixtura.standardization import Standardization
from mixtura.suffstats import SufficientStats

__all__ = ["BatchedRows", "MissingValuesEngine", "RareRows"]

#: A pattern with fewer rows is not worth a factorisation and a pass of its own.
PATTERN_ROWS = 100

#: Rows of a batch: its temporaries, of K (n, D) and some (n, m, m) arrays, stay near the cache.
BATCH_ROWS = 2048

EngineMaker = Callable[[ArraySource, Standardization], Engine]


@dataclass(frozen=True, eq=False)
class _Pattern:
    """Rows that miss the same features: which they are, and an engine over the others; None if none was observed."""

    rows: NDArray[np.intp]
    missing: NDArray[np.bool_]
    engine: Engine | None
    total_weight: float


class RareRows(Protocol):
    """Standardised rows (n, D) with NaN where a value is missing, each with a pattern of its own."""

    def reduce(self, forms: QuadraticForms, weights: Array | None = None) -> SufficientStats:
        """Expected statistics of the complete rows, about the centres of dense forms; perhaps with other weights."""

    def joint(self, forms: QuadraticForms) -> Array:
        """Joint log densities (n, K) of what was observed."""


class BatchedRows:
    """Rare patterns in NumPy: rows that miss equally many features share calls of batched factorisations.

    Parameters
    ----------
    rows : array of shape (n, D)
    weights : array of shape (n,) or None
    """

    def __init__(self, rows: Array, weights: Array | None) -> None:
        self._n_rows = rows.shape[0]
        self._weights = np.ones(rows.shape[0]) if weights is None else weights
        flags = np.isnan(rows)
        self._batches: list[tuple[Batch, NDArray[np.intp]]] = []
        numbers = flags.sum(axis=1)
        for number in np.unique(numbers):
            group = np.flatnonzero(numbers == number)
            for start in range(0, group.size, BATCH_ROWS):
                part = group[start : start + BATCH_ROWS]
                missing = np.nonzero(flags[part])[1].reshape(part.size, number)
                self._batches.append((Batch(np.where(flags[part], 0.0, rows[part]), missing), part))

    def joint(self, forms: QuadraticForms) -> Array:
        """See `RareRows.joint`."""
        joint = np.empty((self._n_rows, forms.n_components))
        for batch, part in self._batches:
            for k in range(forms.n_components):
                joint[part, k] = expected_joint(forms, batch, k)[0]
        return joint

    def moments(self, forms: QuadraticForms, shares: Array) -> SufficientStats:
        """Expected moments under weighted responsibilities (n, K), which need not be the forms' own; no likelihood."""
        total = SufficientStats.zero(forms.center, forms.shape)
        for batch, part in self._batches:
            total += _batch_moments(forms, batch, _expected(forms, batch), shares[part])
        return total

    def reduce(self, forms: QuadraticForms, weights: Array | None = None) -> SufficientStats:
        """See `RareRows.reduce`."""
        mass = self._weights if weights is None else weights
        total = SufficientStats.zero(forms.center, forms.shape)
        for batch, part in self._batches:
            total += _batch_statistics(forms, batch, mass[part])
        return total


def _batch_statistics(forms: QuadraticForms, batch: Batch, weights: Array) -> SufficientStats:
    parts = _expected(forms, batch)
    resp, log_density = normalised(np.stack([part[0] for part in parts], axis=1))
    found = _batch_moments(forms, batch, parts, resp * weights[:, None])
    return replace(found, log_likelihood=float(weights @ log_density), total_weight=float(weights.sum()))


def _expected(forms: QuadraticForms, batch: Batch) -> list[tuple[Array, Array, Array]]:
    return [expected_joint(forms, batch, k) for k in range(forms.n_components)]


def _batch_moments(
    forms: QuadraticForms, batch: Batch, parts: list[tuple[Array, Array, Array]], shares: Array
) -> SufficientStats:
    first = np.stack([shares[:, k] @ deviation for k, (_, deviation, _) in enumerate(parts)])
    second = np.stack(
        [
            (deviation * shares[:, k, None]).T @ deviation + residual_moments(batch, factor, shares[:, k])
            for k, (_, deviation, factor) in enumerate(parts)
        ]
    )
    count = shares.sum(axis=0)
    return SufficientStats(count, first, second, forms.center, 0.0, float(count.sum()), forms.shape)


class MissingValuesEngine:
    """Sums over rows of which some values are NaN.

    Parameters
    ----------
    source : ArraySource
    standardization : Standardization
    make : callable
        Makes the engine of complete rows, as ``make(source, standardization)``.
    make_rare : callable, optional
        Makes what serves rows of rare patterns, as ``make_rare(rows, weights)``.
    """

    def __init__(
        self,
        source: ArraySource,
        standardization: Standardization,
        make: EngineMaker,
        make_rare: Callable[[Array, Array | None], RareRows] = BatchedRows,
    ) -> None:
        self._source = source
        self._standardization = standardization
        self._make = make
        flags = np.isnan(source.rows)
        packed = np.packbits(flags, axis=1)
        _, first, inverse, counts = np.unique(
            packed, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        inverse = inverse.reshape(-1)
        order = np.argsort(inverse, kind="stable")
        groups = np.split(order, np.cumsum(counts)[:-1])
        common = [
            (rows, flags[index])
            for rows, index in zip(groups, first, strict=True)
            if rows.size >= PATTERN_ROWS or flags[index].all() or not flags[index].any()
        ]
        self._patterns = [self._pattern(rows, missing) for rows, missing in common]
        taken = np.zeros(source.n_rows, dtype=bool)
        for pattern in self._patterns:
            taken[pattern.rows] = True
        self._rare = np.flatnonzero(~taken)
        values = standardization.rows(source.rows[self._rare])
        weights = None if source.weights is None else source.weights[self._rare]
        self._one_by_one = make_rare(values, weights)
        self._flags = flags
        self._box: tuple[Array, Array, Array] | None = None  # of the last flat form, and what `_log_unseen` says of it

    def _pattern(self, rows: NDArray[np.intp], missing: NDArray[np.bool_]) -> _Pattern:
        weights = None if self._source.weights is None else self._source.weights[rows]
        total = float(rows.size if weights is None else weights.sum())
        if missing.all():
            return _Pattern(rows, missing, None, total)
        seen = np.ascontiguousarray(np.asarray(self._source.rows)[np.ix_(rows, ~missing)])
        to = Standardization(self._standardization.shift[~missing], self._standardization.scale[~missing])
        return _Pattern(rows, missing, self._make(ArraySource(seen, weights), to), total)

    @cached_property
    def log_jacobian(self) -> Array:
        """log p(x) = log p(z) - log_jacobian of the observed part of each row: (N,)."""
        return np.asarray(~self._flags @ np.log(self._standardization.scale))

    def total_log_jacobian(self) -> float:
        """Weighted sum of `log_jacobian`."""
        weights = self._source.weights
        return float(self.log_jacobian.sum() if weights is None else weights @ self.log_jacobian)

    def reduce(self, forms: Sequence[QuadraticForms]) -> list[SufficientStats]:
        """See `Engine.reduce`."""
        return [self._reduce(one) for one in forms]

    def _reduce(self, forms: QuadraticForms) -> SufficientStats:
        flat, dense = self._flat(forms), forms.without_flat().dense()
        total, count = SufficientStats.zero(dense.center, dense.shape), 0.0
        for index, pattern in enumerate(self._patterns):
            part, of_flat = self._of_pattern(dense, pattern, None if flat is None else flat.patterns[index])
            total, count = total + part, count + of_flat
        if self._rare.size:
            part, of_flat = self._of_rare(dense, None if flat is None else flat.rare)
            total, count = total + part, count + of_flat
        if flat is not None:
            total = _with_flat(total, count)
        return replace(total, second=forms.shape.compress(total.second), shape=forms.shape)

    def _of_pattern(
        self, forms: QuadraticForms, pattern: _Pattern, flat: float | None
    ) -> tuple[SufficientStats, float]:
        """Statistics of the dense forms, and the count of a flat one beside them."""
        if pattern.engine is None:
            return _unseen(forms, pattern.total_weight, flat)
        if not pattern.missing.any():
            found, count = _without_flat(pattern.engine.reduce([_beside(forms, flat)])[0], flat)
            return found.recenter(forms.center), count
        part = observation.observed_part(forms, pattern.missing)
        found, count = _without_flat(pattern.engine.reduce([_beside(part.forms, flat)])[0], flat)
        return part.complete(found, forms.center), count

    def _of_rare(self, forms: QuadraticForms, flat: Array | None) -> tuple[SufficientStats, float]:
        """The same of rows one by one. Of a row's weight the components share what a flat form leaves them."""
        if flat is None:
            return self._one_by_one.reduce(forms), 0.0
        weights = self._source.weights
        mass = np.ones(self._rare.size) if weights is None else weights[self._rare]
        resp, log_density = normalised(np.column_stack([self._one_by_one.joint(forms), flat]))
        found = self._one_by_one.reduce(forms, mass * resp[:, :-1].sum(axis=1))
        count = float(mass @ resp[:, -1])
        return replace(found, log_likelihood=float(mass @ log_density), total_weight=float(mass.sum())), count

    def _flat(self, forms: QuadraticForms) -> _FlatForm | None:
        """What a flat form, if there is one, is of the observed features."""
        if forms.box is None:
            return None
        if self._box is None or not np.array_equal(self._box[0], forms.box):
            missing = [pattern.missing for pattern in self._patterns]
            unseen = _log_unseen(forms.box, np.array(missing).reshape(-1, forms.n_features))
            self._box = forms.box, unseen, _log_unseen(forms.box, self._flags[self._rare])
        _, patterns, rare = self._box
        return _FlatForm(forms.const[-1] + patterns, forms.const[-1] + rare)

    def map_rows(
        self, forms: QuadraticForms, output: RowOutput, inspect: Callable[[Block], None] | None = None
    ) -> NDArray[Any]:
        """See `Engine.map_rows`; a row of which nothing was observed has log density 0 and the prior weights."""
        flat, dense = self._flat(forms), forms.without_flat().dense()
        n_rows, width = self._source.n_rows, forms.n_components
        result: NDArray[Any] = np.empty((n_rows, width) if output is RowOutput.RESPONSIBILITIES else n_rows)
        for index, pattern in enumerate(self._patterns):
            of_flat = None if flat is None else flat.patterns[index]
            result[pattern.rows] = self._map_pattern(dense, pattern, of_flat, output)
        if self._rare.size:
            joint = self._one_by_one.joint(dense)
            result[self._rare] = _output(joint if flat is None else np.column_stack([joint, flat.rare]), output)
        return result.astype(np.int64) if output is RowOutput.LABELS else result

    def _map_pattern(
        self, forms: QuadraticForms, pattern: _Pattern, flat: float | None, output: RowOutput
    ) -> NDArray[Any]:
        if pattern.engine is None:
            prior = np.append(_log_weights(forms), [] if flat is None else [flat])
            return np.asarray(_output(prior[None], output))
        if pattern.missing.any():
            forms = observation.observed_part(forms, pattern.missing).forms
        return pattern.engine.map_rows(_beside(forms, flat), output)


@dataclass(frozen=True, eq=False)
class _FlatForm:
    """A flat form's log density over the observed features: of each pattern, and of each row of a rare one."""

    patterns: Array
    rare: Array


def _beside(forms: QuadraticForms, flat: float | None) -> QuadraticForms:
    return forms if flat is None else forms.with_flat(flat)


def _without_flat(statistics: SufficientStats, flat: float | None) -> tuple[SufficientStats, float]:
    """Statistics of the components, and the count of the flat form that was beside them."""
    if flat is None:
        return statistics, 0.0
    parts = {name: getattr(statistics, name)[:-1] for name in ("count", "first", "second", "reference")}
    return replace(statistics, **parts), float(statistics.count[-1])


def _with_flat(statistics: SufficientStats, count: float) -> SufficientStats:
    """Dense statistics with a last count; a flat form has no use for the moments of its rows."""
    n_features = statistics.first.shape[1]
    return replace(
        statistics,
        count=np.append(statistics.count, count),
        first=np.concatenate([statistics.first, np.zeros((1, n_features))]),
        second=np.concatenate([statistics.second, np.zeros((1, n_features, n_features))]),
        reference=np.concatenate([statistics.reference, np.zeros((1, n_features))]),
    )


def _log_unseen(box: Array, missing: NDArray[np.bool_]) -> Array:
    """By how much the log density of a flat form grows where these features (n, D) are not asked for: (n,).

    It is uniform over a box, of which the observed sides remain: from
    ``log |edges|`` to ``1/2 log |G_oo|`` with G = edges^T edges. Of a box that
    does not follow the features the shadow is not uniform; one of the same
    covariance, G_oo / 12, then stands for it.
    """
    if np.count_nonzero(box - np.diag(np.diagonal(box))) == 0:
        return np.asarray(missing @ (0.5 * np.log(np.diagonal(box))))
    whole = np.linalg.slogdet(box)[1]
    patterns, inverse = np.unique(missing, axis=0, return_inverse=True)
    seen = [0.5 * (whole - np.linalg.slogdet(box[np.ix_(~one, ~one)])[1]) for one in patterns]
    return np.asarray(seen, dtype=np.float64)[inverse.reshape(-1)]


def _output(joint: Array, output: RowOutput) -> NDArray[Any]:
    """What was asked for of joint log densities (n, K)."""
    if output is RowOutput.LABELS:
        return joint.argmax(axis=1)
    resp, log_density = normalised(joint)
    return log_density if output is RowOutput.LOG_DENSITY else resp


def _log_weights(forms: QuadraticForms) -> Array:
    """log w_k of dense forms."""
    half = 0.5 * forms.n_features * np.log(2 * np.pi)
    return np.asarray(forms.const + half - forms.shape.log_determinant(forms.whitener, forms.n_features))


def _unseen(forms: QuadraticForms, weight: float, flat: float | None) -> tuple[SufficientStats, float]:
    """Expected statistics of rows of which nothing was observed, and the count of a flat form."""
    count = weight * np.exp(_log_weights(forms))
    # the inverse of a triangular whitener is the covariance's own factor
    root = np.linalg.inv(forms.whitener)
    covariance = np.swapaxes(root, 1, 2) @ root
    found = SufficientStats(
        count,
        np.zeros_like(forms.center),
        count[:, None, None] * covariance,
        forms.center,
        0.0,
        weight,
        forms.shape,
    )
    return found, 0.0 if flat is None else weight * float(np.exp(flat))
