"""
Segmenting images
=================

A mixture of the pixels' values, and neighbours that tend to agree. Two simulated images whose truth is known, then two
photographs that ship with scikit-learn.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_image
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from mixtura import segment_image

rng = np.random.default_rng(0)

# %%
# **Like a medical scan** (simulated): three tissues and air, one channel, much noise. With ``spatial_weight=0`` each pixel is on its own.

row, column = np.mgrid[:180, :180]
distance = np.hypot((row - 90) / 1.2, column - 90)
tissue = np.select([distance < 20, distance < 52 + 5 * np.sin(8 * np.arctan2(row - 90, column - 90)), distance < 68], [3, 2, 1], 0)
scan = rng.normal(np.array([10.0, 55.0, 100.0, 145.0])[tissue], 15.0)
alone = segment_image(scan, 4, channel_axis=None, spatial_weight=0, random_state=0)
together = segment_image(scan, 4, channel_axis=None, random_state=0)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
titles = ["the scan", *(f"{name}: {adjusted_rand_score(tissue.ravel(), labels.ravel()):.2f}"
                        for name, labels in (("pixels alone", alone), ("with neighbours", together)))]
for ax, picture, title in zip(axes, (scan, alone, together), titles, strict=True):
    ax.imshow(picture, cmap="gray" if picture is scan else "viridis", interpolation="nearest")
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
print("adjusted Rand index against the truth:", titles[1:])

# %%
# **Like a satellite image** (simulated): water, forest, fields and town in four bands.

noise = gaussian_filter(rng.normal(size=(160, 240)), 12)
cover = np.digitize(noise, np.quantile(noise, [0.2, 0.55, 0.85]))
bands = np.array([[30, 40, 35, 15], [40, 60, 40, 120], [90, 100, 70, 140], [130, 125, 120, 110]], dtype=float)
satellite = rng.normal(bands[cover], 18.0)
labels, model = segment_image(satellite, "auto", random_state=0, return_model=True)
print(model.n_components, "kinds of ground found; adjusted Rand index:",
      round(adjusted_rand_score(cover.ravel(), labels.ravel()), 3))

# %%
# **Photographs**, in five segments, beside scikit-learn's mixture of all pixels: seconds, and mean log likelihood of the pixels.

figure, axes = plt.subplots(2, 2, figsize=(9, 6.2), layout="constrained")
for pair, name in zip(axes, ("china.jpg", "flower.jpg"), strict=True):
    photograph = load_sample_image(name)
    pixels = photograph.reshape(-1, 3).astype(float)
    start = time.perf_counter()
    labels, model = segment_image(photograph, 5, random_state=0, return_model=True)
    ours = time.perf_counter() - start
    theirs_model = GaussianMixture(5, random_state=0).fit(pixels)
    theirs_model.predict(pixels)
    theirs = time.perf_counter() - start - ours
    print(f"{name}: {ours:.2f} s at {model.score(pixels):.3f}; scikit-learn {theirs:.2f} s at {theirs_model.score(pixels):.3f}")
    mean_colours = model.means_.clip(0, 255).astype(np.uint8)
    pair[0].imshow(photograph)
    pair[1].imshow(mean_colours[labels - 1])
    for ax in pair:
        ax.set_axis_off()
plt.show()
