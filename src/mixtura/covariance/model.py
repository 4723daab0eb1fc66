"""The protocol of the rack: what a covariance model has to say."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mixtura.shape import SPHERICAL, TIED, Array, Shape

__all__ = ["CovarianceModel", "Decomposed", "nearest_member"]

#: The weight of a component, of one, below which it has no say in what the components share.
SMALLEST_SHARE = 1e-14


class CovarianceModel(Protocol):
    """A constraint on the covariances of K components, and its M-step.

    A model never sees data. It is given, per component, the weight ``count``
    (K,) and the scatter matrix about the component's mean, in the model's own
    ``shape``, and returns the maximum-likelihood covariances in that shape.
    """

    @property
    def name(self) -> str:
        """mclust's three letters: volume, shape and orientation, each Equal, Variable or Identity."""

    @property
    def shape(self) -> Shape:
        """Shape of the covariances, of the whiteners, and of the second moments that `solve` needs."""

    @property
    def unit_free(self) -> bool:
        """Whether the model still holds after each feature is multiplied by its own constant."""

    @property
    def separate(self) -> bool:
        """Whether each component's covariance follows from its own count and scatter alone."""

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        """Maximum-likelihood covariances given counts and scatters.

        They are finite and symmetric whatever the scatter. Where it is too
        close to singular for the model to have a maximiser, they need not be
        positive definite, or in the model: the M-step then holds their
        eigenvalues at its floor and marks the components as collapsed.

        Parameters
        ----------
        count : array of shape (K,)
            Total responsibility of each component, positive.
        scatter : array of ``shape.array_shape(K, D)``
            sum_r resp_rk (x_r - mean_k)(x_r - mean_k)^T.
        n_features : int
            D, which a spherical scatter (a trace) does not tell.
        previous : array, optional
            The last covariances, where an iterative solution may start. The
            result explains the scatter at least as well.
        """

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free parameters of the covariances (not of means or weights)."""


class Decomposed:
    """Sigma_k = lambda_k Q_k A_k Q_k^T with |A_k| = 1 (Banfield and Raftery 1993; Celeux and Govaert 1995, section 2).

    The letters of a name say of the volume lambda, the shape A and the
    orientation Q, in that order, whether it is Equal in all components,
    Variable, or the Identity.
    """

    name: str

    @property
    def separate(self) -> bool:
        """Whether each component's covariance follows from its own count and scatter alone: nothing is Equal."""
        return "E" not in self.name

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of volumes, shapes and orientations (Celeux and Govaert 1995, table 1)."""
        sizes = (1, n_features - 1, n_features * (n_features - 1) // 2)
        copies = {"E": 1, "V": n_components, "I": 0}
        return sum(copies[letter] * size for letter, size in zip(self.name, sizes, strict=True))


def nearest_member(model: CovarianceModel, weights: Array, covariances: Array, n_features: int) -> Array:
    """The covariances of a model that best explain data of given ones; themselves, to rounding, where they are of it.

    Parameters
    ----------
    model : CovarianceModel
    weights : array of shape (K,)
    covariances : array of ``model.shape.array_shape(K, D)``
        Positive definite.
    n_features : int
        D.
    """
    count = np.maximum(weights, SMALLEST_SHARE)
    if model.shape is TIED:
        scatter = covariances * count.sum()
    else:
        scatter = covariances * count.reshape((-1,) + (1,) * (covariances.ndim - 1))
    if model.shape is SPHERICAL:
        scatter = scatter * n_features
    return model.solve(count, scatter, n_features, covariances)
