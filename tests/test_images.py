"""Segmentation, video background and tracks, on simulated images whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from mixtura import BackgroundMixture, CentroidTracker, segment_image
from mixtura.spatial import SWEEPS, smooth_responsibilities, tiles


def scene(shape=(160, 220)):
    """Three regions: a disc and a rectangle on a ground."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    truth = np.zeros(shape, dtype=int)
    truth[np.hypot(row - 80, column - 60) < 50] = 1
    truth[(abs(row - 80) < 40) & (abs(column - 170) < 35)] = 2
    return truth


def agreement(truth, labels):
    return adjusted_rand_score(np.ravel(truth), np.ravel(labels))


@pytest.mark.parametrize("channels", [None, 3])
def test_segments_three_deviations_apart_are_found(channels, rng):
    truth = scene()
    if channels is None:
        image = rng.normal(3.0 * truth, 1.0)
    else:  # corners of a triangle whose sides are three deviations
        corners = 3.0 / np.sqrt(2.0) * np.eye(3)
        image = rng.normal(corners[truth], 1.0)
    labels = segment_image(image, 3, channel_axis=None if channels is None else -1, random_state=0)
    assert agreement(truth, labels) >= 0.95
    alone = segment_image(image, 3, channel_axis=None if channels is None else -1, spatial_weight=0, random_state=0)
    assert agreement(truth, alone) < agreement(truth, labels)


def test_the_number_of_segments_is_found(rng):
    labels = segment_image(rng.normal(4.0 * scene(), 1.0), channel_axis=None, max_segments=6, random_state=0)
    assert np.unique(labels).tolist() == [1, 2, 3]


def test_labels_are_ordered_by_brightness_whatever_the_seed(rng):
    image = rng.normal(5.0 * scene(), 1.0)
    labels = [segment_image(image, 3, channel_axis=None, random_state=seed) for seed in range(3)]
    assert agreement(labels[0], labels[1]) > 0.999
    means = [image[labels[0] == label].mean() for label in (1, 2, 3)]
    assert means == sorted(means)
    np.testing.assert_array_equal(labels[0], segment_image(image, 3, channel_axis=None, random_state=0, n_threads=1))


def test_tiles_change_nothing(rng):
    logs = rng.normal(0.0, 2.0, (3, 300, 350)).astype(np.float32)
    whole = smooth_responsibilities(logs, 1.0)
    pieces = np.empty_like(whole)
    parts = list(tiles(logs.shape[1:], SWEEPS))
    assert len(parts) > 1
    for tile in parts:
        part = smooth_responsibilities(logs[(slice(None), *tile.read)], 1.0)
        pieces[(slice(None), *tile.box)] = part[(slice(None), *tile.inner)]
    np.testing.assert_allclose(pieces, whole, atol=1e-6)
    np.testing.assert_allclose(whole.sum(axis=0), 1.0, atol=1e-5)


def test_a_sweep_is_the_formula(rng, monkeypatch):
    monkeypatch.setattr("mixtura.spatial.SWEEPS", 1)
    logs = rng.normal(0.0, 1.0, (2, 4, 5)).astype(np.float32)
    start = np.exp(logs) / np.exp(logs).sum(axis=0)
    expected = np.empty_like(start)
    for row, column in np.ndindex(4, 5):
        rows, columns = slice(max(row - 1, 0), row + 2), slice(max(column - 1, 0), column + 2)
        total = start[:, rows, columns].sum(axis=(1, 2)) - start[:, row, column]
        value = np.exp(logs[:, row, column] + 8.0 * 0.7 * total / 8.0)
        expected[:, row, column] = value / value.sum()
    np.testing.assert_allclose(smooth_responsibilities(logs, 0.7), expected, rtol=1e-5)


def test_masks_soft_maps_and_volumes(rng):
    truth = scene()
    image = rng.normal(4.0 * truth, 1.0)
    mask = np.ones(truth.shape, dtype=bool)
    mask[:20] = False
    labels, proba, model = segment_image(
        image, 3, channel_axis=None, mask=mask, random_state=0, return_proba=True, return_model=True
    )
    assert (labels[:20] == 0).all() and (labels[20:] > 0).all()
    assert proba.shape == (*truth.shape, 3) and model.n_components == 3
    np.testing.assert_array_equal(proba[20:].argmax(axis=-1) + 1, labels[20:])
    volume = rng.normal(6.0 * (np.indices((12, 14, 16)).sum(axis=0) > 20), 1.0)
    split = segment_image(volume, 2, channel_axis=None, start_label=0, random_state=0)
    assert agreement(np.indices((12, 14, 16)).sum(axis=0) > 20, split) > 0.95


def test_integers_channel_first_and_missing_values(rng):
    truth = scene()
    image = np.clip(rng.normal(60 + 50 * truth[..., None] * [1, 0.5, 0.8], 8), 0, 255).astype(np.uint8)
    labels = segment_image(image, 3, random_state=0)
    np.testing.assert_array_equal(labels, segment_image(np.moveaxis(image, -1, 0), 3, channel_axis=0, random_state=0))
    holes = image.astype(float)
    holes[rng.random(holes.shape) < 0.05] = np.nan
    holes[5, 5] = np.nan
    with pytest.warns(UserWarning, match="no observed value"):
        assert agreement(labels, segment_image(holes, 3, random_state=0)) > 0.95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": np.zeros(5)}, "spatial axes"),
        ({"image": np.zeros((0, 4)), "channel_axis": None}, "empty"),
        ({"image": np.array([["a", "b"]]), "channel_axis": None}, "must hold numbers"),
        ({"image": np.zeros((4, 4, 3)), "mask": np.ones((3, 3))}, "mask must have"),
        ({"image": np.zeros((4, 4, 3)), "mask": np.zeros((4, 4))}, "leaves no pixel"),
        ({"image": np.zeros((4, 4, 3)), "n_segments": 0}, "positive integer"),
        ({"image": np.zeros((4, 4, 3)), "n_segments": "many"}, "positive integer"),
        ({"image": np.zeros((4, 4, 3)), "spatial_weight": -1}, "spatial_weight"),
        ({"image": np.zeros((4, 4, 3)), "spatial_weight": "x"}, "spatial_weight"),
        ({"image": np.zeros((4, 4, 3)), "start_label": 5}, "start_label"),
        ({"image": np.zeros((4, 4, 3)), "channel_axis": 7}, "channel_axis"),
        ({"image": np.zeros((4, 4, 3)), "max_segments": 0}, "max_segments"),
    ],
)
def test_bad_images_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        segment_image(**arguments)


def film(n_frames, rng, shape=(60, 80)):
    """Frames and their truth: a lit scene whose light swells, a flickering corner, and two moving discs."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    ground = np.stack([90 + 40 * np.sin(column / 11), 100 + 30 * np.cos(row / 9), 80 + 0.8 * row], axis=-1)
    flickers = (row > 40) & (column < 25)
    for t in range(n_frames):
        frame = ground * (1 + 0.25 * np.sin(t / 60)) + 35.0 * (flickers & (rng.random(shape) < 0.4))[..., None]
        truth = np.zeros(shape, dtype=bool)
        for (y, x), colour in (((15, (10 + t) % 80), (200, 60, 60)), ((32, (70 - 0.8 * t) % 80), (50, 60, 190))):
            disc = np.hypot(row - y, column - x) < 6
            truth |= disc
            frame = np.where(disc[..., None], np.array(colour, dtype=float), frame)
        yield np.clip(rng.normal(frame, 4.0), 0, 255).astype(np.uint8), truth


def test_moving_objects_are_told_from_flicker_and_changing_light(rng):
    model = BackgroundMixture()
    hits = false = missed = 0
    for t, (frame, truth) in enumerate(film(200, rng)):
        mask = model.apply(frame)
        if t >= 60:
            hits += (mask & truth).sum()
            false += (mask & ~truth).sum()
            missed += (~mask & truth).sum()
    assert 2 * hits / (2 * hits + false + missed) > 0.9
    assert model.background().shape == (60, 80, 3)


def test_a_still_scene_has_the_promised_false_alarms(rng):
    model = BackgroundMixture(false_alarm=0.01, min_neighbours=0, follow_light=False)
    for _ in range(300):
        model.partial_fit(rng.normal(100.0, 8.0, (50, 60)))
    alarms = np.mean([model.predict(rng.normal(100.0, 8.0, (50, 60))).mean() for _ in range(20)])
    assert 0.008 < alarms < 0.02  # each pixel's deviation is estimated from some two hundred values
    main = np.take_along_axis(model.variances_, model.weights_.argmax(axis=0)[None], axis=0)
    np.testing.assert_allclose(np.median(main), 64.0, rtol=0.1)


def test_flicker_has_two_components_and_stillness_one(rng):
    model = BackgroundMixture(follow_light=False)
    for t in range(300):
        frame = np.full((10, 20), 50.0)
        frame[:, 10:] += 60.0 * (t % 2)
        model.partial_fit(rng.normal(frame, 2.0))
    used = (model.weights_ > 0.01).sum(axis=0)
    assert np.median(used[:, :10]) == 1 and np.median(used[:, 10:]) == 2
    np.testing.assert_allclose(model.weights_.sum(axis=0), 1.0, atol=1e-5)


def test_threads_and_prediction_do_not_change_a_background(rng):
    frames = [frame for frame, _ in film(30, rng, (120, 150))]
    one, two = BackgroundMixture(n_threads=1).fit(frames), BackgroundMixture(n_threads=2).fit(frames)
    before = two.means_.copy()
    np.testing.assert_array_equal(one.predict(frames[3]), two.predict(frames[3]))
    np.testing.assert_array_equal(one.weights_, two.weights_)
    np.testing.assert_array_equal(before, two.means_)


@pytest.mark.parametrize("frame", [np.zeros(4), np.zeros((0, 3)), np.full((3, 3), np.nan), np.zeros((4, 4)), "text"])
def test_bad_frames_are_refused(frame):
    model = BackgroundMixture().partial_fit(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="a frame"):
        model.apply(frame)


@pytest.mark.parametrize("name", ["n_components", "history", "false_alarm", "min_share", "min_deviation", "n_threads"])
def test_bad_parameters_are_refused(name):
    with pytest.raises(ValueError, match=name):
        BackgroundMixture(**{name: -1}).partial_fit(np.zeros((3, 3)))


@pytest.mark.parametrize("name", ["n_components", "history", "min_share", "min_neighbours", "n_threads"])
@pytest.mark.parametrize("value", ["4", True, [2]])
def test_parameters_of_another_type_are_named(name, value):
    with pytest.raises(TypeError, match=f"{name} must be a"):
        BackgroundMixture(**{name: value}).partial_fit(np.zeros((3, 3)))


def test_tracks_keep_their_objects_when_they_cross_and_hide():
    tracker = CentroidTracker(min_area=5)
    paths = {}
    for t in range(40):
        mask = np.zeros((60, 100), dtype=bool)
        if not 18 <= t <= 22:  # both are hidden while they meet
            mask[10 + t : 16 + t, 2 * t : 2 * t + 6] = True
            mask[50 - t : 56 - t, 2 * t : 2 * t + 6] = True
        mask[0, 0] = True  # too small to be an object
        for track in tracker.update(mask):
            paths[track.identity] = track
    assert len(paths) == 2
    ends = sorted(track.position.tolist() for track in paths.values())
    np.testing.assert_allclose(ends, [[13.5, 80.5], [51.5, 80.5]], atol=1.0)
    for track in paths.values():
        assert track.missed == 0 and len(track.path) == 40
        np.testing.assert_allclose(np.abs(track.velocity), [1.0, 2.0], atol=0.1)


TRACKER = ["min_area", "acceleration", "measurement_deviation", "gate", "min_seen", "max_missed"]


@pytest.mark.parametrize("name", TRACKER)
@pytest.mark.parametrize("value", ["x", -1, float("nan")])
def test_bad_trackers_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        CentroidTracker(**{name: value})


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_even_image_is_one_segment():
    assert (segment_image(np.full((8, 9), 3.0), channel_axis=None) == 1).all()


def test_tracks_die_and_noise_is_not_reported():
    tracker = CentroidTracker(min_area=4, max_missed=3)
    square = np.zeros((30, 30), dtype=bool)
    square[5:10, 5:10] = True
    assert [len(tracker.update(square)) for _ in range(4)] == [0, 0, 1, 1]
    assert [len(tracker.update(np.zeros_like(square))) for _ in range(5)] == [1, 1, 1, 0, 0]
    with pytest.raises(ValueError, match="a mask"):
        tracker.update(np.zeros(4))
    for mask in (np.full((4, 4), np.nan), "text"):
        with pytest.raises(ValueError, match="a mask is True, False or numbers"):
            tracker.update(mask)
