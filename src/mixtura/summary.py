"""The summary of a fitted mixture, as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.mixture import Mixture

__all__ = ["summary_text"]

MAX_FEATURES = 8  # more columns do not fit a terminal


def summary_text(mixture: Mixture, facts: Sequence[tuple[str, str]], names: Sequence[str] | None = None) -> str:
    """A header of facts, then a line a component: weight, then mean and standard deviation of each feature."""
    width = max((len(label) for label, _ in facts), default=0)
    lines = [f"{label:<{width}}  {value}" for label, value in facts]
    shown = min(mixture.n_features, MAX_FEATURES)
    titles = [str(name) for name in names] if names is not None else [f"x{j}" for j in range(mixture.n_features)]
    deviations = np.sqrt(np.einsum("kii->ki", mixture.dense_covariances))
    cells = [["component", "weight", *(f"{title} (sd)" for title in titles[:shown])]]
    for k in range(mixture.n_components):
        moments = [f"{mixture.means[k, j]:.5g} ({deviations[k, j]:.3g})" for j in range(shown)]
        cells.append([str(k), f"{mixture.weights[k]:.4f}", *moments])
    if mixture.background is not None:
        cells.append(["noise", f"{mixture.noise_weight:.4f}", *([""] * shown)])
    widths = [max(len(row[j]) for row in cells) for j in range(len(cells[0]))]
    lines.append("")
    lines += ["  ".join(cell.rjust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in cells]
    if shown < mixture.n_features:
        lines.append(f"({mixture.n_features - shown} more features not shown)")
    return "\n".join(lines)
