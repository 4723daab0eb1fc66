"""Mistakes with rows of rare patterns of missing features."""

from __future__ import annotations

from faults.injections import changed
from mixtura.engine import missing

rare_rows_off_by_a_constant = changed(
    missing, "expected_joint", lambda found, *_: (found[0] - 0.1, *found[1:])
)
