"""Mistakes with parts that are held fixed."""

from __future__ import annotations

import numpy as np

from faults.injections import changed, replaced
from mixtura import fixed
from mixtura.fixed import Fixed

scatter_about_the_rows_own_mean = replaced(
    Fixed,
    "about",
    lambda self, shape, count, mean, scatter: (np.where(self.still[:, None], self.means, mean), scatter),
)
held_covariances_have_a_say = replaced(
    Fixed, "solve", lambda self, model, *arguments: self.restore(model.solve(*arguments))
)
held_covariances_let_go = replaced(
    Fixed, "solve", lambda self, model, count, scatter, *rest: model.solve(count, scatter, *rest)
)
the_rest_shared_equally = changed(
    Fixed, "shares", lambda found, self, _: np.where(self.weighted, found, found[~self.weighted].mean())
)
a_unit_too_many = changed(fixed, "_covariance", lambda found, value, place, model, unit: found / unit[0])
held_weights_let_go = replaced(Fixed, "shares", lambda self, weights: weights / weights.sum())
held_parameters_counted = changed(fixed, "_n_held", lambda found, *_: 0)
