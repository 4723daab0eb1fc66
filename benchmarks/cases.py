"""The cases of the benchmark: for each, the same job as a closure per contender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from peers import full_covariance_fits
from sklearn.datasets import load_iris, make_blobs
from sklearn.mixture import GaussianMixture as Peer

from mixtura import GaussianMixture, GaussianMixtureIC, Mixture
from mixtura.engine import create_engine
from mixtura.mstep import MStep
from mixtura.source import ArraySource
from mixtura.standardization import Standardization

__all__ = ["CASES", "Case", "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What a contender reached."""

    iterations: int | None = None
    log_likelihood: float | None = None
    success: bool = True


Contenders = dict[str, Callable[[], Outcome]]


@dataclass(frozen=True)
class Case:
    """A name, what was asked, and a function that prepares one closure per contender."""

    name: str
    target: str
    make: Callable[[], Contenders]
    operations: float | None = None
    memory: bool = True
    warm: bool = True


@lru_cache(maxsize=1)
def mixture_rows(n_rows: int, n_features: int, n_components: int) -> tuple[np.ndarray, Mixture]:
    """Rows of a random, moderately overlapping full-covariance mixture, and that mixture."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((n_components, n_features, n_features)) / np.sqrt(n_features)
    covariances = factors @ factors.swapaxes(1, 2) + 0.2 * np.eye(n_features)
    means = 2.0 * rng.standard_normal((n_components, n_features))
    truth = Mixture.from_parameters(np.full(n_components, 1 / n_components), means, covariances)
    rows, _ = truth.rvs(n_rows, random_state=1)
    return rng.permutation(rows), truth


def start_of(truth: Mixture, covariance_type: str) -> dict[str, Any]:
    """The same start for everyone: the true weights and means, covariances of one common size."""
    k, d = truth.means.shape
    precisions = {"full": np.broadcast_to(np.eye(d), (k, d, d)), "diag": np.ones((k, d))}[covariance_type]
    return {"weights_init": truth.weights, "means_init": truth.means, "precisions_init": precisions}


def one_iteration(n_rows: int, n_features: int, n_components: int, covariance_type: str) -> Contenders:
    """One E-step and one M-step from the same parameters."""
    rows, truth = mixture_rows(n_rows, n_features, n_components)
    peer = Peer(n_components, covariance_type=covariance_type, **start_of(truth, covariance_type))
    peer._initialize_parameters(rows, np.random.RandomState(0))

    def theirs() -> Outcome:
        log_likelihood, log_resp = peer._e_step(rows)
        start = {name: getattr(peer, name) for name in ("weights_", "means_", "precisions_cholesky_")}
        peer._m_step(rows, log_resp)
        vars(peer).update(start)
        return Outcome(1, float(log_likelihood))

    unit = {"full": np.broadcast_to(np.eye(n_features), (n_components, n_features, n_features))}
    covariances = unit.get(covariance_type, np.ones((n_components, n_features)))
    mixture = Mixture(truth.weights, truth.means, np.ascontiguousarray(covariances), covariance_type)
    standardization = Standardization.of_moments(rows.mean(axis=0), rows.var(axis=0), True)
    engine = create_engine("auto", ArraySource(rows), standardization)
    mstep = MStep(covariance_type)
    start = standardization.forward(mixture)

    def ours() -> Outcome:
        statistics = engine.reduce([start.forms])[0]
        mstep(statistics, start)
        return Outcome(1, statistics.log_likelihood / n_rows - standardization.log_jacobian)

    return {"scikit-learn": theirs, "mixtura": ours}


def many_iterations(n_rows: int, n_features: int, n_components: int, n_iterations: int) -> Contenders:
    """A fixed number of full-covariance EM iterations from the same start."""
    rows, truth = mixture_rows(n_rows, n_features, n_components)
    options: dict[str, Any] = {**start_of(truth, "full"), "max_iter": n_iterations, "tol": 0.0}
    makers = {
        "scikit-learn": lambda: Peer(n_components, **options),
        "mixtura": lambda: GaussianMixture(n_components, algorithm="em", **options),
    }
    others = full_covariance_fits(n_components, n_iterations)
    return {name: partial(_fit, maker, rows) for name, maker in makers.items()} | _others(others, rows)


def _others(fits: dict[str, Any], rows: np.ndarray) -> Contenders:
    """Contenders of other libraries."""

    def run(fit: Any) -> Outcome:
        iterations, log_likelihood = fit(rows)
        return Outcome(iterations, log_likelihood, True)

    return {name: partial(run, fit) for name, fit in fits.items()}


def _fit(maker: Callable[[], Any], rows: np.ndarray) -> Outcome:
    model = maker().fit(rows)
    return Outcome(int(model.n_iter_), float(model.lower_bound_), True)


def default_fit(rows: np.ndarray, n_components: int) -> Contenders:
    """Each library's defaults, from data to fitted model; a new seed at each call."""
    seeds = {"scikit-learn": iter(range(10_000)), "mixtura": iter(range(10_000))}
    makers = {
        "scikit-learn": lambda: Peer(n_components, random_state=next(seeds["scikit-learn"])),
        "mixtura": lambda: GaussianMixture(n_components, random_state=next(seeds["mixtura"])),
    }
    others = _others(full_covariance_fits(n_components), rows) if rows.shape[0] < 10_000 else {}
    return {name: partial(_fit, maker, rows) for name, maker in makers.items()} | others


def default_fit_large() -> Contenders:
    """Defaults on a million rows."""
    return default_fit(mixture_rows(1_000_000, 10, 10)[0], 10)


def default_fit_iris() -> Contenders:
    """Defaults on iris."""
    return default_fit(load_iris().data, 3)


def selection_loop(**options: Any) -> Contenders:
    """The loop that every tutorial shows: fit K = 1..20 and take the lowest BIC."""
    rows, _ = make_blobs(300, centers=4, cluster_std=0.6, random_state=0)

    def loop(estimator: Any, **more: Any) -> Outcome:
        criteria = [estimator(k, random_state=0, **more).fit(rows).bic(rows) for k in range(1, 21)]
        return Outcome(int(np.argmin(criteria)) + 1, -float(np.min(criteria)) / 2)

    return {"scikit-learn": partial(loop, Peer), "mixtura": partial(loop, GaussianMixture, **options)}


def sweep(rows: np.ndarray) -> Contenders:
    """All fourteen covariance models with 1 to 9 components; scikit-learn has no such thing."""

    def run() -> Outcome:
        best = GaussianMixtureIC(range(1, 10), random_state=0).fit(rows).best_estimator_
        return Outcome(int(best.n_components), float(best.lower_bound_))

    return {"mixtura": run}


def sweep_iris() -> Contenders:
    """The sweep of iris."""
    return sweep(load_iris().data)


def sweep_large() -> Contenders:
    """The sweep of ten thousand rows in ten dimensions."""
    return sweep(mixture_rows(10_000, 10, 5)[0])


def posterior() -> Contenders:
    """predict_proba of a million rows by models of equal parameters."""
    rows, truth = mixture_rows(1_000_000, 10, 10)
    peer = Peer(10, max_iter=1, **start_of(truth, "full")).fit(rows[:20_000])
    ours = GaussianMixture(10, max_iter=1, **start_of(truth, "full")).fit(rows[:20_000])
    for name in ("weights_", "means_", "precisions_cholesky_"):
        setattr(peer, name, getattr(ours, name))

    def run(model: Any) -> Outcome:
        return Outcome(None, float(model.predict_proba(rows)[:, 0].mean()))

    return {"scikit-learn": partial(run, peer), "mixtura": partial(run, ours)}


def fit_memory() -> Contenders:
    """Memory beyond the data during a fit; ours alone, since theirs holds N x K numbers several times."""
    rows, _ = mixture_rows(1_000_000, 10, 100)
    return {"mixtura": partial(_fit, lambda: GaussianMixture(100, random_state=0, tol=1e-2), rows)}


def _operations(n: int, d: int, k: int) -> float:
    return 4.0 * n * k * (d * (d + 1) / 2 + d + 1)


def _iteration(n: int, d: int, k: int, target: str, covariance_type: str = "full") -> Case:
    make = partial(one_iteration, n, d, k, covariance_type)
    operations = _operations(n, d, k) if covariance_type == "full" else None
    name = f"iteration {covariance_type} {n:.0e}x{d},{k}".replace("e+0", "e")
    quick = n * k * d * d < 5e9  # a slow peer is neither warmed up nor traced: minutes for nothing
    return Case(name, target, make, operations, memory=quick, warm=quick)


CASES = [
    _iteration(1_000_000, 2, 5, "35x"),
    _iteration(1_000_000, 10, 10, "35x, 55 %"),
    Case("predict_proba 1e6x10,10", "25x", posterior),
    Case("default fit iris", "8x", default_fit_iris),
    Case("loop K=1..20, blobs 300", "10x", selection_loop),
    Case("loop K=1..20, n_init=1", "", partial(selection_loop, n_init=1)),
    Case("sweep 14 x 9, iris", "0.5 s", sweep_iris, memory=False),
    Case("sweep 14 x 9, 1e4x10", "60 s", sweep_large, memory=False, warm=False),
    _iteration(200_000, 32, 32, "16x, 75 %"),
    _iteration(1_000_000, 16, 16, "75 %"),
    _iteration(100_000, 64, 64, "8x"),
    _iteration(20_000, 128, 16, "1x"),
    _iteration(10_000, 256, 8, "1x"),
    Case("default fit 1e6x10,10", "20x", default_fit_large, memory=False, warm=False),
    Case("fit memory 1e6x10,100", "64 MB", fit_memory, warm=False),
    _iteration(1_000_000, 10, 100, "65x"),
    _iteration(1_000_000, 64, 64, "", "diag"),
    Case("100 iterations 1e5x32,16", "", partial(many_iterations, 100_000, 32, 16, 100), memory=False, warm=False),
]
