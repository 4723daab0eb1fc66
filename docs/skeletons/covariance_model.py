"""A covariance model to copy into src/mixtura/covariance/; then list it in MODELS.

This one is EII, spheres of one size, which is there already. A model never sees data: it is given the
weight of each component and the scatter about its mean, in the shape it names.
"""

from __future__ import annotations

import numpy as np

from mixtura.shape import SPHERICAL, Array


class EII:
    """Spheres of one size: Sigma_k = lambda I (Celeux and Govaert 1995, section 4.3)."""

    name = "EII"
    shape = SPHERICAL  # of covariances, whiteners and the scatter that `solve` is given: here (K,)
    unit_free = False  # features are not scaled separately: that would turn spheres into ellipsoids
    separate = False  # components share a size: no covariance follows from its own count and scatter alone

    def solve(self, count: Array, scatter: Array, n_features: int, previous: Array | None = None) -> Array:
        """The covariances that maximise the expected log likelihood; a spherical scatter is a trace."""
        return np.full(count.size, scatter.sum() / (count.sum() * n_features))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters: the rank of the Jacobian of `solve`, which the tests compare."""
        return 1
