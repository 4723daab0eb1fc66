"""
Clustering: iris, and four blobs
================================

Which groups are there, and how many? First Fisher's iris data, four measurements of 150 flowers of three species, without
the species.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris, make_blobs
from sklearn.metrics import adjusted_rand_score

import mixtura

iris = load_iris(as_frame=True)
model = mixtura.GaussianMixture(3, random_state=0).fit(iris.data)
print(model.summary())
print("agreement with the species (adjusted Rand index):", round(adjusted_rand_score(iris.target, model.predict(iris.data)), 3))

# %%
# Three components agree with the botanists on all but a few flowers. Hard colours for the groups; the ellipses hold the
# components' covariances.

model.plot(iris.data, kind="classification")
plt.show()

# %%
# BIC over all of mclust's fourteen covariance models prefers two groups: by their measurements alone, two of the species are
# nearly one. The criterion answers its own question, not the botanist's.

choice = mixtura.GaussianMixtureIC(range(1, 7), random_state=0).fit(iris.data)
print(choice.best_params_)
choice.plot(iris.data, kind="selection")
plt.show()

# %%
# Four blobs, and one to twenty components. BIC has its minimum at four. AIC charges less for a parameter and is flat, even
# falling, to the right: a good search finds ever smaller clumps of chance, and AIC believes in them.

rows, _ = make_blobs(n_samples=300, centers=4, cluster_std=0.6, random_state=0)
sizes = np.arange(1, 21)
fits = [mixtura.GaussianMixture(int(k), random_state=0).fit(rows) for k in sizes]
bic = [fit.bic(rows) for fit in fits]
aic = [fit.aic(rows) for fit in fits]
figure, axes = plt.subplots(layout="constrained")
axes.plot(sizes, bic, marker="o", label="BIC")
axes.plot(sizes, aic, marker="s", linestyle="--", label="AIC")
axes.axvline(sizes[int(np.argmin(bic))], color="grey", linewidth=0.8)
axes.set(xlabel="components", ylabel="criterion: lower is better", xticks=sizes[::2])
axes.legend()
plt.show()
print("BIC:", sizes[int(np.argmin(bic))], "components; AIC:", sizes[int(np.argmin(aic))])
