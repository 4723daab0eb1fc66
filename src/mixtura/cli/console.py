"""What the commands share: messages, exit codes, progress and JSON."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np
import typer

__all__ = [
    "DONE", "FAILED", "INTERRUPTED", "NOT_CONVERGED", "TERMINATED", "guarded", "message", "print_json", "progress",
]  # fmt: skip

DONE, FAILED, NOT_CONVERGED, INTERRUPTED, TERMINATED = 0, 1, 3, 130, 143

Command = Callable[..., int | None]


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends the work as Ctrl-C does, with time to put things in order."""


@contextlib.contextmanager
def _termination() -> Iterator[None]:
    """Within, SIGTERM raises `Terminated`; not in a thread, where Python hears no signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(*_: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def message(text: str) -> None:
    """A line on standard error."""
    print(f"mixtura: {text}", file=sys.stderr, flush=True)


def guarded(command: Command) -> Callable[..., None]:
    """A command whose warnings are lines, whose errors are one line, and whose result is the exit code."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        raise typer.Exit(_exit_code(functools.partial(command, *arguments, **options)))

    return run


def _exit_code(command: Callable[[], int | None]) -> int:
    try:
        with _termination(), warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            code = command() or DONE
            sys.stdout.flush()
            return code
    except Terminated:
        message("terminated")
        return TERMINATED
    except KeyboardInterrupt:
        message("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return _forget_standard_output()
    except (ValueError, TypeError, OSError, ImportError) as error:
        message(f"error: {error}")
    except MemoryError as error:
        message(f"error: not enough memory: {error}")
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        message(f"error: unexpected {type(error).__name__}: {error}; please report this as a fault of mixtura")
    return FAILED


def _show_warning(warning: Warning | str, category: type[Warning], *_: Any) -> None:
    if issubclass(category, UserWarning):  # what libraries say to their developers is of no use here
        message(f"warning: {warning}")


def _forget_standard_output() -> int:
    """The reader has left: nothing more can be said there, and nothing is wrong."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on standard error, moved on by each call with what is done next; nothing where it is no terminal."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, done = bar.add_task("", total=total), count()
        yield lambda text: bar.update(task, description=text, completed=next(done))


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on standard output; a number that is not finite is null."""
    print(json.dumps(_plain(document), ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
