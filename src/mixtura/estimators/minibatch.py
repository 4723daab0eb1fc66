"""A first approximation from one pass in small batches, for data of which batch EM needs many passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from mixtura.engine import create_engine
from mixtura.estimators.starting import StartMaker
from mixtura.mixture import Mixture
from mixtura.online import Stream
from mixtura.search import fine_rows
from mixtura.source import ArraySource

__all__ = ["approximated"]

#: With fewer batches, the search has already seen much of the data.
LEAST_BATCHES = 4


def approximated(maker: StartMaker, starts: Sequence[Mixture]) -> list[Mixture]:
    """Starts after a pass of stepwise EM (Cappe and Moulines 2009) over batches as large as a search's sample.

    What starts from there is batch EM, so the result has the same optimum to
    the same tolerance. Fewer rows than four batches are left to it altogether.
    """
    source = maker.source
    n_batches = source.n_rows // fine_rows(2**62, starts[0].n_parameters)
    if n_batches < LEAST_BATCHES:
        return list(starts)
    estimator, mstep = maker.estimator, maker.mstep
    mixtures = [mstep.admit(start) for start in starts]
    streams: list[Stream | None] = [None] * len(starts)
    for batch in _batches(maker, n_batches):
        engine = create_engine(estimator.engine, batch, maker.standardization, estimator.n_threads)
        for i, statistics in enumerate(engine.reduce([one.forms for one in mixtures])):
            stream = streams[i]
            if stream is None:
                stream = Stream.begin(mstep(statistics, mixtures[i]).mixture, statistics)
            else:
                stream = stream.absorb(statistics, mstep)
            streams[i], mixtures[i] = stream, stream.mixture
    return [stream.best(mstep) for stream in streams if stream is not None]


def _batches(maker: StartMaker, n_batches: int) -> Iterator[ArraySource]:
    """Every so many rows, whatever their order; of a file, consecutive ones, so that it is read once."""
    source = maker.source
    if isinstance(source, ArraySource):
        yield from (source.take(slice(i, None, n_batches)) for i in range(n_batches))
        return
    bounds = [source.n_rows * i // n_batches for i in range(n_batches + 1)]
    yield from (source.take(slice(*ends)) for ends in pairwise(bounds))
