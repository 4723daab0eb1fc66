"""Model files as the commands use them: with the rows that they are asked about, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mixtura import GaussianMixture, Mixture, Status
from mixtura.cli.console import message
from mixtura.cli.options import names_of
from mixtura.persistence import load
from mixtura.table import Table, read_table

__all__ = ["as_estimator", "check_features", "facts_of", "feature_names", "loaded", "model_and_rows"]


def loaded(model_file: str, also: tuple[type, ...] = ()) -> Any:
    """The mixture, or its estimator, in a file; of other kinds only those that the command names."""
    model = load(model_file)
    if isinstance(model, (Mixture, GaussianMixture, *also)):
        return model
    raise ValueError(f"{model_file}: holds a {type(model).__name__}; this command works with mixtures")


def feature_names(model: Any) -> list[str] | None:
    """What the model calls its features; None where they have no names."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def as_estimator(model: Any) -> Any:
    """A fitted estimator without feature names: the command line checks names itself."""
    if isinstance(model, Mixture):
        estimator = GaussianMixture(model.n_components, covariance_type=model.covariance_type)
        nothing: list[float] = []
        estimator._set_fitted(
            model, converged=True, status=Status.CONVERGED, n_iter=0, lower_bounds=nothing,
            lower_bound=-np.inf, n_observations=0.0,
        )
        return estimator
    model.__dict__.pop("feature_names_in_", None)
    return model


def model_and_rows(
    model_file: str,
    data: str,
    columns: str | None,
    weights: str | None,
    missing: str | None,
    threads: int | None,
    also: tuple[type, ...] = (),
) -> tuple[Any, Table]:
    """A model, and rows with the features that it knows."""
    model = loaded(model_file, also)
    names = feature_names(model)
    estimator = as_estimator(model).set_params(n_threads=threads)
    table = read_table(data, names_of(columns), weights, names, names_of(missing) or ())
    check_features(data, model_file, table.frame.shape[1], table.names, names, estimator.mixture_.n_features)
    return estimator, table


def check_features(
    data: str,
    model_file: str,
    found: int,
    found_names: Sequence[str] | None,
    names: list[str] | None,
    expected: int,
) -> None:
    """Raise where rows have another number of features than a model, and say where theirs have other names."""
    if found != expected:
        raise ValueError(
            f"{data}: has {found} feature columns, but the model {model_file} has {expected}"
            f"{f' ({chr(44).join(names)})' if names else ''}; choose them with --columns"
        )
    if names is not None and found_names is not None and list(found_names) != names:
        message(f"warning: columns {','.join(found_names)} are taken for the model's features {','.join(names)}")


def facts_of(model: Any) -> dict[str, Any]:
    """A model as JSON."""
    mixture = model if isinstance(model, Mixture) else model.mixture_
    facts: dict[str, Any] = {
        "n_components": mixture.n_components,
        "n_features": mixture.n_features,
        "covariance_type": mixture.covariance_type,
        "equal_weights": mixture.equal_weights,
        "noise_weight": mixture.noise_weight,
        "n_parameters": mixture.n_parameters,
        "feature_names": feature_names(model),
    }
    if model is not mixture:
        total, count = model.lower_bound_ * model.n_observations_, model.n_observations_
        facts |= {
            "converged": model.converged_,
            "status": model.status_.name,
            "n_iter": model.n_iter_,
            "n_observations": count,
            "log_likelihood": total,
            "bic": -2 * total + mixture.n_parameters * float(np.log(count)),
        }
    return facts | {"weights": mixture.weights, "means": mixture.means, "covariances": mixture.covariances}
