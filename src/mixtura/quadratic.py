"""QuadraticForms: all that an E-step needs to know of a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixtura.shape import FULL, Array, Shape

EPSILON = float(np.finfo(np.float64).eps)

__all__ = ["QuadraticForms", "log_joint", "stack"]


@dataclass(frozen=True, eq=False)
class QuadraticForms:
    """One quadratic form per component, whatever distribution it came from.

    The joint log density of component k at x is::

        log w_k N(x; k) = const_k - 1/2 ||(x - center_k) @ whitener_k||^2

    Attributes
    ----------
    const : array of shape (K,)
        May be -inf for a component of no weight.
    center : array of shape (K, D)
    whitener : array of ``shape.array_shape(K, D)``
        Upper triangular where dense.
    shape : Shape
        Shape of the whitener, and of the second moments to collect.
    box : array of shape (D, D), optional
        Where the last form is flat: edges^T edges of the box over which it is uniform.
    """

    const: Array
    center: Array
    whitener: Array
    shape: Shape
    box: Array | None = None

    @property
    def n_components(self) -> int:
        """K."""
        return self.center.shape[0]

    @property
    def n_features(self) -> int:
        """D."""
        return self.center.shape[1]

    def with_flat(self, const: float, box: Array | None = None) -> QuadraticForms:
        """These forms and a last one whose log density is the same everywhere: its whitener is zero.

        A shared whitener becomes one a component, for the last has another.
        """
        shape = FULL if self.shape.shared else self.shape
        whitener = self.shape.dense(self.whitener, *self.center.shape) if self.shape.shared else self.whitener
        return QuadraticForms(
            np.append(self.const, const),
            np.concatenate([self.center, np.zeros((1, self.n_features))]),
            np.concatenate([whitener, np.zeros((1, *whitener.shape[1:]))]),
            shape,
            box,
        )

    def without_flat(self) -> QuadraticForms:
        """These forms without a last one that is flat; themselves where there is none."""
        if self.box is None:
            return self
        return QuadraticForms(self.const[:-1], self.center[:-1], self.whitener[:-1], self.shape)

    def dense(self) -> QuadraticForms:
        """The same forms with a whitener (K, D, D) of every component."""
        if self.shape is FULL:
            return self
        whitener = self.shape.dense(self.whitener, self.n_components, self.n_features)
        return replace(self, whitener=np.ascontiguousarray(whitener), shape=FULL)

    def error_bound(self) -> float:
        """Bound on the rounding error of a log density computed from uncentred squares.

        Expanding the square loses about ``eps * D * ||x||^2 * ||P_k||``; rows
        that matter to component k have ``||x||^2`` about ``||center_k||^2 + D``
        in standardised coordinates, and ``||whitener_k||_F^2`` bounds the
        precision's norm. What the sum of that and of the constant loses by
        itself comes to it. A fit uses the expanded form only while this is small.
        """
        reach = np.einsum("kd,kd->k", self.center, self.center) + self.n_features
        norms = self.shape.squared_norm(self.whitener, self.n_features)
        const = np.where(np.isfinite(self.const), np.abs(self.const), 0.0)
        return float(EPSILON * np.max((self.n_features + 1) * reach * norms + const))

    def errs_less_than(self, tolerance: float) -> bool:
        """Whether `error_bound` is at most the tolerance; tries a looser bound first that costs two sums of squares."""
        reach = _sum_of_squares(self.center) + self.n_features
        precision = _sum_of_squares(self.whitener)
        loose = EPSILON * ((self.n_features + 1) * reach * precision + float(np.abs(self.const).max()))
        return bool(loose <= tolerance) or self.error_bound() <= tolerance


def _sum_of_squares(values: Array) -> float:
    """Without BLAS, whose threads would go on spinning for some 30 ms beside the pass that follows."""
    flat = values.reshape(-1)
    return float(np.einsum("i,i->", flat, flat))


def log_joint(forms: QuadraticForms, rows: Array) -> Array:
    """log w_k N(x_r; k) for (n, D) rows: (n, K). The literal, centred evaluation."""
    joint = np.empty((rows.shape[0], forms.n_components))
    for k in range(forms.n_components):
        whitened = forms.shape.project(rows - forms.center[k], forms.whitener, k)
        joint[:, k] = forms.const[k] - 0.5 * np.einsum("nd,nd->n", whitened, whitened)
    return joint


def stack(forms: Sequence[QuadraticForms]) -> tuple[Array, Array, Array]:
    """(const, center, whitener) of several mixtures of one shape, not a shared one, end to end along K."""
    if len(forms) == 1:
        return forms[0].const, forms[0].center, forms[0].whitener
    parts = zip(*((form.const, form.center, form.whitener) for form in forms), strict=True)
    const, center, whitener = (np.concatenate(part) for part in parts)
    return const, center, whitener
