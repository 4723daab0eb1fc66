"""Anderson acceleration of EM, in the space of sufficient statistics.

EM is a fixed-point iteration on statistics: s -> E(M(s)). Extrapolating there,
rather than on parameters, keeps every linear invariant for free: an affine
combination of statistics has the same total weight and the same overall first
and second moments as the data (what Figueiredo-type guards restore by hand;
arXiv 2009.12703), and the M-step then returns a member of the covariance model
whatever its constraints are.

The caller guards it: an extrapolated point is evaluated by the next pass anyway,
and is dropped if the log likelihood fell.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from mixtura.shape import Array
from mixtura.suffstats import SufficientStats

__all__ = ["Anderson"]

MEMORY = 5  # differences kept; more gains little and conditions worse (Walker and Ni 2011, section 4)
RIDGE = 1e-10  # relative; the differences become collinear near the fixed point


class Anderson:
    """Type-II Anderson acceleration (Walker and Ni 2011, eq. 2.1) of s -> E(M(s)).

    With residual f_t = s_out_t - s_in_t, the next input is
    ``s_out_t - sum_i gamma_i (s_out_{i+1} - s_out_i)`` where gamma minimises
    ``||f_t - sum_i gamma_i (f_{i+1} - f_i)||``.
    """

    def __init__(self) -> None:
        self._inputs: deque[Array] = deque(maxlen=MEMORY + 1)
        self._outputs: deque[Array] = deque(maxlen=MEMORY + 1)
        self._next_input: Array | None = None
        self._reference: Array | None = None

    def reset(self) -> None:
        """Forget the history, as after a rejected step."""
        self._inputs.clear()
        self._outputs.clear()
        self._next_input = None
        self._reference = None

    def propose(self, output: SufficientStats) -> SufficientStats | None:
        """Where to go next, given the statistics of the last pass; None where that is just there.

        Parameters
        ----------
        output : SufficientStats
            What the pass returned at the point that was last proposed (or, after
            None, at the M-step of the statistics given last).
        """
        if self._reference is None:
            self._reference = output.reference if output.first.any() else output.mean()
        output = output.recenter(self._reference)
        vector = _pack(output)
        previous_input = self._next_input
        self._next_input = vector
        if previous_input is None:
            return None
        self._inputs.append(previous_input)
        self._outputs.append(vector)
        if len(self._inputs) < 2:
            return None
        proposal = _unpack(self._extrapolate(), output)
        if proposal is not None:
            self._next_input = _pack(proposal)
        return proposal

    def take_plain(self) -> None:
        """Note that the caller went to the plain step instead of the last proposal."""
        if self._outputs:
            self._next_input = self._outputs[-1]

    def _extrapolate(self) -> Array:
        outputs = np.array(self._outputs)
        residuals = outputs - np.array(self._inputs)
        steps = np.diff(residuals, axis=0)
        gram = steps @ steps.T
        gram[np.diag_indices_from(gram)] *= 1 + RIDGE
        gamma = np.linalg.lstsq(gram, steps @ residuals[-1], rcond=1e-14)[0]
        return outputs[-1] - gamma @ np.diff(outputs, axis=0)


def _pack(statistics: SufficientStats) -> Array:
    parts = (statistics.count, statistics.first.ravel(), statistics.second.ravel())
    return np.concatenate(parts) / statistics.total_weight


def _unpack(vector: Array, like: SufficientStats) -> SufficientStats | None:
    """Statistics from a packed vector; None if a count is not positive."""
    k = like.count.size
    scaled = vector * like.total_weight
    count = scaled[:k]
    if not np.all(count > 0) or not np.all(np.isfinite(scaled)):
        return None
    first = scaled[k : k + like.first.size].reshape(like.first.shape)
    second = scaled[k + like.first.size :].reshape(like.second.shape)
    return replace(like, count=count, first=first, second=second)
