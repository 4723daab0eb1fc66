"""
Tracking in video
=================

For every pixel an online mixture of what it usually shows; what does not fit is foreground, and its connected pieces are
followed by Kalman filters. The film is simulated: light that swells, a corner that flickers, and three discs.
"""

import matplotlib.pyplot as plt
import numpy as np

from mixtura import BackgroundMixture, CentroidTracker

rng = np.random.default_rng(0)
height, width = 120, 180
row, column = np.mgrid[:height, :width]
ground = np.stack([90 + 40 * np.sin(column / 30), 100 + 30 * np.cos(row / 20), 80 + 0.4 * row], axis=-1)
flickers = (row > 90) & (column < 50)


def film(frames):
    """Frames, and what moves in them."""
    for t in range(frames):
        frame = ground * (1 + 0.2 * np.sin(t / 50)) + 35.0 * (flickers & (rng.random((height, width)) < 0.4))[..., None]
        truth = np.zeros((height, width), dtype=bool)
        for y, x, colour in ((30, 10 + 0.9 * t, (200, 60, 60)), (95 - 0.35 * t, 170 - 0.8 * t, (60, 180, 70)),
                             (60 + 20 * np.sin(t / 15), 90 + 30 * np.cos(t / 15), (50, 60, 190))):
            disc = np.hypot(row - y, column - x) < 8
            truth |= disc
            frame = np.where(disc[..., None], np.array(colour, dtype=float), frame)
        yield np.clip(rng.normal(frame, 4.0), 0, 255).astype(np.uint8), truth


# %%
# Each frame is first judged by what the mixtures have learnt, and then learnt from.

background, tracker = BackgroundMixture(), CentroidTracker(min_area=40)
hits = errors = 0
seen = {}
for t, (frame, truth) in enumerate(film(180)):
    mask = background.apply(frame)
    for track in tracker.update(mask):
        seen[track.identity] = track
    if t >= 40:
        hits, errors = hits + (mask & truth).sum(), errors + (mask ^ truth).sum()
print(f"F1 of the foreground after 40 frames: {2 * hits / (2 * hits + errors):.3f}")
print("tracks:", {name: f"{track.seen} frames" for name, track in seen.items()})

# %%
# The last frame, what the mixtures hold for its background, the foreground, and the paths.

figure, axes = plt.subplots(2, 2, figsize=(9, 6.2), layout="constrained")
pictures = (frame, background.background().clip(0, 255).astype(np.uint8), mask, frame)
for ax, picture, title in zip(axes.ravel(), pictures, ("frame", "background", "foreground", "paths"), strict=True):
    ax.imshow(picture, cmap="gray")
    ax.set(title=title, xticks=[], yticks=[])
for track in seen.values():
    path = np.array(track.path)
    axes[1, 1].plot(path[:, 1], path[:, 0], linewidth=2, label=f"{track.identity}")
axes[1, 1].legend(loc="lower right")
plt.show()
