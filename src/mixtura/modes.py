"""Modes of a Gaussian mixture: the density climbed from every mean (Carreira-Perpinan 2000)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh
from scipy.special import logsumexp

from mixtura.quadratic import QuadraticForms
from mixtura.shape import Array

__all__ = ["find_modes"]

MAX_STEPS = 2000
#: Squared length of a step, in local deviations, at which a climb has arrived; and where rounding may end it.
ARRIVED, NEARLY = 1e-24, 1e-12
#: Curvature upwards, in units of the mean precision, of a point that is a saddle; and how far to step off it.
SADDLE, OFF = 1e-7, 1e-2
#: Modes closer than this many local deviations are one.
SAME = 1e-4


class _Local(NamedTuple):
    """Log density at a point, its gradient and Hessian, and the mean precision there."""

    height: float
    gradient: Array
    hessian: Array
    precision: Array


def find_modes(forms: QuadraticForms) -> Array:
    """Modes (M, D) that climbs from the centers reach, the highest first."""
    whiteners = forms.shape.dense(forms.whitener, forms.n_components, forms.n_features)
    found: list[tuple[float, Array, Array]] = []
    waiting = [forms.center[k] for k in np.flatnonzero(np.isfinite(forms.const))]
    for start in waiting:  # which grows where a climb ends on a saddle
        point, local, off = _climb(forms, whiteners, start)
        if off is not None:
            waiting += [point + off, point - off]
        elif not any(_distance(point - other, precision) < SAME for _, other, precision in found):
            found.append((local.height, point, local.precision))
    order = np.argsort([-height for height, _, _ in found], kind="stable")
    return np.array([found[i][1] for i in order])


def _distance(apart: Array, precision: Array) -> float:
    return max(float(apart @ precision @ apart), 0.0) ** 0.5


def _at(forms: QuadraticForms, whiteners: Array, point: Array) -> _Local:
    whitened = np.einsum("kd,kde->ke", point - forms.center, whiteners)
    joint = forms.const - 0.5 * np.square(whitened).sum(axis=1)
    height = float(logsumexp(joint))
    shares = np.exp(joint - height)
    pulls = np.einsum("kde,ke->kd", whiteners, whitened)
    scaled = whiteners * np.sqrt(shares)[:, None, None]
    precision = np.einsum("kde,kfe->df", scaled, scaled)
    gradient = -shares @ pulls
    hessian = (pulls * shares[:, None]).T @ pulls - precision - np.outer(gradient, gradient)
    return _Local(height, gradient, hessian, precision)


def _climb(forms: QuadraticForms, whiteners: Array, start: Array) -> tuple[Array, _Local, Array | None]:
    """Where a climb ends, and if that is a saddle the step off it.

    Newton's step where the log density is concave and it leads upwards, else
    the fixed-point step, which is one of EM and never leads down.
    """
    point, local = start, _at(forms, whiteners, start)
    for _ in range(MAX_STEPS):
        step = cho_solve(cho_factor(local.precision), local.gradient)
        length = float(local.gradient @ step)
        try:
            newton = cho_solve(cho_factor(-local.hessian), local.gradient)
        except LinAlgError:
            if length < ARRIVED:
                return point, local, _off_a_saddle(local)
        else:
            length = float(local.gradient @ newton)
            ahead = _at(forms, whiteners, point + newton)
            if ahead.height >= local.height:
                point, local, step = point + newton, ahead, newton
                if length < ARRIVED:
                    break
                continue
        if length < ARRIVED:
            break
        ahead = _at(forms, whiteners, point + step)
        if ahead.height <= local.height and length < NEARLY:
            break
        point, local = point + step, ahead
    return point, local, None


def _off_a_saddle(local: _Local) -> Array | None:
    values, vectors = eigh(local.hessian, local.precision)
    return OFF * vectors[:, -1] if values[-1] > SADDLE else None
