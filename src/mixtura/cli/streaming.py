"""What the commands do with rows that may be larger than memory: fits, predictions and scores, file to file."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np

from mixtura import GaussianMixture, GaussianMixtureIC
from mixtura.cli.console import message
from mixtura.cli.models import as_estimator, feature_names, loaded
from mixtura.cli.options import names_of
from mixtura.cli.selecting import choose, with_names
from mixtura.em import Trajectory
from mixtura.table import RowReader, open_rows, table_writer

__all__ = ["fit_streamed", "is_streamed", "label_rows", "model_and_reader", "reader_for", "refuse_pictures"]

#: A file of so many bytes is read a piece at a time even if nothing was said of memory.
LARGE_FILE = 1_000_000_000

DEFAULT_LIMIT = "1GB"


def is_streamed(data: str, memory_limit: str | None, dask: str | None = None) -> bool:
    """Whether data are read a piece at a time: several files, a compressed or large one, or where a limit is set."""
    asked = memory_limit is not None or dask is not None
    if data == "-":
        if asked:
            raise ValueError("standard input is read whole: --memory-limit and --dask need files")
        return False
    several = os.path.isdir(data) or (glob.has_magic(data) and not os.path.exists(data))
    large = os.path.isfile(data) and os.path.getsize(data) > LARGE_FILE
    return asked or several or large or data.lower().endswith((".gz", ".zst"))


def reader_for(
    data: str, columns: str | None, weights: str | None, missing: str | None, memory_limit: str | None
) -> RowReader:
    """The rows that the options describe."""
    return open_rows(
        data,
        columns=names_of(columns),
        weights=weights,
        missing=names_of(missing) or (),
        memory_limit=memory_limit or DEFAULT_LIMIT,
    )


def fit_streamed(
    reader: RowReader,
    data: str,
    numbers: Sequence[int],
    options: dict[str, Any],
    files: dict[str, str | None],
    dask: str | None,
) -> tuple[GaussianMixture, GaussianMixtureIC | None]:
    """A fitted model, and the choice that it comes from if there was one; `files` says what else was asked for."""
    refuse_pictures(files)
    if len(numbers) > 1:
        if dask is not None:
            raise ValueError("a choice among numbers of components is not made on a cluster; give one number with -k")
        choice = choose(reader, None, numbers, options)
        return choice.best_estimator_, choice
    model = GaussianMixture(numbers[0], **options)
    with _shown(model):
        if dask is None:
            model.fit(reader)
        else:
            from mixtura.engine.dask_files import connected

            with connected(dask) as collection:
                with_names(model.fit(*collection(reader)), reader.names)
            message(f"at most {model.bytes_per_iteration_ / 1e3:.1f} kB travelled in an iteration")
    return model, None


def refuse_pictures(files: dict[str, str | None]) -> None:
    """Raise where something is asked for that shows rows."""
    for name in ("plot", "report"):
        if files[name] is not None:
            raise ValueError(f"--{name} needs the rows in memory")


@contextlib.contextmanager
def _shown(model: GaussianMixture) -> Iterator[None]:
    """Progress on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.status import Status

    with Status("reading", console=Console(stderr=True)) as status:
        model.__dict__["_progress"] = lambda context: _report(status.update)
        try:
            yield
        finally:
            del model.__dict__["_progress"]


def _report(show: Callable[[str], None]) -> Callable[[Sequence[Trajectory]], None]:
    """What is called after each pass."""
    last = [time.perf_counter()]

    def report(trajectories: Sequence[Trajectory]) -> None:
        show(progress_line(trajectories, time.perf_counter() - last[0]))
        last[0] = time.perf_counter()

    return report


def progress_line(trajectories: Sequence[Trajectory], seconds: float) -> str:
    """Iteration, log likelihood (in standardised coordinates), estimated gap to the optimum, and rows per second."""
    best = max(trajectories, key=lambda one: one.log_likelihood)
    rows = 0.0 if best.statistics is None else best.statistics.total_weight
    gap = f"{best.gap:.2g}" if np.isfinite(best.gap) else "not known yet"
    return (
        f"iteration {best.n_iter}  log likelihood {best.log_likelihood:.6f} per row  left to gain {gap}  "
        f"{rows / max(seconds, 1e-9) / 1e6:.2f} million rows/s"
    )


def model_and_reader(model_file: str, reader: RowReader, threads: int | None) -> tuple[Any, RowReader]:
    """A model, and rows with the features that it knows."""
    model = loaded(model_file)
    names = feature_names(model)
    estimator = as_estimator(model).set_params(n_threads=threads)
    reader = reader.expecting(names)
    if reader.n_features != estimator.mixture_.n_features:
        raise ValueError(
            f"the rows have {reader.n_features} feature columns, but the model {model_file} has "
            f"{estimator.mixture_.n_features}; choose them with --columns"
        )
    return estimator, reader


def label_rows(model: Any, reader: RowReader, place: Any, probability: bool) -> None:
    """The label of each row, and the probabilities if they are asked for, a piece at a time."""
    model, mixture = as_estimator(copy(model)), model.mixture_  # pieces have no names
    names = [f"probability_{k}" for k in range(mixture.n_components)]
    names += [] if mixture.background is None else ["probability_noise"]
    with table_writer(place) as write:
        n_rows = 0
        for rows, _ in reader:
            n_rows += len(rows)
            shares = dict(zip(names, model.predict_proba(rows).T, strict=True)) if probability else {}
            write({"label": model.predict(rows), **shares})
        if n_rows == 0:
            raise ValueError("there are no rows of data")
