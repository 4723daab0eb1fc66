"""``mixtura report``: a fitted model and its rows as one HTML file."""

from __future__ import annotations

from typing import Annotated

import typer

from mixtura import GaussianMixtureOutlierDetector
from mixtura.cli.console import guarded, progress
from mixtura.cli.models import model_and_rows
from mixtura.cli.options import Columns, Data, MissingValues, ModelFile, Threads, Weights, destination

__all__ = ["report"]

ReportOutput = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="FILE", callback=destination((".html", ".htm")), help="HTML file to write."
    ),
]
Title = Annotated[str | None, typer.Option("--title", help="Title of the page.")]


@guarded
def report(
    model_file: ModelFile,
    data: Data,
    output: ReportOutput,
    title: Title = None,
    columns: Columns = None,
    weights: Weights = None,
    missing_values: MissingValues = None,
    threads: Threads = None,
) -> None:
    """Show a model and the rows of DATA as one HTML file, which works offline."""
    from mixtura.report import STEPS, write_report

    with progress(len(STEPS) + 1) as advance:
        advance("reading")
        also = (GaussianMixtureOutlierDetector,)
        model, table = model_and_rows(model_file, data, columns, weights, missing_values, threads, also)
        # of a bare mixture nothing is known but the distribution: its estimator is a shell
        subject = model if getattr(model, "n_observations_", 1.0) else model.mixture_
        write_report(
            subject,
            table.frame,
            output,
            sample_weight=table.weights,
            title=title,
            feature_names=table.names,
            on_step=advance,
        )
