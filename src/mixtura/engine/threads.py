"""Threads that share the blocks of a pass, and those of BLAS, which are not to stand in their way."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from threading import Lock
from typing import Any, TypeVar

__all__ = ["one_blas_thread", "share_out", "thread_count"]

Item = TypeVar("Item")

#: Fewer numbers than this, and BLAS does without its threads anyway.
FEW_NUMBERS = 4096

_blas_is_limited = Lock()


def thread_count(threads: int | None = None) -> int:
    """Threads to use: as asked, else the processors this process may use and has time on, at most OMP_NUM_THREADS."""
    if threads is not None:
        return max(1, threads)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(available, _share(), int(limit) if limit.isdigit() and int(limit) > 0 else available)


@lru_cache(maxsize=1)
def _share() -> int:
    """Processors whose time a container may take; it sees all of the machine, but more threads would be halted."""
    from joblib import cpu_count  # scikit-learn's, for the same purpose

    return int(cpu_count())


@lru_cache(maxsize=8)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """One pool a size and process: a forked child must not wait for its parent's threads."""
    return ThreadPoolExecutor(threads, thread_name_prefix="mixtura")


def share_out(items: Iterable[Item], work: Callable[[Item], None], n_threads: int) -> None:
    """Do ``work`` on every item, on that many threads, the calling one among them.

    Threads take the next item from one iterator, so that a busy processor
    holds up no one but itself.
    """
    left = iter(items)
    if n_threads == 1:
        for item in left:
            work(item)
        return
    lock = Lock()
    end = object()

    def take() -> Any:
        with lock:
            return next(left, end)

    def drain() -> None:
        while (item := take()) is not end:
            work(item)

    others = [_pool(n_threads, os.getpid()).submit(drain) for _ in range(n_threads - 1)]
    try:
        drain()
    except BaseException:
        with lock:
            left = iter(())  # the others finish the item at hand and stop
        wait(others)
        raise
    for helper in others:
        helper.result()


@lru_cache(maxsize=1)
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController  # scikit-learn's, for the same purpose

    return ThreadpoolController().select(user_api="blas")


@contextlib.contextmanager
def one_blas_thread(n_numbers: int) -> Iterator[None]:
    """While matrices of so many numbers are worked on, BLAS uses the calling thread alone.

    After a product that OpenBLAS has shared out, its threads wait for more, spinning for some 30 ms, on the
    processors that the next pass needs. The number of threads is the process's: who comes while it is set leaves it.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura.engine.threads import one_blas_thread
    >>> matrices = np.ones((2, 64, 64))
    >>> with one_blas_thread(matrices.size):
    ...     product = matrices @ matrices
    """
    if n_numbers < FEW_NUMBERS or not _blas_is_limited.acquire(blocking=False):
        yield
        return
    try:
        with _blas().limit(limits=1):
            yield
    finally:
        _blas_is_limited.release()
