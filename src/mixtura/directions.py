"""Directions in which the components of a mixture differ most (Scrucca 2010): the view for more than two features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from mixtura.mixture import Mixture
from mixtura.shape import Array

__all__ = ["Directions", "discriminating_directions"]

#: Variance below this share of the largest counts as none: such directions are no features of the data.
SINGULAR = 1e-12


@dataclass(frozen=True, eq=False)
class Directions:
    """Linear combinations of the features, the most telling first.

    Attributes
    ----------
    basis : array of shape (D, m)
        A combination a column, of Euclidean length 1; the entry of largest size is positive.
    eigenvalues : array of shape (m,)
        How much of the difference between components each shows; 0 where none.
    center : array of shape (D,)
        The point that is drawn at the origin.
    """

    basis: Array
    eigenvalues: Array
    center: Array

    def rows(self, rows: NDArray[np.floating]) -> Array:
        """Rows (n, D) in these coordinates: (n, m)."""
        return np.asarray((rows - self.center) @ self.basis)

    def mixture(self, mixture: Mixture) -> Mixture:
        """The distribution of the projected rows; a background, whose shadow is not uniform, is left out."""
        covariances = np.einsum("di,kde,ej->kij", self.basis, mixture.dense_covariances, self.basis, optimize=True)
        return Mixture(mixture.proportions, self.rows(mixture.means), covariances, "full")

    def take(self, number: int) -> Directions:
        """The first few of them."""
        return replace(self, basis=self.basis[:, :number], eigenvalues=self.eigenvalues[:number])


def discriminating_directions(
    mixture: Mixture, *, balance: float = 0.5, covariance: NDArray[np.floating] | None = None
) -> Directions:
    """Directions in which the components differ most, in their means and in their covariances.

    Parameters
    ----------
    mixture : Mixture
        A background is left out.
    balance : float, default=0.5
        1 looks at the means alone, which gives no more than K - 1 directions, 0 at the covariances alone.
    covariance : array of shape (D, D), optional
        Of all rows; by default the mixture's own, which is the same where the
        covariance model is free.

    Returns
    -------
    Directions
        As many as the covariance has dimensions.

    Raises
    ------
    ValueError
        If the balance is not between 0 and 1.

    Notes
    -----
    They solve ``M v = l S v`` with S the covariance of all rows and, with
    proportions f and means m of the components, their covariances S_k, and
    the pooled ``W = sum_k f_k S_k``::

        M = 2 b B S^-1 B + 2 (1 - b) sum_k f_k (S_k - W) S^-1 (S_k - W),
        B = sum_k f_k (m_k - m) (m_k - m)^T

    (Scrucca 2010, section 3; the balance b is Scrucca's 2014, mclust's ``lambda``, and 1/2 is the
    paper of 2010). By the Cholesky factor of S both sides become symmetric, so that no inverse is formed.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import Mixture
    >>> from mixtura.directions import discriminating_directions
    >>> mixture = Mixture.from_parameters([0.5, 0.5], [[-3.0, 0.0], [3.0, 0.0]], np.eye(2), "tied")
    >>> discriminating_directions(mixture, balance=1.0).basis[:, 0].round(6).tolist()
    [1.0, 0.0]
    """
    if not 0.0 <= balance <= 1.0:
        raise ValueError(f"balance must be between 0 and 1; got {balance}")
    shares = mixture.proportions
    center = shares @ mixture.means
    within = mixture.dense_covariances
    pooled = np.einsum("k,kij->ij", shares, within)
    apart = mixture.means - center
    between = (apart * shares[:, None]).T @ apart
    total = pooled + between if covariance is None else np.asarray(covariance, dtype=np.float64)
    axes, factor = _coordinates(total)
    between = _whitened(axes.T @ between @ axes, factor)
    differences = [_whitened(axes.T @ (one - pooled) @ axes, factor) for one in within]
    kernel = 2 * balance * between @ between
    for share, difference in zip(shares, differences, strict=True):
        kernel += 2 * (1 - balance) * share * difference @ difference
    values, vectors = np.linalg.eigh(kernel)
    basis = axes @ solve_triangular(factor.T, vectors[:, ::-1])
    basis /= np.linalg.norm(basis, axis=0)
    largest = np.abs(basis).argmax(axis=0)
    basis *= np.sign(basis[largest, np.arange(basis.shape[1])])
    return Directions(basis, np.maximum(values[::-1], 0.0), center)


def _coordinates(total: Array) -> tuple[Array, Array]:
    """Directions (D, r) in which the rows vary, scaled by the features' deviations, and the Cholesky factor there."""
    scale = np.sqrt(np.diag(total))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(total / np.outer(scale, scale))
    axes = vectors[:, values > SINGULAR * values[-1]] / scale[:, None]
    return axes, np.asarray(np.linalg.cholesky(axes.T @ total @ axes), dtype=np.float64)


def _whitened(matrix: Array, factor: Array) -> Array:
    half = solve_triangular(factor, matrix, lower=True)
    return np.asarray(solve_triangular(factor, half.T, lower=True))
