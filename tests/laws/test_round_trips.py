"""Changes of coordinates and of representation can be undone."""

from __future__ import annotations

import numpy as np
import pytest

from laws.problems import (
    assert_same_mixture,
    compact,
    random_mixture,
    random_rows,
    random_spd,
    standardization_of,
)
from mixtura.covariance import covariance_model
from mixtura.estimators import fitting
from mixtura.estimators.fitting import standardize
from mixtura.mixture import Mixture
from mixtura.shape import LAPACK_CALLS, SHAPES, SPHERICAL, TIED, Shape
from mixtura.source import ArraySource
from mixtura.standardization import Standardization


def test_standardization_forward_and_backward(covariance_type: str, rng: np.random.Generator) -> None:
    for offset, spread in ((0.0, 1.0), (1e5, 1e-3), (-1e-4, 1e8)):
        mixture = random_mixture(rng, covariance_type).affine(np.full(3, spread), np.full(3, offset))
        rows = random_rows(rng, mixture, 200)
        to = standardization_of(rows, covariance_type)
        assert_same_mixture(to.backward(to.forward(mixture)), mixture, 1e-12)
        standard = to.forward(mixture)
        assert_same_mixture(to.forward(to.backward(standard)), standard, 1e-12 * (1 + abs(offset / spread)))


def test_standardization_moves_densities_by_its_jacobian(covariance_type: str, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type).affine(np.full(3, 7.0), np.array([30.0, -2.0, 0.1]))
    rows = random_rows(rng, mixture, 200)
    to = standardization_of(rows, covariance_type)
    standard = to.forward(mixture).logpdf(to.rows(rows)) - to.log_jacobian
    np.testing.assert_allclose(standard, mixture.logpdf(rows), rtol=1e-11, atol=1e-11)


def test_standardized_rows_are_standard(covariance_type: str, rng: np.random.Generator) -> None:
    rows = random_rows(rng, random_mixture(rng, covariance_type), 500) * 1e3 + 5.0
    to = standardization_of(rows, covariance_type)
    z = to.rows(rows)
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=1e-12)
    if Mixture(np.ones(1), np.zeros((1, 3)), np.zeros(0), covariance_type).model.unit_free:
        np.testing.assert_allclose(z.var(axis=0), 1.0, atol=1e-12)
    else:
        assert np.all(to.scale == to.scale[0])
        assert z.var(axis=0).mean() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_few_rows_are_standardized_as_many_are(
    kind: type, weighted: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the moments of an engine, and by those that are summed without one, of more than one block."""
    rows = rng.normal([1e4, -3.0], [2.0, 0.1], size=(2000, 2)).astype(kind)
    source = ArraySource(rows, rng.integers(1, 4, 2000).astype(float) if weighted else None)
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "create_engine", None)
        few = standardize(source, covariance_model("VVV"), "auto")
    monkeypatch.setattr(fitting, "FEW_NUMBERS", 0)
    many = standardize(source, covariance_model("VVV"), "auto")
    np.testing.assert_allclose(few.shift, many.shift, rtol=1e-14)
    np.testing.assert_allclose(few.scale, many.scale, rtol=1e-12)
    expected = np.cov(rows.T.astype(np.float64), fweights=source.weights, ddof=0)
    np.testing.assert_allclose(few.scale, np.sqrt(expected.diagonal()), rtol=1e-9)


def test_standardization_of_a_mixture_is_that_of_its_rows(covariance_type: str, rng: np.random.Generator) -> None:
    """A mixture standardised by its own moments has overall mean 0 and variance 1."""
    mixture = random_mixture(rng, covariance_type).affine(np.full(3, 7.0), np.array([30.0, -2.0, 0.1]))
    standard = Standardization.of_mixture(mixture).forward(mixture)
    mean = standard.weights @ standard.means
    within = np.einsum("kii->ki", standard.dense_covariances)
    variance = standard.weights @ (within + np.square(standard.means - mean))
    np.testing.assert_allclose(mean, 0.0, atol=1e-13)
    assert variance.mean() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_dense_and_compact(shape: Shape, rng: np.random.Generator) -> None:
    matrices = compact(shape, random_spd(rng, 4, 3))
    assert matrices.shape == shape.array_shape(4, 3)
    dense = shape.dense(matrices, 4, 3)
    assert dense.shape == (4, 3, 3)
    back = compact(shape, dense)
    copies = 4 if shape is TIED else 3 if shape is SPHERICAL else 1
    np.testing.assert_allclose(back, matrices * copies, rtol=1e-14)


@pytest.mark.parametrize("k", [4, 5 * LAPACK_CALLS + 1])
@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_whiteners_invert_covariances(shape: Shape, k: int, rng: np.random.Generator) -> None:
    covariances = compact(shape, random_spd(rng, k, 5, spread=30.0))
    whitener = shape.whiten(covariances)
    if whitener.shape[-2:] == (5, 5):
        assert np.array_equal(whitener, np.triu(whitener))
    dense = shape.dense(whitener, k, 5)
    precision = dense @ np.swapaxes(dense, 1, 2)
    np.testing.assert_allclose(precision @ shape.dense(covariances, k, 5), np.tile(np.eye(5), (k, 1, 1)), atol=1e-11)
    log_determinant = np.broadcast_to(shape.log_determinant(whitener, 5), k)
    np.testing.assert_allclose(log_determinant, 0.5 * np.linalg.slogdet(precision)[1], rtol=1e-12, atol=1e-12)
    norms = np.broadcast_to(shape.squared_norm(whitener, 5), k)
    assert np.all(norms >= np.linalg.eigvalsh(precision)[:, -1] * (1 - 1e-12))


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_whiteners_refuse_what_is_not_positive_definite(shape: Shape) -> None:
    covariances = -compact(shape, np.tile(np.eye(3), (2, 1, 1)))
    with pytest.raises(np.linalg.LinAlgError):
        shape.whiten(covariances)


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_outer_products_have_their_shape(shape: Shape, rng: np.random.Generator) -> None:
    left, right = rng.standard_normal((2, 4, 3))
    expected = compact(shape, left[:, :, None] * right[:, None, :])
    np.testing.assert_allclose(shape.outer(left, right), expected, rtol=1e-13, atol=1e-14)
