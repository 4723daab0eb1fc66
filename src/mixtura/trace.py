"""Trace: every E and M step of a run of EM, from its start to its end."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import softmax

from mixtura.drawing import drawer
from mixtura.mixture import Mixture
from mixtura.quadratic import log_joint
from mixtura.shape import Array

__all__ = ["Step", "Trace"]


@dataclass(frozen=True, eq=False)
class Step:
    """One step: the parameters after it, and those whose responsibilities the rows have.

    Attributes
    ----------
    name : {"start", "E", "M", "end"}
        An E step gives every row its responsibilities and leaves the parameters; an
        M step moves the parameters and leaves the responsibilities.
    iteration : int
        Of EM, from 1; 0 for the start.
    mixture : Mixture
    shared_by : Mixture or None
        The mixture whose responsibilities the rows have; none at the start.
    log_likelihood : float
        Per row, of `mixture`.
    """

    name: str
    iteration: int
    mixture: Mixture
    shared_by: Mixture | None
    log_likelihood: float


@dataclass(frozen=True, eq=False)
class Trace:
    """A run of plain EM: the mixture that it started from, and the one after every M step.

    Attributes
    ----------
    mixtures : tuple of Mixture
        T + 1 of them, in the data's units; components in the order of the fitted estimator's.
    log_likelihoods : array of shape (T + 1,)
        Mean per row of each.
    rows : array of shape (m, D)
        A sample of the fitted rows, for pictures.
    feature_names : tuple of str
    origin : str
        Where the run began, in words.

    Examples
    --------
    >>> import mixtura
    >>> from mixtura.datasets import load_old_faithful
    >>> model = mixtura.GaussianMixture(2, trace=True, random_state=0).fit(load_old_faithful().data)
    >>> [step.name for step in model.trace_.steps[:5]]
    ['start', 'E', 'M', 'E', 'M']
    >>> bool((model.trace_.log_likelihoods[1:] >= model.trace_.log_likelihoods[:-1] - 1e-12).all())
    True
    """

    mixtures: tuple[Mixture, ...]
    log_likelihoods: Array
    rows: Array = field(repr=False)
    feature_names: tuple[str, ...] = ()
    origin: str = "the start of the fit"

    @property
    def n_iterations(self) -> int:
        """Iterations: an E and an M step each."""
        return len(self.mixtures) - 1

    @property
    def steps(self) -> list[Step]:
        """Start, E, M, E, M, ..., end: 2 T + 2 steps."""
        first, values = self.mixtures[0], self.log_likelihoods
        steps = [Step("start", 0, first, None, float(values[0]))]
        for t, (before, after) in enumerate(zip(self.mixtures, self.mixtures[1:], strict=False)):
            steps.append(Step("E", t + 1, before, before, float(values[t])))
            steps.append(Step("M", t + 1, after, before, float(values[t + 1])))
        last = self.mixtures[-1]
        return [*steps, Step("end", self.n_iterations, last, last, float(values[-1]))]

    def responsibilities(self, iteration: int, rows: Any = None) -> Array:
        """What the E step of an iteration, from 1 on, gives the rows (m, D): (m, K), one column more for noise.

        Rows with missing values get what their observed values say.
        """
        return responsibilities(self.mixtures[iteration - 1], self.rows if rows is None else rows)

    def strip(self, n_pictures: int = 8, **options: Any) -> Any:
        """Pictures of the start, the first steps and the end, side by side, as textbooks show EM.

        Parameters
        ----------
        n_pictures : int, default=8
        **options
            ``features``, ``directions``, ``probability``, as `mixtura.plot.IterationsDisplay` has them.

        Returns
        -------
        IterationsDisplay
        """
        return drawer("IterationsDisplay")(self, n_pictures=n_pictures, **options).plot()

    def animate(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write the run as a moving picture: each E step recolours the rows, each M step moves the components.

        Parameters
        ----------
        path : str or path
            ``.gif``, or ``.mp4``, which needs the program ffmpeg.
        **options
            As `mixtura.plot.animate` has them.

        Raises
        ------
        ValueError
            For another ending.
        RuntimeError
            If there is no ffmpeg.
        """
        drawer("animate")(self, path, **options)


def responsibilities(mixture: Mixture, rows: Any) -> Array:
    """Posterior probabilities (m, K), or (m, K + 1) with noise last, of rows that may have missing values."""
    data = np.asarray(rows, dtype=np.float64)
    observed = ~np.isnan(data)
    shares = np.empty((data.shape[0], mixture.n_components + (mixture.background is not None)))
    patterns, kinds = np.unique(observed, axis=0, return_inverse=True)
    for kind, pattern in enumerate(patterns):
        own = kinds.reshape(-1) == kind
        if pattern.all():
            shares[own] = softmax(log_joint(mixture.forms, data[own]), axis=1)
        elif pattern.any():
            part = mixture.marginal(np.flatnonzero(pattern))
            shares[own] = softmax(log_joint(part.forms, data[own][:, pattern]), axis=1)
        else:
            shares[own] = np.append(mixture.weights, [] if mixture.background is None else [mixture.noise_weight])
    return shares
