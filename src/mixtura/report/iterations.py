"""The iterations of EM, for a slider: the fit's own where it kept a trace, else those of a short plain run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mixtura.em import EMOptions, Status, Trajectory, run
from mixtura.engine import Engine, RowOutput, create_engine
from mixtura.estimators.fitting import prior_of
from mixtura.estimators.incomplete import filled, has_missing, mean_log_jacobian
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.report.subject import Subject
from mixtura.sample import canonical_sample, seeded_starts
from mixtura.search import merit
from mixtura.shape import Array
from mixtura.source import ArraySource
from mixtura.standardization import Standardization
from mixtura.trace import Trace

__all__ = ["Frame", "Iterations", "iterations_of"]

#: Rows of the run, and those of them that are drawn.
RUN_ROWS = 2_000
DRAWN_ROWS = 500

#: EM's own iterations, and those that are kept: all of the first, then ever fewer.
MOST_ITERATIONS = 200
KEPT_WHOLE = 12
MOST_FRAMES = 32

#: Runs of which the one that ends best is shown.
STARTS = 3

#: Beyond these, a run would take longer than the rest of the page.
MOST_FEATURES = 32
MOST_COMPONENTS = 50


@dataclass(frozen=True, eq=False)
class Frame:
    """One iteration: its number, the parameters before its E-step, and what that gives the rows that are drawn."""

    iteration: int
    mixture: Mixture
    labels: NDArray[np.intp]
    certainty: Array
    log_likelihood: float


@dataclass(frozen=True, eq=False)
class Iterations:
    """A run of plain EM.

    Attributes
    ----------
    rows : array of shape (n, D)
        Those that are drawn.
    n_rows : int
        Those that the run had.
    frames : sequence of Frame
    converged : bool
    fitted : float
        Mean log likelihood of the report's mixture on the rows of the run, with the prior if there is one.
    whole : bool
        Whether the run had all rows.
    sound : bool
        Whether no component degenerated.
    origin : str
        Where the fit's own iterations began; empty where the run was made for the page.
    """

    rows: Array
    n_rows: int
    frames: Sequence[Frame]
    converged: bool
    fitted: float
    whole: bool = False
    sound: bool = True
    origin: str = ""

    @property
    def gain(self) -> float:
        """By how much, per row, the run ended above the report's mixture."""
        return self.frames[-1].log_likelihood - self.fitted


def iterations_of(subject: Subject) -> Iterations | str:
    """The fit's trace, or a run of plain EM on some of the rows; or why there is neither."""
    mixture, trace = subject.mixture, getattr(subject.fit, "trace_", None)
    if mixture.n_components == 1:
        return "With one component, EM has nothing to repeat: its first M-step is the answer."
    if trace is not None:
        return _of_trace(subject, trace)
    if subject.option("fixed", None) is not None:
        return "The fit held some parameters; fit with trace=True to see its iterations."
    if mixture.n_features > MOST_FEATURES or mixture.n_components > MOST_COMPONENTS:
        return (
            f"They are shown for up to {MOST_FEATURES} features and {MOST_COMPONENTS} components; "
            "a run for this page would take too long."
        )
    return _of_run(subject)


def _of_trace(subject: Subject, trace: Trace) -> Iterations:
    """The iterations of the fit."""
    to = Standardization.of_mixture(subject.mixture)
    rows = trace.rows[:: max(1, -(-len(trace.rows) // DRAWN_ROWS))]
    engine = create_engine("numpy", ArraySource(rows, None, has_missing(rows)), to)
    frames = [
        _frame(engine, to, iteration, to.forward(trace.mixtures[iteration]), float(trace.log_likelihoods[iteration]))
        for iteration in _kept(len(trace.mixtures))
    ]
    return Iterations(
        rows,
        round(subject.fit.n_observations_),
        frames,
        subject.fit.status_ is Status.CONVERGED,
        subject.fit.lower_bound_,
        origin=trace.origin,
    )


def _of_run(subject: Subject) -> Iterations | str:
    """A run of plain EM on some of the rows, from seeds as k-means++ draws them."""
    mixture, source = subject.mixture, _subsample(subject)
    to = Standardization.of_mixture(mixture)
    sample = canonical_sample(filled(to.rows(source.rows)), source.weights)
    if len(sample.rows) < mixture.n_components:
        return "There are fewer distinct rows than components."
    engine = create_engine(subject.option("engine", "auto"), source, to, subject.option("n_threads", None))
    mstep = _mstep(subject, source, to)
    starts = seeded_starts(sample, mixture.n_components, STARTS, mstep, np.random.RandomState(0))
    options = EMOptions(float(subject.option("tol", 1e-6)), MOST_ITERATIONS, accelerate=False)
    trajectories = [Trajectory(start, mstep, options) for start in starts]
    path: list[list[Mixture]] = [[] for _ in trajectories]

    def keep(active: Sequence[Trajectory]) -> None:
        for one, mixtures in zip(active, path, strict=True):
            if len(mixtures) < len(one.history):
                mixtures.append(one.mixture)

    run(engine, trajectories, keep)
    best = max(range(STARTS), key=lambda place: merit(trajectories[place]))
    end = trajectories[best]
    found = _shown(source, to, engine, end, path[best], to.forward(mixture))
    return replace(found, sound=merit(end)[0], whole=len(source.rows) == len(subject.rows))


def _subsample(subject: Subject) -> ArraySource:
    """Rows of the run, and so many that D features are not too many for them."""
    n_rows = len(subject.rows)
    wanted = max(RUN_ROWS, 4 * subject.mixture.n_parameters)
    chosen = np.arange(n_rows)
    if n_rows > wanted:
        chosen = np.unique(np.random.RandomState(0).randint(0, n_rows, wanted))
    rows = np.asarray(subject.rows[chosen], dtype=np.float64)
    return ArraySource(rows, None if subject.weights is None else subject.weights[chosen], has_missing(rows))


def _mstep(subject: Subject, source: ArraySource, to: Standardization) -> MStep:
    mixture = subject.mixture
    floor = float(subject.option("reg_covar", 1e-6))
    mstep = MStep(mixture.covariance_type, floor, mixture.equal_weights)
    if mixture.background is not None:
        mstep = replace(mstep, background=to.forward(mixture).background)
    if subject.option("prior", None) is None:
        return mstep
    wish = SimpleNamespace(
        prior=subject.fit.prior, reg_covar=floor, n_components=mixture.n_components,
        engine=subject.option("engine", "auto"), n_threads=subject.option("n_threads", None),
    )  # fmt: skip
    return replace(mstep, prior=prior_of(wish, source, to, mstep.model.shape))


def _shown(
    source: ArraySource, to: Standardization, engine: Engine, end: Trajectory, path: list[Mixture], fitted: Mixture
) -> Iterations:
    """The frames of a run, its components in the order of the fitted ones that they come nearest to."""
    apart = np.square(end.mixture.means[:, None] - fitted.means[None]).sum(axis=2)
    mine, theirs = linear_sum_assignment(apart)
    order = mine[np.argsort(theirs)]
    step = max(1, -(-source.n_rows // DRAWN_ROWS))
    drawn = source.take(slice(None, None, step))
    small = create_engine("numpy", drawn, to)
    shift = mean_log_jacobian(engine, to, source)
    frames = [
        _frame(small, to, iteration, path[iteration].take(order), end.history[iteration] - shift)
        for iteration in _kept(len(path))
    ]
    statistics = engine.reduce([fitted.forms])[0]
    objective = statistics.log_likelihood + end.mstep.penalty(fitted)
    return Iterations(
        np.asarray(drawn.rows, dtype=np.float64),
        source.n_rows,
        frames,
        end.status is Status.CONVERGED,
        objective / statistics.total_weight - shift,
    )


def _frame(engine: Engine, to: Standardization, iteration: int, mixture: Mixture, level: float) -> Frame:
    """A frame of a mixture in the engine's coordinates."""
    shares = engine.map_rows(mixture.forms, RowOutput.RESPONSIBILITIES)
    return Frame(iteration, to.backward(mixture), shares.argmax(axis=1), shares.max(axis=1), level)


def _kept(n_iterations: int) -> list[int]:
    """Which iterations are shown."""
    if n_iterations <= MOST_FRAMES:
        return list(range(n_iterations))
    later = np.geomspace(KEPT_WHOLE, n_iterations - 1, MOST_FRAMES - KEPT_WHOLE).round().astype(int)
    return sorted({*range(KEPT_WHOLE), *later.tolist()})
