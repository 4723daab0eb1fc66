"""``mixtura report``: a fitted model and its rows as one HTML file."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mixtura import GaussianMixtureOutlierDetector
from mixtura.cli.console import guarded, progress
from mixtura.cli.models import model_and_rows
from mixtura.cli.options import PAGES, Columns, Data, MissingValues, ModelFile, Threads, Weights, destination
from mixtura.table import Table

__all__ = ["report_command", "write_page"]

ReportOutput = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="FILE", callback=destination(PAGES), help="HTML file to write."
    ),
]
Title = Annotated[str | None, typer.Option("--title", help="Title of the page.")]


@guarded
def report_command(
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
    # a detector is what is asked about, not the mixture alone
    also = (GaussianMixtureOutlierDetector,)
    model, table = model_and_rows(model_file, data, columns, weights, missing_values, threads, also)
    # of a bare mixture nothing is known but the distribution: its estimator is a shell
    write_page(output, model if getattr(model, "n_observations_", 1.0) else model.mixture_, table, title)


def write_page(path: str, model: Any, table: Table, title: str | None = None) -> None:
    """Write the report of a model over a table's rows."""
    from mixtura.report import STEPS, write_report

    with progress(len(STEPS)) as advance:
        write_report(
            model,
            table.frame,
            path,
            sample_weight=table.weights,
            title=title,
            feature_names=table.names,
            on_step=advance,
        )
