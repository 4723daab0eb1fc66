"""What a fit with a noise component starts from: the background's box, and rows that may be noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.background import Background
from mixtura.initialization.noise import bounding_box, isolated
from mixtura.shape import Array
from mixtura.source import ArraySource, Source
from mixtura.standardization import Standardization

__all__ = ["NoiseStart", "noise_start"]

#: Rows from which the box and the isolated rows are found, evenly spaced where there are more.
ROWS = 4_000

#: The background's weight at the start is at least this: from 0, EM would never give it a row.
LEAST_WEIGHT = 0.01


@dataclass(frozen=True, eq=False)
class NoiseStart:
    """A background to start from, and rows that seem to be none of it.

    Attributes
    ----------
    standardization : Standardization
        Of the clean rows: a few wild ones may not decide what is small.
    background : Background
        In those coordinates.
    clean : ArraySource
        Rows from which the components' starts, and a default prior, are made.
    noise : array of shape (N,) or None
        Which rows of the source may be noise; None where there are too many to ask each.
    """

    standardization: Standardization
    background: Background
    clean: ArraySource
    noise: NDArray[np.bool_] | None

    def sample(self, size: int) -> ArraySource:
        """At most about that many of the clean rows."""
        return _thinned(self.clean, size)


def noise_start(
    noise: Any,
    source: Source,
    kept: NDArray[np.bool_] | None,
    standardization: Standardization,
    unit_free: bool,
    n_components: int,
    least_variance: float,
) -> NoiseStart | None:
    """What a fit begins with where the estimator's ``noise`` asks for it; None where it does not.

    Parameters
    ----------
    noise : bool or array of shape (N,)
        True, or which rows may be noise, of all rows that the user gave.
    source : Source
    kept : array of shape (N,) or None
        Which of all rows are in the source.
    standardization : Standardization
        Of all rows.
    unit_free : bool
        Of the covariance model.
    n_components : int
    least_variance : float
        See `bounding_box`.

    Raises
    ------
    ValueError
        If a guess has the wrong shape or leaves too few rows.
    """
    if isinstance(noise, bool | np.bool_) and not noise:
        return None
    given = not isinstance(noise, bool | np.bool_)
    thin = _thinned(source, ROWS)
    rows, weights = standardization.rows(thin.rows), _weights(thin)
    if given:
        pool, guess = source.take(slice(None)), _guess(noise, source.n_rows, kept)
        if source.n_rows - int(guess.sum()) < n_components:
            raise ValueError(f"noise leaves {source.n_rows - int(guess.sum())} rows for {n_components} components")
    else:
        volume = bounding_box(rows, weights, LEAST_WEIGHT, 0.0).log_volume
        pool, guess = thin, isolated(rows, weights, volume)
        if np.unique(rows[~guess], axis=0).shape[0] < n_components:
            guess = np.zeros_like(guess)
    share = float(_weights(pool)[guess].sum() / pool.total_weight)
    clean = pool.take(~guess)
    inner = _standardization_of(_thinned(clean, ROWS), standardization, unit_free)
    background = bounding_box(inner.rows(thin.rows), weights, max(share, LEAST_WEIGHT), least_variance)
    return NoiseStart(inner, background, clean, guess if pool.n_rows == source.n_rows else None)


def _standardization_of(clean: ArraySource, outer: Standardization, unit_free: bool) -> Standardization:
    """The coordinates of some rows, found in those of all; a feature that is constant there keeps its scale."""
    rows, weights = outer.rows(clean.rows), _weights(clean)
    seen = ~np.isnan(rows)
    mass = np.maximum(weights @ seen, np.finfo(np.float64).tiny)
    mean = weights @ np.where(seen, rows, 0.0) / mass
    variance = weights @ np.where(seen, np.square(rows - mean), 0.0) / mass
    variance = np.where(variance > 0, variance, 1.0)
    return Standardization.of_moments(
        mean * outer.scale + outer.shift, variance * np.square(outer.scale), unit_free
    )


def _guess(noise: Any, n_rows: int, kept: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    guess = np.asarray(noise)
    expected = n_rows if kept is None else kept.size
    if guess.shape != (expected,) or not np.all((guess == 0) | (guess == 1)):
        raise ValueError(
            f"noise must be True, False, or an array of shape ({expected},), True where a row may be noise; "
            f"got {'other values' if guess.shape == (expected,) else f'shape {guess.shape}'}"
        )
    flags: NDArray[np.bool_] = guess.astype(bool)
    return flags if kept is None else flags[kept]


def _weights(source: ArraySource) -> Array:
    return np.ones(source.n_rows) if source.weights is None else source.weights


def _thinned(source: Source, size: int) -> ArraySource:
    """Evenly spaced rows, at most about ``size``; all of them where there are not more."""
    step = -(-source.n_rows // size)
    return source.take(slice(None, None, step))
