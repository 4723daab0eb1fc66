"""The M-step: sufficient statistics and a covariance model in, a mixture out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mixtura.covariance import CovarianceModel, covariance_model
from mixtura.mixture import Mixture
from mixtura.prior import Prior
from mixtura.suffstats import SufficientStats

__all__ = ["MStep", "Update"]

#: A component lighter than this share of the total weight keeps its place: its mean is noise.
NEGLIGIBLE_SHARE = 1e-14


@dataclass(frozen=True, eq=False)
class Update:
    """What an M-step returns: the mixture, and which components had to be floored (K,)."""

    mixture: Mixture
    collapsed: NDArray[np.bool_]


@dataclass(frozen=True)
class MStep:
    """The maximiser of the expected log likelihood, plus a prior's log density, under one covariance model.

    Parameters
    ----------
    covariance_type : str
    floor : float
        Smallest eigenvalue that a covariance may have, in standardised
        coordinates: a fraction of each feature's variance.
    equal_weights : bool
        Hold the mixing proportions at 1/K.
    prior : Prior, optional
        Of means and covariances, in standardised coordinates.

    Notes
    -----
    weights = count / sum(count), or 1/K where they are held equal, means = first / count, and covariances by the
    model's ``solve`` on the scatter about the means (Dempster, Laird and Rubin
    1977; Celeux and Govaert 1995). A component that has collapsed onto too few
    rows is held at the floor, which keeps the likelihood bounded.
    """

    covariance_type: str = "full"
    floor: float = 1e-6
    equal_weights: bool = False
    prior: Prior | None = None

    @property
    def model(self) -> CovarianceModel:
        """The covariance model."""
        return covariance_model(self.covariance_type)

    def __call__(self, statistics: SufficientStats, previous: Mixture | None = None) -> Update:
        """The mixture that maximises the expected log likelihood behind the statistics."""
        model = self.model
        total = np.add.reduce(statistics.count)
        count = np.maximum(statistics.count, total * NEGLIGIBLE_SHARE)
        mean, scatter = statistics.mean_and_scatter()
        if self.prior is not None:
            count, mean, scatter = self.prior.posterior(model, count, mean, scatter)
        covariances = model.solve(count, scatter, mean.shape[1], None if previous is None else previous.covariances)
        weights = np.full(count.size, 1.0 / count.size) if self.equal_weights else statistics.count / total
        mixture = Mixture(weights, mean, covariances, self.covariance_type, self.equal_weights)
        return self._floored(mixture)

    def penalty(self, mixture: Mixture) -> float:
        """What the objective of EM has beside the log likelihood: the prior's log density, up to a constant."""
        return 0.0 if self.prior is None else self.prior.log_density(mixture)

    def _floored(self, mixture: Mixture) -> Update:
        """Hold eigenvalues at the floor; skip the eigenvalues where the whitener shows that none is below.

        ``||U||_F^2 = trace(precision)`` bounds the largest eigenvalue of the precision.
        """
        shape, n_components = mixture.shape, mixture.n_components
        try:
            with np.errstate(over="ignore"):  # what overflows is far below the floor
                norms = shape.squared_norm(mixture.whitener, mixture.n_features)
            if norms.max() * self.floor <= 1.0:
                return Update(mixture, np.zeros(n_components, dtype=bool))
        except np.linalg.LinAlgError:
            pass
        minimum = max(self.floor, float(np.finfo(np.float64).tiny) ** 0.5)
        floored = shape.floor(mixture.covariances, minimum)
        changed = floored != mixture.covariances
        collapsed = np.full(n_components, bool(changed.any()))
        if not shape.shared:
            collapsed = changed.reshape(n_components, -1).any(axis=1)
        return Update(replace(mixture, covariances=floored), collapsed)
