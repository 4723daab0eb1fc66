"""What estimators may be given as rows: arrays, data frames, files, or blocks; and how each is opened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.engine.threads import thread_count
from mixtura.estimators.base import check_rows, check_weights
from mixtura.estimators.incomplete import has_missing
from mixtura.shape import Array
from mixtura.source import ArraySource, FileSource, Source
from mixtura.table import RowReader, is_place, open_rows

__all__ = ["WEIGHTS_ARE_A_COLUMN", "is_lazy", "know_features", "opened", "reader_of"]

WEIGHTS_ARE_A_COLUMN = "sample_weight is for rows in memory; those of a file are a column: open_rows(..., weights=NAME)"


def reader_of(estimator: Any, X: Any, *, fitted: bool) -> RowReader | None:
    """The reader of rows that are not in memory; None where X is an array or data frame.

    Raises
    ------
    ValueError
        If the rows do not have the features that the estimator was fitted to.
    """
    reader = X if isinstance(X, RowReader) else open_rows(X) if is_place(X) else None
    if reader is None or not fitted:
        return reader
    names = getattr(estimator, "feature_names_in_", None)
    reader = reader if names is None else reader.expecting([str(name) for name in names])
    if reader.n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {reader.n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )
    if names is not None and reader.names is not None and list(reader.names) != list(names):
        raise ValueError(
            f"X has the features {', '.join(reader.names)}, but {type(estimator).__name__} was fitted to "
            f"{', '.join(map(str, names))}"
        )
    return reader


def is_lazy(X: Any) -> bool:
    """Whether X is a collection of dask's, which only then is imported."""
    return type(X).__module__.split(".")[0] == "dask"


@contextlib.contextmanager
def opened(
    estimator: Any, X: Any, sample_weight: ArrayLike | None, lazily: bool = True
) -> Iterator[tuple[Source, NDArray[np.bool_] | None]]:
    """The rows of positive weight that an estimator is to be fitted to, and which of all rows they are.

    The second is None where that is all of them, or where they are not in memory.
    A source is taken as it is: an estimator opens its rows once for all the fits that it is made of.
    Without ``lazily``, a collection of dask's is brought here.
    """
    if isinstance(X, ArraySource | FileSource):
        know_features(estimator, X.n_features, None)
        if isinstance(X, FileSource):
            X.check_limit(thread_count(estimator.n_threads))
            _check_streamable(estimator)
        yield X, None
        return
    if is_lazy(X) and lazily:
        from mixtura.engine.dask import on_cluster
        from mixtura.engine.dask_rows import names_of

        with on_cluster(X, sample_weight, estimator.n_threads) as cluster:
            know_features(estimator, cluster.n_features, names_of(X))
            _check_streamable(estimator)
            yield cluster, None
        return
    reader = reader_of(estimator, X, fitted=False)
    if reader is None:
        rows = check_rows(estimator, X, reset=True, min_rows=2, missing_allowed=True)
        weights = check_weights(sample_weight, rows.shape[0])
        yield _positive(rows, weights)
        return
    if sample_weight is not None:
        raise ValueError(WEIGHTS_ARE_A_COLUMN)
    know_features(estimator, reader.n_features, reader.names)
    with reader.source() as file:
        source = file.at_hand()
        if isinstance(source, FileSource):
            source.check_limit(thread_count(estimator.n_threads))
            _check_streamable(estimator)
        if source.n_rows < 2:
            raise ValueError(f"Found array with {source.n_rows} sample(s) while a minimum of 2 is required.")
        yield source, None


def _positive(rows: NDArray[Any], weights: Array | None) -> tuple[ArraySource, NDArray[np.bool_] | None]:
    kept = None if weights is None else weights > 0
    if weights is not None and kept is not None and not kept.all():
        rows, weights = rows[kept], weights[kept]
    return ArraySource(rows, weights, has_missing(rows)), kept


def know_features(estimator: Any, n_features: int, names: Sequence[str] | None) -> None:
    """What scikit-learn's validation of an array would have noted."""
    estimator.n_features_in_ = n_features
    estimator.__dict__.pop("feature_names_in_", None)
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)


def _check_streamable(estimator: Any) -> None:
    """Raise where a parameter needs all rows in memory."""
    reasons = {
        "init_params as an array or callable": not isinstance(estimator.init_params, str),
        "noise as an array": not isinstance(getattr(estimator, "noise", False), bool | np.bool_),
    }
    for what, asked in reasons.items():
        if asked:
            raise ValueError(f"{what} needs the rows in memory, and these are not")
