"""Rows and names of columns for the tests of reports."""

from __future__ import annotations

from typing import Any

import numpy as np

#: What an attacker, or a careless export, calls a column.
HOSTILE = [
    "</script><img src=x onerror=alert(1)>", "\"quote' & `tick`", "emoji \N{ELEPHANT} \u202eevil", "<!--<script>",
    "${x} {{data}} \\u003c", "]]></style><script>alert(1)</script>", "\x00\n\x1b[31m", "long " * 60,
]  # fmt: skip


def blobs(rng: np.random.Generator, n_rows: int, n_features: int, n_groups: int = 3, apart: float = 6.0) -> Any:
    """Groups of rows (n, D) around random centres."""
    centres = rng.normal(size=(n_groups, n_features)) * apart
    return np.concatenate([rng.normal(size=(n_rows // n_groups, n_features)) + one for one in centres])
