"""Discriminating directions against numbers worked by hand, and against what mclust prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from mixtura import Background, GaussianMixture, GaussianMixtureClassifier, Mixture
from mixtura.directions import discriminating_directions

DATA = Path(__file__).parent / "oracles" / "data"


def test_two_means_worked_by_hand():
    # B = diag(a, 0) with a = 9, W = I, S = diag(10, 1): 2 (9/10)^2 along the first axis and nothing along the second
    mixture = Mixture.from_parameters([0.5, 0.5], [[-3.0, 0.0], [3.0, 0.0]], np.eye(2), "tied")
    found = discriminating_directions(mixture, balance=1.0)
    np.testing.assert_allclose(found.eigenvalues, [1.62, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.basis, np.eye(2), atol=1e-12)


def test_two_covariances_worked_by_hand():
    # equal means; S_k = diag(1 -+ 1/2, 1), W = S = I: 2 * (1/2)^2 along the first axis
    mixture = Mixture.from_parameters([0.5, 0.5], np.zeros((2, 2)), [[0.5, 1.0], [1.5, 1.0]], "diag")
    found = discriminating_directions(mixture, balance=0.0)
    np.testing.assert_allclose(found.eigenvalues, [0.5, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.basis[:, 0], [1.0, 0.0], atol=1e-12)


def test_iris_as_mclust_prints_it():
    # MclustDR of MclustDA(iris, modelType = "EDDA"), model VEV, in the vignette of mclust 5
    X, y = load_iris(return_X_y=True)
    model = GaussianMixtureClassifier(covariance_type="VEV").fit(X, y)
    means = np.concatenate([one.means for one in model.mixtures_])
    covariances = np.concatenate([one.dense_covariances for one in model.mixtures_])
    mixture = Mixture.from_parameters(model.priors_, means, covariances)
    found = discriminating_directions(mixture, balance=1.0, covariance=np.cov(X.T, bias=True))
    np.testing.assert_allclose(found.eigenvalues[:2], [1.8813, 0.098592], rtol=3e-5)
    printed = np.array([[-0.20874, -0.38620, 0.55401, 0.70735], [-0.006532, -0.586611, 0.252562, -0.769453]])
    signs = np.sign(np.sum(found.basis[:, :2].T * printed, axis=1))
    np.testing.assert_allclose(found.basis[:, :2].T * signs[:, None], printed, atol=1e-5)


def test_diabetes_as_mclust_prints_it():
    # MclustDR of Mclust(diabetes), VVV with three components; mclust stops EM sooner, at four digits
    X = np.loadtxt(DATA / "diabetes.csv", delimiter=",", skiprows=1)
    model = GaussianMixture(3, covariance_type="VVV", random_state=0).fit(X)
    found = discriminating_directions(model.mixture_)
    np.testing.assert_allclose(found.eigenvalues, [1.3506, 0.75608, 0.53412], rtol=3e-3)
    printed = np.array(
        [[0.988671, -0.142656, 0.046689], [0.76532, -0.13395, 0.62955], [0.966565, -0.252109, -0.046837]]
    )
    np.testing.assert_allclose(np.abs(found.basis.T), np.abs(printed), atol=6e-3)


def test_directions_do_not_depend_on_units_and_show_the_mixture_s_density(rng):
    factors = rng.normal(size=(3, 4, 4))
    mixture = Mixture.from_parameters([0.2, 0.3, 0.5], rng.normal(size=(3, 4)), factors @ factors.transpose(0, 2, 1))
    scale = np.array([1e-3, 1.0, 10.0, 1e4])
    found, other = (discriminating_directions(one) for one in (mixture, mixture.affine(scale, np.ones(4))))
    np.testing.assert_allclose(found.eigenvalues, other.eigenvalues, rtol=1e-8)
    rows = mixture.rvs(20, random_state=1)[0]
    one, two = found.rows(rows), other.rows(rows * scale + 1.0)
    for j in range(4):
        assert abs(np.corrcoef(one[:, j], two[:, j])[0, 1]) > 1 - 1e-8
    drawn = found.take(2).mixture(mixture)
    many = found.take(2).rows(mixture.rvs(200_000, random_state=0)[0])
    np.testing.assert_allclose(drawn.covariance, np.cov(many.T), rtol=0.05, atol=0.05)


def test_collinear_features_and_backgrounds_are_left_out():
    noise = Background(0.1, np.zeros(3), 20 * np.eye(3))
    copied = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])  # the third feature is the first again
    means = np.array([[-3.0, 0.0, -3.0], [3.0, 0.0, 3.0]])
    mixture = Mixture(np.array([0.45, 0.45]), means, np.array([copied, copied]), "full", False, noise)
    found = discriminating_directions(mixture, balance=1.0)
    assert found.basis.shape == (3, 2)
    np.testing.assert_allclose(found.eigenvalues, [1.62, 0.0], atol=1e-12)
    np.testing.assert_allclose(np.abs(found.basis[:, 0]), [0.5**0.5, 0.0, 0.5**0.5], atol=1e-12)
    assert found.take(1).mixture(mixture).background is None


def test_a_balance_beyond_its_ends_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        discriminating_directions(Mixture.from_parameters([1.0], [[0.0, 0.0]], np.eye(2), "tied"), balance=1.5)
