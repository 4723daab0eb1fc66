"""Missing values of rows as a mixture sees them: what it expects given the observed ones, or draws.

For a row with observed part o, component k has the share p(k | o), and the
missing part given k and o is Gaussian (Ghahramani and Jordan 1994, section 3).
The mean over both is the best guess in mean square; a draw takes first a
component, then a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from mixtura.estep import normalised
from mixtura.mixture import Mixture
from mixtura.observation import Batch, expected_joint
from mixtura.quadratic import QuadraticForms
from mixtura.shape import Array
from mixtura.standardization import Standardization

__all__ = ["Draws", "drawn", "expected"]

#: Numbers in the factors of a batch's rows, one (m, m) a component for m missing values.
BATCH_NUMBERS = 2**20


class Draws:
    """Random numbers for what is missing, in the order of rows and features: however rows are cut, they are the same.

    Parameters
    ----------
    random_state : RandomState
        What seeds them.
    """

    def __init__(self, random_state: RandomState) -> None:
        seeds = random_state.randint(0, 2**32, (2, 4), dtype=np.uint32)
        # a RandomState is slow to make
        self._chances, self._values = (np.random.default_rng(seed) for seed in seeds)

    def take(self, missing: NDArray[np.bool_]) -> tuple[Array, Array]:
        """For the next rows (N, D): a uniform number (N, 1) a row, and a normal one (N, D) for each value it misses.

        They are zero where nothing is missing.
        """
        some = missing.any(axis=1)
        chances, values = np.zeros((missing.shape[0], 1)), np.zeros(missing.shape)
        chances[some, 0] = self._chances.random(int(some.sum()))
        values[missing] = self._values.standard_normal(int(missing.sum()))
        return chances, values


def expected(mixture: Mixture, rows: Array) -> Array:
    """Rows (N, D) with their conditional mean where a value is missing (NaN)."""
    standardization = Standardization.of_mixture(mixture)
    forms = standardization.forward(mixture).forms.dense()
    filled = rows.copy()
    for batch, part in _batches(standardization, rows, forms.n_components):
        shares, centres, _ = _parts(forms, batch)
        values = np.einsum("nk,nkm->nm", shares, centres)
        _fill(filled, batch, part, values, standardization)
    return filled


def drawn(mixture: Mixture, rows: Array, sets: Sequence[Draws]) -> Array:
    """Rows (sets, N, D) with a draw each from the conditional distribution where a value is missing (NaN)."""
    standardization = Standardization.of_mixture(mixture)
    forms = standardization.forward(mixture).forms.dense()
    filled = np.repeat(rows[None], len(sets), axis=0)
    numbers = [one.take(np.isnan(rows)) for one in sets]
    for batch, part in _batches(standardization, rows, forms.n_components):
        shares, centres, factors = _parts(forms, batch)
        bounds = np.cumsum(shares, axis=1)[:, :-1]
        for one, (chances, normals) in zip(filled, numbers, strict=True):
            chosen = (chances[part] > bounds).sum(axis=1)
            normal = normals[part[:, None], batch.missing]
            values = centres[np.arange(part.size), chosen]
            for k, factor in enumerate(factors):  # P_mm = L L^T, so that L^-T z has the covariance P_mm^-1
                own = chosen == k
                upper = np.swapaxes(factor[own], 1, 2)
                values[own] += np.linalg.solve(upper, normal[own, :, None])[:, :, 0]
            _fill(one, batch, part, values, standardization)
    return filled


def _batches(
    standardization: Standardization, rows: Array, n_components: int
) -> Iterator[tuple[Batch, NDArray[np.intp]]]:
    """Standardised rows that miss the same number of values, and which rows they are."""
    flags = np.isnan(rows)
    numbers = flags.sum(axis=1)
    for number in np.unique(numbers[numbers > 0]):
        group = np.flatnonzero(numbers == number)
        size = max(1, BATCH_NUMBERS // (n_components * int(number) * rows.shape[1]))
        for start in range(0, group.size, size):
            part = group[start : start + size]
            missing = np.nonzero(flags[part])[1].reshape(part.size, number)
            values = standardization.rows(rows[part])
            yield Batch(np.where(flags[part], 0.0, values), missing), part


def _parts(forms: QuadraticForms, batch: Batch) -> tuple[Array, Array, list[Array]]:
    """Of a batch: shares (n, K), conditional means (n, K, m), and for each component factors of P_mm (n, m, m)."""
    parts = [expected_joint(forms, batch, k) for k in range(forms.n_components)]
    shares, _ = normalised(np.stack([joint for joint, _, _ in parts], axis=1))
    centres = [
        np.take_along_axis(deviation, batch.missing, axis=1) + forms.center[k][batch.missing]
        for k, (_, deviation, _) in enumerate(parts)
    ]
    return shares, np.stack(centres, axis=1), [factor for _, _, factor in parts]


def _fill(filled: Array, batch: Batch, part: NDArray[np.intp], values: Array, to: Standardization) -> None:
    filled[part[:, None], batch.missing] = values * to.scale[batch.missing] + to.shift[batch.missing]
