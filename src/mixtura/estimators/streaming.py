"""partial_fit: a mixture that learns from rows as they come, and keeps no more of them than a search needs."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.em import Status
from mixtura.engine import create_engine
from mixtura.estimators.base import available_if, check_rows, check_weights, raise_if_not_finite
from mixtura.estimators.fitted import FittedMixture
from mixtura.estimators.fitting import Fit, fit_mixture
from mixtura.estimators.incomplete import has_missing, mean_log_jacobian
from mixtura.estimators.opening import WEIGHTS_ARE_A_COLUMN, know_features, reader_of
from mixtura.estimators.parameters import check_parameters
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.online import Stream, aligned, implied_statistics
from mixtura.search import DISTINCT, SearchReport, fine_rows
from mixtura.shape import Array
from mixtura.source import ArraySource
from mixtura.standardization import Standardization
from mixtura.suffstats import SufficientStats

__all__ = ["PartialFitMixin"]

#: Rows are held, and searched again whenever they have grown by this factor, until there are as many as a search
#: compares optima on. A stepwise run stays at the optimum that it starts from: on few rows a parameter a poor one.
GROWTH = 1.5

#: With fewer rows than this times D + 1 a component, most components are degenerate, and one start is as good as many.
FEW = 2

#: Bytes of rows that are held at most.
HELD_BYTES = 2**26

#: With `forget`, rows older than this many times those that count are not worth holding.
HELD_MEMORIES = 3.0

#: Rows of a step; of a quarter of those that the mixture was first fitted to, if that is more.
STEP_ROWS = 2_000

#: Parameters of an estimator that may not change in the middle of a stream.
FIXED = ("n_components", "covariance_type", "equal_weights", "reg_covar", "prior", "forget")


@dataclass(eq=False)
class Learning:
    """What an estimator has between two calls of `partial_fit`, besides its fitted attributes."""

    options: tuple[Any, ...]
    capacity: int
    held: list[ArraySource] = field(default_factory=list)
    searched: int = 0
    seen: float = 0.0
    n_steps: int = 0
    stream: Stream | None = None
    standardization: Standardization | None = None
    mstep: MStep | None = None
    report: SearchReport | None = None

    @property
    def n_held(self) -> int:
        """Rows held."""
        return sum(part.n_rows for part in self.held)

    @property
    def mixture(self) -> Mixture:
        """The estimate so far, in the data's units."""
        assert self.stream is not None and self.mstep is not None and self.standardization is not None
        return self.standardization.backward(self.stream.best(self.mstep))


def _follows_streams(estimator: Any) -> bool:
    """Whether an estimator has `partial_fit`; raises what says why it has not."""
    if not isinstance(estimator.noise, bool | np.bool_) or estimator.noise:
        raise AttributeError("partial_fit does not work with noise; use fit, or noise=False")
    if estimator.fixed:
        raise AttributeError("partial_fit does not work with fixed parts; use fit, or fixed=None")
    return True


class PartialFitMixin(FittedMixture):
    """`partial_fit` of an estimator that is fitted by `fit_mixture`."""

    n_components: int
    fixed: Any
    checkpoint: Any
    trace: Any
    n_init: Any
    forget: float
    search_: SearchReport | None
    trace_: Any
    _learning: Learning | None = None
    _fitted_in: tuple[Standardization, MStep] | None = None

    @available_if(_follows_streams)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from more rows, by stepwise EM (Cappe and Moulines 2009).

        The first rows, up to 20 000 or 30 a free parameter, are held, and
        searched as `fit` does each time they have grown by half; after that no
        row is kept, and the mean of the path is the estimate (Polyak and
        Juditsky 1992). On an estimator that was fitted or loaded, it goes on
        from there. Components keep their order from call to call.

        Parameters
        ----------
        X : array or data frame of shape (n, D), or files
            One row is enough. Until there are K rows they are held and nothing is fitted. Files, as
            `mixtura.open_rows` takes them or as what it returns, are read once, a piece after the other.
        y : ignored
        sample_weight : array of shape (n,), optional

        Returns
        -------
        self
            `lower_bound_` is the mean log likelihood that rows had before they were learnt
            from, once none are held; `n_iter_` counts steps.

        Raises
        ------
        ValueError
            If rows or weights are no good, or if a parameter that shapes the model was changed
            since the stream began. Nothing is learnt then.
        AttributeError
            With ``noise`` or ``fixed``.

        Examples
        --------
        >>> import numpy as np
        >>> from mixtura import GaussianMixture
        >>> rows = np.random.default_rng(0).normal(size=(3000, 1)) + np.tile([[0.0], [9.0], [0.0]], (1000, 1))
        >>> model = GaussianMixture(2, random_state=0)
        >>> for block in np.split(rows, 30):
        ...     model = model.partial_fit(block)
        >>> model.weights_.round(2).tolist(), model.n_observations_
        ([0.67, 0.33], 3000.0)
        """
        check_parameters(self)
        first = self._learning is None and not hasattr(self, "mixture_")
        pieces = self._pieces(X, sample_weight, first)
        learning = self._begun(self.n_features_in_)
        n_rows = 0
        for rows, weights in pieces:
            n_rows += len(rows)
            if weights is not None:
                rows, weights = rows[weights > 0], weights[weights > 0]
            self._learn(learning, rows, weights)
        if n_rows == 0:
            raise ValueError("there are no rows of data")
        self._learning = learning
        if learning.stream is not None:
            self._set_learnt(learning)
        return self

    def _pieces(
        self, X: Any, sample_weight: ArrayLike | None, first: bool
    ) -> Iterable[tuple[NDArray[Any], Array | None]]:
        """Checked rows and weights: all at once, or a piece of a file at a time."""
        reader = reader_of(self, X, fitted=not first)
        if reader is None:
            rows = check_rows(self, X, reset=first, missing_allowed=True)
            weights = check_weights(sample_weight, rows.shape[0])
            raise_if_not_finite(rows, getattr(self, "feature_names_in_", None), missing_allowed=True)
            return [(rows, weights)]
        if sample_weight is not None:
            raise ValueError(WEIGHTS_ARE_A_COLUMN)
        if first:
            know_features(self, reader.n_features, reader.names)
        return reader

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a mixture: held rows alone are none."""
        return hasattr(self, "mixture_")

    def _end_stream(self, fit: Fit) -> None:
        """What `fit` ends with: the next `partial_fit` goes on from it."""
        self._learning, self._fitted_in = None, (fit.standardization, fit.mstep)

    def _begun(self, n_features: int) -> Learning:
        """What to go on from: a copy, so that an error leaves it as it was."""
        options = tuple(getattr(self, name) for name in FIXED)
        if self._learning is not None:
            for name, before, now in zip(FIXED, self._learning.options, options, strict=True):
                if before is not now and before != now:
                    raise ValueError(f"{name} was {before!r} when the stream began and is {now!r}; use a new estimator")
            return replace(self._learning, held=list(self._learning.held))
        mstep = MStep(self.covariance_type, float(self.reg_covar), bool(self.equal_weights))
        if hasattr(self, "mixture_"):
            return self._from_fitted(options, mstep)
        k = self.n_components
        n_parameters = k * (1 + n_features) + mstep.model.n_parameters(k, n_features)
        wanted = min(fine_rows(2**62, n_parameters), HELD_BYTES // (8 * n_features))
        if self.forget:
            wanted = min(wanted, int(HELD_MEMORIES / self.forget))
        return Learning(options, max(wanted, 2 * k))

    def _from_fitted(self, options: tuple[Any, ...], mstep: MStep) -> Learning:
        """Go on from a fitted mixture, whose rows are gone: as from rows that are spread as it says."""
        mixture, weight = self.mixture_, max(float(self.n_observations_), 1.0)
        if (mixture.n_components, mixture.model.name) != (self.n_components, mstep.model.name):
            raise ValueError("n_components or covariance_type changed after fit; use a new estimator")
        if self._fitted_in is None and self.prior is not None:
            raise ValueError("a model file does not hold the prior's scale: begin anew, with fit or partial_fit")
        known = self._fitted_in or (Standardization.of_mixture(mixture), mstep)
        standardization, mstep = known[0], replace(known[1], background=None, fixed=None)
        inner = standardization.forward(mixture)
        statistics = replace(implied_statistics(inner, weight), log_likelihood=self.lower_bound_ * weight)
        stream = Stream.begin(inner, statistics, float(self.forget))
        return Learning(options, 0, [], 0, weight, 0, stream, standardization, mstep)

    def _learn(self, learning: Learning, rows: NDArray[Any], weights: Array | None) -> None:
        """Hold what there is room for, and follow the rest."""
        room = learning.capacity - learning.n_held
        parts = 0
        if room > 0:
            parts = -(-rows.shape[0] // room)
            self._hold(learning, _strided(rows, weights, 0, parts))
            if parts == 1:
                return
        step = max(STEP_ROWS, int(learning.searched / 4))
        n_steps = max(parts, -(-rows.shape[0] // step))
        first = 0 if room <= 0 else 1
        if first and n_steps > parts:  # what was held is every so many rows: take the others
            others = np.arange(rows.shape[0]) % parts != 0
            rows, weights, first = rows[others], None if weights is None else weights[others], 0
        for i in range(first, n_steps):
            self._follow(learning, _strided(rows, weights, i, n_steps))

    def _hold(self, learning: Learning, part: ArraySource) -> None:
        learning.held.append(part)
        learning.seen += part.total_weight
        n_held, least = learning.n_held, max(2, self.n_components)
        full = n_held >= learning.capacity
        if n_held >= least and (full or n_held >= GROWTH * learning.searched):
            self._search_held(learning)
        elif learning.stream is not None:
            self._step(learning, part)
        if full:
            learning.held = []
            learning.capacity = 0

    def _follow(self, learning: Learning, part: ArraySource) -> None:
        learning.seen += part.total_weight
        self._step(learning, part)

    def _search_held(self, learning: Learning) -> None:
        """Fit the rows held: from where the stream stands, and from new starts where the estimator leaves them open."""
        rows = np.concatenate([part.rows for part in learning.held])
        weights = self._weights_by_age(learning)
        source = ArraySource(rows, weights, has_missing(rows))
        searcher = copy.copy(self)
        searcher.checkpoint, searcher.trace = None, False
        if self.n_init == "auto" and rows.shape[0] < FEW * self.n_components * (rows.shape[1] + 1):
            searcher.n_init = 1
        fit = fit_mixture(searcher, source, None, learning.mixture) if learning.stream is not None else None
        if fit is None or (self.n_init == "auto" and isinstance(self.init_params, str) and self.means_init is None):
            fit = self._better(fit, fit_mixture(searcher, source, None, None))
        learning.standardization, learning.mstep, learning.searched = fit.standardization, fit.mstep, rows.shape[0]
        learning.report = fit.search if fit.search is not None else learning.report
        inner = fit.standardization.forward(fit.mixture)
        statistics = self._statistics(source, inner, fit.standardization)
        learning.stream = Stream.begin(inner, statistics, float(self.forget))

    def _better(self, continued: Fit | None, fresh: Fit) -> Fit:
        """A new optimum if it is better than the old one run on; its components are then put in the old order."""
        if continued is None:
            return fresh
        old = (not continued.collapsed.any(), continued.log_likelihood + DISTINCT)
        if (not fresh.collapsed.any(), fresh.log_likelihood) <= old:
            return continued
        return replace(fresh, mixture=aligned(fresh.mixture, continued.mixture))

    def _weights_by_age(self, learning: Learning) -> Array | None:
        """Weights of the rows held; with ``forget``, what is left of them."""
        if all(part.weights is None for part in learning.held) and not self.forget:
            return None
        weights = np.concatenate([
            np.ones(part.n_rows) if part.weights is None else part.weights for part in learning.held
        ])
        later = weights.sum() - np.cumsum(weights)
        decayed: Array = weights * np.exp(later * np.log1p(-self.forget))
        return np.maximum(decayed, np.finfo(np.float64).tiny)

    def _step(self, learning: Learning, part: ArraySource) -> None:
        stream, standardization = learning.stream, learning.standardization
        assert stream is not None and standardization is not None and learning.mstep is not None
        statistics = self._statistics(part, stream.mixture, standardization)
        learning.stream = stream.absorb(statistics, learning.mstep)
        learning.n_steps += 1

    def _statistics(self, source: ArraySource, mixture: Mixture, standardization: Standardization) -> SufficientStats:
        """An E-step over some rows, with the log likelihood in the data's units."""
        engine = create_engine(self.engine, source, standardization, self.n_threads)
        with np.errstate(over="ignore", invalid="ignore"):
            statistics = engine.reduce([mixture.forms])[0]
        if not np.all(np.isfinite(statistics.second)):
            raise ValueError("the squares of these values, next to those seen so far, overflow float64")
        shift = mean_log_jacobian(engine, standardization, source)
        return replace(statistics, log_likelihood=statistics.log_likelihood - shift * statistics.total_weight)

    def _set_learnt(self, learning: Learning) -> None:
        assert learning.stream is not None
        bound = float(learning.stream.log_likelihood)
        self._set_fitted(
            learning.mixture,
            converged=False,
            status=Status.ONLINE,
            n_iter=learning.n_steps,
            lower_bounds=[bound],
            lower_bound=bound,
            n_observations=learning.seen,
        )
        self.search_, self.trace_ = learning.report, None


def _strided(rows: NDArray[Any], weights: Array | None, first: int, step: int) -> ArraySource:
    """Every so many rows, so that a step sees the whole of a block that is in some order."""
    part = rows[first::step]
    # the caller may reuse its buffer: what is held has to be a copy
    return ArraySource(np.array(part), None if weights is None else weights[first::step].copy(), has_missing(part))
