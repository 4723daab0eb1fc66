"""An E-step is a sum over blocks of rows: cut the rows anywhere, and the parts add to the whole."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from laws.problems import Engines, assert_same_statistics, random_mixture, random_rows


def test_parts_add_to_the_whole(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    mixture = random_mixture(rng, covariance_type)
    rows = random_rows(rng, mixture, 5000)
    weights = rng.uniform(0.0, 3.0, len(rows))
    cuts = [0, *np.sort(rng.choice(len(rows) - 1, 4, replace=False) + 1), len(rows)]
    (whole,) = engine(rows, weights).reduce([mixture.forms])
    parts = [engine(rows[begin:end], weights[begin:end]).reduce([mixture.forms])[0] for begin, end in pairwise(cuts)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert_same_statistics(total, whole, 1e-13)


def test_no_block_is_lost_or_read_twice(covariance_type: str, engine: Engines, rng: np.random.Generator) -> None:
    """Responsibilities sum to one, so counts sum to the weight, and first moments to the rows' sum."""
    mixture = random_mixture(rng, covariance_type)
    for n_rows in (1, 2, 191, 192, 193, 1919, 1920, 1921, 4001):
        rows = random_rows(rng, mixture, n_rows)
        (whole,) = engine(rows).reduce([mixture.forms])
        moments = whole.recenter(np.zeros_like(mixture.means))
        np.testing.assert_allclose(whole.count.sum(), n_rows, rtol=1e-13, err_msg=f"{n_rows} rows")
        limit = 1e-12 * n_rows
        np.testing.assert_allclose(moments.first.sum(axis=0), rows.sum(axis=0), atol=limit, err_msg=f"{n_rows} rows")
        assert whole.total_weight == n_rows
