"""Reading ahead: the next items are made by a thread while this one is worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import TypeVar

__all__ = ["DEPTH", "read_ahead"]

#: Items that wait to be taken; one more is being made.
DEPTH = 2

Item = TypeVar("Item")


class _End:
    """What follows the last item: nothing, or what making it raised."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(items: Iterable[Item], depth: int = DEPTH) -> Iterator[Item]:
    """The items, in order, made by a thread that is at most ``depth`` and one ahead; it ends with the iterator."""
    waiting: Queue[Item | _End] = Queue(depth)
    wanted = [True]

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not wanted[0]:
                    return
                waiting.put(item)
        except BaseException as raised:
            error = raised
        waiting.put(_End(error))

    thread = Thread(target=work, name="mixtura-reader", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
            del item  # while the next is awaited, this one is no longer held here
        if item.error is not None:
            raise item.error
    finally:
        wanted[0] = False
        while thread.is_alive():
            with suppress(Empty):
                waiting.get(timeout=0.01)
