"""Random mixtures, data and starts, and how two results are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mixtura.covariance import covariance_model
from mixtura.em import EMOptions, Trajectory, run
from mixtura.engine import Engine, create_engine, native_available
from mixtura.estep import statistics_of_partition
from mixtura.mixture import Mixture
from mixtura.mstep import MStep
from mixtura.shape import DIAGONAL, FULL, SPHERICAL, TIED, Array, Shape
from mixtura.source import ArraySource
from mixtura.standardization import Standardization
from mixtura.suffstats import SufficientStats


@dataclass(frozen=True)
class Engines:
    """Makes engines of one kind: an implementation and, where it is compiled, an instruction set."""

    name: str
    level: str = ""

    def __str__(self) -> str:
        return f"{self.name}-{self.level}" if self.level else self.name

    def activate(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Force the instruction set until the end of the test."""
        if self.level:
            monkeypatch.setenv("MIXTURA_SIMD", self.level)

    def __call__(
        self,
        rows: Array,
        weights: Array | None = None,
        standardization: Standardization | None = None,
        threads: int = 1,
    ) -> Engine:
        to = Standardization.identity(rows.shape[1]) if standardization is None else standardization
        return create_engine(self.name, ArraySource(rows, weights), to, threads)


def _engines() -> list[Engines]:
    choices = [Engines("numpy")]
    if native_available():
        from mixtura import _native

        choices += [Engines("native", level) for level in _native.levels()]
    return choices


ENGINES = _engines()
ORACLE = ENGINES[0]

#: Laws that can be imported only where the native engine was built.
NATIVE_LAWS = tuple(
    f"test_{name}.py"
    for name in ("arithmetics_agree", "climb", "climb_resumes", "climb_stacks", "crew", "streamed_climbs", "threads")
)


def random_spd(rng: np.random.Generator, n_matrices: int, n_features: int, spread: float = 3.0) -> Array:
    """(n, D, D) positive definite matrices with eigenvalues within a factor ``spread`` of 1."""
    rotations = np.linalg.qr(rng.standard_normal((n_matrices, n_features, n_features)))[0]
    eigenvalues = spread ** rng.uniform(-1, 1, (n_matrices, n_features))
    return np.einsum("kij,kj,klj->kil", rotations, eigenvalues, rotations)


def compact(shape: Shape, matrices: Array) -> Array:
    """(K, D, D) moments as an M-step of that shape wants them: summed where shared, diagonals, or traces."""
    if shape is TIED:
        return matrices.sum(axis=0)
    if shape is DIAGONAL:
        return np.einsum("kii->ki", matrices).copy()
    if shape is SPHERICAL:
        return np.einsum("kii->k", matrices)
    assert shape is FULL
    return matrices


def random_member(
    rng: np.random.Generator, covariance_type: str, n_components: int, n_features: int, spread: float = 3.0
) -> Array:
    """Covariances, in their compact shape, that obey the model."""
    model = covariance_model(covariance_type)
    count = rng.uniform(0.5, 2.0, n_components)
    matrices = random_spd(rng, n_components, n_features, spread) * count[:, None, None]
    return model.solve(count, compact(model.shape, matrices), n_features)


def random_mixture(
    rng: np.random.Generator, covariance_type: str, n_components: int = 3, n_features: int = 3, reach: float = 1.5
) -> Mixture:
    """An overlapping mixture near the origin, at the scale of standardised data."""
    return Mixture(
        rng.dirichlet(np.full(n_components, 5.0)),
        rng.normal(0.0, reach, (n_components, n_features)),
        random_member(rng, covariance_type, n_components, n_features),
        covariance_type,
    )


def random_rows(rng: np.random.Generator, mixture: Mixture, n_rows: int) -> Array:
    """Rows of a mixture, shuffled."""
    return rng.permutation(mixture.rvs(n_rows, random_state=rng)[0])


def standardization_of(rows: Array, covariance_type: str) -> Standardization:
    """The coordinates of a fit."""
    unit_free = covariance_model(covariance_type).unit_free
    return Standardization.of_moments(rows.mean(axis=0), rows.var(axis=0), unit_free)


def random_start(rng: np.random.Generator, rows: Array, covariance_type: str, n_components: int) -> Mixture:
    """A sound mixture, in the rows' coordinates, from soft memberships around random rows."""
    to = standardization_of(rows, covariance_type)
    z = to.rows(rows)
    chosen = z[rng.choice(len(z), n_components, replace=False)]
    distance = np.square(z[:, None] - chosen).sum(axis=2)
    resp = np.exp(-0.5 * (distance - distance.min(axis=1, keepdims=True)))
    resp /= resp.sum(axis=1, keepdims=True)
    model = covariance_model(covariance_type)
    return to.backward(MStep(covariance_type)(statistics_of_partition(z, resp, model.shape)).mixture)


@dataclass(frozen=True, eq=False)
class Fit:
    """A run of EM, expressed in the coordinates of the rows."""

    trajectory: Trajectory
    mixture: Mixture
    history: Array  # mean log likelihood per row


def fit_all(
    engine: Engines,
    rows: Array,
    starts: list[Mixture],
    weights: Array | None = None,
    floor: float = 1e-6,
    **options: float,
) -> list[Fit]:
    """EM from each of several starts given in the rows' coordinates, as an estimator would do it."""
    covariance_type = starts[0].covariance_type
    to = standardization_of(rows, covariance_type)
    mstep = MStep(covariance_type, floor)
    trajectories = [Trajectory(to.forward(start), mstep, EMOptions(**options)) for start in starts]  # type: ignore[arg-type]
    run(engine(rows, weights, to), trajectories)
    return [Fit(one, to.backward(one.mixture), np.array(one.history) - to.log_jacobian) for one in trajectories]


def assert_same_statistics(actual: SufficientStats, expected: SufficientStats, tolerance: float) -> None:
    """Equal to a tolerance relative to the largest entry of each part, about the expected references."""
    moved = actual.recenter(expected.reference)
    assert actual.shape is expected.shape
    scale = max(expected.total_weight, np.finfo(float).tiny)
    for name in ("count", "first", "second"):
        wanted = getattr(expected, name)
        size = max(float(np.abs(wanted).max()), scale)
        np.testing.assert_allclose(getattr(moved, name), wanted, rtol=0, atol=tolerance * size, err_msg=name)
    size = max(abs(expected.log_likelihood), scale)
    assert abs(actual.log_likelihood - expected.log_likelihood) <= tolerance * size, "log_likelihood"
    assert abs(actual.total_weight - expected.total_weight) <= tolerance * scale, "total_weight"


def assert_same_mixture(actual: Mixture, expected: Mixture, tolerance: float) -> None:
    """Equal weights, means and covariances, to a tolerance relative to the largest entry of each."""
    for name in ("weights", "means", "covariances"):
        wanted = getattr(expected, name)
        limit = tolerance * float(np.abs(wanted).max())
        np.testing.assert_allclose(getattr(actual, name), wanted, rtol=0, atol=limit, err_msg=name)
