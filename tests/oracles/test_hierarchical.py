"""Trees and the starts they give against SciPy, scikit-learn, and the optima that mclust reaches from its own trees."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import AgglomerativeClustering
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score

from mixtura import GaussianMixture
from mixtura.initialization.hierarchical import build_tree
from oracles.tables import faithful

IRIS = load_iris().data


@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_ward_equals_scipy_and_scikit_learn(n_features: int, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((400, n_features)) + 2.0 * rng.integers(0, 4, (400, 1))
    tree, outside = build_tree(rows, np.ones(400), "EII"), linkage(rows, "ward")
    for n_groups in (2, 3, 7, 25, 150):
        labels = tree.cut(n_groups)
        assert adjusted_rand_score(labels, fcluster(outside, n_groups, "maxclust")) == 1.0
        assert adjusted_rand_score(labels, AgglomerativeClustering(n_groups).fit_predict(rows)) == 1.0


# Log likelihoods that R's mclust 6.0.0 reaches with its defaults, or better where it stops early (features.md, 4.3).
@pytest.mark.parametrize(
    ("data", "covariance_type", "n_components", "log_likelihood"),
    [
        ("iris", "VVV", 2, -214.3547),
        ("iris", "VVV", 3, -180.1858),
        ("faithful", "VVV", 2, -1130.264),
        ("faithful", "EEE", 3, -1126.3159),
    ],
)
def test_em_from_the_tree_reaches_mclust(
    data: str, covariance_type: str, n_components: int, log_likelihood: float
) -> None:
    rows = IRIS if data == "iris" else faithful()
    model = GaussianMixture(n_components, covariance_type=covariance_type, init_params="hierarchical", tol=1e-9)
    assert model.fit(rows).score(rows) * len(rows) >= log_likelihood - 1e-3
