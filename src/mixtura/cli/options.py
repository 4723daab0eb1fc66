"""The options that several commands have, and the checks of what is given for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

import mixtura
from mixtura.covariance import ALIASES, MODELS
from mixtura.estimators.gaussian_mixture_ic import CRITERIA
from mixtura.estimators.parameters import PRIORS
from mixtura.initialization import INITIALIZERS
from mixtura.table import WRITABLE, bytes_of

MAX_COMPONENTS = 100_000

DRAWINGS = (".png", ".svg", ".pdf")
PAGES = (".html", ".htm")


def component_numbers(text: str) -> list[int]:
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


def covariance_name(name: str) -> str:
    """A covariance model's name."""
    known = [*ALIASES, *MODELS]
    if name not in known:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(known)}")
    return name


def covariance_names(text: str) -> str:
    """``all``, or names with commas between."""
    for name in [] if text == "all" else text.split(","):
        covariance_name(name)
    return text


def criterion_name(name: str) -> str:
    """A criterion's name."""
    if name not in CRITERIA:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(CRITERIA)}")
    return name


def starts(text: str) -> str:
    """``auto``, or a number of starts."""
    if text != "auto" and not (text.isdecimal() and int(text) > 0):
        raise typer.BadParameter(f"{text!r} is neither auto nor a number of at least 1")
    return text


def initialization_name(name: str) -> str:
    """An initialisation's name."""
    if name not in INITIALIZERS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(INITIALIZERS)}")
    return name


def prior_name(name: str) -> str:
    """A prior's name."""
    if name not in ("none", *PRIORS):
        raise typer.BadParameter(f"{name!r} is neither none nor {', '.join(PRIORS)}")
    return name


def destination(endings: tuple[str, ...], or_standard_output: bool = False) -> Callable[[str | None], str | None]:
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


def checkpoint_option(path: str | None, resume: bool, numbers: list[int]) -> dict[str, str]:
    """The estimator's parameter, where there is to be a checkpoint."""
    if path is None:
        if resume:
            raise typer.BadParameter("--resume needs --checkpoint FILE")
        return {}
    if len(numbers) > 1:
        raise typer.BadParameter("--checkpoint works with one number of components")
    there = [name for name in (path, f"{path}.previous") if Path(name).exists()]
    if there and not resume:
        raise typer.BadParameter(f"{' and '.join(there)} exists: go on from it with --resume, or delete it")
    return {"checkpoint": path}


def memory_limit(text: str | None) -> str | None:
    """A number of bytes."""
    if text is not None:
        try:
            bytes_of(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    return text


def names_of(text: str | None) -> list[str] | None:
    """Names with commas between."""
    return None if text is None else [name.strip() for name in text.split(",")]


def print_version(wanted: bool) -> None:
    """Say which version this is, and leave."""
    if wanted:
        print(f"mixtura {mixtura.__version__}")
        raise typer.Exit


Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="CSV, TSV, Parquet or .npy file, or a folder or pattern of them; - for standard input."
    ),
]
ModelFile = Annotated[str, typer.Argument(metavar="MODEL", help="Model file that `mixtura fit -o` wrote.")]
Columns = Annotated[
    str | None, typer.Option("--columns", help="Features: names, or positions from 0 without a header; commas between.")
]
Weights = Annotated[str | None, typer.Option("--weights", metavar="COLUMN", help="Column of the rows' weights.")]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        "--memory-limit",
        metavar="BYTES",
        callback=memory_limit,
        help="Read DATA a piece at a time within so much memory: 500M, 2GiB. Several or large files always are (1GB).",
    ),
]
DaskAddress = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="Fit on the Dask cluster at tcp://...; local: one of threads here."),
]
MissingValues = Annotated[
    str | None,
    typer.Option(
        "--missing-values",
        metavar="TEXTS",
        help='Cells that stand for a missing value, commas between: "NA,?"; an empty one always does.',
    ),
]
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
        callback=destination(WRITABLE, True),
        help=f"Write here: {', '.join(WRITABLE)}.",
    ),
]
Components = Annotated[
    str,
    typer.Option("--components", "-k", metavar="K", help="3, or 1:9 or 2,4,8: the lowest BIC of these."),
]


EqualWeights = Annotated[bool, typer.Option("--equal-weights", help="Hold the components' shares equal.")]
PriorName = Annotated[str, typer.Option("--prior", callback=prior_name, help="none, or default: scaled to the data.")]
Noise = Annotated[bool, typer.Option("--noise", help="Add a uniform background; its label is -1.")]
Tolerance = Annotated[float, typer.Option("--tol", min=0.0, help="Log likelihood per row that may be left to gain.")]
MaxIterations = Annotated[int, typer.Option("--max-iter", min=1, help="Largest number of EM iterations.")]
Floor = Annotated[
    float, typer.Option("--reg-covar", min=0.0, help="Least variance, as a share of the features' own.")
]
ModelOutput = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="FILE", callback=destination((".json",)), help="Model file to write: .json."
    ),
]
Checkpoint = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="FILE", help="Keep the fit here as it goes, for --resume; it stays."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint; begin where there is none.")]
Labels = Annotated[
    str | None,
    typer.Option("--labels", metavar="FILE", callback=destination(WRITABLE), help="Write each row's component here."),
]
ReportFile = Annotated[
    str | None,
    typer.Option(
        "--report", metavar="FILE", callback=destination(PAGES), help="Show the result as a page here: .html."
    ),
]
Plot = Annotated[
    str | None,
    typer.Option(
        "--plot", metavar="FILE", callback=destination(DRAWINGS), help="Draw the result here: .png, .svg, .pdf."
    ),
]
