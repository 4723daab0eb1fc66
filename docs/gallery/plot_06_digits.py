"""
Density estimation: drawing new digits
======================================

A density can be sampled. The digits are 8 x 8 images of handwriting that ship with scikit-learn, reduced to 20 principal
components; a mixture describes their density, and new images are drawn from it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

import mixtura

digits = load_digits()
pca = PCA(20, random_state=0).fit(digits.data)
train, test = train_test_split(pca.transform(digits.data), random_state=0)

# %%
# How many components describe digits that were *not* seen best?

sizes = [1, 5, 10, 20, 40]
held_out = [mixtura.GaussianMixture(k, covariance_type="full", prior="default", random_state=0).fit(train).score(test) for k in sizes]
best = sizes[int(np.argmax(held_out))]
for size, value in zip(sizes, held_out, strict=True):
    print(f"{size:3d} components: {value:.2f} per digit, held out")

# %%
# The upper rows are real, the lower ones drawn.

model = mixtura.GaussianMixture(best, prior="default", random_state=0).fit(train)
drawn, _ = model.sample(1000)
drawn = pca.inverse_transform(drawn[np.random.default_rng(0).permutation(1000)[:24]])
figure, axes = plt.subplots(4, 12, figsize=(9, 3.4), layout="constrained")
for ax, image in zip(axes.ravel(), np.vstack([digits.data[:24], drawn]), strict=True):
    ax.imshow(image.reshape(8, 8), cmap="gray_r")
    ax.set_axis_off()
plt.show()
