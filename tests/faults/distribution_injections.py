"""Mistakes in what is asked of a distribution."""

from __future__ import annotations

import numpy as np

from faults.injections import changed, every_shape, replaced
from mixtura import conditional, cumulative, description, distribution, information, modes, reduction, region
from mixtura.background import Background

conditional_without_regression = replaced(conditional, "solve_triangular", lambda factor, apart, **_: 0 * apart)
conditional_wider = changed(distribution, "conditional_moments", lambda found, *_: (found[0], found[1] * (1 + 1e-6)))
weights_not_conditioned = changed(
    distribution, "normalise", lambda found, *_: (np.full_like(found[0], 1 / found[0].shape[1]), found[1])
)
marginal_too_wide = every_shape("select", lambda found, *_: 1.001 * found)
noise_of_a_wider_box = changed(Background, "limits", lambda found, *_: (found[0] - 1, found[1] + 1))
boxes_of_no_gaussian = replaced(cumulative, "_conditioned", lambda lower, *_: np.full(4, 0.1))
quantiles_too_soon = replaced(cumulative, "MAX_STEPS", 2)

entropy_of_wider_gaussians = changed(information, "entropies", lambda found, *_: found + 1e-6)
bound_without_pairs = changed(information, "divergences", lambda found, *_: 0 * found)
divergence_the_other_way = changed(information, "divergences", lambda found, *_: 1.01 * found)
draws_that_err_little = changed(description, "mean_of", lambda found, *_: type(found)(found.value * 1.2, found.error))
level_a_little_high = changed(region, "level_of_draws", lambda found, *_: type(found)(found.value + 0.3, found.error))
level_error_too_small = changed(region, "level_of_draws", lambda found, *_: type(found)(found.value, 0.5 * found.error))
line_level_a_little_high = changed(region, "level_on_a_line", lambda found, *_: found + 0.01)
one_step_of_a_climb = replaced(modes, "MAX_STEPS", 1)
saddles_kept = replaced(modes, "SADDLE", np.inf)
modes_found_twice = replaced(modes, "SAME", 0.0)
merges_without_between = changed(reduction, "merged", lambda found, *_: (found[0], found[1], 0.99 * found[2]))
dearest_merge_of_components = changed(reduction, "_costs", lambda found, *_: -found)
