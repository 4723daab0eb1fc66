"""Images and video: segmentation against scikit-learn's mixture in time and log likelihood, backgrounds against OpenCV.

    python benchmarks/images.py          # a minute; writes benchmarks/images.json

OpenCV is compared where it is installed (opencv-python-headless).
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture as Theirs

from mixtura import BackgroundMixture, segment_image

RESULT = Path(__file__).with_name("images.json")
WARM_UP = 60


def seconds(work: Callable[[], Any], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def large_photograph() -> dict[str, Any]:
    """Twelve megapixels: a photograph, repeated."""
    image = np.tile(load_sample_image("china.jpg"), (8, 7, 1))[:3000, :4000]
    time_taken = {k: seconds(lambda k=k: segment_image(image, k, random_state=0), 5) for k in (4, 8)}
    return {"shape": image.shape, "seconds": time_taken, "asked": 3.0}


def photographs() -> list[dict[str, Any]]:
    rows = []
    for name in ("china.jpg", "flower.jpg"):
        image = load_sample_image(name)
        pixels = image.reshape(-1, 3).astype(float)
        _, model = segment_image(image, 5, return_model=True, random_state=0)
        rows.append(
            {
                "photograph": name,
                "mixtura_seconds": seconds(lambda image=image: segment_image(image, 5, random_state=0)),
                "scikit_learn_seconds": seconds(
                    lambda pixels=pixels: Theirs(5, random_state=0).fit(pixels).predict(pixels), 3
                ),
                "mixtura_log_likelihood": model.score(pixels),
                "scikit_learn_log_likelihood": Theirs(5, random_state=0).fit(pixels).score(pixels),
            }
        )
    return rows


def simulated_segments() -> list[dict[str, Any]]:
    """Regions three standard deviations apart, ten draws each; also without neighbours."""
    row, column = np.mgrid[:200, :300]
    truth = np.zeros((200, 300), dtype=int)
    truth[np.hypot(row - 100, column - 90) < 60] = 1
    truth[(abs(row - 100) < 50) & (abs(column - 230) < 40)] = 2
    results = []
    for weight in (1.0, 0.0):
        scores = []
        for seed in range(10):
            image = np.random.default_rng(seed).normal(3.0 * truth, 1.0)
            labels = segment_image(image, 3, channel_axis=None, spatial_weight=weight, random_state=seed)
            scores.append(adjusted_rand_score(truth.ravel(), labels.ravel()))
        results.append({"spatial_weight": weight, "least": min(scores), "median": statistics.median(scores)})
    return results


def film(seed: int, n_frames: int = 300, shape: tuple[int, int] = (240, 320)) -> Iterator[tuple[Any, Any]]:
    """Frames with truth: swelling light, a flickering corner, and three discs, of which one goes to and fro."""
    rng = np.random.default_rng(seed)
    height, width = shape
    row, column = np.mgrid[:height, :width]
    ground = np.stack(
        [90 + 40 * np.sin(column / 40) + 20 * np.cos(row / 23), 100 + 30 * np.cos(column / 31), 80 + 50 * row / height],
        axis=-1,
    )
    flickers = (row > 0.7 * height) & (column < 0.35 * width)
    for t in range(n_frames):
        waves = np.kron(rng.random((height // 8, width // 8)) < 0.4, np.ones((8, 8), dtype=bool))
        frame = ground * (1 + 0.25 * np.sin(2 * np.pi * t / 400)) + 35.0 * (waves & flickers)[..., None]
        truth = np.zeros(shape, dtype=bool)
        for x, y, radius, colour in (
            ((40 + 1.5 * t) % width, 60, 14, (200, 60, 60)),
            ((300 - 1.2 * t) % width, 130, 18, (60, 180, 70)),
            (width / 2 + 60 * np.sin(t / 25), 190, 12, (50, 60, 190)),
        ):
            disc = np.hypot(row - y, column - x) < radius
            truth |= disc
            frame = np.where(disc[..., None], np.array(colour, dtype=float), frame)
        yield np.clip(rng.normal(frame, 4.0), 0, 255).astype(np.uint8), truth


def f_score(apply: Callable[[Any], Any], frames: list[tuple[Any, Any]]) -> float:
    hits = errors = 0
    for t, (frame, truth) in enumerate(frames):
        mask = apply(frame)
        if t >= WARM_UP:
            hits, errors = hits + int((mask & truth).sum()), errors + int((mask ^ truth).sum())
    return 2 * hits / (2 * hits + errors)


def backgrounds() -> dict[str, Any]:
    frames = list(film(0))
    scores = {"mixtura": f_score(BackgroundMixture().apply, frames)}
    scores["mixtura, without following the light"] = f_score(BackgroundMixture(follow_light=False).apply, frames)
    large = [frame for frame, _ in film(1, 40, (480, 640))]
    model = BackgroundMixture().fit(large[:30])
    times = {"mixtura": seconds(lambda: model.apply(large[35]), 20)}
    try:
        import cv2
    except ImportError:
        return {"f1": scores, "seconds_per_frame_640x480": times}
    for threshold in (16, 25, 36):
        for history in (100, 200, 500):
            peer = cv2.createBackgroundSubtractorMOG2(history, threshold, False)
            scores[f"MOG2, history {history}, threshold {threshold}"] = f_score(lambda f: peer.apply(f) > 0, frames)  # noqa: B023
    peer = cv2.createBackgroundSubtractorMOG2(detectShadows=False)
    scores["MOG2, defaults, median filter"] = f_score(lambda f: cv2.medianBlur(peer.apply(f), 3) > 0, frames)
    for frame in large[:30]:
        peer.apply(frame)
    times["MOG2"] = seconds(lambda: peer.apply(large[35]), 20)
    return {"f1": scores, "seconds_per_frame_640x480": times}


def main() -> None:
    report = {
        "large_photograph": large_photograph(),
        "photographs": photographs(),
        "simulated_segments": simulated_segments(),
        "backgrounds": backgrounds(),
    }
    RESULT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
