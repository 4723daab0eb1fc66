"""Other libraries as contenders, where they are installed: pomegranate and mlpack."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

__all__ = ["full_covariance_fits"]

Fit = Callable[[np.ndarray], tuple[int | None, float]]


def full_covariance_fits(n_components: int, max_iter: int | None = None) -> dict[str, Fit]:
    """What fits a full-covariance mixture to rows and returns iterations (None: not told) and mean log likelihood.

    Each library's defaults, or exactly ``max_iter`` iterations of one start.
    """
    fits: dict[str, Fit] = {}
    if find_spec("mlpack"):
        fits["mlpack"] = lambda rows: _mlpack(rows, n_components, max_iter)
    if find_spec("pomegranate") and find_spec("torch"):
        fits["pomegranate"] = lambda rows: _pomegranate(rows, n_components, max_iter)
    return fits


def _mlpack(rows: np.ndarray, n_components: int, max_iter: int | None) -> tuple[int | None, float]:
    import mlpack

    options = {} if max_iter is None else {"max_iterations": max_iter, "tolerance": 0.0, "trials": 1}
    model = mlpack.gmm_train(gaussians=n_components, input_=rows, seed=1, **options)["output_model"]
    return max_iter, float(np.log(mlpack.gmm_probability(input_=rows[:20_000], input_model=model)["output"]).mean())


def _pomegranate(rows: np.ndarray, n_components: int, max_iter: int | None) -> tuple[int | None, float]:
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    options = {} if max_iter is None else {"max_iter": max_iter, "tol": 0.0}
    parts = [Normal(covariance_type="full") for _ in range(n_components)]
    values = torch.tensor(rows, dtype=torch.float32)
    model = GeneralMixtureModel(parts, random_state=1, **options).fit(values)
    return max_iter, float(model.log_probability(values[:20_000]).mean())
