"""``mixtura impute``: a table with its missing values filled in, and everything else as it stood."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from mixtura import GaussianMixture, GaussianMixtureImputer, Mixture
from mixtura.cli.console import DONE, NOT_CONVERGED, guarded
from mixtura.cli.models import as_estimator, check_features, feature_names, loaded
from mixtura.cli.options import (
    Columns,
    Data,
    MissingValues,
    Output,
    PriorName,
    Seed,
    Threads,
    Weights,
    component_numbers,
    covariance_name,
    names_of,
)
from mixtura.estimators.imputer import STRATEGIES
from mixtura.shape import Array
from mixtura.table import WholeTable, read_whole, write_table

__all__ = ["impute"]

TEXT_ENDINGS = ("", ".csv", ".tsv", ".txt")


def _strategy(name: str) -> str:
    if name not in STRATEGIES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(STRATEGIES)}")
    return name


def _numbers(text: str) -> str:
    if text != "auto":
        component_numbers(text)
    return text


@guarded
def impute(
    data: Data,
    model_file: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="Model file; default: a fit to DATA.")
    ] = None,
    components: Annotated[
        str,
        typer.Option(
            "--components", "-k", metavar="K", callback=_numbers,
            help="Of a fit to DATA: 3, auto, or 1:9 or 2,4,8, the lowest BIC of these.",
        ),
    ] = "2",
    covariance: Annotated[
        str, typer.Option(callback=covariance_name, help="full, tied, diag, spherical, or mclust's: EII to VVV, E, V.")
    ] = "tied",
    prior: PriorName = "none",
    strategy: Annotated[
        str,
        typer.Option(
            callback=_strategy,
            help="mean: what is expected; draw: at random; multiple: several draws, one table under another.",
        ),
    ] = "mean",
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="Number of draws of multiple.")] = 5,
    columns: Columns = None,
    weights: Weights = None,
    missing_values: MissingValues = None,
    seed: Seed = None,
    threads: Threads = None,
    output: Output = None,
) -> int:
    """Fill in the missing values of DATA; columns that are no features pass through."""
    missing = names_of(missing_values) or ()
    asked: dict[str, Any] = {"strategy": strategy, "n_imputations": number, "random_state": seed, "n_threads": threads}
    if model_file is not None:
        imputer, names = _imputer_of(model_file)
        whole = read_whole(data, names_of(columns), weights, names, missing)
        check_features(data, model_file, whole.table, names, imputer.n_features_in_)
    else:
        whole = read_whole(data, names_of(columns), weights, missing=missing)
        numbers = components if components == "auto" else component_numbers(components)
        given = None if prior == "none" else prior
        imputer = GaussianMixtureImputer(numbers, covariance_type=covariance, prior=given, keep_empty_features=True)
        _refuse_empty(data, whole)
        imputer.set_params(**asked).fit(whole.table.frame, sample_weight=whole.table.weights)
    filled = imputer.set_params(**asked).transform(whole.table.frame)
    _write(output, whole, filled if strategy == "multiple" else filled[None], strategy == "multiple")
    return DONE if model_file is not None or imputer.estimator_.converged_ else NOT_CONVERGED


def _imputer_of(model_file: str) -> tuple[GaussianMixtureImputer, list[str] | None]:
    """An imputer by the mixture in a file, and its features' names."""
    model = loaded(model_file, (GaussianMixtureImputer,))
    names = feature_names(model)
    if isinstance(model, GaussianMixtureImputer):
        if names is not None:
            names = [name for name, seen in zip(names, model.observed_features_, strict=True) if seen]
        model = model.estimator_
    mixture: Mixture = model if isinstance(model, Mixture) else model.mixture_
    if mixture.background is not None:
        raise ValueError(f"{model_file}: holds a mixture with noise, of which a row says nothing; fit one without")
    estimator: GaussianMixture = as_estimator(model)  # which knows no names of features
    return GaussianMixtureImputer.of_fitted(estimator), names


def _refuse_empty(data: str, whole: WholeTable) -> None:
    for place in np.flatnonzero(np.isnan(whole.table.frame).all(axis=0)):
        label = whole.selection.label(whole.selection.features[place])
        raise ValueError(f"{data}: {label} has no value in any row; leave it out with --columns")


def _write(output: str | None, whole: WholeTable, sets: NDArray[Any], several: bool) -> None:
    """One table, or several one under another with their number in front."""
    destination: Any = sys.stdout if output in (None, "-") else output
    as_text = destination is sys.stdout or Path(str(output)).suffix.lower() in TEXT_ENDINGS
    tables = [whole.filled(_float64(frame), as_text) for frame in sets]
    content: dict[str, Any] = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    if several:
        content = {"imputation": np.repeat(np.arange(len(sets)), len(whole.table.frame)), **content}
    write_table(destination, content)


def _float64(frame: NDArray[Any]) -> Array:
    return np.asarray(frame, dtype=np.float64)
