"""What a mixture says of rows in which only some features were observed.

With the precision ``P = U U^T`` of a component in blocks of observed (o) and
missing (m) features, and the deviation d of a row from the component's centre::

    E[d_m | d_o]   = -P_mm^-1 P_mo d_o
    Cov[d_m | d_o] =  P_mm^-1
    log N(x_o)     =  const + m/2 log 2 pi - 1/2 log |P_mm| - 1/2 ||d U||^2

where in d the missing entries are their expectations (Little and Rubin 2002,
section 11.2; Ghahramani and Jordan 1994). Nothing here is a difference of
squares, and what is factored is as small as the number of missing features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mixtura.quadratic import QuadraticForms
from mixtura.shape import FULL, Array
from mixtura.suffstats import SufficientStats

__all__ = ["Batch", "Observed", "expected_joint", "observed_part", "residual_moments"]

LOG_TWO_PI = float(np.log(2 * np.pi))

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Observed:
    """Forms (of dense shape) restricted to one pattern of observed features.

    Attributes
    ----------
    forms : QuadraticForms
        Over the o observed features alone.
    regression : array of shape (K, m, o)
        Expected deviation of the missing features, given that of the observed ones.
    residual : array of shape (K, m, m)
        Their covariance, given the observed ones.
    missing : array of shape (D,), bool
    """

    forms: QuadraticForms
    regression: Array
    residual: Array
    missing: Flags

    def complete(self, statistics: SufficientStats, center: Array) -> SufficientStats:
        """Expected statistics of the complete rows, about the centres (K, D), from those of the observed features.

        With A = [I; regression], the expected deviation of a complete row is A
        d_o, so that sums over rows carry over: no row is looked at again.
        """
        about = statistics.recenter(self.forms.center)
        n_components, n_features = center.shape
        carry = np.zeros((n_components, n_features, about.first.shape[1]))
        carry[:, ~self.missing] = np.eye(about.first.shape[1])
        carry[:, self.missing] = self.regression
        first = np.einsum("kdo,ko->kd", carry, about.first)
        second = carry @ about.second @ np.swapaxes(carry, 1, 2)
        second[np.ix_(np.arange(n_components), self.missing, self.missing)] += (
            about.count[:, None, None] * self.residual
        )
        return replace(about, first=first, second=second, reference=center)


def observed_part(forms: QuadraticForms, missing: Flags) -> Observed:
    """Dense forms, restricted to the features that are not missing (D,); at least one must be observed."""
    seen = ~missing
    n_missing = int(missing.sum())
    rows = forms.whitener[:, missing]
    precision = rows @ np.swapaxes(rows, 1, 2)  # P_mm
    cross = rows @ np.swapaxes(forms.whitener[:, seen], 1, 2)  # P_mo
    factor = FULL.whiten(precision)  # V V^T = P_mm^-1
    residual = FULL.precision(factor)
    regression = -factor @ (np.swapaxes(factor, 1, 2) @ cross)
    root = np.zeros((forms.n_components, int(seen.sum()), forms.n_features))
    root[:] = forms.whitener[:, seen] + np.swapaxes(regression, 1, 2) @ rows  # d_o @ root = d @ U at the expectations
    whitener = np.swapaxes(np.linalg.qr(np.swapaxes(root, 1, 2), mode="r"), 1, 2)
    const = forms.const + 0.5 * n_missing * LOG_TWO_PI + FULL.log_determinant(factor, n_missing)
    upper = _upper(whitener)
    return Observed(
        QuadraticForms(const, np.ascontiguousarray(forms.center[:, seen]), upper, FULL), regression, residual, missing
    )


def _upper(lower: Array) -> Array:
    """Upper triangular whiteners of the precisions that lower triangular ones have: P = L L^T = U U^T."""
    turned = lower[:, ::-1, ::-1] @ np.swapaxes(lower[:, ::-1, ::-1], 1, 2)
    flipped = np.linalg.cholesky(turned)
    return np.ascontiguousarray(flipped[:, ::-1, ::-1])


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows (n, D) with the same number m of missing features, which may differ from row to row.

    Attributes
    ----------
    rows : array of shape (n, D)
        Anything finite where a feature is missing.
    missing : array of shape (n, m), int
        Which features are missing in each row.
    """

    rows: Array
    missing: NDArray[np.intp]

    @property
    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Indices by which (D, D) matrices are cut to (n, m, m)."""
        return self.missing[:, :, None], self.missing[:, None, :]


def expected_joint(forms: QuadraticForms, batch: Batch, component: int) -> tuple[Array, Array, Array]:
    """Of one component: joint log densities (n,), expected deviations (n, D), and factors of P_mm (n, m, m)."""
    whitener = forms.whitener[component]
    every = np.arange(batch.rows.shape[0])[:, None]
    deviation = batch.rows - forms.center[component]
    deviation[every, batch.missing] = 0.0
    pull = np.take_along_axis(deviation @ whitener @ whitener.T, batch.missing, axis=1)
    factor = np.linalg.cholesky((whitener @ whitener.T)[batch.pairs])
    half = np.linalg.solve(factor, pull[:, :, None])
    deviation[every, batch.missing] = -np.linalg.solve(np.swapaxes(factor, 1, 2), half)[:, :, 0]
    log_det = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    distance = np.square(deviation @ whitener).sum(axis=1)
    n_missing = batch.missing.shape[1]
    joint = forms.const[component] + 0.5 * n_missing * LOG_TWO_PI - log_det - 0.5 * distance
    return joint, deviation, factor


def residual_moments(batch: Batch, factor: Array, shares: Array) -> Array:
    """sum_r share_r Cov[x_m | x_o], each in its place: (D, D)."""
    n_features = batch.rows.shape[1]
    root = np.linalg.inv(factor)  # of a triangular factor of P_mm, whose inverse is root^T root
    covariance = np.swapaxes(root, 1, 2) @ root * shares[:, None, None]
    rows, columns = batch.pairs
    places = (rows * n_features + columns).ravel()
    sums = np.bincount(places, covariance.ravel(), n_features**2).astype(np.float64)
    return sums.reshape(n_features, n_features)
