"""Background: rows that belong to no component, spread evenly over a box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mixtura.shape import Array

__all__ = ["Background"]


@dataclass(frozen=True, eq=False)
class Background:
    """Uniform noise of a mixture, over a box whose sides need not follow the features.

    Its density is taken as ``weight / volume`` everywhere, so that a row
    beyond the box is noise as well and none has density zero (Banfield and
    Raftery 1993, section 4; beyond the box the distribution is improper, as in
    Coretto and Hennig 2016). Draws come from the box.

    Parameters
    ----------
    weight : float
        Share of all rows.
    center : array of shape (D,)
    edges : array of shape (D, D)
        Edge vectors of the box, one a row: the box is ``center + u @ edges``
        with u between -1/2 and 1/2.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import Background, Mixture
    >>> noise = Background(0.5, np.zeros(1), np.array([[10.0]]))
    >>> mixture = Mixture.from_parameters([0.5], [[0.0]], [1.0], "spherical", background=noise)
    >>> mixture.pdf([[5.0], [500.0]]).round(4).tolist()
    [0.05, 0.05]
    """

    weight: float
    center: Array
    edges: Array

    @cached_property
    def log_volume(self) -> float:
        """Logarithm of the box's volume."""
        return float(np.linalg.slogdet(self.edges)[1])

    @property
    def log_density(self) -> float:
        """Logarithm of weight / volume; -inf without weight."""
        return float(np.log(self.weight) - self.log_volume) if self.weight > 0 else -np.inf

    def check(self, n_features: int) -> None:
        """Raise ValueError if this is no background of rows of that many features."""
        if self.center.shape != (n_features,) or self.edges.shape != (n_features, n_features):
            raise ValueError(
                f"a background needs a center ({n_features},) and edges ({n_features}, {n_features}); "
                f"got {self.center.shape} and {self.edges.shape}"
            )
        if not (0 <= self.weight < 1):
            raise ValueError(f"the weight of a background must be at least 0 and below 1; got {self.weight}")
        if not (np.all(np.isfinite(self.center)) and np.all(np.isfinite(self.edges)) and np.isfinite(self.log_volume)):
            raise ValueError("the box of a background must be finite and have a volume")

    def affine(self, scale: Array, shift: Array) -> Background:
        """The background of ``x * scale + shift`` where x has this one (scale and shift: (D,))."""
        return replace(self, center=self.center * scale + shift, edges=self.edges * scale)

    @property
    def covariance(self) -> Array:
        """Covariance (D, D) of rows from the box: edges^T edges / 12."""
        return self.edges.T @ self.edges / 12.0

    def contains(self, rows: Array) -> NDArray[np.bool_]:
        """Which of (n, D) rows lie in the box."""
        inside = np.abs(np.linalg.solve(self.edges.T, (rows - self.center).T)) <= 0.5
        return np.asarray(inside.all(axis=0))

    def select(self, features: NDArray[np.intp]) -> Background:
        """The background of some features, in the order given.

        Raises
        ------
        ValueError
            If an edge of the box has a part in both kept and dropped features:
            the box's shadow on the kept ones is then not uniform.
        """
        kept = np.zeros(self.center.size, dtype=bool)
        kept[features] = True
        mine = np.any(self.edges[:, kept] != 0, axis=1)
        if np.any(mine & np.any(self.edges[:, ~kept] != 0, axis=1)):
            raise ValueError(
                f"the box of the background is oblique: an edge joins features {features.tolist()} with the others, "
                "so its marginal is not uniform; use dataclasses.replace(mixture, background=None, weights=proportions)"
            )
        return replace(self, center=self.center[features], edges=self.edges[mine][:, features])

    def limits(self) -> tuple[Array, Array]:
        """Lower and upper corners (D,) of a box whose sides follow the features.

        Raises
        ------
        ValueError
            If they do not.
        """
        if np.any(np.count_nonzero(self.edges, axis=1) != 1):
            raise ValueError("the box of the background is oblique: its sides do not follow the features")
        half = 0.5 * np.abs(self.edges).sum(axis=0)
        return self.center - half, self.center + half

    def draw(self, size: int, random_state: np.random.Generator | np.random.RandomState) -> Array:
        """Rows (size, D) from the box."""
        return np.asarray(self.center + random_state.uniform(-0.5, 0.5, (size, self.center.size)) @ self.edges)
