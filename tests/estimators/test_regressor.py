"""Regression by a joint mixture: formulas, numerical integrals, least squares, coverage, missing features, faults."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, multivariate_normal
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

import mixtura
from mixtura import CollapsedComponentWarning, ConstantFeatureWarning, GaussianMixtureRegressor, Mixture, datasets
from mixtura.estimators.predictive import PredictiveDistribution, predictive, quantiles

DIABETES, PROGRESSION = load_diabetes(return_X_y=True)
IRIS = load_iris().data
FAITHFUL = datasets.load_old_faithful().data
SETS = {
    "diabetes": (DIABETES, PROGRESSION),
    "petals from sepals": (IRIS[:, :2], IRIS[:, 2:]),
    "waiting from duration": (FAITHFUL[:, :1], FAITHFUL[:, 1]),
    "duration from waiting": (FAITHFUL[:, 1:], FAITHFUL[:, 0]),
}


def random_joint(rng, n_components, n_features):
    factors = rng.normal(size=(n_components, n_features, n_features))
    covariances = factors @ factors.swapaxes(1, 2) + 0.3 * np.eye(n_features)
    weights = rng.dirichlet(np.full(n_components, 5.0))
    return Mixture(weights, 2.0 * rng.normal(size=(n_components, n_features)), covariances)


# Formulas and integrals


def test_one_component_is_the_formula(rng):
    joint = random_joint(rng, 1, 5)
    rows = 2.0 * rng.normal(size=(50, 3))
    mean, sigma = joint.means[0], joint.covariances[0]
    slope = np.linalg.solve(sigma[:3, :3], sigma[:3, 3:])
    found = predictive(joint, rows)
    np.testing.assert_allclose(found.mean, mean[3:] + (rows - mean[:3]) @ slope, rtol=1e-11)
    left = sigma[3:, 3:] - sigma[3:, :3] @ slope
    np.testing.assert_allclose(found.covariance, np.broadcast_to(left, (50, 2, 2)), rtol=1e-10)
    np.testing.assert_allclose(found.std, np.broadcast_to(np.sqrt(left.diagonal()), (50, 2)), rtol=1e-10)


def literal(joint, features, rows, targets):
    """Joint density of some features at (n, a) rows with each of (m, T) targets: (n, m)."""
    kept = [*features, *range(joint.n_features - targets.shape[1], joint.n_features)]
    total = 0.0
    for weight, mean, sigma in zip(joint.weights, joint.means, joint.covariances, strict=True):
        points = np.concatenate(
            [np.repeat(rows[:, None], len(targets), axis=1), np.repeat(targets[None], len(rows), axis=0)], axis=2
        )
        total = total + weight * multivariate_normal(mean[kept], sigma[np.ix_(kept, kept)]).pdf(points)
    return np.reshape(total, (len(rows), len(targets)))


@pytest.mark.parametrize("missing", [(), (1,), (0, 1)], ids=["complete", "one missing", "all missing"])
def test_three_components_are_what_a_fine_integral_says(rng, missing):
    joint = random_joint(rng, 3, 3)
    rows = 2.0 * rng.normal(size=(5, 2))
    rows[:, list(missing)] = np.nan
    seen = [j for j in range(2) if j not in missing]
    grid, step = np.linspace(-60, 60, 60_001, retstep=True)
    density = literal(joint, seen, rows[:, seen], grid[:, None])
    density /= density.sum(axis=1, keepdims=True) * step
    found = predictive(joint, rows, flat=True)
    mean = density @ grid * step
    variance = (density * np.square(grid - mean[:, None])).sum(axis=1) * step
    np.testing.assert_allclose(found.mean, mean, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.std, np.sqrt(variance), rtol=1e-8)
    np.testing.assert_allclose(found.covariance[:, 0, 0], variance, rtol=1e-8)
    below = (np.cumsum(density, axis=1) - 0.5 * density) * step
    middle = 30_100
    np.testing.assert_allclose(found.cdf(np.full(5, grid[middle])), below[:, middle], atol=1e-6)
    np.testing.assert_allclose(found.pdf(np.full(5, grid[middle])), density[:, middle], rtol=1e-7)
    for q in (0.01, 0.5, 0.9):
        expected = [np.interp(q, row, grid) for row in below]
        np.testing.assert_allclose(found.ppf(q), expected, atol=1e-3)


def test_covariance_of_two_targets_is_the_integral(rng):
    joint = random_joint(rng, 3, 4)
    rows = rng.normal(size=(3, 2))
    rows[2, 0] = np.nan
    axis, step = np.linspace(-25, 25, 501, retstep=True)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    found = predictive(joint, rows)
    for row, seen in ((0, [0, 1]), (2, [1])):
        share = literal(joint, seen, rows[row : row + 1, seen], points)[0]
        share /= share.sum()
        mean = share @ points
        np.testing.assert_allclose(found.mean[row], mean, atol=1e-6)
        np.testing.assert_allclose(found.covariance[row], (points - mean).T * share @ (points - mean), atol=1e-5)
        near = points[np.abs(points - mean).sum(axis=1).argmin()]
        value = share[np.abs(points - near).sum(axis=1).argmin()] / step**2
        assert found.pdf(np.tile(near, (3, 1)))[row] == pytest.approx(value, rel=1e-5)


def test_missing_features_are_integrated_out_whatever_their_pattern(rng):
    joint = random_joint(rng, 3, 6)
    rows = 2.0 * rng.normal(size=(60, 4))
    rows = np.where(rng.random(rows.shape) < 0.4, np.nan, rows)
    rows[0], rows[1] = np.nan, 0.5
    found = predictive(joint, rows)
    for row in range(60):
        seen = np.flatnonzero(~np.isnan(rows[row]))
        alone = joint.marginal([*seen, 4, 5])
        alone = alone.condition({i: float(rows[row, j]) for i, j in enumerate(seen)}) if seen.size else alone
        np.testing.assert_allclose(found.mean[row], alone.mean, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(found.covariance[row], alone.covariance, rtol=1e-8, atol=1e-8)
        assert found[row].logpdf([[1.0, 2.0]]) == pytest.approx(alone.logpdf([[1.0, 2.0]]), rel=1e-8)
    np.testing.assert_allclose(found.logpdf(np.zeros((60, 2)))[:9], [found[i].logpdf([[0, 0]])[0] for i in range(9)])


def test_quantiles_are_those_of_each_mixture_alone_far_into_the_tails(rng):
    weights = rng.dirichlet(np.full(4, 0.3), 16)
    weights[:5, 0] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    means, scales = 10 * rng.normal(size=(16, 4)), np.exp(2 * rng.normal(size=(16, 4)))
    for q in (1e-300, 1e-12, 0.01, 0.5, 0.9, 1 - 1e-12):
        found = quantiles(weights, means, scales, q)
        alone = [
            Mixture(w, m[:, None], np.square(s)[:, None, None]).ppf([q])[0]
            for w, m, s in zip(weights, means, scales, strict=True)
        ]
        np.testing.assert_allclose(found, alone, rtol=1e-9, atol=1e-9 * scales.min())
    assert np.all(quantiles(weights, means, scales, 0.0) == -np.inf)
    assert np.all(quantiles(weights, means, scales, 1.0) == np.inf)


# Against least squares


@pytest.mark.parametrize("name", SETS)
def test_one_component_is_ordinary_least_squares(name):
    rows, targets = SETS[name]
    ours, other = GaussianMixtureRegressor(1).fit(rows, targets), LinearRegression().fit(rows, targets)
    np.testing.assert_allclose(ours.predict(rows), other.predict(rows), rtol=1e-10, atol=1e-10)
    assert ours.score(rows, targets) == pytest.approx(other.score(rows, targets), abs=1e-12)
    residual = np.square(targets - other.predict(rows)).mean(axis=0)
    np.testing.assert_allclose(np.square(ours.predict(rows, return_std=True)[1])[0], residual, rtol=1e-9)


@pytest.mark.parametrize("name", list(SETS)[1:])
def test_held_out_rows_are_predicted_better_than_by_least_squares(name):
    # not diabetes, whose binary column makes BIC choose four components: 0.45 against 0.48 in ten folds
    rows, targets = SETS[name]
    folds = KFold(5, shuffle=True, random_state=0)
    ours = cross_val_score(GaussianMixtureRegressor(random_state=0), rows, targets, cv=folds).mean()
    assert ours > cross_val_score(LinearRegression(), rows, targets, cv=folds).mean()


def test_a_curve_needs_several_components(rng):
    rows = rng.uniform(-3, 3, (1_500, 1))
    targets = np.sin(2 * rows[:, 0]) + 0.1 * rng.normal(size=1_500)
    train, test = slice(1_000), slice(1_000, None)
    one = GaussianMixtureRegressor(1).fit(rows[train], targets[train]).score(rows[test], targets[test])
    model = GaussianMixtureRegressor(random_state=0).fit(rows[train], targets[train])
    assert model.n_components_ > 2
    assert one < 0.3 and model.score(rows[test], targets[test]) > 0.9


# Distributions that are right


def test_quantiles_cover_what_they_say_and_draws_are_of_the_distribution(rng):
    joint = random_joint(rng, 3, 3)
    rows, _ = joint.rvs(20_000, random_state=rng)
    truth = predictive(joint, rows[:, :2], flat=True)
    model = GaussianMixtureRegressor(3, random_state=0).fit(*np.split(rng.permutation(rows), [2], axis=1))
    new, _ = joint.rvs(10_000, random_state=rng)
    for q in (0.05, 0.5, 0.9):
        error = np.sqrt(q * (1 - q))
        assert np.mean(rows[:, 2] <= truth.ppf(q)) == pytest.approx(q, abs=4.5 * error / np.sqrt(20_000))
        covered = np.mean(new[:, 2] <= model.predict_quantile(new[:, :2], q)[:, 0])
        assert covered == pytest.approx(q, abs=4.5 * error * np.sqrt(1 / 10_000 + 1 / 20_000))
    few = predictive(joint, np.vstack([rows[:2, :2], [[np.nan, 1.0]]]), flat=True)
    for factors in (truth, few):
        drawn = factors.rvs(400 if factors is few else 1, rng)
        levels = np.array([factors.cdf(one) for one in drawn]).ravel()
        assert kstest(levels, "uniform").pvalue > 1e-4


def test_draws_of_two_targets_have_the_moments_of_the_distribution(rng):
    joint = random_joint(rng, 3, 4)
    found = predictive(joint, np.array([[0.3, -0.2], [np.nan, 1.0]]))
    drawn = found.rvs(100_000, 1)
    assert drawn.shape == (100_000, 2, 2)
    for row in range(2):
        spread = found.std[row]
        np.testing.assert_allclose(drawn[:, row].mean(axis=0), found.mean[row], atol=5 * spread.max() / 316)
        np.testing.assert_allclose(np.cov(drawn[:, row].T), found.covariance[row], atol=0.03 * spread.max() ** 2)


# Missing features, weights, shapes


def test_missing_features_at_fit_and_predict(rng):
    rows = rng.multivariate_normal(np.zeros(3), [[1, 0.7, 0.2], [0.7, 1, 0.1], [0.2, 0.1, 1]], 4_000)
    targets = rows @ [1.0, -2.0, 0.5] + 0.3 * rng.normal(size=4_000)
    holes = np.where(rng.random(rows.shape) < 0.2, np.nan, rows)
    model = GaussianMixtureRegressor(1).fit(holes, targets)
    corners = np.eye(4, 3)
    slopes = model.predict(corners)[:3] - model.predict(corners)[3]
    np.testing.assert_allclose(slopes, [1.0, -2.0, 0.5], atol=0.05)
    imputed = LinearRegression().fit(np.where(np.isnan(holes), 0.0, holes), targets)
    assert model.score(holes, targets) > imputed.score(np.where(np.isnan(holes), 0.0, holes), targets)
    mean, std = model.predict([[np.nan] * 3, [0.0] * 3], return_std=True)
    assert mean[0] == pytest.approx(targets.mean(), abs=0.02) and std[0] == pytest.approx(targets.std(), rel=0.02)
    assert std[1] == pytest.approx(0.3, rel=0.1)
    automatic = GaussianMixtureRegressor(random_state=0).fit(holes[:500], targets[:500])
    assert automatic.n_components_ == 1


def test_weights_count_as_rows(rng):
    count = rng.integers(0, 4, 150)
    options = {"n_components": 2, "random_state": 0, "tol": 1e-10}
    weighted = GaussianMixtureRegressor(**options).fit(IRIS[:, :2], IRIS[:, 2:], sample_weight=count)
    repeated = GaussianMixtureRegressor(**options).fit(*(np.repeat(IRIS[:, part], count, axis=0) for part in HALVES))
    assert weighted.bic_ == pytest.approx(repeated.bic_, rel=1e-6)
    np.testing.assert_allclose(weighted.predict(IRIS[:, :2]), repeated.predict(IRIS[:, :2]), atol=1e-4)


HALVES = (slice(0, 2), slice(2, 4))


def test_shapes_follow_those_of_y():
    rows = np.where(np.arange(300).reshape(150, 2) % 7 == 0, np.nan, IRIS[:, :2])
    for targets, tail in ((IRIS[:, 2], ()), (IRIS[:, 2:3], (1,)), (IRIS[:, 2:], (2,))):
        model = GaussianMixtureRegressor(2, random_state=0).fit(rows, targets)
        mean, std = model.predict(rows, return_std=True)
        assert mean.shape == std.shape == (150, *tail) == model.predict_quantile(rows, 0.3).shape
        assert model.predict(rows, return_cov=True)[1].shape == (150, *([model.n_targets_] * 2))
        assert model.predict_quantile(rows, [0.1, 0.5, 0.9]).shape == (150, *tail, 3)
        assert np.all(np.diff(model.predict_quantile(rows, [0.1, 0.5, 0.9]), axis=-1) > 0)
        drawn = model.sample_y(rows, 4, random_state=1)
        assert drawn.shape == (150, *tail, 4)
        np.testing.assert_array_equal(drawn, model.sample_y(rows, 4, random_state=1))
        found = model.predict_distribution(rows)
        assert isinstance(found, PredictiveDistribution) and len(found) == 150
        np.testing.assert_allclose(found.mean, mean, rtol=1e-12)


def test_many_rows_are_the_same_as_few(rng):
    model = GaussianMixtureRegressor(2, random_state=0).fit(FAITHFUL[:, :1], FAITHFUL[:, 1])
    rows = rng.uniform(1, 6, (40_000, 1))
    rows[::7] = np.nan
    some = [0, 1, 16_383, 16_384, 39_999]
    np.testing.assert_allclose(model.predict(rows)[some], model.predict(rows[some]), rtol=1e-12)
    np.testing.assert_allclose(
        model.predict_quantile(rows, 0.9)[some], model.predict_quantile(rows[some], 0.9), rtol=1e-12
    )


# What is around it


def test_names_searches_files_and_pickles(tmp_path):
    frame = pd.DataFrame(IRIS, columns=["sl", "sw", "pl", "pw"])
    model = GaussianMixtureRegressor(2, random_state=0).fit(frame[["sl", "sw"]], frame[["pl", "pw"]])
    assert model.feature_names_in_.tolist() == ["sl", "sw"]
    text = model.summary()
    assert "regression of y0, y1 on 2 features" in text and "sw (sd)" in text and "y1 (sd)" in text
    mixtura.save(model, tmp_path / "model.json")
    for again in (mixtura.load(tmp_path / "model.json"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict(frame[["sl", "sw"]]), model.predict(frame[["sl", "sw"]]))
        assert again.get_params() == model.get_params() and again.summary() == text
        assert (again.n_targets_, again.n_components_, again.bic_, again.n_iter_) == (2, 2, model.bic_, model.n_iter_)
    flat = GaussianMixtureRegressor(1).fit(IRIS[:, :3], IRIS[:, 3])
    mixtura.save(flat, tmp_path / "model.json")
    assert mixtura.load(tmp_path / "model.json").predict(IRIS[:2, :3]).shape == (2,)
    search = GridSearchCV(GaussianMixtureRegressor(random_state=0), {"n_components": [1, 2]}, cv=3)
    assert search.fit(FAITHFUL[:, 1:], FAITHFUL[:, 0]).best_params_ == {"n_components": 2}


def test_rows_on_a_line_are_held_at_the_floor_and_say_so(rng):
    rows = rng.normal(size=(40, 2))
    with pytest.warns(CollapsedComponentWarning):
        model = GaussianMixtureRegressor(random_state=0).fit(rows, rows @ [1.0, 2.0])
    assert model.n_components_ == 1
    np.testing.assert_allclose(model.predict(rows), rows @ [1.0, 2.0], atol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantFeatureWarning)
        warnings.simplefilter("ignore", CollapsedComponentWarning)
        model = GaussianMixtureRegressor(1).fit(np.column_stack([rows, np.ones(40)]), rows[:, 0] + rng.normal(size=40))
    assert np.all(np.isfinite(model.predict(np.column_stack([rows, np.ones(40)]))))


def test_faults_are_named():
    rows, targets = SETS["waiting from duration"]
    for parameters, error, words in [
        ({"n_components": "many"}, ValueError, "'auto' or an integer; got 'many'"),
        ({"n_components": 0}, ValueError, "at least 1"),
        ({"n_components": 1.5}, TypeError, "integer"),
        ({"covariance_type": "XXX"}, ValueError, "XXX"),
    ]:
        with pytest.raises(error, match=words):
            GaussianMixtureRegressor(**parameters).fit(rows, targets)
    for wrong, words in [
        (None, "requires y"),
        (targets[:-1], "one value, or vector, a row"),
        (np.where(targets > 90, np.nan, targets), "y contains NaN"),
    ]:
        with pytest.raises(ValueError, match=words):
            GaussianMixtureRegressor(1).fit(rows, wrong)
    model = GaussianMixtureRegressor(1).fit(rows, targets)
    for call, words in [
        (lambda: model.predict([[np.inf]]), "infinity at row 0, column 0"),
        (lambda: model.predict(rows, return_std=True, return_cov=True), "at most one"),
        (lambda: model.predict_quantile(rows, 1.5), "between 0 and 1"),
        (lambda: model.predict_quantile(rows, [[0.5]]), "a number or a list"),
        (lambda: model.sample_y(rows, 0), "at least 1"),
        (lambda: model.predict_distribution(rows).cdf([1.0]), r"must have shape \(272,\)"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
