"""The mistakes that a covariance model can make."""

from __future__ import annotations

from dataclasses import replace

from faults.injections import changed, replaced
from mixtura.covariance import ellipsoidal, orientation, volumes
from mixtura.covariance.ellipsoidal import VEE, VVV
from mixtura.covariance.oriented import EEV, EVE, VEV, VVE
from mixtura.mstep import MStep

wrong_power_of_the_determinant = changed(
    ellipsoidal, "equal_volume", lambda found, count, variances: (found[0], found[1] ** variances.shape[1])
)
volumes_never_move = replaced(volumes, "VOLUME_STEPS", 0)
orientation_never_moves = replaced(orientation, "ANGLE_STEPS", 0)
volumes_not_shared = replaced(EVE, "solve", VVE.solve)
volumes_shared = replaced(VEV, "solve", EEV.solve)
volumes_said_to_be_separate = replaced(VEE, "separate", True)
separate_said_to_share = replaced(VVV, "separate", False)
weights_of_all_statistics = changed(
    MStep, "each", lambda found, *_: replace(found, weights=found.weights / len(found))
)
said_to_depend_on_units = replaced(VEE, "unit_free", False)
worse_covariances_kept = replaced(MStep, "_not_worse", lambda self, update, *_: update)
