"""Every covariance model through the estimator, its files and its command line."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris

import mixtura
from mixtura import GaussianMixture, Mixture
from mixtura.covariance import covariance_model, model_names
from mixtura.shape import DIAGONAL, FULL, SPHERICAL, TIED

IRIS = load_iris().data
EVERY = model_names(4)

#: The model of each shape that has no constraint but the shape.
FREE = {FULL: "full", TIED: "tied", DIAGONAL: "diag", SPHERICAL: "spherical"}


@pytest.mark.parametrize("name", EVERY)
def test_attributes_methods_and_files(name, tmp_path):
    """Shapes follow the model; precisions invert covariances; BIC counts its parameters; a file restores it."""
    model = GaussianMixture(3, covariance_type=name, random_state=0).fit(IRIS)
    shape = covariance_model(name).shape
    assert model.covariances_.shape == shape.array_shape(3, 4)
    assert model.converged_ and np.all(np.diff(model.lower_bounds_) >= -1e-12)
    dense, precisions, roots = (
        shape.dense(one, 3, 4) for one in (model.covariances_, model.precisions_, model.precisions_cholesky_)
    )
    np.testing.assert_allclose(dense @ precisions, np.tile(np.eye(4), (3, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(roots @ np.swapaxes(roots, 1, 2), precisions, rtol=1e-9, atol=1e-9)
    free = 2 + 12 + covariance_model(name).n_parameters(3, 4)
    assert model.bic(IRIS) == pytest.approx(-2 * 150 * model.score(IRIS) + free * np.log(150))
    assert name in model.summary()
    mixtura.save(model, tmp_path / "model.json")
    np.testing.assert_array_equal(mixtura.load(tmp_path / "model.json").predict_proba(IRIS), model.predict_proba(IRIS))


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("name", EVERY)
def test_given_precisions_start_in_the_model(name, engine):
    """Precisions that are not of the model explain the rows better than any that are: EM would begin with a fall."""
    free = FREE[covariance_model(name).shape]
    best = GaussianMixture(3, covariance_type=free, random_state=0).fit(IRIS)
    given = {"weights_init": best.weights_, "means_init": best.means_, "precisions_init": best.precisions_}
    options = {"covariance_type": name, "algorithm": "em", "tol": 0.0, **given}
    fits = [GaussianMixture(3, max_iter=n, engine=engine, **options).fit(IRIS) for n in (1, 2, 20)]
    bounds = [one.lower_bound_ for one in fits]
    assert bounds == sorted(bounds)
    history = fits[-1].lower_bounds_
    assert np.all(np.diff(history) >= -1e-12)


@pytest.mark.parametrize("name", ["E", "V"])
def test_models_of_one_feature(name, tmp_path):
    """They are their extensions there, and say so where there are more features."""
    column = IRIS[:, [2]]
    ours = GaussianMixture(2, covariance_type=name, random_state=0).fit(column)
    other = GaussianMixture(2, covariance_type=name + "II", random_state=0).fit(column)
    assert ours.lower_bound_ == pytest.approx(other.lower_bound_, abs=1e-9)
    assert ours.bic(column) == pytest.approx(other.bic(column), abs=1e-6)
    mixtura.save(ours, tmp_path / "model.json")
    assert mixtura.load(tmp_path / "model.json").covariance_type == name
    with pytest.raises(ValueError, match=f"'{name}' is for data with one feature, and these have 4"):
        GaussianMixture(2, covariance_type=name).fit(IRIS)
    with pytest.raises(ValueError, match="one feature"):
        Mixture.from_parameters([1.0], [[0.0, 0.0]], [1.0], name)
    with pytest.raises(ValueError, match="one feature"):
        mixtura.save(Mixture(np.ones(1), np.zeros((1, 2)), np.ones(1), name), tmp_path / "wide.json")


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("engine", ["auto", "numpy"])
def test_rows_that_no_component_can_fit(name, engine):
    """Fewer rows than features, equal rows, a constant column: a finite result, marked as collapsed or not."""
    rng = np.random.default_rng(0)
    flat = np.column_stack([IRIS[:, :3], np.full(150, 7.0)])
    for rows in (rng.standard_normal((6, 10)), np.ones((20, 3)), flat, np.repeat(IRIS[:5], 8, axis=0)):
        model = GaussianMixture(2, covariance_type=name, engine=engine, random_state=0).fit(rows)
        assert np.isfinite(model.lower_bound_)
        assert np.all(np.diff(model.lower_bounds_) >= -1e-8)
        assert np.all(np.isfinite(model.predict_proba(rows)))
