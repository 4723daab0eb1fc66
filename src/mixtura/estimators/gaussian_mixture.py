"""GaussianMixture: scikit-learn's interface to the library."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from mixtura.em import Status, Trajectory
from mixtura.estimators.base import (
    CallbackSupportMixin,
    CollapsedComponentWarning,
    ConvergenceWarning,
    with_callbacks,
)
from mixtura.estimators.fitted import FittedMixture
from mixtura.estimators.fitting import Fit, fit_mixture
from mixtura.estimators.opening import opened
from mixtura.estimators.parameters import check_parameters
from mixtura.estimators.streaming import PartialFitMixin
from mixtura.search import SearchReport

__all__ = ["GaussianMixture"]


class GaussianMixture(CallbackSupportMixin, PartialFitMixin, FittedMixture):
    """Gaussian mixture fitted by expectation-maximisation.

    A drop-in for scikit-learn's class of that name, with weights, a stop rule
    that looks at what is left to gain, acceleration, and a fit that does not
    depend on the features' units.

    Parameters
    ----------
    n_components : int, default=1
    covariance_type : str, default="full"
        "full", "tied", "diag", "spherical", or a model by mclust's name, whose
        letters say whether volume, shape and orientation of the components are
        Equal, Variable, or those of the Identity: EII VII (spherical) EEI VEI
        EVI VVI (diag) EEE (tied) VEE EVE VVE EEV VEV EVV VVV (full); E or V
        for data with one feature.
    equal_weights : bool, default=False
        Hold all mixing proportions at 1/K; they then count as no parameters.
    prior : None, "default" or ConjugatePrior, default=None
        A prior of means and covariances, so that EM climbs to a maximum a
        posteriori: components of few rows no longer collapse. "default" takes
        its scale from the data (Fraley and Raftery 2007). `bic` and the rest
        use the log likelihood there, without the prior.
    noise : bool or array of shape (N,), default=False
        Add a background, uniform over the data, to which outlying rows belong
        rather than stretch a component; their label is -1. An array says which
        rows may be noise to start from; True finds rows whose neighbours are far
        (after Byers and Raftery 1998). EM then decides. `reg_covar` and a
        default prior are relative to the rows that are not in that guess.
    fixed : dict, optional
        Parts of components that are held, in the data's units, as
        ``{0: {"weight": 0.3, "mean": [0, 0], "covariance": [[4, 0], [0, 4]]}}``, any of them alone; a covariance
        may be a number, variances or a matrix. They are no parameters. Only "tied" (EEE) cannot hold a
        covariance; in the other models that share something, the components with free covariances share it.
        Not with `noise`; ``mixtura.save`` does not store what was fixed.
    tol : float, default=1e-6
        EM stops when the mean log likelihood per row that is left to gain is
        estimated (by Aitken's rule) to be below this. 0: never before `max_iter`.
    reg_covar : float, default=1e-6
        Smallest variance in any direction, as a fraction of the features' own
        variances. A floor, not an addition: it changes nothing where covariances
        are larger.
    max_iter : int, default=1000
    n_init : int or "auto", default="auto"
        "auto" searches for the best optimum: short runs from many starts, then
        moves of single components. A number is that many starts, each run to
        its end; the best is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data", "hierarchical", \
            "hierarchical_vii", "ward"}, array or callable, default="kmeans"
        The last three cut a tree of merges, by free covariances, by balls or by
        sums of squares, and draw nothing: every start of theirs is the same.
        An array holds labels (N,) or responsibilities (N, K); a callable is
        called as ``f(X, n_components, random_state)`` and returns either.
    weights_init, means_init, precisions_init : array, optional
        Parameters to start from, in scikit-learn's shapes; any of them alone
        or together. What is not given comes from the rows nearest to the means.
    random_state : int, RandomState or None
    warm_start : bool, default=False
        Start from the last fit's parameters.
    checkpoint : path, optional
        A file that holds the runs of `fit` as they go. With the same data and
        options, `fit` goes on from it and ends bitwise where it would have
        ended undisturbed; what is done is returned at once. It stays: delete it,
        and the one before it, ``PATH.previous``, to fit anew. Others are refused.
    forget : float, default=0
        For `partial_fit` on a stream that drifts: the share by which a row's
        weight falls with each later row, so that about ``1 / forget`` rows count.
    verbose : int, default=0
    verbose_interval : int, default=10
    algorithm : {"auto", "em", "minibatch"}, default="auto"
        "auto" accelerates EM and never lets the likelihood fall; "em" is plain EM;
        "minibatch" begins with a pass of stepwise EM over batches, and goes on as "auto".
    engine : {"auto", "native", "numpy"}, default="auto"
    n_threads : int, optional
        Default: the processors this process may use, at most OMP_NUM_THREADS.
        The result is the same for any number.
    trace : bool, default=False
        Keep every E and M step in `trace_`, of plain EM from the start that won
        (after a search, from one of its starts where EM alone comes from there
        to the same optimum); that run is made again, in Python. The fit is the
        same. With ``n_init=1, init_params="random_from_data"`` there is most to see.

    Attributes
    ----------
    weights_ : array of shape (K,)
        Their sum is 1, less the weight of the background where there is one.
    means_ : array of shape (K, D)
    covariances_, precisions_, precisions_cholesky_ : array
        (K, D, D), (D, D), (K, D) or (K,), by covariance type.
    mixture_ : Mixture
        The fitted distribution; ``mixture_.background`` is the noise component.
    converged_ : bool
    status_ : Status
        How EM ended.
    n_iter_ : int
    lower_bound_ : float
        Mean log likelihood per row of the returned parameters.
    lower_bounds_ : list of float
        The objective after each iteration, per row: the same, or with a prior
        its sum with the log prior density, up to a constant.
    search_ : SearchReport or None
        What the search tried, which optima it found and how often: an optimum
        reached once may not be the best there is. None where there was none.
    trace_ : Trace or None
        The steps, with pictures: ``trace_.strip()`` and ``trace_.animate("em.gif")``.
    bytes_per_iteration_ : int
        Parameters and statistics that travelled in the last iteration, at most,
        where the rows are on a Dask cluster; 0 where they are not.
    n_features_in_ : int
    n_observations_ : float
        Sum of the rows' weights.
    feature_names_in_ : array of shape (D,)
        Where the input had string column names.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> model = GaussianMixture(n_components=2, covariance_type="spherical", random_state=0).fit(X)
    >>> sorted(model.means_.round(6).tolist())
    [[1.0, 2.0], [10.0, 2.0]]

    Two peaks on a background that is known:

    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 10, 600), rng.normal(-4, 1, 200), rng.normal(6, 1, 200)])[:, None]
    >>> background = {0: {"mean": [0.0], "covariance": 100.0}}
    >>> model = GaussianMixture(n_components=3, fixed=background, random_state=0).fit(X)
    >>> model.means_[0].tolist(), sorted(model.means_[1:, 0].round().tolist())
    ([0.0], [-4.0, 6.0])
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        equal_weights: bool = False,
        prior: Any = None,
        noise: Any = False,
        fixed: Any = None,
        tol: float = 1e-6,
        reg_covar: float = 1e-6,
        max_iter: int = 1000,
        n_init: int | str = "auto",
        init_params: Any = "kmeans",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        checkpoint: Any = None,
        forget: float = 0.0,
        verbose: int = 0,
        verbose_interval: int = 10,
        algorithm: str = "auto",
        engine: str = "auto",
        n_threads: int | None = None,
        trace: bool = False,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.equal_weights = equal_weights
        self.prior = prior
        self.noise = noise
        self.fixed = fixed
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.forget = forget
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.algorithm = algorithm
        self.engine = engine
        self.n_threads = n_threads
        self.trace = trace

    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture to rows.

        Parameters
        ----------
        X : array or data frame of shape (N, D), or where rows are
            A dask array or data frame; or files, as `mixtura.open_rows` takes them
            or as what it returns: ``"data.parquet"``, a folder, ``"folder/*.csv.gz"``, ...
        y : ignored
        sample_weight : array of shape (N,), optional
            Frequency weights: a row of weight two counts as two rows, one of
            weight zero as none. A table of values and counts is a valid input.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For rows, weights or parameters that cannot be fitted; the message
            names the row and column.
        """
        check_parameters(self)
        with opened(self, X, sample_weight) as (source, kept):
            context = self._begin_callbacks(X, y)
            start = self.mixture_ if self.warm_start and hasattr(self, "mixture_") else None
            on_search = self._say_search if self.verbose else None
            fit = fit_mixture(self, source, kept, start, self._progress(context), on_search)
        self._set_fitted(
            fit.mixture,
            converged=fit.status is Status.CONVERGED,
            status=fit.status,
            n_iter=fit.n_iter,
            lower_bounds=fit.lower_bounds,
            lower_bound=fit.log_likelihood,
            n_observations=fit.total_weight,
        )
        self.search_, self.trace_ = fit.search, fit.trace
        self.bytes_per_iteration_ = getattr(source, "bytes_per_pass", 0)
        if self.verbose and self.bytes_per_iteration_:
            print(f"at most {self.bytes_per_iteration_ / 1e3:.1f} kB travelled in an iteration")
        self._end_stream(fit)
        self._warn(fit)
        if context is not None:
            context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _begin_callbacks(self, X: Any, y: Any) -> Any:
        """scikit-learn's callback context; None where there are no callbacks to serve."""
        if not getattr(self, "_skl_callbacks", None):
            return None
        context = self._init_callback_context(max_subtasks=self.max_iter)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        return context

    def _progress(self, context: Any) -> Callable[[Sequence[Trajectory]], None] | None:
        if context is None and not self.verbose:
            return None
        started = time.perf_counter()

        def report(trajectories: Sequence[Trajectory]) -> None:
            best = max(trajectories, key=lambda one: one.log_likelihood)
            if self.verbose and best.n_iter % self.verbose_interval == 0:
                elapsed = time.perf_counter() - started
                print(f"iteration {best.n_iter}: left to gain {best.gap:.3g} per row, {elapsed:.1f} s")
            if context is not None and 0 < best.n_iter <= self.max_iter:
                step = context.subcontext(task_name="EM iteration")
                step.call_on_fit_task_begin(estimator=self)
                step.call_on_fit_task_end(estimator=self)

        return report

    def _say_search(self, report: SearchReport) -> None:
        print(f"search: {report}")

    def _warn(self, fit: Fit) -> None:
        if fit.status is Status.MAX_ITERATIONS and self.tol > 0:
            left = f"{fit.gap:.2g} per row" if np.isfinite(fit.gap) else "not known yet"
            warnings.warn(
                f"{fit.status.value} (max_iter={self.max_iter}, left to gain: {left})",
                ConvergenceWarning,
                stacklevel=3,
            )
        if fit.collapsed.any():
            names = ", ".join(str(k) for k in np.flatnonzero(fit.collapsed))
            warnings.warn(
                f"the covariance of component {names} collapsed onto too few distinct rows, or directions, and was "
                f"held at reg_covar={self.reg_covar:g} of the features' variance; use fewer components, a simpler "
                "covariance_type or prior='default', or drop constant and collinear features",
                CollapsedComponentWarning,
                stacklevel=3,
            )
