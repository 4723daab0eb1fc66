"""Which worker adds up which partitions; and the tree of their sums, which does not depend on that."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura.engine.dask_placement import GROUP, placed
from mixtura.engine.parts import TreeSum
from mixtura.shape import FULL
from mixtura.suffstats import SufficientStats


def sizes(found: list, worker: str) -> list[int]:
    return [len(group.places) for group in found if group.worker == worker]


@pytest.mark.parametrize("seed", range(20))
def test_every_partition_is_added_once_and_the_pass_is_as_short_as_can_be(seed: int) -> None:
    rng = np.random.default_rng(seed)
    threads = {f"w{i}": int(rng.integers(1, 5)) for i in range(rng.integers(1, 6))}
    names = [*threads, "lost"]
    holders = [set(rng.choice(names, rng.integers(0, 3))) for _ in range(rng.integers(1, 80))]
    found = placed(holders, threads)
    assert sorted(place for group in found for place in group.places) == list(range(len(holders)))
    assert all(len(group.places) <= GROUP and group.worker in threads for group in found)
    rounds = -(-len(holders) // sum(threads.values()))
    for worker, number in threads.items():
        assert sum(sizes(found, worker)) <= rounds * number
    assert placed(holders, threads) == found


def test_partitions_stay_where_they_are() -> None:
    holders = [{"a"}, {"b"}, {"b"}, {"a"}]
    assert placed(holders, {"a": 1, "b": 1}) == [("a", [0, 3]), ("b", [1, 2])]
    assert placed([{"a"}, {"a"}, {"b"}], {"a": 1, "b": 1}) == [("a", [0, 1]), ("b", [2])], "no move makes that shorter"


def test_those_too_many_or_lost_go_where_there_is_room() -> None:
    assert placed([{"a"}, {"a"}, {"a"}, {"b"}], {"a": 1, "b": 1}) == [("a", [0, 1]), ("b", [2, 3])]
    assert placed([{"a"}, set(), {"b"}, {"gone"}], {"a": 1, "b": 1}) == [("a", [0, 1]), ("b", [2, 3])]
    added = placed([{"a"}] * 6, {"a": 1, "b": 1})
    assert (sizes(added, "a"), sizes(added, "b")) == ([3], [3])
    again = placed([{group.worker, "a"} for group in added for _ in group.places], {"a": 1, "b": 1})
    assert again == added, "what was moved stays"


def test_a_task_for_each_thread_of_so_many_partitions_at_most() -> None:
    assert sizes(placed([{"a"}] * 9, {"a": 3}), "a") == [3, 3, 3]
    assert sizes(placed([{"a"}] * 2, {"a": 3}), "a") == [1, 1]
    assert sizes(placed([{"a"}] * 17, {"a": 2}), "a") == [4, 4, 4, 5]


def test_no_workers_are_left() -> None:
    assert placed([set()] * 10, {}) == [(None, list(range(8))), (None, [8, 9])]


@pytest.mark.parametrize("n_terms", [1, 2, 3, 7, 8, 13, 40])
def test_a_tree_is_the_same_in_any_order_and_grouping(n_terms: int, rng: np.random.Generator) -> None:
    """Against the tree as it is defined, by halves of a power of two."""
    origin = np.zeros((2, 1))
    terms = [
        SufficientStats(*(rng.normal(size=shape) for shape in ((2,), (2, 1), (2, 1, 1))),
                        origin, float(rng.normal()), 1.0, FULL)
        for _ in range(n_terms)
    ]  # fmt: skip

    def defined(start: int, width: int) -> SufficientStats:
        if width == 1:
            return terms[start]
        left = defined(start, width // 2)
        return left if start + width // 2 >= n_terms else left + defined(start + width // 2, width // 2)

    expected = defined(0, 64)
    groups = np.array_split(rng.permutation(n_terms), rng.integers(1, n_terms + 1))
    total = TreeSum()
    for group in groups:
        one = TreeSum()
        for place in group:
            one.add([terms[place]], int(place))
        total.join(one)
    (found,) = total.total()
    names = ("count", "first", "second", "log_likelihood", "total_weight")
    for name in names:
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    if n_terms > 10:
        straight = sum(terms[1:], terms[0])
        assert any(not np.array_equal(getattr(found, name), getattr(straight, name)) for name in names), "blind"
