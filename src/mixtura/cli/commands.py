"""The commands and their options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import mixtura
from mixtura import GaussianMixture, Mixture, Status
from mixtura.cli.console import DONE, NOT_CONVERGED, guarded, message, print_json, progress
from mixtura.cli.fitting import DRAWINGS, Candidate, best_of, draw, fit_candidate, selection_text, with_names
from mixtura.covariance import ALIASES, MODELS
from mixtura.estimators.parameters import PRIORS
from mixtura.initialization import INITIALIZERS
from mixtura.persistence import load, save
from mixtura.summary import summary_text
from mixtura.table import WRITABLE, Table, read_table, write_table

__all__ = ["application"]

application = typer.Typer(
    name="mixtura",
    help="Gaussian mixture models. Data go to standard output, messages to standard error.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MAX_COMPONENTS = 100_000


# Options


def _component_numbers(text: str) -> list[int]:
    """``3``, ``1:9`` (both ends count) or ``2,4,8``."""
    numbers: list[int] = []
    try:
        for part in text.split(","):
            first, colon, last = part.partition(":")
            low, high = int(first), int(last if colon else first)
            numbers += range(low, min(high, MAX_COMPONENTS + 1) + 1) if low <= high else [0]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1 or max(numbers) > MAX_COMPONENTS:
        raise typer.BadParameter(f"{text!r} is neither a number like 3, a range like 1:9 nor a list like 2,4,8")
    return sorted(set(numbers))


def _covariance_name(name: str) -> str:
    known = [*ALIASES, *MODELS]
    if name not in known:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(known)}")
    return name


def _starts(text: str) -> str:
    if text != "auto" and not (text.isdecimal() and int(text) > 0):
        raise typer.BadParameter(f"{text!r} is neither auto nor a number of at least 1")
    return text


def _initialization_name(name: str) -> str:
    if name not in INITIALIZERS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(INITIALIZERS)}")
    return name


def _prior_name(name: str) -> str:
    if name not in ("none", *PRIORS):
        raise typer.BadParameter(f"{name!r} is neither none nor {', '.join(PRIORS)}")
    return name


def _destination(endings: tuple[str, ...], or_standard_output: bool = False) -> Callable[[str | None], str | None]:
    """A check that a file can be written, made before the work and not after it."""

    def check(path: str | None) -> str | None:
        if path is None or (path == "-" and or_standard_output):
            return path
        if Path(path).suffix.lower() not in endings:
            raise typer.BadParameter(f"{path!r} must end in {', '.join(endings)}")
        if not Path(path).absolute().parent.is_dir():
            raise typer.BadParameter(f"there is no folder {str(Path(path).parent)!r}")
        return path

    return check


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mixtura {mixtura.__version__}")
        raise typer.Exit


Data = Annotated[str, typer.Argument(metavar="DATA", help="CSV, TSV, Parquet or .npy file; - for standard input.")]
ModelFile = Annotated[str, typer.Argument(metavar="MODEL", help="Model file that `mixtura fit -o` wrote.")]
Columns = Annotated[
    str | None, typer.Option("--columns", help="Features: names, or positions from 0 without a header; commas between.")
]
Weights = Annotated[str | None, typer.Option("--weights", metavar="COLUMN", help="Column of the rows' weights.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed; the same seed, the same result.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads; the result is the same for any number.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        callback=_destination(WRITABLE, True),
        help=f"Write here: {', '.join(WRITABLE)}.",
    ),
]
Components = Annotated[
    str,
    typer.Option("--components", "-k", metavar="K", help="3, or 1:9 or 2,4,8: the lowest BIC of these."),
]


@application.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
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
        str, typer.Option(callback=_covariance_name, help="full, tied, diag, spherical, or mclust's: EII to VVV, E, V.")
    ] = "full",
    equal_weights: Annotated[bool, typer.Option("--equal-weights", help="Hold the components' shares equal.")] = False,
    prior: Annotated[str, typer.Option(callback=_prior_name, help="none, or default: scaled to the data.")] = "none",
    noise: Annotated[bool, typer.Option("--noise", help="Add a uniform background; its label is -1.")] = False,
    columns: Columns = None,
    weights: Weights = None,
    seed: Seed = None,
    init: Annotated[str, typer.Option(callback=_initialization_name, help=f"{', '.join(INITIALIZERS)}.")] = "kmeans",
    n_init: Annotated[
        str,
        typer.Option("--n-init", metavar="N", callback=_starts, help="auto: search for the best; or that many starts."),
    ] = "auto",
    tol: Annotated[float, typer.Option(min=0.0, help="Log likelihood per row that may be left to gain.")] = 1e-6,
    max_iter: Annotated[int, typer.Option("--max-iter", min=1, help="Largest number of EM iterations.")] = 1000,
    reg_covar: Annotated[
        float, typer.Option("--reg-covar", min=0.0, help="Least variance, as a share of the features' own.")
    ] = 1e-6,
    threads: Threads = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", callback=_destination((".json",)), help="Model file to write: .json."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="FILE", callback=_destination(WRITABLE), help="Write each row's component here."),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE", callback=_destination(DRAWINGS), help="Draw the result here: .png, .svg, .pdf."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Fit a mixture to DATA and show it. Exit code 3: written, but EM did not converge."""
    numbers = _component_numbers(components)
    options = {
        "covariance_type": covariance, "equal_weights": equal_weights, "random_state": seed, "init_params": init,
        "n_init": n_init if n_init == "auto" else int(n_init), "tol": tol, "max_iter": max_iter,
        "reg_covar": reg_covar, "n_threads": threads, "prior": None if prior == "none" else prior, "noise": noise,
    }  # fmt: skip
    table = read_table(data, _names(columns), weights)
    candidates = _fit_all(table, numbers, options)
    best = best_of(candidates)
    _write_results(table, candidates, best, {"output": output, "labels": labels, "plot": plot})
    if as_json:
        chosen = {"selection": [one.facts() for one in candidates]} if len(candidates) > 1 else {}
        print_json({**_facts(best.model), **chosen})
    else:
        selection = selection_text(candidates, best) + "\n\n" if len(candidates) > 1 else ""
        print(selection + best.model.summary())
    return DONE if best.model.converged_ else NOT_CONVERGED


def _fit_all(table: Table, numbers: list[int], options: dict[str, Any]) -> list[Candidate]:
    candidates = []
    with progress(len(numbers)) as advance:
        for number in numbers:
            advance(f"{number} components")
            candidates.append(fit_candidate(table, number, options, several=len(numbers) > 1))
    return candidates


def _write_results(table: Table, candidates: list[Candidate], best: Candidate, files: dict[str, str | None]) -> None:
    """The model first: nothing that fails later may lose it."""
    assignment = best.model.predict(table.frame) if files["labels"] or files["plot"] else np.empty(0)
    with_names(best.model, table.names)
    if files["output"] is not None:
        save(best.model, files["output"])
    if files["labels"] is not None:
        write_table(files["labels"], {"label": assignment})
    if files["plot"] is not None:
        draw(files["plot"], candidates, best, table, assignment)


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
    threads: Threads = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """The most probable component of each row of DATA."""
    model, table = _model_and_rows(model_file, data, columns, None, threads)
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
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Log likelihood, AIC and BIC of DATA under a model."""
    model, table = _model_and_rows(model_file, data, columns, weights, threads)
    density = model.score_samples(table.frame)
    share = np.ones(len(density)) if table.weights is None else table.weights
    total, count, parameters = float(share @ density), float(share.sum()), model.mixture_.n_parameters
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
    model = load(model_file)
    names = _feature_names(model)
    mixture = _as_estimator(model).mixture_
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
    model = load(model_file)
    if as_json:
        print_json(_facts(model))
    elif isinstance(model, Mixture):
        facts = [("components", str(model.n_components)), ("covariance", model.covariance_type)]
        print(summary_text(model, facts))
    else:
        print(model.summary())


# Models


def _feature_names(model: Any) -> list[str] | None:
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _as_estimator(model: Any) -> Any:
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


def _model_and_rows(
    model_file: str, data: str, columns: str | None, weights: str | None, threads: int | None
) -> tuple[Any, Table]:
    """A model, and rows with the features that it knows."""
    model = load(model_file)
    names = _feature_names(model)
    estimator = _as_estimator(model).set_params(n_threads=threads)
    table = read_table(data, _names(columns), weights, expected=names)
    expected, found = estimator.mixture_.n_features, table.frame.shape[1]
    if found != expected:
        raise ValueError(
            f"{data}: has {found} feature columns, but the model {model_file} has {expected}"
            f"{f' ({chr(44).join(names)})' if names else ''}; choose them with --columns"
        )
    if names is not None and table.names is not None and list(table.names) != names:
        message(f"warning: columns {','.join(table.names)} are taken for the model's features {','.join(names)}")
    return estimator, table


def _facts(model: Any) -> dict[str, Any]:
    """A model as JSON."""
    mixture = model if isinstance(model, Mixture) else model.mixture_
    facts: dict[str, Any] = {
        "n_components": mixture.n_components,
        "n_features": mixture.n_features,
        "covariance_type": mixture.covariance_type,
        "equal_weights": mixture.equal_weights,
        "noise_weight": mixture.noise_weight,
        "n_parameters": mixture.n_parameters,
        "feature_names": _feature_names(model),
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
