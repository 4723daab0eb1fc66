"""The mistakes: each function makes one, for as long as the test's monkeypatch lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from pytest import MonkeyPatch

from mixtura import em, estep, mixture, moves, observation, quadratic, shape
from mixtura.background import Background
from mixtura.covariance import MODELS
from mixtura.covariance.ellipsoidal import EEE
from mixtura.covariance.spherical import VII
from mixtura.em import Trajectory
from mixtura.engine.numpy import NumpyEngine
from mixtura.initialization import hierarchical
from mixtura.initialization.agglomeration import Groups
from mixtura.initialization.hierarchical import Tree
from mixtura.mixture import Mixture
from mixtura.mstep import MStep, Update
from mixtura.prior import ConjugatePrior, Prior
from mixtura.shape import Array
from mixtura.source import ArraySource, Block, partition
from mixtura.standardization import Standardization
from mixtura.suffstats import SufficientStats

Inject = Callable[[MonkeyPatch], None]


def changed(owner: Any, name: str, change: Callable[..., Any]) -> Inject:
    """The function ``owner.name`` with its result passed through ``change(result, *arguments)``."""

    def inject(monkeypatch: MonkeyPatch) -> None:
        original = getattr(owner, name)

        def wrong(*arguments: Any, **keywords: Any) -> Any:
            return change(original(*arguments, **keywords), *arguments)

        monkeypatch.setattr(owner, name, wrong)

    return inject


def replaced(owner: Any, name: str, value: Any) -> Inject:
    """``value`` in the place of ``owner.name``."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, value)


def every_shape(name: str, change: Callable[..., Any]) -> Inject:
    """A method of all four shapes changed."""

    def inject(monkeypatch: MonkeyPatch) -> None:
        for one in shape.SHAPES:
            changed(type(one), name, change)(monkeypatch)

    return inject


def every_model(name: str, change: Callable[..., Any]) -> Inject:
    """A method of all covariance models changed."""

    def inject(monkeypatch: MonkeyPatch) -> None:
        for model in MODELS.values():
            changed(type(model), name, change)(monkeypatch)

    return inject


def without_the_half(monkeypatch: MonkeyPatch) -> None:
    """const - ||.||^2 instead of const - 1/2 ||.||^2."""
    original = quadratic.log_joint

    def wrong(forms: quadratic.QuadraticForms, rows: Array) -> Array:
        return 2 * original(forms, rows) - forms.const

    monkeypatch.setattr(mixture, "log_joint", wrong)
    monkeypatch.setattr(estep, "log_joint", wrong)


def exponentials_without_a_shift(monkeypatch: MonkeyPatch) -> None:
    """exp(log density) as it is: far rows underflow to 0 / 0."""

    def wrong(forms: quadratic.QuadraticForms, rows: Array) -> tuple[Array, Array]:
        joint = np.exp(quadratic.log_joint(forms, rows))
        total = joint.sum(axis=1)
        with np.errstate(all="ignore"):
            return joint / total[:, None], np.log(total)

    monkeypatch.setattr(estep, "responsibilities", wrong)


def weightless_density(monkeypatch: MonkeyPatch) -> None:
    """Every component counts in full."""
    original = Mixture.forms.func

    def wrong(self: Mixture) -> quadratic.QuadraticForms:
        forms = original(self)
        return replace(forms, const=forms.const - np.log(self.weights))

    monkeypatch.setattr(Mixture, "forms", property(wrong))


def weights_changed(change: Callable[[Array | None], Array | None]) -> Inject:
    """The reference kernel given other weights than the rows have."""

    def inject(monkeypatch: MonkeyPatch) -> None:
        original = estep.block_statistics
        monkeypatch.setattr(
            estep, "block_statistics", lambda forms, rows, weights: original(forms, rows, change(weights))
        )

    return inject


def log_likelihood_without_weights(monkeypatch: MonkeyPatch) -> None:
    """Moments weighted, the log likelihood not."""
    original = estep.block_statistics

    def wrong(forms: Any, rows: Array, weights: Array | None) -> SufficientStats:
        plain = original(forms, rows, None)
        return replace(original(forms, rows, weights), log_likelihood=plain.log_likelihood)

    monkeypatch.setattr(estep, "block_statistics", wrong)


def parameters_ahead_of_the_objective(monkeypatch: MonkeyPatch) -> None:
    """Return the parameters after the last M-step with the log likelihood from before it."""
    original = Trajectory.absorb

    def wrong(self: Trajectory, statistics: SufficientStats) -> None:
        original(self, statistics)
        self._mixture = self.mstep(statistics, self.mixture).mixture

    monkeypatch.setattr(Trajectory, "absorb", wrong)


def last_step_as_stop_rule(monkeypatch: MonkeyPatch) -> None:
    """Stop where the last step gained less than tol, as scikit-learn does."""

    def wrong(history: list[float]) -> float:
        return history[-1] - history[-2] if len(history) > 1 else np.inf

    monkeypatch.setattr(em, "remaining_gain", wrong)


def floor_added_to_the_diagonal(monkeypatch: MonkeyPatch) -> None:
    """scikit-learn's reg_covar: added to every variance, not only to those that need it."""

    def wrong(self: MStep, one: Mixture) -> Update:
        widened = one.shape.rescale(one.covariances, np.full(one.n_features, 1 + self.floor))
        return Update(replace(one, covariances=widened), np.zeros(one.n_components, dtype=bool))

    monkeypatch.setattr(MStep, "_floored", wrong)


def no_floor(monkeypatch: MonkeyPatch) -> None:
    """Collapsed components stay as narrow as they are, but for the limits of arithmetic."""
    original = MStep._floored

    def wrong(self: MStep, one: Mixture) -> Update:
        return original(replace(self, floor=1e-12), one)

    monkeypatch.setattr(MStep, "_floored", wrong)


def sums_in_order_of_arrival(monkeypatch: MonkeyPatch) -> None:
    """Partial sums added as they come; with several threads they come, here, last block first."""
    from mixtura.engine import native

    def add(self: Any, start: int, stop: int, term: Array) -> None:
        self.values += term

    def share(self: Any, work: Callable[[Block], None], n_products: int) -> None:
        blocks = list(self._source.blocks())
        for block in blocks if self._threads == 1 else blocks[::-1]:
            work(block)

    monkeypatch.setattr(native.OrderedSum, "add", add)
    monkeypatch.setattr(native.NativeEngine, "_share", share)


def always_quadratic(monkeypatch: MonkeyPatch) -> None:
    """Expanded squares even where they lose every digit."""
    from mixtura.engine import native

    monkeypatch.setattr(native, "ERROR_TOLERANCE", np.inf)


def bound_too_small(monkeypatch: MonkeyPatch) -> None:
    """An error bound that promises a million times too much."""
    original = quadratic.QuadraticForms.error_bound
    monkeypatch.setattr(quadratic.QuadraticForms, "error_bound", lambda self: 1e-6 * original(self))


def rows_in_single_precision(monkeypatch: MonkeyPatch) -> None:
    """float32 rows standardised in float32."""

    def wrong(self: Standardization, rows: Array) -> Array:
        return ((rows - self.shift.astype(rows.dtype)) / self.scale.astype(rows.dtype)).astype(np.float64) * (
            1 + (1e-7 if rows.dtype == np.float32 else 0)
        )

    monkeypatch.setattr(Standardization, "rows", wrong)


def mixtures_swapped(monkeypatch: MonkeyPatch) -> None:
    """Every mixture of a pass gets the statistics of another."""
    original = NumpyEngine.reduce

    def wrong(self: NumpyEngine, forms: Any) -> list[SufficientStats]:
        return original(self, forms)[::-1]

    monkeypatch.setattr(NumpyEngine, "reduce", wrong)


def draws_by_the_covariance(monkeypatch: MonkeyPatch) -> None:
    """Noise multiplied by the covariance instead of its Cholesky factor."""
    original = np.linalg.cholesky

    def wrong(matrices: Array) -> Array:
        original(matrices)
        return matrices

    monkeypatch.setattr(mixture.np.linalg, "cholesky", wrong)


def data_units(monkeypatch: MonkeyPatch) -> None:
    """Standardise by a constant of its own instead of the features' deviations: fits depend on units."""
    original = Standardization.of_moments.__func__

    def wrong(cls: type[Standardization], mean: Array, variance: Array, unit_free: bool) -> Standardization:
        made = original(cls, mean, variance, unit_free)
        return cls(made.shift, np.ones_like(made.scale))

    monkeypatch.setattr(Standardization, "of_moments", classmethod(wrong))


# Slips of one expression.
last_block_dropped = changed(partition, "block_slices", lambda slices, n: slices[:-1])
first_block_read_twice = changed(partition, "block_slices", lambda slices, n: slices[:1] + slices)
every_other_block = changed(partition, "block_slices", lambda slices, n: slices[::2])
overlapping_blocks = changed(
    partition, "block_slices", lambda slices, n: [slice(max(0, one.start - 1), one.stop) for one in slices]
)
rows_for_weight = replaced(ArraySource, "total_weight", property(lambda self: float(self.n_rows)))
single_precision_sums = changed(
    estep, "block_statistics", lambda sums, *_: replace(sums, first=sums.first.astype(np.float32).astype(np.float64))
)
weights_ignored = weights_changed(lambda weights: None)
weights_rounded = weights_changed(lambda weights: None if weights is None else np.ceil(weights + 0.5))
scatter_about_the_reference = changed(SufficientStats, "mean_and_scatter", lambda found, self: (found[0], self.second))
recenter_without_second = changed(
    SufficientStats, "recenter", lambda sums, original, reference: replace(sums, second=original.second)
)
scale_without_total = changed(
    SufficientStats, "scale", lambda sums, original, factor: replace(sums, total_weight=original.total_weight)
)
addition_of_one_sided_likelihood = changed(
    SufficientStats, "__add__", lambda sums, left, right: replace(sums, log_likelihood=right.log_likelihood)
)
determinant_twice = every_shape("log_determinant", lambda logs, *_: 2 * logs)
determinant_of_wrong_sign = every_shape("log_determinant", lambda logs, *_: -logs)
lower_whiteners = every_shape(
    "whiten", lambda whitener, self, covariances: np.swapaxes(whitener, -1, -2) if whitener.ndim == 3 else 2 * whitener
)
shares_a_little_large = changed(estep, "responsibilities", lambda found, *_: (found[0] * (1 + 1e-9), found[1]))
labels_off_by_one = changed(estep, "labels", lambda found, forms, rows: (found + 1) % forms.n_components)
jacobian_forgotten = replaced(Standardization, "log_jacobian", 0.0)
backward_without_shift = changed(
    Standardization, "backward", lambda made, to, one: one.affine(to.scale, np.zeros_like(to.shift))
)
iterations_count_the_start = replaced(Trajectory, "n_iter", property(lambda self: len(self.history)))
acceleration_unguarded = replaced(em, "ROUNDING", np.inf)
acceleration_never_starts = replaced(em, "PLAIN_START", 10**9)
equal_weights_counted = replaced(
    Mixture, "n_parameters", property(lambda self: self.n_components - 1 + self.model.n_parameters(*self.means.shape))
)
weights_not_held = changed(
    MStep,
    "__call__",
    lambda update, self, sums, *_: replace(
        update, mixture=replace(update.mixture, weights=sums.count / sums.count.sum())
    ),
)
volume_without_units = replaced(Background, "affine", lambda self, scale, shift: self)
background_weight_fixed = changed(
    MStep,
    "__call__",
    lambda update, self, *_: replace(update, mixture=replace(update.mixture, background=self.background)),
)
noise_in_the_shared_scatter = changed(
    MStep, "gaussians", lambda sums, self, every: replace(sums, second=every.mean_and_scatter()[1].sum(axis=0))
)
weights_without_background = changed(
    MStep,
    "__call__",
    lambda update, *_: replace(update, mixture=replace(update.mixture, weights=update.mixture.proportions)),
)
prior_without_pull = changed(
    Prior, "posterior", lambda found, self, model, count, mean, scatter: (found[0], mean, found[2])
)
prior_without_count = changed(
    Prior, "posterior", lambda found, self, model, count, mean, scatter: (count, found[1], found[2])
)
prior_not_in_the_objective = replaced(MStep, "penalty", lambda self, one: 0.0)
prior_in_data_units = changed(
    ConjugatePrior,
    "complete",
    lambda made, self, mean, covariance, k, shift, unit: (
        made if self.mean is None else replace(made, mean=made.mean * unit + shift)
    ),
)
parameter_too_many = every_model("n_parameters", lambda found, *_: found + 1)
parameter_too_few = every_model("n_parameters", lambda found, *_: found - 1)
unbiased_covariances = every_model("solve", lambda found, self, count, *_: found * count.sum() / (count.sum() - 1))
covariances_too_wide = every_model("solve", lambda found, *_: found * 1.001)
balls_without_dimension = replaced(VII, "solve", lambda self, count, scatter, d, previous=None: scatter / count)
tied_by_the_first_count = replaced(EEE, "solve", lambda self, count, scatter, d, previous=None: scatter / count[0])
covariances_of_more_data = every_model("solve", lambda found, self, count, *_: found + 1e-6 * count.sum())


def prior_counts_twice(monkeypatch: MonkeyPatch) -> None:
    """Unions have the prior's scatter of both groups."""
    original = Groups.__post_init__

    def wrong(groups: Groups) -> None:
        original(groups)
        groups._prior_scatter = 0.0

    monkeypatch.setattr(Groups, "__post_init__", wrong)


def merges_without_weights(monkeypatch: MonkeyPatch) -> None:
    """Every row counts once."""
    original = Groups.__post_init__

    def wrong(groups: Groups) -> None:
        groups.weights = np.ones_like(groups.weights)
        original(groups)

    monkeypatch.setattr(Groups, "__post_init__", wrong)


sample_by_chance = changed(
    hierarchical, "_drawn", lambda drawn, weights: (np.random.default_rng().permutation(weights.size)[:60], np.ones(60))
)


def rows_for_weights_of_leaves(monkeypatch: MonkeyPatch) -> None:
    """A leaf weighs as many rows as it has, whatever these weigh."""
    original = np.bincount
    monkeypatch.setattr(np, "bincount", lambda positions, weights: original(positions))


rows_as_they_are = changed(hierarchical, "_half_sphered", lambda sphered, rows, weights: rows)
dearest_merge_first = changed(Groups, "costs", lambda costs, *_: -costs)
cut_too_deep = changed(Tree, "cut", lambda labels, tree, n_groups: np.minimum(labels, max(n_groups - 2, 0)))
halves_in_one_place = replaced(moves, "HALF_MEAN", 0.0)
merge_that_loses_rows = changed(moves, "merge", lambda found, *_: found.scale(0.9))
imputation_without_spread = changed(
    observation, "observed_part", lambda found, *_: replace(found, residual=0 * found.residual)
)
marginal_without_its_constant = changed(
    observation,
    "observed_part",
    lambda found, *_: replace(found, forms=replace(found.forms, const=found.forms.const - 0.1)),
)
