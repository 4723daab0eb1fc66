"""``mixtura impute``: a table with its missing values filled in, and everything else as it stood."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from mixtura import GaussianMixture, GaussianMixtureImputer, Mixture
from mixtura.cli.console import DONE, NOT_CONVERGED, guarded
from mixtura.cli.models import as_estimator, check_features, feature_names, loaded
from mixtura.cli.options import (
    Columns,
    Data,
    MemoryLimit,
    MissingValues,
    Output,
    PriorName,
    Seed,
    Threads,
    Weights,
    component_numbers,
    covariance_name,
)
from mixtura.cli.streaming import reader_for
from mixtura.estimators.imputer import STRATEGIES
from mixtura.estimators.incomplete import observed_features
from mixtura.source import Source
from mixtura.table import RowReader, TableError, table_writer

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
    memory_limit: MemoryLimit = None,
    output: Output = None,
) -> int:
    """Fill in the missing values of DATA, file to file; columns that are no features pass through."""
    asked: dict[str, Any] = {"strategy": strategy, "n_imputations": number, "random_state": seed, "n_threads": threads}
    with _files_of(data) as files:
        reader = reader_for(files, columns, weights, missing_values, memory_limit)
        if model_file is not None:
            imputer, reader = _imputer_of(model_file, data, reader)
        else:
            reader.alike()  # before the work, and not after it
            numbers = components if components == "auto" else component_numbers(components)
            given = None if prior == "none" else prior
            imputer = GaussianMixtureImputer(numbers, covariance_type=covariance, prior=given)
            with reader.source() as source:
                rows = source.at_hand()
                _refuse_empty(data, reader, rows)
                imputer.set_params(**asked).fit(rows)
        _write(output, reader, imputer.set_params(**asked))
    return DONE if model_file is not None or imputer.estimator_.converged_ else NOT_CONVERGED


@contextlib.contextmanager
def _files_of(data: str) -> Iterator[str]:
    """Where the rows are: those of standard input in a file of their own, because they are read more than once."""
    if data != "-":
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="mixtura-") as folder:
        path = os.path.join(folder, "input.csv")
        with open(path, "wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        try:
            yield path
        except TableError as error:
            raise TableError(str(error).replace(path, "standard input")) from None


def _imputer_of(model_file: str, data: str, reader: RowReader) -> tuple[GaussianMixtureImputer, RowReader]:
    """An imputer by the mixture in a file, and the rows with the features that it knows."""
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
    reader = reader.expecting(names)
    check_features(data, model_file, reader.n_features, reader.names, names, mixture.n_features)
    return GaussianMixtureImputer.of_fitted(estimator), reader


def _refuse_empty(data: str, reader: RowReader, rows: Source) -> None:
    for place in np.flatnonzero(~observed_features(rows, None)[0]):
        label = f"column {place}" if reader.names is None else f"column {reader.names[place]!r}"
        raise ValueError(f"{data}: {label} has no value in any row; leave it out with --columns")


def _write(output: str | None, reader: RowReader, imputer: GaussianMixtureImputer) -> None:
    """One table, or several one under another with their number in front; a piece at a time, again for each."""
    destination: Any = sys.stdout if output in (None, "-") else output
    as_text = destination is sys.stdout or Path(str(output)).suffix.lower() in TEXT_ENDINGS
    with table_writer(destination) as write:
        n_rows = 0
        for number, draws in enumerate(imputer._data_sets()):
            for piece in reader.whole():
                filled = imputer._filled(piece.table.frame, [draws])[0]
                n_rows += len(filled)
                content = piece.filled(filled, as_text)
                front = {"imputation": np.full(len(filled), number)} if imputer.strategy == "multiple" else {}
                write({**front, **content})
        if n_rows == 0:
            raise ValueError(f"{reader.label}: there are no rows of data")
