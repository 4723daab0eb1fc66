"""Parts of a mixture that a fit holds fixed: a known background, a calibrated width, a given share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mixtura.covariance import CovarianceModel
from mixtura.mixture import Mixture
from mixtura.shape import SPHERICAL, Array, Shape

__all__ = ["PARTS", "Fixed", "complete"]

#: What may be held of a component.
PARTS = ("weight", "mean", "covariance")

#: Variances of narrow starts, of those that a partition has.
NARROW = 0.05

#: Fixed weights of all components may miss 1 by this much.
WEIGHT_TOLERANCE = 1e-8

#: A free component without rows keeps something.
SMALLEST_SHARE = 1e-14

#: Relative difference by which a matrix may miss the form that a covariance model has.
FORM_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Fixed:
    """Weights, means and covariances that are held, in the coordinates of a fit.

    The constrained M-step is exact. The expected log likelihood is a sum of a
    part in the weights, and of one per component in its mean and covariance
    (Dempster, Laird and Rubin 1977). So fixed weights leave the rest of the mass to
    the others in proportion to their counts; a fixed mean leaves the scatter
    about that mean; and the covariance model's ``solve`` is given only the
    components whose covariance is free, so that what a model shares is shared
    among these alone.

    Attributes
    ----------
    weights : array of shape (K,)
        NaN where free.
    means : array of shape (K, D)
        NaN where free.
    covariances : array
        In the model's shape; only those that are `held` mean something.
    held : array of shape (K,), bool
        Whose covariance is fixed.
    n_held : int
        Parameters that a mixture has less, because they are fixed.
    """

    weights: Array
    means: Array
    covariances: Array
    held: NDArray[np.bool_]
    n_held: int

    @property
    def still(self) -> NDArray[np.bool_]:
        """Whose mean is fixed: (K,)."""
        return ~np.isnan(self.means[:, 0])

    @property
    def weighted(self) -> NDArray[np.bool_]:
        """Whose weight is fixed: (K,)."""
        return ~np.isnan(self.weights)

    def shares(self, weights: Array) -> Array:
        """Weights (K,) in which the free ones share what the fixed ones leave, in proportion to what they are given."""
        known = self.weighted
        if not known.any():
            return weights
        found = self.weights.copy()
        if not known.all():
            free = np.maximum(weights[~known], SMALLEST_SHARE)
            found[~known] = (1.0 - found[known].sum()) * free / free.sum()
        return found

    def about(self, shape: Shape, count: Array, mean: Array, scatter: Array) -> tuple[Array, Array]:
        """Means (K, D), and scatters about them: W_k + n_k (mean_k - m)(mean_k - m)^T where m is fixed."""
        still = self.still[:, None]
        towards = np.where(still, self.means - mean, 0.0)
        return np.where(still, self.means, mean), scatter + shape.outer(count[:, None] * towards, towards)

    def solve(
        self, model: CovarianceModel, count: Array, scatter: Array, n_features: int, previous: Array | None
    ) -> Array:
        """Covariances: the model's, of the components whose own are free, and the fixed ones."""
        if not self.held.any():
            return model.solve(count, scatter, n_features, previous)
        covariances, free = self.covariances.copy(), ~self.held
        if free.any():
            before = None if previous is None else previous[free]
            covariances[free] = model.solve(count[free], scatter[free], n_features, before)
        return covariances

    def place(self, mixture: Mixture) -> Mixture:
        """The mixture with the fixed parts in it."""
        return replace(
            mixture,
            weights=self.shares(mixture.weights),
            means=np.where(self.still[:, None], self.means, mixture.means),
            covariances=self.restore(mixture.covariances),
            n_held=self.n_held,
        )

    def restore(self, covariances: Array) -> Array:
        """Covariances with the fixed ones in their places; the floor is not for these."""
        if not self.held.any():
            return covariances
        return np.where(self.held.reshape((-1,) + (1,) * (covariances.ndim - 1)), self.covariances, covariances)

    @property
    def order(self) -> NDArray[np.intp]:
        """The components with those first of which a part is fixed, as moves need them: (K,)."""
        return np.argsort(~(self.still | self.weighted | self.held), kind="stable")

    @property
    def n_first(self) -> int:
        """Number of components of which a part is fixed."""
        return int((self.still | self.weighted | self.held).sum())

    def take(self, order: NDArray[np.intp]) -> Fixed:
        """The same for components in another order."""
        covariances = self.covariances[order] if self.held.any() else self.covariances
        return replace(
            self, weights=self.weights[order], means=self.means[order], covariances=covariances, held=self.held[order]
        )

    def sized(self, n_components: int) -> Fixed:
        """The same for a number of components, where those with fixed parts come first: what follows is free."""
        if n_components == self.held.size:
            return self
        index = np.minimum(np.arange(n_components), self.held.size - 1)
        found, more = self.take(index), np.arange(n_components) >= self.n_first
        found.weights[more], found.means[more], found.held[more] = np.nan, np.nan, False
        return found

    def merges(self, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Pairs of which not both have fixed parts; one that has them comes first, where the merged one will stand."""
        known = self.n_first
        ordered = [(min(pair), max(pair)) if min(pair) < known else pair for pair in pairs]
        return [pair for pair in ordered if max(pair) >= known]

    def arrange(self, start: Mixture) -> Mixture:
        """A start whose components stand where the fixed means nearest to them are."""
        wanted = np.where(self.still[:, None, None], np.square(self.means[:, None] - start.means), 0.0).sum(axis=2)
        return start.take(linear_sum_assignment(wanted)[1])

    def scatter(self, start: Mixture, rows: Array, weights: Array, rng: np.random.RandomState) -> Mixture:
        """A start of narrow components around random rows, of which most are where peaks stand."""
        chosen = rng.choice(len(rows), start.n_components, p=weights / weights.sum())
        return replace(start, means=rows[chosen], covariances=NARROW * start.covariances)


def complete(
    given: Any, model: CovarianceModel, n_components: int, shift: Array, unit: Array, *, equal_weights: bool = False
) -> Fixed:
    """What a user holds, given in the data's units, in the coordinates (x - shift) / unit.

    Parameters
    ----------
    given : mapping
        From a component to a mapping of its fixed parts, `PARTS`.
    model : CovarianceModel
    n_components : int
    shift, unit : array of shape (D,)
    equal_weights : bool
        Whether weights are held already.

    Raises
    ------
    ValueError, TypeError
        For what is no such mapping, or no parameters of such a mixture; the component is named.
    """
    n_features = shift.size
    fixed = Fixed(
        np.full(n_components, np.nan),
        np.full((n_components, n_features), np.nan),
        np.zeros(model.shape.array_shape(n_components, n_features)),
        np.zeros(n_components, dtype=bool),
        0,
    )
    for component, parts in _checked(given, n_components):
        for name, value in parts.items():
            place = f"the {name} of component {component} in fixed"
            if name == "weight":
                fixed.weights[component] = _weight(value, place, equal_weights)
            elif name == "mean":
                fixed.means[component] = (_array(value, place, [(n_features,)]) - shift) / unit
            else:
                fixed.covariances[component] = _covariance(value, place, model, unit)
                fixed.held[component] = True
    _check_weights(fixed.weights)
    return replace(fixed, n_held=_n_held(fixed, model, equal_weights))


def _checked(given: Any, n_components: int) -> list[tuple[int, Mapping[str, Any]]]:
    if not isinstance(given, Mapping):
        raise TypeError(f"fixed must be a dictionary, as {{0: {{'mean': [0.0]}}}}; got {given!r}")
    for component, parts in given.items():
        is_integer = isinstance(component, Integral) and not isinstance(component, bool)
        if not (is_integer and 0 <= int(component) < n_components):
            raise ValueError(f"the keys of fixed are components from 0 to {n_components - 1}; got {component!r}")
        if not isinstance(parts, Mapping):
            raise TypeError(f"fixed[{component}] must be a dictionary with any of {', '.join(PARTS)}; got {parts!r}")
        for name in parts:
            if name not in PARTS:
                raise ValueError(f"fixed[{component}] may have {', '.join(PARTS)}; got {name!r}")
    return [(int(component), parts) for component, parts in given.items()]


def _weight(value: Any, place: str, equal_weights: bool) -> float:
    if equal_weights:
        raise ValueError(f"{place} does not go with equal_weights=True, which holds all of them")
    weight = float(_array(value, place, [()]))
    if not 0.0 < weight <= 1.0:
        raise ValueError(f"{place} must be above 0 and at most 1; got {weight:g}")
    return weight


def _check_weights(weights: Array) -> None:
    """Raise where fixed weights leave nothing to the others, or do not sum to 1 where all are fixed."""
    free, total = np.isnan(weights), float(np.nansum(weights))
    if free.any() and total >= 1.0:
        raise ValueError(f"the weights in fixed sum to {total:.10g} and leave nothing to the other components")
    if not free.any() and abs(total - 1.0) > WEIGHT_TOLERANCE:
        raise ValueError(f"the weights in fixed are those of all components, and must sum to 1; they sum to {total:g}")


def _covariance(value: Any, place: str, model: CovarianceModel, unit: Array) -> Array:
    """A covariance in standardised coordinates and in the model's shape for one component."""
    shape, n_features = model.shape, unit.size
    if shape.shared:
        raise ValueError(
            f"{place} cannot be held: covariance model {model.name} has one matrix for all components; "
            "use one with a matrix for each, such as 'full', VEE or EEI"
        )
    matrix = _array(value, place, [(), (n_features,), (n_features, n_features)])
    dense = (matrix if matrix.ndim == 2 else matrix * np.eye(n_features)) / np.multiply.outer(unit, unit)
    if not np.allclose(dense, dense.T, rtol=FORM_TOLERANCE, atol=0.0):
        raise ValueError(f"{place} must be symmetric")
    if np.linalg.eigvalsh(dense)[0] <= 0:
        raise ValueError(f"{place} must be positive definite")
    compact = shape.compress(dense[None]) / (n_features if shape is SPHERICAL else 1)
    if not np.allclose(shape.dense(compact, 1, n_features)[0], dense, rtol=FORM_TOLERANCE, atol=0.0):
        raise ValueError(f"{place} has a form that covariance model {model.name} cannot have")
    return np.asarray(compact[0])


def _array(value: Any, place: str, shapes: list[tuple[int, ...]]) -> Array:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{place} must be numbers; got {value!r}") from None
    if array.shape not in shapes:
        raise ValueError(f"{place} must have shape {' or '.join(map(str, shapes))}; got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{place} must be finite")
    return array


def _n_held(fixed: Fixed, model: CovarianceModel, equal_weights: bool) -> int:
    """Parameters of weights, means and covariances that are not free."""
    n_components, n_features = fixed.means.shape
    n_free = int((~fixed.weighted).sum())
    weights = 0 if equal_weights else n_components - 1 - max(n_free - 1, 0)
    n_open = int((~fixed.held).sum())
    left = model.n_parameters(n_open, n_features) if n_open else 0
    covariances = model.n_parameters(n_components, n_features) - left
    return weights + int(fixed.still.sum()) * n_features + covariances
