"""IterationsDisplay: the E and M steps of a trace as a strip of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixtura.plot.classification import check_probability
from mixtura.plot.stage import Stage
from mixtura.plot.style import INK, axes_grid
from mixtura.trace import Step, Trace

__all__ = ["IterationsDisplay"]

#: Pictures beside one another.
COLUMNS = 4


@dataclass(eq=False)
class IterationsDisplay:
    """The start, the first E and M steps, some later ones and the end, as textbooks show EM.

    An E step recolours the rows, an M step moves the components: where they were
    before it is dotted. Of one feature the components are curves. At the right of
    a title stands the log likelihood per row.

    Parameters
    ----------
    trace : Trace
    n_pictures : int
    features : sequence of one or two int
    directions : {"features", "discriminating"}
    probability : float
        Share of a component's mass inside its ellipse.

    Attributes
    ----------
    steps_ : list of Step
        Those that are drawn.
    axes_ : array of matplotlib.axes.Axes
    ax_, figure_

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import mixtura
    >>> from mixtura.datasets import load_old_faithful
    >>> model = mixtura.GaussianMixture(2, trace=True, random_state=0).fit(load_old_faithful().data)
    >>> [step.name for step in model.trace_.strip(n_pictures=5).steps_]
    ['start', 'E', 'M', 'M', 'end']
    """

    trace: Trace
    n_pictures: int = 8
    features: Sequence[int] = (0, 1)
    directions: str = "features"
    probability: float = 0.95
    steps_: list[Step] = field(default_factory=list, init=False, repr=False)
    ax_: Any = field(default=None, init=False, repr=False)
    axes_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        check_probability(self.probability)
        if self.n_pictures < 2:
            raise ValueError(f"n_pictures must be at least 2; got {self.n_pictures}")
        self.steps_ = _chosen(self.trace.steps, self.n_pictures)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any = None, *, ax: Any = None, **options: Any) -> IterationsDisplay:
        """Draw the iterations of an estimator that was fitted with ``trace=True``."""
        trace = getattr(estimator, "trace_", None)
        if trace is None:
            raise ValueError("there is no trace: fit with trace=True")
        return cls(trace, **options).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> IterationsDisplay:
        """Draw in the place of ``ax``, or on a new figure; returns this display."""
        columns = min(COLUMNS, len(self.steps_))
        rows = -(-len(self.steps_) // columns)
        options = {"sharex": True, "sharey": True}
        self.figure_, self.ax_, self.axes_ = axes_grid(ax, rows, columns, (2.5 * columns, 2.35 * rows), **options)
        stage = Stage.of(self.trace, self.features, self.directions, self.probability)
        for panel, step in zip(self.axes_.flat, self.steps_, strict=False):
            stage.draw(panel, step)
            name = f"{step.name} step {step.iteration}" if step.name in "EM" else step.name
            name += f", {self.trace.n_iterations} iterations" if step.name == "end" else ""
            panel.set_title(name, fontsize="medium", loc="left")
            panel.set_title(f"{step.log_likelihood:.3f}", fontsize="x-small", color=INK, loc="right")
        for panel in self.axes_.flat[len(self.steps_) :]:
            panel.set_axis_off()
        for i, j in np.ndindex(self.axes_.shape):
            self.axes_[i, j].label_outer()
            self.axes_[i, j].set_xlabel(stage.view.names[0] if i == rows - 1 else "", fontsize="small")
            self.axes_[i, j].set_ylabel(stage.vertical if j == 0 else "", fontsize="small")
            self.axes_[i, j].tick_params(labelsize="x-small")
        return self


def _chosen(steps: list[Step], number: int) -> list[Step]:
    """Start, the first E and M steps, M steps that share what is then left to gain, and the end."""
    if len(steps) <= number:
        return steps
    early = 1 + 2 * ((number - 2) // 3)
    moves = steps[early + 1 : -1 : 2]  # the M steps that follow
    values = np.array([step.log_likelihood for step in moves])
    gained = values - steps[early - 1].log_likelihood
    late = number - 1 - early
    picked: list[int] = []
    for part in np.arange(1, late + 1) / (late + 1):
        first = int(np.searchsorted(gained, part * gained[-1]))
        picked.append(max(first, picked[-1] + 1 if picked else 0))
    return [*steps[:early], *(moves[i] for i in picked if i < len(moves)), steps[-1]]
