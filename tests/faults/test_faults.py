"""Deliberate mistakes, one a line, and the law that catches each.

Every law is first run as it is, then with the mistake in place, where it must raise AssertionError: a law
that cannot fail is a defect. Every file of laws has to stand in the table.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import laws
import numpy as np
import pytest
from laws import test_background as background
from laws import test_blocks_add as blocks
from laws import test_checkpoint as kept
from laws import test_covariance_models as models
from laws import test_density as density
from laws import test_description as told
from laws import test_distribution as asked
from laws import test_eigenvalue_floor as floors
from laws import test_engines_agree as engines
from laws import test_equal_weights as equal
from laws import test_equivariance as equivariance
from laws import test_fixed as holding
from laws import test_missing_values as missing
from laws import test_models_related as related
from laws import test_moves as moving
from laws import test_objective_never_falls as objective
from laws import test_observed_likelihood as observed
from laws import test_online as stepwise
from laws import test_priors as priors
from laws import test_reported_objective as reported
from laws import test_responsibilities as shares
from laws import test_round_trips as trips
from laws import test_row_order as order
from laws import test_seeding as seeding
from laws import test_several_mixtures as several
from laws import test_statistics_algebra as algebra
from laws import test_trees as trees
from laws import test_weights as weights
from laws.problems import ENGINES, NATIVE_LAWS, ORACLE

from faults import covariance_injections as wrong_model
from faults import distribution_injections as misasked
from faults import fixed_injections as misheld
from faults import injections as fault
from faults import missing_injections as misfilled
from faults import online_injections as misled
from faults.injections import Inject
from mixtura.engine import native_available
from mixtura.initialization import seeding as k_means_plus_plus
from mixtura.shape import FULL

SEED = 7

# Longer names of laws, and arguments.
WEIGHTED_FIT = weights.test_a_fit_with_weights_equals_the_fit_of_repeated_rows
SCATTER = algebra.test_mean_and_scatter_do_not_depend_on_the_reference
RECENTER = algebra.test_recenter_equals_moments_about_the_new_reference
COMMUTES = algebra.test_addition_commutes_and_associates
UNITS = trees.test_likelihoods_of_own_sizes_do_not_see_units
ROOTS = fault.changed(k_means_plus_plus, "_squared_distances", lambda squares, *_: np.sqrt(squares))
PAPER = seeding.test_seeds_are_those_of_the_paper
CHEAPEST = trees.test_every_merge_is_the_cheapest
FLOAT32 = engines.test_float32_rows_equal_float64_rows_of_the_same_values
FORWARD_BACKWARD = trips.test_standardization_forward_and_backward
BAYES = shares.test_responsibilities_are_bayes_rule
HISTORY = reported.test_the_history_starts_at_the_start
REPORTED = reported.test_log_likelihood_belongs_to_the_mixture
LITTLE_LEFT = reported.test_convergence_means_that_little_is_left_to_gain
NEVER_FALLS = objective.test_objective_never_falls
PENALTY = priors.test_the_objective_is_penalised_and_never_falls
NOISE_CLIMBS = background.test_the_likelihood_never_falls
WITH_NOISE = background.test_plain_em_is_the_textbook_s
NO_SLOWER = objective.test_acceleration_is_no_slower_where_em_crawls
AMOUNT_OF_DATA = models.test_solve_does_not_depend_on_the_amount_of_data
FORMULA = asked.test_one_component_conditions_as_the_formula_says
PRODUCT = asked.test_density_is_marginal_times_conditional
MARGINAL = asked.test_marginal_is_the_integral_over_the_others
GAUSSIANS = told.test_entropy_and_divergence_of_gaussians
BOUNDS = told.test_bounds_bracket_the_entropy
INTEGRALS = told.test_entropy_and_divergence_are_integrals
REGIONS = told.test_regions_hold_their_probability
ON_LINES = told.test_regions_on_a_line_are_exact
CHEAPEST_PAIR = told.test_reduction_merges_the_cheapest_pair
MAXIMA = told.test_modes_are_local_maxima
STEPS = stepwise.test_steps_are_those_of_the_definition
GOES_ON = kept.test_a_run_goes_on_with_the_same_bits
IMPLIED = stepwise.test_implied_statistics_lead_back_to_the_mixture
VVV_TYPE = {"covariance_type": "VVV"}
ON_A_LINE = {"model": "V", "weight": 0.25}
SIZES = {"sizes": (3, 3, 3)}
EXPECTED = missing.test_expected_statistics_are_those_of_the_textbook
BY_PATTERN = {"grouping": 1}
INTEGRAL = observed.test_it_is_the_integral_over_the_missing_coordinate
PLANE = {"n_features": 2}
SQUARES = {"criterion": "EII"}
SAMPLED = {"criterion": "EII", "max_leaves": 60}
PLAIN = {"accelerate": False}
ACCELERATED = {"accelerate": True}
TWO_STEPS = {"accelerate": False, "max_iter": 2}
VVV = {"model": "VVV"}
HELD_MAXIMUM = holding.test_the_m_step_maximises
HELD_CLIMBS = holding.test_the_objective_never_falls
HELD_OPTIMUM = holding.test_it_is_where_a_numerical_optimiser_ends
EVI = {"covariance_type": "EVI"}
PULL = {"shrinkage": 5.0}
VII = {"covariance_type": "VII"}
EEE = {"covariance_type": "EEE"}
VEE = {"covariance_type": "VEE"}
SEPARATE = models.test_separate_models_solve_each_component_by_itself
TOGETHER = models.test_m_steps_of_several_at_once
FREE = {"covariance_type": "VVV", "equal_weights": False}
WHITENERS = trips.test_whiteners_invert_covariances
IN_THE_PLANE = related.test_no_member_of_the_plane_fits_better
LARGER = related.test_a_larger_model_fits_better
MAPS = related.test_models_keep_the_maps_they_allow
FALLS_WITH_FLOOR = {"covariance_type": "VEE", "accelerate": False}


@dataclass(frozen=True)
class Fault:
    """A mistake, how it is made, the law that must notice, and what the law is given beside the usual."""

    name: str
    inject: Inject
    law: Callable[..., None]
    arguments: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


FAULTS = [
    # sums over blocks
    Fault("the last block is dropped", fault.last_block_dropped, blocks.test_no_block_is_lost_or_read_twice),
    Fault("the first block is read twice", fault.first_block_read_twice, blocks.test_no_block_is_lost_or_read_twice),
    Fault("blocks overlap by a row", fault.overlapping_blocks, blocks.test_parts_add_to_the_whole),
    Fault("blocks leave gaps", fault.every_other_block, order.test_blocks_cover_the_rows_once),
    Fault("sums in single precision", fault.single_precision_sums, order.test_order_of_rows),
    Fault("mixtures mixed up", fault.mixtures_swapped, several.test_several_in_one_pass_equal_each_alone, SIZES),
    # weights
    Fault("weights are ignored", fault.weights_ignored, weights.test_zero_weights_equal_removed_rows),
    Fault("weights are rounded up", fault.weights_rounded, weights.test_integer_weights_equal_repeated_rows),
    Fault("an unweighted log likelihood", fault.log_likelihood_without_weights, WEIGHTED_FIT),
    # statistics
    Fault("the scatter is not about the mean", fault.scatter_about_the_reference, SCATTER),
    Fault("recenter forgets second moments", fault.recenter_without_second, RECENTER),
    Fault("scale forgets the total weight", fault.scale_without_total, algebra.test_scale_multiplies_every_weight),
    Fault("addition keeps one likelihood", fault.addition_of_one_sided_likelihood, COMMUTES),
    # densities
    Fault("the exponent lacks its half", fault.without_the_half, density.test_density_integrates_to_one, PLANE),
    Fault("log determinant twice", fault.determinant_twice, density.test_density_integrates_to_one, PLANE),
    Fault(
        "log determinant of wrong sign", fault.determinant_of_wrong_sign, shares.test_responsibilities_are_bayes_rule
    ),
    Fault("weights not in the density", fault.weightless_density, density.test_density_integrates_to_one, PLANE),
    Fault("draws by the covariance", fault.draws_by_the_covariance, density.test_draws_have_the_moments_of_the_mixture),
    Fault("exponentials without a shift", fault.exponentials_without_a_shift, shares.test_responsibilities_sum_to_one),
    Fault("shares exceed one by 1e-9", fault.shares_a_little_large, shares.test_responsibilities_sum_to_one),
    Fault("whiteners transposed", fault.lower_whiteners, WHITENERS, {"shape": FULL, "k": 4}),
    # engines
    Fault("labels off by one", fault.labels_off_by_one, engines.test_engine_equals_oracle, {"size": (50, 2, 3)}),
    Fault("float32 computed in float32", fault.rows_in_single_precision, FLOAT32),
    # coordinates
    Fault("the Jacobian is forgotten", fault.jacobian_forgotten, equivariance.test_common_scale),
    Fault("fits in the data's units", fault.data_units, equivariance.test_powers_of_two_change_no_bit),
    Fault("backward forgets the shift", fault.backward_without_shift, FORWARD_BACKWARD),
    # the loop
    Fault("parameters ahead of the objective", fault.parameters_ahead_of_the_objective, REPORTED, TWO_STEPS),
    Fault("last step taken for the rest", fault.last_step_as_stop_rule, LITTLE_LEFT, PLAIN),
    Fault(
        "iterations count the start", fault.iterations_count_the_start, reported.test_the_history_starts_at_the_start
    ),
    Fault("acceleration is not guarded", fault.acceleration_unguarded, NEVER_FALLS, ACCELERATED),
    Fault("acceleration never starts", fault.acceleration_never_starts, NO_SLOWER),
    # what is asked of a distribution
    Fault("features do not regress", misasked.conditional_without_regression, FORMULA, VVV_TYPE),
    Fault("conditionals a millionth too wide", misasked.conditional_wider, FORMULA, VVV_TYPE),
    Fault("values do not move weights", misasked.weights_not_conditioned, PRODUCT, {**VVV_TYPE, "noisy": False}),
    Fault("marginals a thousandth too wide", misasked.marginal_too_wide, MARGINAL, VVV_TYPE),
    Fault("a wider box", misasked.noise_of_a_wider_box, asked.test_the_slope_of_cdf_is_the_density, {"model": "V"}),
    Fault("boxes of no Gaussian", misasked.boxes_of_no_gaussian, asked.test_boxes_against_draws, VVV_TYPE),
    Fault("quantiles too soon", misasked.quantiles_too_soon, asked.test_ppf_inverts_cdf, ON_A_LINE),
    Fault("entropies a little large", misasked.entropy_of_wider_gaussians, GAUSSIANS, VVV_TYPE),
    Fault("bounds without pairs", misasked.bound_without_pairs, BOUNDS, {**VVV_TYPE, "reach": 6.0}),
    Fault("divergences a little large", misasked.divergence_the_other_way, GAUSSIANS, VVV_TYPE),
    Fault("estimates by draws are biased", misasked.draws_that_err_little, INTEGRALS, {"noisy": False}),
    Fault("a level too high", misasked.level_a_little_high, REGIONS, {**VVV_TYPE, "probability": 0.5, "noisy": True}),
    Fault("a level's error is halved", misasked.level_error_too_small, told.test_the_level_s_error_is_its_spread),
    Fault("a line's level too high", misasked.line_level_a_little_high, ON_LINES, {"model": "V", "probability": 0.5}),
    Fault("climbs stop at once", misasked.one_step_of_a_climb, MAXIMA, {**VVV_TYPE, "noisy": False}),
    Fault("saddles are modes", misasked.saddles_kept, told.test_a_climb_that_starts_on_a_saddle_leaves_it),
    Fault("modes are found twice", misasked.modes_found_twice, MAXIMA, {**VVV_TYPE, "noisy": False}),
    Fault("merges lose spread", misasked.merges_without_between, told.test_reduction_keeps_the_moments, VVV_TYPE),
    Fault("the dearest components merge", misasked.dearest_merge_of_components, CHEAPEST_PAIR),
    # missing values
    Fault("imputed values without their spread", fault.imputation_without_spread, EXPECTED, BY_PATTERN),
    Fault("rare rows off by a constant", misfilled.rare_rows_off_by_a_constant, INTEGRAL),
    Fault("marginal densities off by a constant", fault.marginal_without_its_constant, EXPECTED, BY_PATTERN),
    # moves
    Fault("halves in one place", fault.halves_in_one_place, moving.test_halves_of_a_gaussian_have_its_half_moments),
    Fault("a merge loses rows", fault.merge_that_loses_rows, moving.test_halves_add_to_the_whole),
    # streams
    Fault("another power", misled.steps_of_another_power, STEPS, {"forget": 0.0}),
    Fault("a path without weights", misled.path_without_its_weights, STEPS, {"forget": 0.0}),
    Fault("blocks forgotten as rows", misled.forgetting_by_call, STEPS, {"forget": 0.003}),
    Fault("too wide a start of a stream", misled.covariances_not_implied, IMPLIED),
    Fault("components as they come", misled.order_of_arrival, stepwise.test_aligned_undoes_a_permutation),
    # checkpoints
    Fault("acceleration begins anew", misled.acceleration_not_resumed, GOES_ON, ACCELERATED),
    Fault("checkpoints of twelve digits", misled.numbers_rounded_in_the_file, GOES_ON, PLAIN),
    # equal weights
    Fault("equal weights count", fault.equal_weights_counted, equal.test_only_the_weights_differ_from_the_free_m_step),
    Fault("weights are not held", fault.weights_not_held, equal.test_the_likelihood_never_falls, ACCELERATED),
    # priors
    Fault("the prior mean does not pull", fault.prior_without_pull, priors.test_the_m_step_maximises, PULL),
    Fault("the prior's rows are not counted", fault.prior_without_count, priors.test_the_m_step_maximises, PULL),
    Fault("the prior is forgotten by the objective", fault.prior_not_in_the_objective, PENALTY, ACCELERATED),
    Fault("a given prior stays in the data's units", fault.prior_in_data_units, priors.test_a_prior_given_in_full),
    # the background
    Fault("the volume keeps its units", fault.volume_without_units, background.test_the_volume_follows_the_units),
    Fault("the background keeps its weight", fault.background_weight_fixed, WITH_NOISE, VVV),
    Fault("noise counts as scatter", fault.noise_in_the_shared_scatter, WITH_NOISE, {"model": "EEE"}),
    Fault("weights forget the background", fault.weights_without_background, NOISE_CLIMBS, PLAIN),
    # parts that are held
    Fault("scatter about the rows' own mean", misheld.scatter_about_the_rows_own_mean, HELD_MAXIMUM),
    Fault("held covariances have a say", misheld.held_covariances_have_a_say, HELD_MAXIMUM, EVI),
    Fault("held covariances let go", misheld.held_covariances_let_go, HELD_MAXIMUM),
    Fault("held weights let go", misheld.held_weights_let_go, HELD_CLIMBS, PLAIN),
    Fault("the rest shared equally", misheld.the_rest_shared_equally, HELD_OPTIMUM),
    Fault("a held covariance of other units", misheld.a_unit_too_many, holding.test_units_do_not_matter),
    Fault("held parameters are counted", misheld.held_parameters_counted, HELD_OPTIMUM),
    # covariance models and the floor
    Fault("one parameter too many", fault.parameter_too_many, models.test_n_parameters_is_the_rank_of_solve),
    Fault("one parameter too few", fault.parameter_too_few, models.test_n_parameters_is_the_rank_of_solve),
    Fault("covariances divided by n - 1", fault.unbiased_covariances, models.test_members_solve_to_themselves),
    Fault("covariances a thousandth too wide", fault.covariances_too_wide, models.test_solve_maximises_over_the_family),
    Fault("balls forget the dimension", fault.balls_without_dimension, models.test_members_solve_to_themselves, VII),
    Fault("tied by the first count", fault.tied_by_the_first_count, models.test_members_solve_to_themselves, EEE),
    Fault("covariances grow with the data", fault.covariances_of_more_data, AMOUNT_OF_DATA),
    Fault(
        "wrong power of the determinant",
        wrong_model.wrong_power_of_the_determinant,
        models.test_members_solve_to_themselves,
        {"covariance_type": "EVV"},
    ),
    Fault("volumes stay where they start", wrong_model.volumes_never_move, IN_THE_PLANE, VEE),
    Fault("axes stay where they start", wrong_model.orientation_never_moves, IN_THE_PLANE, {"covariance_type": "VVE"}),
    Fault("EVE solved as VVE", wrong_model.volumes_not_shared, IN_THE_PLANE, {"covariance_type": "EVE"}),
    Fault("VEV solved as EEV", wrong_model.volumes_shared, LARGER, {"small": "VEI", "large": "VEV"}),
    Fault("a model said to depend on units", wrong_model.said_to_depend_on_units, MAPS, VEE),
    Fault("a shared volume called separate", wrong_model.volumes_said_to_be_separate, SEPARATE, VEE),
    Fault("separate covariances called shared", wrong_model.separate_said_to_share, SEPARATE, VVV_TYPE),
    Fault("weights of all statistics at once", wrong_model.weights_of_all_statistics, TOGETHER, FREE),
    Fault("worse covariances at the floor", wrong_model.worse_covariances_kept, NEVER_FALLS, FALLS_WITH_FLOOR),
    Fault("collapsed components not floored", fault.no_floor, floors.test_a_component_on_one_row_stands_at_the_floor),
    Fault("the floor is added instead", fault.floor_added_to_the_diagonal, floors.test_sound_components_are_left_alone),
    # seeds and trees
    Fault("distances are not squared", ROOTS, PAPER, {"weighted": True}),
    Fault("merges without weights", fault.merges_without_weights, CHEAPEST, {"criterion": "EII", **PLANE}),
    Fault("the prior counts twice", fault.prior_counts_twice, CHEAPEST, {"criterion": "VVV", **PLANE}),
    Fault("the dearest merge first", fault.dearest_merge_first, CHEAPEST, {"criterion": "EII", **PLANE}),
    Fault("the sample is drawn by chance", fault.sample_by_chance, trees.test_order_of_the_rows, SAMPLED),
    Fault("leaves weigh their rows", fault.rows_for_weights_of_leaves, trees.test_duplicates_are_weights, SAMPLED),
    Fault("rows merged as they are", fault.rows_as_they_are, UNITS, {"criterion": "VVV"}),
    Fault("a cut too deep", fault.cut_too_deep, trees.test_cuts_are_nested_and_have_the_groups_asked_for, SQUARES),
]

if native_available():
    from laws import test_arithmetics_agree as arithmetics
    from laws import test_climb as climbs
    from laws import test_climb_resumes as resumes
    from laws import test_climb_stacks as stacks
    from laws import test_crew as crews
    from laws import test_streamed_climbs as streams
    from laws import test_threads as threads

    from faults import climb_injections as climbing

    THREADS = threads.test_bitwise_the_same_for_any_number_of_threads
    BOUND = arithmetics.test_the_bound_holds
    REPEATED = weights.test_integer_weights_equal_repeated_rows
    NATIVE = {"engine": ENGINES[1]}
    CLIMB = climbs.test_a_climb_equals_the_python_loop
    CLIMB_THREADS = climbs.test_bitwise_the_same_for_any_number_of_threads
    IRIS = {"native": ENGINES[1], "data": "iris", "options": "default"}
    BALLS = {**IRIS, "model": "VII"}
    HEAVY = {**NATIVE, "data": "weighted"}
    SHARED = crews.test_callers_share_the_threads
    RESUMED = resumes.test_a_climb_goes_on_with_the_same_bits
    STREAMED = streams.test_the_bits_of_rows_in_memory
    ENDS = stacks.test_what_ends_in_a_degenerate_component_is_said_to
    FAULTS += [
        Fault("total weight is the row count", fault.rows_for_weight, REPEATED, NATIVE),
        Fault("sums in order of arrival", fault.sums_in_order_of_arrival, THREADS, NATIVE),
        Fault("always quadratic", fault.always_quadratic, engines.test_narrow_components, {**NATIVE, "width": 1e-4}),
        Fault("error bound too small", fault.bound_too_small, BOUND, {**NATIVE, "width": 1e-2}),
        Fault("a climb accelerates later", climbing.constant_of_its_own(4, lambda start: start + 2), CLIMB, IRIS),
        Fault("a climb confirms less", climbing.constant_of_its_own(5, lambda steps: steps - 1), CLIMB, IRIS),
        Fault("a climb with shorter steps", climbing.constant_of_its_own(1, lambda factor: factor / 2), CLIMB, IRIS),
        Fault("a climb of wider covariances", fault.covariances_too_wide, CLIMB, BALLS),
        Fault("a climb ahead of its objective", climbing.climb_ahead_of_its_objective, CLIMB, IRIS),
        Fault("threads decide what climbs", climbing.threads_decide_what_climbs, CLIMB_THREADS, IRIS),
        Fault("threads decide what climbs, with a crew", climbing.threads_decide_what_climbs, SHARED, NATIVE),
        Fault("a stream without its last block", climbing.streams_lose_a_block, STREAMED, {**NATIVE, "weighted": True}),
        Fault("a climb begins again", climbing.climbs_begin_again, RESUMED, {**HEAVY, "accelerate": True}),
        Fault("a climb forgets a step", climbing.climbs_forget_a_step, RESUMED, {**HEAVY, "accelerate": True}),
        Fault("a stream without weights", climbing.streams_lose_weights, STREAMED, {**NATIVE, "weighted": True}),
        Fault("ends of other runs", climbing.ends_of_other_runs, stacks.test_a_stack_of_runs_is_each_by_itself, HEAVY),
        Fault("no end is degenerate", climbing.no_end_is_degenerate, ENDS, NATIVE),
    ]


def run(one: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law, with what it asks for."""
    given: dict[str, Any] = {
        "covariance_type": "VVV",
        "model": "VVV",
        "engine": ORACLE,
        "loop_engine": ORACLE,
        "rng": np.random.default_rng(SEED),
        "monkeypatch": monkeypatch,
        **one.arguments,
    }
    one.law(**{name: given[name] for name in inspect.signature(one.law).parameters})


@pytest.mark.parametrize("one", FAULTS, ids=str)
def test_the_law_holds_and_catches_the_fault(one: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as undisturbed:
        run(one, undisturbed)
    one.inject(monkeypatch)
    with pytest.raises(AssertionError):
        run(one, monkeypatch)


def test_every_law_catches_something() -> None:
    tested = {Path(inspect.getfile(one.law)).name for one in FAULTS}
    native_only = set() if native_available() else set(NATIVE_LAWS)
    files = {path.name for path in Path(laws.__file__).parent.glob("test_*.py")}
    assert tested == files - native_only


def test_names_are_unique() -> None:
    names = [one.name for one in FAULTS]
    assert len(set(names)) == len(names)
