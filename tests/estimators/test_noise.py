"""Fits with a noise component: outliers are found, and stretch nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mixtura
from mixtura import GaussianMixture
from mixtura.initialization.noise import bounding_box, isolated

TYPES = ("full", "tied", "diag", "spherical")
SEED = 20263
N_CLEAN, N_NOISE = 900, 200


def contaminated(seed: int = SEED, factor: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Two balls of unit variance and ten per cent of uniform noise; labels 0, 1, -1. Shuffled."""
    rng = np.random.default_rng(seed)
    clean, noise = N_CLEAN * factor, N_NOISE * factor
    balls = rng.standard_normal((2, clean, 2)) + np.array([[[0.0, 0.0]], [[7.0, 4.0]]])
    rows = np.concatenate([*balls, rng.uniform(-15, 20, (noise, 2))])
    order = rng.permutation(len(rows))
    return rows[order], np.repeat([0, 1, -1], [clean, clean, noise])[order]


ROWS, LABELS = contaminated()


def spectra(model: GaussianMixture) -> np.ndarray:
    return np.linalg.eigvalsh(model.mixture_.dense_covariances)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_components_are_as_wide_as_without_the_noise(covariance_type: str, seed: int) -> None:
    """An eigenvalue of 900 rows of unit variance errs by sqrt(2 / 900) = 0.047; four of these."""
    rows, labels = contaminated(seed)
    model = GaussianMixture(2, covariance_type=covariance_type, noise=True, random_state=0).fit(rows)
    assert np.all(np.abs(spectra(model) - 1.0) < 0.2)
    found, true = model.predict(rows) == -1, labels == -1
    assert np.mean(found[true]) > 0.85
    assert np.mean(true[found]) > 0.9
    assert model.mixture_.noise_weight == pytest.approx(0.1, abs=0.02)
    assert model.mixture_.background.log_volume == pytest.approx(2 * np.log(35), abs=0.2)
    stretched = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(rows)
    assert spectra(stretched).max() > 2.5
    assert model.bic(rows) < stretched.bic(rows) - 1000


def test_what_the_methods_return() -> None:
    model = GaussianMixture(2, noise=True, random_state=0).fit(ROWS)
    chances, labels = model.predict_proba(ROWS), model.predict(ROWS)
    assert chances.shape == (len(ROWS), 3)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-14)
    assert set(labels) == {-1, 0, 1}
    np.testing.assert_array_equal(np.where(labels == -1, 2, labels), chances.argmax(axis=1))
    np.testing.assert_allclose(model.score_samples(ROWS), model.mixture_.logpdf(ROWS), rtol=1e-10)
    assert model.lower_bound_ == pytest.approx(model.score(ROWS), rel=1e-12)
    assert model.mixture_.n_parameters == 11 + 2
    assert model.bic(ROWS) == pytest.approx(-2 * model.score(ROWS) * len(ROWS) + 13 * np.log(len(ROWS)))
    assert model.weights_.sum() == pytest.approx(1 - model.mixture_.noise_weight)
    assert "noise" in model.summary() and "noise" not in GaussianMixture(2).fit(ROWS).summary()
    rows, components = model.sample(500)
    assert rows.shape == (500, 2) and set(components) == {-1, 0, 1}
    far = np.full((1, 2), 1e6)
    assert model.predict(far).tolist() == [-1]
    assert model.score_samples(far)[0] == pytest.approx(model.mixture_.background.log_density)


@pytest.mark.parametrize("options", [{}, {"prior": "default"}, {"equal_weights": True}, {"n_init": 2}])
@pytest.mark.parametrize("guess", ["found", "true", "wrong", "none"])
def test_any_sensible_guess_leads_to_the_same_place(guess: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(SEED)
    given = {"found": True, "true": LABELS == -1, "wrong": rng.random(len(ROWS)) < 0.1, "none": np.zeros(len(ROWS))}
    model = GaussianMixture(2, noise=given[guess], random_state=0, tol=1e-9, **options).fit(ROWS)
    best = GaussianMixture(2, noise=True, random_state=0, tol=1e-9, **options).fit(ROWS)
    # a default prior is scaled to the rows that the guess leaves
    assert model.lower_bound_ == pytest.approx(best.lower_bound_, abs=1e-4 if "prior" in options else 1e-7)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_units_do_not_matter(covariance_type: str) -> None:
    unit = np.array([3.0, 3.0]) if covariance_type == "spherical" else np.array([1e-4, 50.0])
    options = {"covariance_type": covariance_type, "noise": True, "random_state": 0, "tol": 1e-9}
    plain = GaussianMixture(2, **options).fit(ROWS)
    scaled = GaussianMixture(2, **options).fit(ROWS * unit + 100.0)
    np.testing.assert_allclose(scaled.means_, plain.means_ * unit + 100.0, rtol=1e-6)
    assert scaled.lower_bound_ == pytest.approx(plain.lower_bound_ - np.log(unit).sum(), abs=1e-8)
    np.testing.assert_array_equal(scaled.predict(ROWS * unit + 100.0), plain.predict(ROWS))


@pytest.mark.parametrize("factor", [1, 4], ids=["all rows asked", "some rows asked"])
def test_neither_threads_nor_the_order_of_rows_matter(factor: int) -> None:
    rows, _ = contaminated(factor=factor)
    options = {"noise": True, "random_state": 0, "tol": 1e-9}
    one, two = (GaussianMixture(2, n_threads=n, **options).fit(rows) for n in (1, 3))
    for name in ("weights_", "means_", "covariances_"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    order = np.random.default_rng(SEED).permutation(len(rows))
    mixed = GaussianMixture(2, **options).fit(rows[order])
    places = one.means_[:, 0].argsort(), mixed.means_[:, 0].argsort()
    np.testing.assert_allclose(mixed.means_[places[1]], one.means_[places[0]], atol=1e-4 if factor == 1 else 0.02)


def test_weights_are_repetitions() -> None:
    times = np.random.default_rng(SEED).integers(0, 3, len(ROWS))
    options = {"noise": True, "random_state": 0, "tol": 1e-10}
    weighted = GaussianMixture(2, **options).fit(ROWS, sample_weight=times)
    repeated = GaussianMixture(2, **options).fit(np.repeat(ROWS, times, axis=0))
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, abs=1e-7)
    assert weighted.mixture_.noise_weight == pytest.approx(repeated.mixture_.noise_weight, abs=1e-5)
    guessed = GaussianMixture(2, noise=LABELS == -1, random_state=0, tol=1e-10).fit(ROWS, sample_weight=times)
    assert guessed.lower_bound_ == pytest.approx(weighted.lower_bound_, abs=1e-7)


def test_a_few_wild_rows_do_not_spread_the_box() -> None:
    wild = np.concatenate([ROWS, np.array([[1e6, 0.0], [0.0, -1e7], [3e5, 3e5]])])
    model = GaussianMixture(2, noise=True, random_state=0).fit(wild)
    assert model.mixture_.background.log_volume < 2 * np.log(35) + 2 * np.log(2)
    assert model.predict(wild)[-3:].tolist() == [-1, -1, -1]
    assert np.all(np.abs(spectra(model) - 1.0) < 0.2)


def test_the_box_may_lie_along_the_principal_axes() -> None:
    rng = np.random.default_rng(SEED)
    rows = np.outer(rng.uniform(-1, 1, 2000), [1.0, 1.0]) + 0.01 * rng.uniform(-1, 1, (2000, 2))
    box = bounding_box(rows, np.ones(2000), 0.1, 1e-6)
    slanted = np.log(2 * np.sqrt(2) * 2 * 0.01 * np.sqrt(2))
    assert box.log_volume < slanted + 0.1 < np.log(4.0)
    upright = bounding_box(rng.uniform(0, 3, (5000, 2)), np.ones(5000), 0.1, 1e-6)
    assert upright.log_volume == pytest.approx(np.log(9.0), abs=0.01)
    np.testing.assert_allclose(upright.center, 1.5, atol=0.01)


def test_isolated_rows_are_those_far_from_others() -> None:
    rng = np.random.default_rng(SEED)
    rows = np.concatenate([rng.standard_normal((300, 2)), [[30.0, 0.0], [0.0, -40.0]]])
    volume = np.log(70.0**2)
    found = isolated(rows, np.ones(302), volume)
    assert found[-2:].all() and found[:300].mean() < 0.15
    heavy = np.ones(302)
    heavy[-1] = 20.0  # twenty rows at one place are not alone
    assert isolated(rows, heavy, volume)[-2:].tolist() == [True, False]
    assert not isolated(np.zeros((50, 2)), np.ones(50), volume).any()
    assert not isolated(rows[:1], np.ones(1), volume).any()


def test_a_wide_component_is_no_noise() -> None:
    """Its rows lie further apart than most, though not as far as evenly spread ones."""
    rng = np.random.default_rng(SEED)
    tight, wide = 0.3 * rng.standard_normal((1600, 2)), 3.0 * rng.standard_normal((200, 2)) + [20.0, 0.0]
    rows = np.concatenate([tight, wide, rng.uniform(-40, 40, (200, 2))])
    model = GaussianMixture(2, noise=True, random_state=0).fit(rows)
    assert np.sort(model.weights_) == pytest.approx([0.1, 0.8], abs=0.03)
    assert model.mixture_.noise_weight == pytest.approx(0.1, abs=0.03)


def test_noise_can_be_saved_and_goes_on_from_where_it_was(tmp_path: Any) -> None:
    model = GaussianMixture(2, noise=True, random_state=0, warm_start=True).fit(ROWS)
    mixtura.save(model, tmp_path / "model.json")
    loaded = mixtura.load(tmp_path / "model.json")
    assert loaded.noise is True and loaded.summary() == model.summary()
    np.testing.assert_array_equal(loaded.predict_proba(ROWS), model.predict_proba(ROWS))
    before = model.lower_bound_
    assert model.fit(ROWS).lower_bound_ >= before - 1e-9
    assert model.set_params(noise=False).fit(ROWS).mixture_.background is None
    assert model.set_params(noise=True).fit(ROWS).mixture_.noise_weight > 0.05


def test_starts_of_the_user_s_own_go_with_noise() -> None:
    best = GaussianMixture(2, noise=True, random_state=0, tol=1e-9).fit(ROWS)
    given = {"weights_init": [0.5, 0.5], "means_init": [[0.0, 0.0], [6.0, 4.0]]}
    for options in (given, {"init_params": (LABELS == 1).astype(int)}, {**given, "precisions_init": [np.eye(2)] * 2}):
        model = GaussianMixture(2, noise=True, random_state=0, tol=1e-9, **options).fit(ROWS)
        assert model.lower_bound_ == pytest.approx(best.lower_bound_, abs=1e-7)


@pytest.mark.parametrize(
    "noise, words",
    [
        (np.zeros(3, dtype=bool), r"shape \(2000,\).*got shape \(3,\)"),
        (np.full(2000, 7), "got other values"),
        (np.ones(2000, dtype=bool), "noise leaves 0 rows for 2 components"),
    ],
)
def test_a_guess_that_makes_no_sense_is_refused(noise: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GaussianMixture(2, noise=noise).fit(ROWS)
    with pytest.raises(TypeError, match="noise must be True, False or an array"):
        GaussianMixture(2, noise="yes").fit(ROWS)


@pytest.mark.filterwarnings("ignore::UserWarning")  # collapsed components and constant features are the point
@pytest.mark.parametrize("covariance_type", TYPES)
def test_poor_data_give_a_sound_fit(covariance_type: str) -> None:
    rng = np.random.default_rng(SEED)
    line = np.outer(np.arange(12.0), [1.0, 2.0])
    constant = np.column_stack([rng.standard_normal(20), np.ones(20)])
    for rows in (rng.standard_normal((2, 2)), rng.standard_normal((7, 3)), line, constant, np.zeros((9, 2))):
        model = GaussianMixture(2, covariance_type=covariance_type, noise=True, random_state=0).fit(rows)
        assert np.all(np.isfinite(model.means_)) and np.all(np.isfinite(model.covariances_))
        np.testing.assert_allclose(model.predict_proba(rows).sum(axis=1), 1.0)
        assert np.isfinite(model.lower_bound_)
