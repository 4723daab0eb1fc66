"""The one file that imports scikit-learn's base classes, and what all our estimators share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import narwhals as nw
import numpy as np
from joblib import effective_n_jobs
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClusterMixin,
    DensityMixin,
    MultiOutputMixin,
    OneToOneFeatureMixin,
    OutlierMixin,
    RegressorMixin,
    TransformerMixin,
    clone,
)
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils import check_random_state as any_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import assert_all_finite, check_array, check_is_fitted, column_or_1d, validate_data

from mixtura.shape import Array
from mixtura.source import Block
from mixtura.table import RowReader, is_place

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where scikit-learn has no callbacks."""

    def with_callbacks(method: Any) -> Any:
        """Change nothing where scikit-learn has no callbacks."""
        return method


__all__ = [
    "BaseEstimator",
    "CallbackSupportMixin",
    "ClassifierMixin",
    "ClusterMixin",
    "CollapsedComponentWarning",
    "ConstantFeatureWarning",
    "ConvergenceWarning",
    "DensityMixin",
    "MissingAllowedMixin",
    "MultiOutputMixin",
    "NotFiniteError",
    "NotFittedError",
    "OneToOneFeatureMixin",
    "OutlierMixin",
    "RegressorMixin",
    "TransformerMixin",
    "available_if",
    "check_is_fitted",
    "check_random_state",
    "check_real_targets",
    "check_rows",
    "check_targets",
    "check_weights",
    "clone",
    "frames_wanted",
    "in_parallel",
    "inspect_block",
    "n_workers",
    "raise_if_not_finite",
    "with_callbacks",
]


class _Zeros(ISeedSequence):
    """Stands in for entropy where a generator is seeded right after it was made."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        """That many words, which are taken one by one: of bytes three times as fast as of an array."""
        return bytes(n_words)


def check_random_state(given: Any) -> np.random.RandomState:
    """scikit-learn's, and the same numbers; but gathering entropy for a seed's sake took a tenth of a small fit."""
    if not isinstance(given, int | np.integer):
        return any_random_state(given)
    rng = np.random.RandomState(np.random.MT19937(_Zeros()))  # type: ignore[arg-type]
    rng.seed(given)
    return rng


def frames_wanted(transformer: Any) -> bool:
    """Whether `set_output`, or scikit-learn's own configuration, asks for frames rather than arrays."""
    own = getattr(transformer, "_sklearn_output_config", {}).get("transform")
    return bool((own or get_config()["transform_output"]) != "default")


def in_parallel(work: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], n_jobs: int | None) -> Iterator[Any]:
    """What ``work`` returns for each tuple of arguments, in their order and as soon as it is there."""
    yield from Parallel(n_jobs, return_as="generator")(delayed(work)(*job) for job in jobs)


def n_workers(n_jobs: int | None) -> int:
    """Number of processes that joblib makes of ``n_jobs``."""
    return int(effective_n_jobs(n_jobs))


class CollapsedComponentWarning(UserWarning):
    """A component's covariance has no likelihood maximum of its own and stands at the floor."""


class MissingAllowedMixin:
    """Tells scikit-learn that NaN stands for a missing value."""

    def __sklearn_tags__(self) -> Any:
        """scikit-learn's tags."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.allow_nan = True
        return tags


class ConstantFeatureWarning(UserWarning):
    """A feature has the same value in every row."""


def check_rows(
    estimator: Any, X: Any, *, reset: bool, min_rows: int = 1, missing_allowed: bool = False
) -> NDArray[Any]:
    """(N, D) float64 or float32 rows of an array or data frame; not copied where that can be avoided.

    Raises
    ------
    TypeError
        If X is sparse, or the path of a file.
    ValueError
        If X is not two-dimensional and numeric; a data frame's column is named.
    """
    if sparse.issparse(X):
        raise TypeError("Sparse input is not supported by mixtures of dense covariances; use X.toarray()")
    if is_place(X) or isinstance(X, RowReader):
        places = X.label if isinstance(X, RowReader) else X
        raise TypeError(
            f"{type(estimator).__name__} needs an array or a data frame here, and no files ({places}): read them with "
            "pandas, say"
        )
    if _needs_no_check(estimator, X, reset, min_rows):
        if reset:
            estimator.n_features_in_ = X.shape[1]
            vars(estimator).pop("feature_names_in_", None)
        return X if X.strides[1] == X.itemsize else np.ascontiguousarray(X)
    _check_columns(X, missing_allowed)
    rows = validate_data(
        estimator,
        _with_nan(X),
        reset=reset,
        dtype=(np.float64, np.float32),
        ensure_all_finite=False,
        ensure_min_samples=min_rows,
    )
    if rows.strides[1] != rows.itemsize:
        rows = np.ascontiguousarray(rows)
    return np.asarray(rows)


def _needs_no_check(estimator: Any, X: Any, reset: bool, min_rows: int) -> bool:
    """Whether scikit-learn would have nothing to say of these rows; asking it takes a tenth of a small fit."""
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype not in (np.float64, np.float32):
        return False
    same = getattr(estimator, "n_features_in_", None) == X.shape[1] and not hasattr(estimator, "feature_names_in_")
    return (reset or same) and X.shape[0] >= min_rows and X.shape[1] >= 1


def _check_columns(X: Any, missing_allowed: bool) -> None:
    """Raise an error that names the column of a data frame that is text, or has a missing value."""
    if isinstance(X, np.ndarray):
        return
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return
    for name, dtype in frame.schema.items():
        sound = dtype.is_numeric() or isinstance(dtype, (nw.Boolean, nw.Object))
        if not sound and not frame.get_column(name).is_null().all():  # without values, a column has no type
            raise ValueError(f"column {name!r} has type {dtype}, not numbers; drop or encode it")
    for name in () if missing_allowed else frame.columns:
        missing = frame.get_column(name).is_null()
        if missing.any():
            row = int(missing.to_numpy().astype(bool).argmax())
            raise ValueError(f"Input X contains NaN: row {row} of column {name!r} has no value; {NO_MISSING}")


def _with_nan(X: Any) -> Any:
    """X with NaN for pandas' NA among Python objects, of which NumPy can make no number; nothing else is touched."""
    pandas = sys.modules.get("pandas")  # if nobody has imported it, nobody holds its NA
    if pandas is None:
        return X
    if isinstance(X, np.ndarray):
        return np.where(pandas.isna(X), np.nan, X) if X.dtype == object else X
    if isinstance(X, pandas.DataFrame) and np.dtype(object) in list(X.dtypes):
        return X.where(X.notna(), np.nan)
    return X


NO_MISSING = "missing values do not go here; drop these rows, or fill them in by GaussianMixtureImputer"


def raise_if_not_finite(
    rows: NDArray[Any], names: NDArray[Any] | None = None, missing_allowed: bool = False, first_row: int = 0
) -> None:
    """Raise an error that names the first row and column with infinity, or NaN if that is not allowed."""
    for start in range(0, rows.shape[0], 65_536):
        block = rows[start : start + 65_536]
        bad = np.isinf(block) if missing_allowed else ~np.isfinite(block)
        if not bad.any():
            continue
        row, column = np.argwhere(bad)[0]
        value = rows[start + row, column]
        kind, advice = ("NaN", NO_MISSING) if np.isnan(value) else ("infinity", "remove or correct it")
        name = f" ({names[column]!r})" if names is not None else ""
        raise ValueError(f"Input X contains {kind} at row {first_row + start + row}, column {column}{name}; {advice}")


class NotFiniteError(ValueError):
    """A block may hold NaN or infinity; or its sum merely overflowed."""


def inspect_block(block: Block) -> None:
    """Raise NotFiniteError if the sum of a block's values is not finite: the quickest check there is."""
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(block.rows.sum()):
            raise NotFiniteError


def check_weights(sample_weight: ArrayLike | None, n_rows: int) -> Array | None:
    """(N,) weights, checked; None where there are none.

    Raises
    ------
    ValueError
        If the shape is wrong, a weight is negative or not finite (its row is
        named), or all are zero.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.ndim == 0:
        weights = np.full(n_rows, float(weights))
    if weights.shape != (n_rows,):
        raise ValueError(f"sample_weight must have shape ({n_rows},), one weight a row; got {weights.shape}")
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        raise ValueError(f"sample_weight of row {wrong[0]} is {weights[wrong[0]]}; weights must be finite and >= 0")
    if not weights.any():
        raise ValueError("sample_weight is zero for every row; at least one weight must be positive")
    return weights


def check_targets(y: Any, n_rows: int) -> NDArray[Any]:
    """(N,) classes, checked.

    Raises
    ------
    ValueError
        If there are none, they are not one a row, not finite, or numbers that are not classes.
    """
    if y is None:
        raise ValueError("a classifier requires y to be passed, but the target y is None")
    targets = np.asarray(column_or_1d(y, warn=True))
    assert_all_finite(targets, input_name="y")
    check_classification_targets(targets)
    if targets.shape[0] != n_rows:
        raise ValueError(f"y must have one class a row: {n_rows} rows, {targets.shape[0]} classes")
    return targets


def check_real_targets(y: Any, n_rows: int) -> Array:
    """(N,) or (N, T) finite numbers to predict, checked.

    Raises
    ------
    ValueError
        If there are none, they are not one a row, or not finite numbers.
    """
    if y is None:
        raise ValueError("a regressor requires y to be passed, but the target y is None")
    targets = np.asarray(check_array(y, ensure_2d=False, dtype=np.float64, input_name="y"))
    if targets.ndim == 0 or targets.shape[0] != n_rows:
        raise ValueError(f"y must have one value, or vector, a row: {n_rows} rows, and y of shape {targets.shape}")
    return targets
