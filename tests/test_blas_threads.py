"""BLAS's threads while EM works between two passes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from threadpoolctl import threadpool_info

from mixtura.engine import threads
from mixtura.engine.threads import one_blas_thread


def blas_threads() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_one_while_large_matrices_are_worked_on() -> None:
    before = blas_threads()
    with one_blas_thread(threads.FEW_NUMBERS - 1):
        assert blas_threads() == before
    with pytest.raises(ZeroDivisionError), one_blas_thread(threads.FEW_NUMBERS):
        assert blas_threads() == {1}
        with one_blas_thread(threads.FEW_NUMBERS):
            assert blas_threads() == {1}
        assert blas_threads() == {1}
        raise ZeroDivisionError
    assert blas_threads() == before


def test_who_comes_second_changes_nothing() -> None:
    before, inside, leave = blas_threads(), Barrier(2), Barrier(2)

    def second() -> None:
        inside.wait(10)
        with one_blas_thread(threads.FEW_NUMBERS):
            leave.wait(10)  # until the first has left
            leave.wait(10)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(second)
        with one_blas_thread(threads.FEW_NUMBERS):
            inside.wait(10)
            assert blas_threads() == {1}
            leave.wait(10)
        assert blas_threads() == before
        leave.wait(10)
        other.result(10)
    assert blas_threads() == before
