"""Mistakes in what is asked of a distribution."""

from __future__ import annotations

import numpy as np

from faults.injections import changed, every_shape, replaced
from mixtura import conditional, cumulative, distribution
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
