"""The native engine: a compiled kernel per block, a thread pool over blocks.

The kernel is single-threaded and releases the GIL. Block boundaries depend on
the number of rows alone and partial sums are merged in block order, so results
are bitwise the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import _native
from mixtura.engine.engine import RowOutput
from mixtura.engine.threads import share_out, thread_count
from mixtura.quadratic import QuadraticForms, stack
from mixtura.source import ArraySource, Block, Source, partition
from mixtura.standardization import Standardization
from mixtura.suffstats import SufficientStats

__all__ = ["NativeEngine", "OrderedSum", "instruction_set"]

#: Largest tolerated bound on a log density's error before the centred form is used.
ERROR_TOLERANCE = 1e-8
QUADRATIC, CENTRED = 0, 1

#: Numbers in the whiteners of mixtures that one pass serves: beyond the second-level cache, a pass for each is faster.
MOST_NUMBERS = 1 << 16

#: Fewer multiplications than this in a pass are done before a thread has started.
THREADED_WORK = 2_000_000

#: Multiplications in a round of runs, or a pass of one, that another thread of compiled code is worth waking for.
SHARED_WORK = 500_000

#: Whole runs are made in compiled code where passes have fewer multiplications; in others Python hardly shows.
CLIMBED_WORK = 64_000_000


def instruction_set() -> str:
    """The best instruction set that this processor has, or the one that MIXTURA_SIMD names.

    Raises
    ------
    ValueError
        If MIXTURA_SIMD names one that this build or processor has not.
    """
    return str(_native.preferred_level())


class OrderedSum:
    """A sum whose terms arrive in any order and are added in the order of the rows."""

    def __init__(self, size: int) -> None:
        self.values = np.zeros(size)
        self._next_row = 0
        self._waiting: dict[int, tuple[int, NDArray[np.float64]]] = {}
        self._lock = Lock()

    def add(self, start: int, stop: int, term: NDArray[np.float64]) -> None:
        """Add the term of rows start to stop as soon as all rows before them are in."""
        with self._lock:
            self._waiting[start] = (stop, term)
            while self._next_row in self._waiting:
                self._next_row, ready = self._waiting.pop(self._next_row)
                self.values += ready


class NativeEngine:
    """Sums over the blocks of a source by the compiled kernel.

    Parameters
    ----------
    source : Source
    standardization : Standardization
    threads : int, optional
        Default: see `thread_count`.
    """

    def __init__(self, source: Source, standardization: Standardization, threads: int | None = None) -> None:
        self._source = source
        self._shift = np.ascontiguousarray(standardization.shift, dtype=np.float64)
        self._inverse_scale = np.ascontiguousarray(1.0 / standardization.scale)
        self._threads = thread_count(threads)
        self._level = instruction_set()

    def _kernel(self, forms: Sequence[QuadraticForms]) -> tuple[Any, int]:
        """The compiled kernel for these forms, and which of its two arithmetics it uses."""
        const, center, whitener = stack(forms)
        groups = np.array([0, *accumulate(form.n_components for form in forms)], dtype=np.int64)
        arithmetic = QUADRATIC if all(form.errs_less_than(ERROR_TOLERANCE) for form in forms) else CENTRED
        kernel = _native.Kernel(
            forms[0].shape.code,
            arithmetic,
            const,
            center,
            whitener,
            groups,
            self._shift,
            self._inverse_scale,
            self._level,
        )
        return kernel, arithmetic

    def _share(self, work: Callable[[Block], None], n_products: int) -> None:
        """Do ``work`` on every block: on the calling thread, and on the pool's if there is enough to do."""
        several = self._source.n_rows * n_products >= THREADED_WORK
        share_out(self._source.blocks(), work, self._threads if several else 1)

    def helpers(self, products: int, n_runs: int) -> int:
        """Threads that are worth asking to help with so many multiplications in so many runs side by side."""
        return min(self._threads, n_runs, 1 + products // SHARED_WORK) - 1

    def ground(self, n_products: int) -> Any | None:
        """The rows as `_native.Climb` takes them; None where passes, so many products a row, hide what Python takes."""
        return None if self._source.n_rows * n_products >= CLIMBED_WORK else self._ground

    @cached_property
    def _ground(self) -> Any:
        source = self._source.at_hand()
        held = isinstance(source, ArraySource)  # else it is more than the user gives, and read in every pass
        begins = [part.start for part in partition.block_slices(source.n_rows)] if held else [0]
        bounds = np.array([*begins, source.n_rows if held else 0], dtype=np.int64)
        return _native.Ground(
            source.rows if held else np.empty((0, source.n_features)),
            source.weights if held else None,
            source.total_weight,
            bounds,
            self._shift,
            self._inverse_scale,
            self._level,
            self._threads,
            SHARED_WORK,
        )

    def advance(self, runs: Sequence[Any]) -> None:
        """A pass of native runs on a ground without rows: each block is read once for all of them."""
        totals = [OrderedSum(run.begin_pass()) for run in runs]

        def partial(block: Block) -> None:
            for run, total in zip(runs, totals, strict=True):
                packed = np.empty(total.values.size)
                run.reduce(block.rows, block.weights, packed)
                total.add(block.start, block.start + block.rows.shape[0], packed)

        self._share(partial, sum(run.row_products for run in runs))
        for run, total in zip(runs, totals, strict=True):
            run.end_pass(total.values)

    def _products(self, forms: Sequence[QuadraticForms]) -> int:
        return sum(form.whitener.size + 20 * form.n_components for form in forms)

    def reduce(self, forms: Sequence[QuadraticForms]) -> list[SufficientStats]:
        """See `Engine.reduce`."""
        if forms[0].shape.shared and len(forms) > 1:  # each needs the rows whitened in its own way
            return [self.reduce([form])[0] for form in forms]
        together = max(1, MOST_NUMBERS // max(form.whitener.size for form in forms))
        if len(forms) > together:
            batches = (forms[i : i + together] for i in range(0, len(forms), together))
            return [one for batch in batches for one in self.reduce(batch)]
        kernel, arithmetic = self._kernel(forms)
        total = OrderedSum(kernel.packed_size)

        def partial(block: Block) -> None:
            packed = np.empty(kernel.packed_size)
            kernel.reduce(block.rows, block.weights, packed)
            total.add(block.start, block.start + block.rows.shape[0], packed)

        self._share(partial, self._products(forms))
        return self._unpack(kernel.unpack(total.values), forms, arithmetic)

    def _unpack(
        self, sums: tuple[Any, Any, Any, Any], forms: Sequence[QuadraticForms], arithmetic: int
    ) -> list[SufficientStats]:
        count, first, second, log_likelihood = sums
        statistics = []
        start = 0
        for g, form in enumerate(forms):
            part = slice(start, start + form.n_components)
            start = part.stop
            statistics.append(
                SufficientStats(
                    count[part],
                    first[part],
                    second[g] if form.shape.shared else second[part],
                    form.center if arithmetic == CENTRED else _origin(*form.center.shape),
                    float(log_likelihood[g]),
                    self._source.total_weight,
                    form.shape,
                )
            )
        return statistics

    def map_rows(
        self, forms: QuadraticForms, output: RowOutput, inspect: Callable[[Block], None] | None = None
    ) -> NDArray[Any]:
        """See `Engine.map_rows`."""
        kernel, _ = self._kernel([forms])
        n_rows = self._source.n_rows
        width = forms.n_components if output is RowOutput.RESPONSIBILITIES else 1
        result = np.empty((n_rows, width), dtype=np.int64 if output is RowOutput.LABELS else np.float64)

        def fill(block: Block) -> None:
            if inspect is not None:
                inspect(block)
            part = result[block.start : block.start + block.rows.shape[0]]
            kernel.map_rows(block.rows, *(part if output is one else None for one in RowOutput))

        self._share(fill, self._products([forms]))
        return result if output is RowOutput.RESPONSIBILITIES else result[:, 0]


@lru_cache(maxsize=64)
def _origin(n_components: int, n_features: int) -> NDArray[np.float64]:
    """The zero reference, one object per shape so that statistics about it add without comparing."""
    zero = np.zeros((n_components, n_features))
    zero.flags.writeable = False
    return zero
