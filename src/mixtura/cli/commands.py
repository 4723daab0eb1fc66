"""The commands and their options."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import numpy as np
import typer

from mixtura import GaussianMixture, Mixture
from mixtura.cli.console import DONE, NOT_CONVERGED, guarded, print_json
from mixtura.cli.imputing import impute
from mixtura.cli.models import as_estimator, facts_of, feature_names, loaded, model_and_rows
from mixtura.cli.options import (
    Checkpoint,
    Columns,
    Components,
    DaskAddress,
    Data,
    EqualWeights,
    Floor,
    Json,
    Labels,
    MaxIterations,
    MemoryLimit,
    MissingValues,
    ModelFile,
    ModelOutput,
    Noise,
    Output,
    Plot,
    PriorName,
    ReportFile,
    Resume,
    Seed,
    Threads,
    Tolerance,
    Weights,
    checkpoint_option,
    component_numbers,
    covariance_name,
    covariance_names,
    criterion_name,
    initialization_name,
    names_of,
    print_version,
    starts,
)  # fmt: skip
from mixtura.cli.reporting import report_command, write_page
from mixtura.cli.selecting import cells_of, choose, draw, numbers_text, ranking_text, with_names
from mixtura.cli.streaming import (
    fit_streamed,
    is_streamed,
    label_rows,
    model_and_reader,
    reader_for,
    refuse_pictures,
)
from mixtura.estimators.gaussian_mixture_ic import CRITERIA
from mixtura.estimators.mapping import total_log_density
from mixtura.initialization import INITIALIZERS
from mixtura.persistence import save
from mixtura.summary import summary_text
from mixtura.table import RowReader, Table, read_table, write_table

__all__ = ["application"]

application = typer.Typer(
    name="mixtura",
    help="Gaussian mixture models. Data go to standard output, messages to standard error.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@application.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


# Commands


@application.command()
@guarded
def fit(
    data: Data,
    components: Components,
    covariance: Annotated[
        str, typer.Option(callback=covariance_name, help="full, tied, diag, spherical, or mclust's: EII to VVV, E, V.")
    ] = "full",
    equal_weights: EqualWeights = False,
    prior: PriorName = "none",
    noise: Noise = False,
    columns: Columns = None,
    weights: Weights = None,
    missing_values: MissingValues = None,
    seed: Seed = None,
    init: Annotated[str, typer.Option(callback=initialization_name, help=f"{', '.join(INITIALIZERS)}.")] = "kmeans",
    n_init: Annotated[
        str,
        typer.Option("--n-init", metavar="N", callback=starts, help="auto: search for the best; or that many starts."),
    ] = "auto",
    tol: Tolerance = 1e-6,
    max_iter: MaxIterations = 1000,
    reg_covar: Floor = 1e-6,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
    dask: DaskAddress = None,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    output: ModelOutput = None,
    labels: Labels = None,
    plot: Plot = None,
    report: ReportFile = None,
    as_json: Json = False,
) -> int:
    """Fit a mixture to DATA and show it. Exit code 3: written, but EM did not converge."""
    numbers = component_numbers(components)
    options = {
        "covariance_type": covariance, "equal_weights": equal_weights, "random_state": seed, "init_params": init,
        "n_init": n_init if n_init == "auto" else int(n_init), "tol": tol, "max_iter": max_iter,
        "reg_covar": reg_covar, "n_threads": threads, "prior": None if prior == "none" else prior, "noise": noise,
        **checkpoint_option(checkpoint, resume, numbers),
    }  # fmt: skip
    files = {"output": output, "labels": labels, "plot": plot, "report": report}
    choice = None
    if is_streamed(data, memory_limit, dask):
        reader = reader_for(data, columns, weights, missing_values, memory_limit)
        model, choice = fit_streamed(reader, data, numbers, options, files, dask)
        _write_streamed(model, reader, output, labels)
    else:
        table = read_table(data, names_of(columns), weights, missing=names_of(missing_values) or ())
        model, choice = _fit_all(table, numbers, options)
        _write_results(table, model, choice, files)
    if as_json:
        print_json({**facts_of(model), **({} if choice is None else {"selection": cells_of(choice)})})
    else:
        print(("" if choice is None else numbers_text(choice) + "\n\n") + model.summary())
    return DONE if model.converged_ else NOT_CONVERGED


def _fit_all(table: Table, numbers: list[int], options: dict[str, Any]) -> tuple[GaussianMixture, Any]:
    """The fit of one number of components, or the best of several and the choice that it comes from."""
    if len(numbers) > 1:
        choice = choose(table.frame, table.weights, numbers, options)
        return choice.best_estimator_, choice
    model = GaussianMixture(numbers[0], **options)
    return model.fit(table.frame, sample_weight=table.weights), None


def _write_streamed(model: GaussianMixture, reader: RowReader, output: str | None, labels: str | None) -> None:
    if output is not None:
        save(model, output)
    if labels is not None:
        label_rows(model, reader, labels, False)


def _write_results(table: Table, model: GaussianMixture, choice: Any, files: dict[str, str | None]) -> None:
    """The model first: nothing that fails later may lose it."""
    assignment = model.predict(table.frame) if files["labels"] or files["plot"] else np.empty(0)
    with_names(model, table.names)
    if files["output"] is not None:
        save(model, files["output"])
    if files["labels"] is not None:
        write_table(files["labels"], {"label": assignment})
    if files["plot"] is not None:
        draw(files["plot"], model, choice, table, assignment)
    if files["report"] is not None:
        write_page(files["report"], model if choice is None else choice, table)


@application.command()
@guarded
def select(
    data: Data,
    components: Annotated[str, typer.Option("--components", "-k", metavar="K", help="1:9 or 2,4,8.")] = "1:9",
    covariance: Annotated[
        str, typer.Option(callback=covariance_names, help="all, or names with commas between.")
    ] = "all",
    criterion: Annotated[
        str, typer.Option(callback=criterion_name, help=f"{', '.join(CRITERIA)}; lower is better.")
    ] = "bic",
    equal_weights: EqualWeights = False,
    prior: PriorName = "none",
    noise: Noise = False,
    columns: Columns = None,
    weights: Weights = None,
    missing_values: MissingValues = None,
    seed: Seed = None,
    tol: Tolerance = 1e-6,
    max_iter: MaxIterations = 1000,
    reg_covar: Floor = 1e-6,
    threads: Threads = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Folds of cv at a time, in processes.")] = None,
    memory_limit: MemoryLimit = None,
    output: ModelOutput = None,
    labels: Labels = None,
    plot: Plot = None,
    report: ReportFile = None,
    as_json: Json = False,
) -> int:
    """Choose the number of components and the covariance model for DATA. Exit code 3: the best did not converge."""
    options = {
        "covariance_type": covariance if covariance == "all" else covariance.split(","), "criterion": criterion,
        "equal_weights": equal_weights, "prior": None if prior == "none" else prior, "noise": noise,
        "random_state": seed, "tol": tol, "max_iter": max_iter, "reg_covar": reg_covar, "n_threads": threads,
        "n_jobs": jobs,
    }  # fmt: skip
    numbers = component_numbers(components)
    files = {"output": output, "labels": labels, "plot": plot, "report": report}
    if is_streamed(data, memory_limit):
        refuse_pictures(files)
        reader = reader_for(data, columns, weights, missing_values, memory_limit)
        choice = choose(reader, None, numbers, options)
        best = choice.best_estimator_
        _write_streamed(best, reader, output, labels)
    else:
        table = read_table(data, names_of(columns), weights, missing=names_of(missing_values) or ())
        choice = choose(table.frame, table.weights, numbers, options)
        best = choice.best_estimator_
        _write_results(table, best, choice, files)
    if as_json:
        print_json({**facts_of(best), "criterion": criterion, "selection": cells_of(choice)})
    else:
        print(ranking_text(choice) + "\n\n" + best.summary())
    return DONE if best.converged_ else NOT_CONVERGED


def _place(path: str | None) -> Any:
    """Where to write: a file, or standard output."""
    return sys.stdout if path in (None, "-") else path


@application.command()
@guarded
def predict(
    model_file: ModelFile,
    data: Data,
    probability: Annotated[bool, typer.Option("--proba", help="Also the probability of each component.")] = False,
    columns: Columns = None,
    missing_values: MissingValues = None,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """The most probable component of each row of DATA."""
    if is_streamed(data, memory_limit):
        if as_json:
            raise ValueError("--json needs the rows in memory; write a table instead")
        reader = reader_for(data, columns, None, missing_values, memory_limit)
        label_rows(*model_and_reader(model_file, reader, threads), _place(output), probability)
        return
    model, table = model_and_rows(model_file, data, columns, None, missing_values, threads)
    labels = model.predict(table.frame)
    chances = model.predict_proba(table.frame) if probability else np.empty((len(labels), 0))
    if as_json:
        print_json({"labels": labels, **({"probabilities": chances} if probability else {})})
    if output is not None or not as_json:
        names = [*map(str, range(model.mixture_.n_components)), "noise"]
        shares = {f"probability_{name}": column for name, column in zip(names, chances.T, strict=False)}
        write_table(_place(output), {"label": labels, **shares})


@application.command()
@guarded
def score(
    model_file: ModelFile,
    data: Data,
    columns: Columns = None,
    weights: Weights = None,
    missing_values: MissingValues = None,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
    as_json: Json = False,
) -> None:
    """Log likelihood, AIC and BIC of DATA under a model."""
    if is_streamed(data, memory_limit):
        reader = reader_for(data, columns, weights, missing_values, memory_limit)
        model, reader = model_and_reader(model_file, reader, threads)
        total, count = total_log_density(model, reader, None)
    else:
        model, table = model_and_rows(model_file, data, columns, weights, missing_values, threads)
        total, count = total_log_density(model, table.frame, table.weights)
    parameters = model.mixture_.n_parameters
    facts = {
        "n_observations": count,
        "n_parameters": parameters,
        "mean_log_likelihood": total / count,
        "log_likelihood": total,
        "aic": -2 * total + 2 * parameters,
        "bic": -2 * total + parameters * float(np.log(count)),
    }
    if as_json:
        print_json(facts)
    else:
        print("\n".join(f"{name:<20}{value:.10g}" for name, value in facts.items()))


@application.command()
@guarded
def sample(
    model_file: ModelFile,
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="Number of rows.")] = 1,
    seed: Seed = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Draw rows from a model, grouped by component."""
    model = loaded(model_file)
    names = feature_names(model)
    mixture = as_estimator(model).mixture_
    rows, components = mixture.rvs(number, random_state=np.random.default_rng(seed))
    titles = names or [f"x{j}" for j in range(mixture.n_features)]
    if as_json:
        print_json({"columns": titles, "rows": rows, "components": components})
    if output is not None or not as_json:
        write_table(_place(output), dict(zip(titles, rows.T, strict=True)))


@application.command()
@guarded
def info(model_file: ModelFile, as_json: Json = False) -> None:
    """What a model file holds."""
    model = loaded(model_file)
    if as_json:
        print_json(facts_of(model))
    elif isinstance(model, Mixture):
        facts = [("components", str(model.n_components)), ("covariance", model.covariance_type)]
        print(summary_text(model, facts))
    else:
        print(model.summary())


application.command()(impute)
application.command("report")(report_command)
