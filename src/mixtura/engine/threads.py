"""Threads that share the blocks of a pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from threading import Lock
from typing import Any, TypeVar

__all__ = ["helpers", "share_out", "thread_count"]

Item = TypeVar("Item")


def thread_count(threads: int | None = None) -> int:
    """Threads to use: as asked, else the processors this process may use, at most OMP_NUM_THREADS."""
    if threads is not None:
        return max(1, threads)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(available, int(limit)) if limit.isdigit() and int(limit) > 0 else available


@lru_cache(maxsize=8)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """One pool a size and process: a forked child must not wait for its parent's threads."""
    return ThreadPoolExecutor(threads, thread_name_prefix="mixtura")


def helpers(work: Callable[[], None], n_threads: int) -> list[Future[None]]:
    """``work``, begun on all of so many threads but the calling one."""
    return [_pool(n_threads, os.getpid()).submit(work) for _ in range(n_threads - 1)]


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

    others = helpers(drain, n_threads)
    try:
        drain()
    except BaseException:
        with lock:
            left = iter(())  # the others finish the item at hand and stop
        wait(others)
        raise
    for helper in others:
        helper.result()
