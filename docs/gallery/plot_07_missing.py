"""
Missing values
==============

Real tables have holes. A mixture is fitted to what was observed, exactly, and can then say what is likely in the holes. Here
wine data with a fifth of the cells removed at random.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

import mixtura

wine = load_wine()
complete = StandardScaler().fit_transform(wine.data)
rng = np.random.default_rng(0)
holes = rng.random(complete.shape) < 0.2
rows = np.where(holes, np.nan, complete)

# %%
# Clustering needs no imputation: the three growers are found from what is there.

model = mixtura.GaussianMixture(3, covariance_type="EEE", random_state=0)
for name, data in (("complete", complete), ("a fifth missing", rows)):
    labels = model.fit(data).predict(data)
    print(f"{name}: agreement with the growers {adjusted_rand_score(wine.target, labels):.2f}")

# %%
# What was in the holes? The conditional mean of each, given the rest of its row.

imputers = {
    "feature's mean": SimpleImputer(),
    "5 neighbours": KNNImputer(),
    "iterative": IterativeImputer(max_iter=50, tol=1e-2, random_state=0),
    "mixture": mixtura.GaussianMixtureImputer(random_state=0),
}
filled = {name: imputer.fit_transform(rows) for name, imputer in imputers.items()}
for name, values in filled.items():
    print(f"{name:15s} root-mean-square error {np.sqrt(np.mean((values - complete)[holes] ** 2)):.3f}")

# %%
# A mean is not a draw. Filled in with means, data are too regular; draws from the conditional distribution keep the spread.

draws = mixtura.GaussianMixtureImputer(strategy="draw", random_state=0).fit_transform(rows)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharex=True, sharey=True, layout="constrained")
pair = [5, 6]
touched = holes[:, pair].any(axis=1)
for ax, values, title in zip(axes, (complete, filled["mixture"], draws), ("as they were", "means", "draws"), strict=True):
    ax.scatter(*values[~touched][:, pair].T, s=10, color="0.7")
    ax.scatter(*values[touched][:, pair].T, s=14, marker="^", color="C0")
    ax.set(title=title, xlabel=wine.feature_names[5])
axes[0].set_ylabel(wine.feature_names[6])
plt.show()
