"""Dask: partitions on the workers of a cluster as a source, and the engine that adds up what they find.

Every pass is a task for each partition and a fixed tree of additions
(`mixtura.engine.parts`), so the sum does not depend on who did what, and when.
What a lost worker held is made again by the scheduler from the tasks that made
it; therefore parameters travel as a task's result and are never scattered,
because scattered data cannot be made again (distributed's documentation,
"Resilience").
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixtura.engine import create_engine
from mixtura.engine.dask_extra import dask_needed
from mixtura.engine.dask_placement import Group, placed
from mixtura.engine.dask_rows import checked, is_frame, weight_blocks
from mixtura.engine.engine import Engine, RowOutput
from mixtura.engine.parts import TreeSum
from mixtura.engine.threads import thread_count
from mixtura.quadratic import QuadraticForms
from mixtura.source import ArraySource, Block
from mixtura.source.parted import joined, places_in
from mixtura.standardization import Standardization
from mixtura.suffstats import SufficientStats

with dask_needed():
    import dask
    from distributed import CancelledError, Client, Future, KilledWorker, default_client
    from distributed.comm import CommClosedError

__all__ = [
    "DaskEngine",
    "DaskSource",
    "active_client",
    "on_cluster",
]

#: A task that raised an error is tried so many times more: a file may be out of reach for a moment. (How often a task
#: may be on a worker as it dies is the cluster's to say, with ``distributed.scheduler.allowed-failures``.)
RETRIES = 2

#: Sums of all partitions that take no more than this are fetched, and added here: over a link of 1 Gbit/s half a
#: second, which is what 500 tasks cost that would add them up on the workers. Larger ones are added there, by eights.
MOST_BYTES_HERE = 1 << 26
BRANCHES = 8

#: Parameters that take no more than this in all tasks of a pass together travel in them, else as a task of their own.
MOST_BYTES_IN_TASKS = 1 << 20

#: Seconds between two looks at where the partitions are; a look takes two requests, which hold up short passes.
LOOK_EVERY = 1.0

Result = TypeVar("Result")


class Partition:
    """Rows on a worker; with them stays the engine of the last pass, which does not travel."""

    def __init__(self, source: ArraySource) -> None:
        self.source = source
        self._last: tuple[bytes, Engine] | None = None

    def __getstate__(self) -> ArraySource:
        return self.source

    def __setstate__(self, source: ArraySource) -> None:
        self.source, self._last = source, None

    def engine(self, order: Order) -> Engine:
        """An engine over the rows, on one thread: a worker's other threads have other partitions."""
        last = self._last
        if last is not None and last[0] == order.coordinates:
            return last[1]
        source = replace(self.source, incomplete=order.incomplete)
        engine = create_engine(order.engine, source, order.standardization, threads=1)
        self._last = order.coordinates, engine
        return engine


@dataclass(frozen=True, eq=False)
class Order:
    """What a pass asks of every partition."""

    engine: str
    standardization: Standardization
    incomplete: bool
    forms: tuple[QuadraticForms, ...] = ()

    @property
    def coordinates(self) -> bytes:
        """What the partition's engine depends on."""
        to = self.standardization
        return b"".join((self.engine.encode(), bytes([self.incomplete]), to.shift.tobytes(), to.scale.tobytes()))


# What workers do


def _itself(value: Result) -> Result:
    return value


def _partition(rows: Any, weights: Any, single: bool) -> Partition:
    """The rows of positive weight of an array or data frame (n, D)."""
    values: Any = np.ascontiguousarray(rows, dtype=np.float32 if single else np.float64)
    if weights is None:
        return Partition(ArraySource(values))
    given = np.asarray(weights, dtype=np.float64).reshape(-1)
    if given.shape != (len(values),):
        raise ValueError(f"a partition has {len(values)} rows, but {given.size} weights")
    for row in np.flatnonzero(~(np.isfinite(given) & (given >= 0))):
        raise ValueError(f"sample_weight of row {row} of a partition is {given[row]}; it must be finite and >= 0")
    kept = given > 0
    return Partition(ArraySource(values if kept.all() else values[kept], given if kept.all() else given[kept]))


def _facts(part: Partition) -> tuple[int, int, float, bool]:
    """Rows, features, total weight, and whether values are missing."""
    source = part.source
    with np.errstate(over="ignore", invalid="ignore"):
        incomplete = bool(np.isnan(source.rows.sum()) and np.isnan(source.rows).any())
    return source.n_rows, source.n_features, source.total_weight, incomplete


def _statistics(parts: Sequence[Partition], places: Sequence[int], packed: bytes) -> TreeSum:
    """What the partitions in those places add to a pass of a packed order."""
    total, order = TreeSum(), pickle.loads(packed)
    for part, place in zip(parts, places, strict=True):
        total.add(part.engine(order).reduce(order.forms), place)
    return total


def _joined(sums: Sequence[TreeSum]) -> TreeSum:
    total = TreeSum()
    for one in sums:
        total.join(one)
    return total


def _total_log_jacobian(part: Partition, order: Order) -> float:
    return part.engine(order).total_log_jacobian()


def _map(part: Partition, function: Callable[[Block], Any], start: int) -> list[Any]:
    return [function(replace(block, start=start + block.start)) for block in part.source.blocks()]


def _digest(block: Block) -> bytes:
    state = hashlib.sha256(f"{block.rows.dtype.str}{block.rows.shape}".encode())
    for values in (block.rows, block.weights):
        state.update(b"none" if values is None else np.ascontiguousarray(values).tobytes())
    return state.digest()


def _take(part: Partition, rows: NDArray[np.intp]) -> ArraySource:
    return part.source.take(rows)


# What the client does


class DaskSource:
    """Rows in the partitions of a cluster.

    Parameters
    ----------
    client : distributed.Client
    partitions : sequence of Future
        Of `Partition`.
    """

    def __init__(self, client: Client, partitions: Sequence[Future]) -> None:
        self.client = client
        self.bytes_per_pass = 0  # of parameters and statistics, in the last one, at most
        facts = client.gather([client.submit(_facts, one, pure=False, retries=RETRIES) for one in partitions])
        self.partitions = [one for one, (n_rows, *_) in zip(partitions, facts, strict=True) if n_rows]
        self.sizes = [n_rows for n_rows, *_ in facts if n_rows]
        self.n_rows = sum(self.sizes)
        self.n_features = max(n_features for _, n_features, *_ in facts)
        self.total_weight = float(sum(weight for n_rows, _, weight, _ in facts if n_rows))
        self.incomplete = any(incomplete for *_, incomplete in facts)
        self.look()

    def look(self) -> None:
        """See where the partitions are, for the passes to come."""
        self.looked = time.monotonic()
        held, threads = self.client.who_has(self.partitions), self.client.nthreads()
        self.groups = placed([held.get(one.key, ()) for one in self.partitions], threads)

    def create_engine(self, name: str, standardization: Standardization, threads: int | None) -> DaskEngine:
        """The engine over these rows; each worker's are those of that name."""
        return DaskEngine(self, Order(name, standardization, self.incomplete))

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future:
        """A task that is never taken for an earlier one and survives its workers."""
        return self.client.submit(work, *arguments, pure=False, retries=RETRIES)

    def submit_group(self, group: Group, order: bytes | Future) -> Future:
        """The task of adding up a group by a packed order; best done by the worker named, but others may do it."""
        where = {} if group.worker is None else {"workers": [group.worker], "allow_other_workers": True}
        parts = [self.partitions[place] for place in group.places]
        return self.client.submit(_statistics, parts, group.places, order, pure=False, retries=RETRIES, **where)

    def map(self, function: Callable[[Block], Result]) -> Iterator[Result]:
        """See `Source.map`; on the workers, of whose answers one partition's at a time come here."""
        starts = np.cumsum([0, *self.sizes[:-1]])
        answers = [
            self.submit(_map, part, function, int(start)) for part, start in zip(self.partitions, starts, strict=True)
        ]
        for answer in answers:
            yield from answer.result()

    @property
    def fingerprint(self) -> str:
        """A hash of the rows and weights of every block, taken where they are; checkpoints are known by it."""
        state = hashlib.sha256(f"{self.n_rows} x {self.n_features}".encode())
        for digest in self.map(_digest):
            state.update(digest)
        return state.hexdigest()

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order, brought here: for a few rows, or to look at them."""
        return self.map(_itself)

    def parts(self) -> Iterator[ArraySource]:
        """The partitions, brought here one at a time."""
        for part in self.partitions:
            yield replace(self.submit(_take, part, slice(None)).result(), incomplete=self.incomplete)

    def take(self, rows: NDArray[Any] | slice) -> ArraySource:
        """See `Source.take`."""
        inside = zip(self.partitions, places_in(self.sizes, rows), strict=True)
        wanted = [self.submit(_take, part, places) for part, places in inside if places.size]
        return replace(joined(self.client.gather(wanted)), incomplete=self.incomplete)

    def at_hand(self) -> ArraySource:
        """All rows, here."""
        return self.take(slice(None))


class DaskEngine:
    """Sums over the partitions of a cluster.

    Parameters
    ----------
    source : DaskSource
    order : Order
        What is asked of every partition, but for the forms.
    """

    def __init__(self, source: DaskSource, order: Order) -> None:
        self._source = source
        self._order = order

    def reduce(self, forms: Sequence[QuadraticForms]) -> list[SufficientStats]:
        """See `Engine.reduce`."""
        source = self._source
        asked = replace(self._order, forms=tuple(forms))
        few = len(source.partitions) * _bytes_of_sums(asked.forms) <= MOST_BYTES_HERE
        groups = source.groups if few else [Group(None, [place]) for place in range(len(source.partitions))]
        # in the tasks themselves, or, where that is much for the scheduler to pass on, from worker to worker; bytes,
        # because a scheduler takes objects apart
        packed = pickle.dumps(asked)
        size = len(groups) * len(packed)
        order = packed if size <= MOST_BYTES_IN_TASKS else source.submit(_itself, packed)
        sums = [source.submit_group(group, order) for group in groups]
        while not few and len(sums) > BRANCHES:
            sums = [source.submit(_joined, sums[i : i + BRANCHES]) for i in range(0, len(sums), BRANCHES)]
        if time.monotonic() - source.looked > LOOK_EVERY:
            source.look()  # while the workers work
        found = source.client.gather(sums)
        n_partitions = len(source.partitions)
        n_sums = sum(map(len, found)) if few else n_partitions + n_partitions // (BRANCHES - 1) + 1
        source.bytes_per_pass = size + n_sums * _bytes_of_sums(asked.forms)
        return _joined(found).total()

    def map_rows(
        self, forms: QuadraticForms, output: RowOutput, inspect: Callable[[Block], None] | None = None
    ) -> NDArray[Any]:
        """See `Engine.map_rows`; predictions of collections are made by `row_blocks`."""
        raise NotImplementedError("values of rows stay on the workers")

    def total_log_jacobian(self) -> float:
        """See `MissingValuesEngine.total_log_jacobian`."""
        order = self._source.submit(_itself, self._order)
        parts = [self._source.submit(_total_log_jacobian, part, order) for part in self._source.partitions]
        return sum(self._source.client.gather(parts))


def _bytes_of_sums(forms: Sequence[QuadraticForms]) -> int:
    """What a partition's statistics take, at most: their arrays, and what is said of them."""
    return sum(8 * (form.whitener.size + 2 * form.center.size + form.n_components) + 800 for form in forms)


@contextlib.contextmanager
def active_client(threads: int | None = None) -> Iterator[Client]:
    """The client that is active; where there is none, one of threads in this process, as long as it is needed."""
    try:
        client = default_client()
    except ValueError:
        with Client(
            processes=False,
            n_workers=1,
            threads_per_worker=thread_count(threads),
            dashboard_address=":0",  # any port: None takes the usual one, where another cluster may be
            silence_logs=logging.CRITICAL,  # what fails is raised here
        ) as own:
            yield own
        return
    yield client


@contextlib.contextmanager
def _losses_explained(client: Client) -> Iterator[None]:
    """What is lost with the scheduler no worker can make again: said in a sentence."""
    address = client.scheduler.address if client.scheduler else "?"
    try:
        yield
    except KilledWorker as error:
        raise ConnectionError(
            f"workers of the Dask cluster at {address} died one after the other over the same task; do they have "
            f"memory enough for their partitions? ({error})"
        ) from error
    except Exception as error:
        if client.status == "running" and not isinstance(error, CancelledError | CommClosedError):
            raise
        raise ConnectionError(
            f"the Dask scheduler at {address} was lost, and the fit with it; one with a checkpoint goes on from there"
        ) from error


@contextlib.contextmanager
def on_cluster(X: Any, sample_weight: Any, threads: int | None) -> Iterator[DaskSource]:
    """The rows of a dask array or data frame, kept on the workers as long as the source is open.

    Raises
    ------
    ValueError
        If it is not two-dimensional and numeric, or weights do not match it.
    ConnectionError
        If the scheduler is lost, or workers die again and again.
    """
    tasks = _weighted_frame(X, sample_weight) if is_frame(X) and is_frame(sample_weight) else _blocks(X, sample_weight)
    with active_client(threads) as client, _losses_explained(client):
        partitions = client.compute(tasks, retries=RETRIES)
        source = DaskSource(client, partitions)
        if source.n_rows == 0:
            raise ValueError("there are no rows of data of positive weight")
        yield source


def _blocks(X: Any, sample_weight: Any) -> list[Any]:
    rows = checked(X)
    single = rows.dtype == np.float32
    blocks = rows.to_delayed().ravel()
    weights = weight_blocks(sample_weight, rows, len(blocks))
    return [dask.delayed(_partition)(block, weight, single) for block, weight in zip(blocks, weights, strict=True)]


def _weighted_frame(X: Any, sample_weight: Any) -> list[Any]:
    """Partitions of a data frame with its weights: Dask cuts each collection of a file as suits its own columns."""
    single = checked(X).dtype == np.float32
    if X.npartitions != sample_weight.npartitions:
        parts = sample_weight.npartitions
        raise ValueError(f"sample_weight has {parts} partitions where the rows have {X.npartitions}")
    name = "weight of a row"
    while name in X.columns:
        name += "_"
    together = X.assign(**{name: sample_weight}).to_dask_array()
    return [dask.delayed(_last_column_weighs)(block, single) for block in together.to_delayed().ravel()]


def _last_column_weighs(rows: Any, single: bool) -> Partition:
    values = np.asarray(rows, dtype=np.float64)
    return _partition(values[:, :-1], values[:, -1], single)
