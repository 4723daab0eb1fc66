"""Segmentation of images: a mixture of the pixels' values, and neighbours that tend to agree."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.engine.threads import share_out, thread_count
from mixtura.estimators.base import CollapsedComponentWarning, check_random_state
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.gaussian_mixture_ic import GaussianMixtureIC
from mixtura.spatial import SWEEPS, Tile, smooth_responsibilities, tiles

__all__ = ["segment_image"]

#: Pixels that a mixture is fitted to: the error of its parameters is far below what separates segments.
FIT_PIXELS = 100_000

#: Pixels by which the number of segments is chosen. Neighbours are alike, so that more would not tell more.
CHOICE_PIXELS = 4_000

#: Variance of rounding to integers, in units of one.
ROUNDING_VARIANCE = 1.0 / 12.0


def segment_image(
    image: ArrayLike,
    n_segments: int | str = "auto",
    *,
    spatial_weight: float = 1.0,
    covariance_type: str = "full",
    max_segments: int = 8,
    mask: ArrayLike | None = None,
    channel_axis: int | None = -1,
    start_label: int = 1,
    return_proba: bool = False,
    return_model: bool = False,
    random_state: Any = None,
    n_threads: int | None = None,
) -> Any:
    """Segment an image by a Gaussian mixture of its pixels' values, in scikit-image's conventions.

    Parameters
    ----------
    image : array
        Two or more spatial axes, and channels unless `channel_axis` is None; integers or floats. NaN is a
        missing value: its pixel goes where its other channels and its neighbours say.
    n_segments : int or "auto", default="auto"
        "auto" takes the number from 1 to `max_segments` with the best integrated completed likelihood
        (Biernacki, Celeux and Govaert 2000) on a sample of the pixels.
    spatial_weight : float, default=1
        How much neighbours tend to agree: a Potts model, in mean field. 0: each pixel by itself.
    covariance_type : str, default="full"
        As in `GaussianMixture`.
    max_segments : int, default=8
    mask : array of bool, optional
        False where there is nothing to segment; those pixels get label 0, as scikit-image has it.
    channel_axis : int or None, default=-1
        None: a single channel, with no axis of its own.
    start_label : {0, 1}, default=1
        Label of the darkest segment; segments are in the order of their mean over the channels. With 0, what
        is masked is -1.
    return_proba, return_model : bool, default=False
    random_state : int, RandomState or None
        Draws the sample, where the image is larger than a few hundred thousand pixels.
    n_threads : int, optional

    Returns
    -------
    labels : array of int, of the spatial axes' shape
    proba : array of shape (..., K), float32
        Soft maps, where asked for: each pixel's responsibilities with its neighbours taken into account.
    model : GaussianMixture
        The mixture of the pixels, where asked for.

    Raises
    ------
    ValueError
        For an image without pixels, of other than numbers, or a mask of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import segment_image
    >>> image = np.random.default_rng(0).normal(0.0, 1.0, (40, 60))
    >>> image[:, 30:] += 6.0
    >>> labels = segment_image(image, 2, channel_axis=None, random_state=0)
    >>> bool((labels[:, :30] == 1).all() and (labels[:, 30:] == 2).all())
    True
    """
    pixels = _channels_last(image, channel_axis)
    shape = pixels.shape[:-1]
    present = _present(mask, shape)
    if not isinstance(spatial_weight, Real) or not np.isfinite(spatial_weight) or spatial_weight < 0:
        raise ValueError(f"spatial_weight must be a finite number >= 0; got {spatial_weight!r}")
    if start_label not in (0, 1):
        raise ValueError(f"start_label must be 0 or 1; got {start_label!r}")
    rng = check_random_state(random_state)
    model = _fit(pixels, present, n_segments, max_segments, covariance_type, rng, n_threads)
    _sort_components(model)
    labels = np.empty(shape, dtype=np.int32)
    proba = np.empty((*shape, model.mixture_.n_components), dtype=np.float32) if return_proba else None

    def segment(tile: Tile) -> None:
        maps = _responsibilities(model, pixels[tile.read], None if present is None else present[tile.read],
                                 spatial_weight)[(slice(None), *tile.inner)]  # fmt: skip
        labels[tile.box] = maps.argmax(axis=0) + start_label
        if proba is not None:
            proba[tile.box] = np.moveaxis(maps, 0, -1)

    model.n_threads = 1  # the tiles share the threads
    share_out(tiles(shape, SWEEPS if spatial_weight else 0), segment, thread_count(n_threads))
    model.n_threads = n_threads
    if present is not None:
        labels[~present] = start_label - 1
    answer = (labels, *([proba] if return_proba else []), *([model] if return_model else []))
    return answer[0] if len(answer) == 1 else answer


def _channels_last(image: ArrayLike, channel_axis: int | None) -> NDArray[Any]:
    """The image with its channels in the last axis; of booleans, bytes."""
    pixels = np.asarray(image)
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    if pixels.dtype.kind not in "iuf":
        raise ValueError(f"an image must hold numbers; got an array of {pixels.dtype}")
    if channel_axis is not None and not -pixels.ndim <= channel_axis < pixels.ndim:
        raise ValueError(f"channel_axis={channel_axis} is not an axis of an image of shape {pixels.shape}")
    pixels = pixels[..., None] if channel_axis is None else np.moveaxis(pixels, channel_axis, -1)
    if pixels.ndim < 3 or 0 in pixels.shape:
        raise ValueError(
            f"an image needs two or more spatial axes, none of them empty; got shape {np.shape(image)} with "
            f"channel_axis={channel_axis} (None for an image without channels)"
        )
    return pixels


def _present(mask: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    present = np.asarray(mask).astype(bool)
    if present.shape != shape:
        raise ValueError(f"mask must have the image's shape {shape}; got {present.shape}")
    if not present.any():
        raise ValueError("mask leaves no pixel to segment")
    return present


def _fit(
    pixels: NDArray[Any],
    present: NDArray[np.bool_] | None,
    n_segments: int | str,
    max_segments: int,
    covariance_type: str,
    rng: Any,
    n_threads: int | None,
) -> GaussianMixture:
    """The mixture of a sample of the pixels that are there."""
    count = int(np.prod(pixels.shape[:-1])) if present is None else int(present.sum())
    rows = _sample(pixels, present, count, min(count, FIT_PIXELS), rng)
    floor = 1e-6
    if pixels.dtype.kind in "iu":  # no segment is narrower than rounding
        floor = float(np.clip(ROUNDING_VARIANCE / max(float(rows.var(axis=0).min()), 1e-9), floor, 0.5))
    seed = int(rng.randint(2**31))
    shared: dict[str, Any] = {
        "covariance_type": covariance_type,
        "reg_covar": floor,
        "random_state": seed,
        "n_threads": n_threads,
    }
    if not isinstance(max_segments, Integral) or isinstance(max_segments, bool) or max_segments < 1:
        raise ValueError(f"max_segments must be a positive integer; got {max_segments!r}")
    if n_segments == "auto":
        few = rows[: min(CHOICE_PIXELS, len(rows))]
        sizes = range(1, min(max_segments, len(few)) + 1)
        choice = GaussianMixtureIC(sizes, criterion="icl", **{**shared, "covariance_type": [covariance_type]})
        n_segments = choice.fit(few).best_estimator_.n_components if np.ptp(few, axis=0).any() else 1
    if not isinstance(n_segments, Integral) or isinstance(n_segments, bool) or n_segments < 1:
        raise ValueError(f'n_segments must be a positive integer or "auto"; got {n_segments!r}')
    with warnings.catch_warnings():
        if pixels.dtype.kind in "iu":  # pixels at the ends of the scale are a segment, if a narrow one
            warnings.simplefilter("ignore", CollapsedComponentWarning)
        return GaussianMixture(int(n_segments), **shared).fit(rows)


def _kind(pixels: NDArray[Any]) -> type[np.floating[Any]]:
    """The smaller of float32 and float64 that holds the pixels exactly."""
    return np.float32 if pixels.dtype.itemsize <= 2 or pixels.dtype == np.float32 else np.float64


def _sample(
    pixels: NDArray[Any], present: NDArray[np.bool_] | None, count: int, size: int, rng: Any
) -> NDArray[Any]:
    """That many of the pixels (n, C) that are there, in random order."""
    if size == count and present is None:
        return np.asarray(pixels.reshape(count, -1)[rng.permutation(count)], dtype=_kind(pixels))
    chosen = rng.choice(count, size, replace=False) if count < 4 * size else _distinct(count, size, rng)
    if present is not None:
        chosen = np.flatnonzero(present)[chosen]
    return np.asarray(pixels[np.unravel_index(chosen, pixels.shape[:-1])], dtype=_kind(pixels))


def _distinct(count: int, size: int, rng: Any) -> NDArray[np.int64]:
    """That many of far more indices, without a permutation of all: one from each of as many equal runs."""
    edges = np.linspace(0, count, size + 1).astype(np.int64)
    drawn = edges[:-1] + (rng.random_sample(size) * np.diff(edges)).astype(np.int64)
    return np.asarray(rng.permutation(drawn))


def _sort_components(model: GaussianMixture) -> None:
    """Put the darkest segment first, so that labels do not depend on the seed."""
    order = np.argsort(model.means_.mean(axis=1), kind="stable")
    model._set_fitted(
        model.mixture_.take(order),
        converged=model.converged_,
        status=model.status_,
        n_iter=model.n_iter_,
        lower_bounds=model.lower_bounds_,
        lower_bound=model.lower_bound_,
        n_observations=model.n_observations_,
    )


def _responsibilities(
    model: GaussianMixture, pixels: NDArray[Any], present: NDArray[np.bool_] | None, weight: float
) -> NDArray[np.float32]:
    """Responsibilities (K, ...) of a tile's pixels (..., C)."""
    shape, channels = pixels.shape[:-1], pixels.shape[-1]
    rows = np.ascontiguousarray(pixels.reshape(-1, channels), dtype=_kind(pixels))
    maps = np.ascontiguousarray(model.predict_proba(rows).T, dtype=np.float32).reshape(-1, *shape)
    if weight == 0:
        return maps
    with np.errstate(divide="ignore"):
        logs = np.log(maps)
    if present is not None:
        logs[:, ~present] = -np.inf
    return smooth_responsibilities(logs, weight)
