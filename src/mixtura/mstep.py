"""The M-step: sufficient statistics and a covariance model in, a mixture out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mixtura.background import Background
from mixtura.covariance import CovarianceModel, covariance_model
from mixtura.fixed import Fixed
from mixtura.mixture import Mixture, MixtureStack
from mixtura.prior import Prior
from mixtura.shape import Array
from mixtura.suffstats import SufficientStats

__all__ = ["MStep", "Update"]

#: A component lighter than this share of the total weight keeps its place: its mean is noise.
NEGLIGIBLE_SHARE = 1e-14

#: Covariances at the floor may explain the scatter worse by this much, relative, from rounding.
ROUNDING = 1e-10

#: An eigenvalue stands at the floor if it is above it by no more than this, relative.
AT_THE_FLOOR = 1e-6


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
    background : Background, optional
        Uniform noise beside the components: its box is fixed, its weight is that
        of its rows, or the one given here where no row has been shared out yet.
    fixed : Fixed, optional
        Parts that are held, in standardised coordinates, of the first components. Not together with a background.

    Notes
    -----
    weights = count / sum(count), or 1/K where they are held equal, means = first / count, and covariances by the
    model's ``solve`` on the scatter about the means (Dempster, Laird and Rubin
    1977; Celeux and Govaert 1995). A component that has collapsed onto too few
    rows is held at the floor, which keeps the likelihood bounded. In models
    that share a part of the covariances, a component at the floor leaves the
    model, and the others no longer make up for it: where the last covariances
    explain the scatter better they are kept, so that EM never falls.
    """

    covariance_type: str = "full"
    floor: float = 1e-6
    equal_weights: bool = False
    prior: Prior | None = None
    background: Background | None = None
    fixed: Fixed | None = None

    @property
    def model(self) -> CovarianceModel:
        """The covariance model."""
        return covariance_model(self.covariance_type)

    def __call__(self, statistics: SufficientStats, previous: Mixture | None = None) -> Update:
        """The mixture that maximises the expected log likelihood behind the statistics."""
        model, background = self.model, self.background
        total = np.add.reduce(statistics.count)
        if background is not None and previous is not None and statistics.count.size > previous.n_components:
            share = min(float(statistics.count[-1] / total), 1.0 - NEGLIGIBLE_SHARE)  # the components keep something
            statistics, background = self.gaussians(statistics), replace(background, weight=share)
        count = np.maximum(statistics.count, total * NEGLIGIBLE_SHARE)
        weights = statistics.count / total if background is None else count / count.sum() * (1.0 - background.weight)
        if self.equal_weights:
            weights = np.full(count.size, (1.0 if background is None else 1.0 - background.weight) / count.size)
        mean, scatter = statistics.mean_and_scatter()
        mass = count  # of the rows, the prior's among them, that a mean is the mean of
        if self.prior is not None:
            mass = count + self.prior.shrinkage
            count, mean, scatter = self.prior.posterior(model, count, mean, scatter)
        before, n_features = None if previous is None else previous.covariances, mean.shape[1]
        n_held = 0
        if self.fixed is None:
            covariances = model.solve(count, scatter, n_features, before)
        else:
            fixed = self.fixed.sized(count.size)
            weights, n_held = fixed.shares(weights), fixed.n_held
            mean, scatter = fixed.about(model.shape, mass, mean, scatter)
            covariances = fixed.solve(model, count, scatter, n_features, before)
        mixture = Mixture(weights, mean, covariances, self.covariance_type, self.equal_weights, background, n_held)
        update = self._floored(mixture)
        if previous is not None and update.collapsed.any():
            return self._not_worse(update, previous, count, scatter)
        return update

    def each(self, several: SufficientStats, number: int) -> Sequence[Mixture]:
        """The mixtures of so many statistics of equal size, with dense second moments, that lie one after the other.

        All in one go where components have nothing in common.
        """
        shape, size = self.model.shape, several.count.size // number
        if self.plain and self.model.separate:
            whole = self(several.compress(shape)).mixture
            count = several.count.reshape(number, size)
            weights = np.full(count.shape, 1.0 / size) if self.equal_weights else count / count.sum(axis=1)[:, None]
            means = whole.means.reshape(number, size, -1)
            covariances = whole.covariances.reshape(number, size, *whole.covariances.shape[1:])
            return MixtureStack(weights, means, covariances, self.covariance_type, self.equal_weights)
        return [self(one.compress(shape)).mixture for one in several.apart(number)]

    @property
    def plain(self) -> bool:
        """Whether there is nothing beside the components, and nothing known of them."""
        return self.prior is None and self.background is None and self.fixed is None

    def _not_worse(self, update: Update, previous: Mixture, count: Array, scatter: Array) -> Update:
        """The update, or the previous covariances in it where they explain the scatter better."""
        kept = replace(update.mixture, covariances=self._floored(previous).mixture.covariances)
        before, after = _explained(kept, count, scatter), _explained(update.mixture, count, scatter)
        if not after < before - ROUNDING * (1.0 + abs(before)):
            return update
        held = replace(self, floor=self.floor * (1.0 + AT_THE_FLOOR))._floored(kept).collapsed
        return Update(kept, update.collapsed | held)

    def gaussians(self, statistics: SufficientStats) -> SufficientStats:
        """Statistics without those of the background, which come last, in the model's shape."""
        rest = statistics.take(slice(-1))
        if not self.model.shape.shared:
            return rest
        mean, scatter = rest.mean_and_scatter()  # the background's forms took the shared matrix apart
        return replace(
            rest, first=np.zeros_like(mean), second=scatter.sum(axis=0), reference=mean, shape=self.model.shape
        )

    def admit(self, mixture: Mixture) -> Mixture:
        """A start with the background, or the fixed parts, that the mixtures of this M-step have."""
        if self.fixed is not None:
            return self.fixed.sized(mixture.n_components).place(mixture)
        if self.background is None:
            return mixture
        weight = self.background.weight if mixture.background is None else mixture.background.weight
        weights = mixture.proportions * (1.0 - weight)
        return replace(mixture, weights=weights, background=replace(self.background, weight=weight))

    @property
    def n_fixed(self) -> int:
        """Number of the first components, of which parts are fixed: each stays even when a half of it is split off."""
        return 0 if self.fixed is None else self.fixed.n_first

    def allowed_merges(self, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Pairs of components of which not both have fixed parts; one that has comes first, to stay in its place."""
        return pairs if self.fixed is None else self.fixed.merges(pairs)

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
        if self.fixed is not None:
            floored = self.fixed.sized(n_components).restore(floored)
        changed = floored != mixture.covariances
        collapsed = np.full(n_components, bool(changed.any()))
        if not shape.shared:
            collapsed = changed.reshape(n_components, -1).any(axis=1)
        return Update(replace(mixture, covariances=floored), collapsed)


def _explained(mixture: Mixture, count: Array, scatter: Array) -> float:
    """What depends on the covariances in the expected log likelihood: -1/2 sum_k [n_k log |S_k| + tr(S_k^-1 W_k)].

    NaN where one is singular to rounding, as it may be where the floor is zero.
    """
    shape = mixture.shape
    try:
        whitener = mixture.whitener
    except np.linalg.LinAlgError:
        return np.nan
    determinants = np.sum(count * shape.log_determinant(whitener, mixture.n_features))
    return float(determinants - 0.5 * np.vdot(shape.precision(whitener), scatter))
