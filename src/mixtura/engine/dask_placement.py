"""Which worker of a cluster adds up which partitions in a pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

__all__ = ["GROUP", "Group", "placed"]

#: Partitions of one task, at most: what is made again on one worker if another is lost while it adds them up.
GROUP = 8


class Group(NamedTuple):
    """Partitions that one task adds up, by place, and the worker that best does so; None where any may."""

    worker: str | None
    places: list[int]


def placed(holders: Sequence[Collection[str]], threads: Mapping[str, int]) -> list[Group]:
    """All partitions in groups, one or more for every thread.

    A worker adds up what it holds. Only where that would make the pass longer
    than partitions spread evenly over the threads do some go to another worker,
    as they do where a worker was lost or added; they stay there.

    Parameters
    ----------
    holders : sequence of collections of str
        Addresses of the workers that hold each partition.
    threads : mapping of str to int
        Threads of each worker.
    """
    n_threads = sum(threads.values())
    if n_threads == 0:  # all are lost, and may come back
        everything = list(range(len(holders)))
        return [Group(None, everything[i : i + GROUP]) for i in everything[::GROUP]]
    rounds = -(-len(holders) // n_threads)
    room = {worker: threads[worker] * rounds for worker in sorted(threads)}
    places: dict[str, list[int]] = {worker: [] for worker in room}

    def give(place: int, candidates: Collection[str]) -> bool:
        worker = max(candidates, key=lambda one: room[one], default=None)
        if worker is None or room[worker] == 0:
            return False
        room[worker] -= 1
        places[worker].append(place)
        return True

    known = [sorted(room.keys() & set(one)) for one in holders]
    few_first = sorted(range(len(holders)), key=lambda place: len(known[place]))
    for place in [place for place in few_first if not give(place, known[place])]:
        give(place, room)
    return [group for worker, mine in places.items() for group in _groups(worker, sorted(mine), threads[worker])]


def _groups(worker: str, places: list[int], threads: int) -> list[Group]:
    """One for each thread, or several, all of about one length."""
    if not places:
        return []
    number = min(len(places), threads * -(-len(places) // (GROUP * threads)))
    ends = [len(places) * i // number for i in range(number + 1)]
    return [Group(worker, places[start:stop]) for start, stop in pairwise(ends)]
