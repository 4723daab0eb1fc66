"""Background of a video: for every pixel a mixture that follows it, and what does not fit in is foreground."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from mixtura.engine.threads import share_out, thread_count
from mixtura.estimators.base import BaseEstimator, check_is_fitted

__all__ = ["BackgroundMixture"]

#: Pixels that are worked on together: their mixtures stay in the second-level cache.
RUN = 8192

#: Pixels by which the change of light is measured: the median of so many ratios is known to a thousandth.
LIGHT_PIXELS = 5000

#: A larger change of light from one frame to the next is a cut, not light.
LARGEST_GAIN = 1.25

Single = NDArray[np.float32]
Flags = NDArray[np.bool_]


class BackgroundMixture(BaseEstimator):  # type: ignore[misc]
    """Foreground of a video, by an online mixture of spherical Gaussians for every pixel.

    A pixel's mixture follows its recent values (Stauffer and Grimson 1999): each value moves the heaviest component
    that it fits, and where it fits none, replaces the weakest. Components that explain less than a share of the
    values lose weight until they are gone, so that a steady pixel has one and a flickering one has several
    (Zivkovic 2004, equation 14). Components that explain `min_share` of the frames are the background; a value that
    fits none of them is foreground. Before each frame the means follow the light: they are multiplied by the
    typical ratio of the frame to them, so that clouds and a camera's exposure are not taken for objects.

    Parameters
    ----------
    n_components : int, default=4
        Largest number of components of a pixel.
    history : float, default=200
        Frames that the mixtures remember, about: each new frame counts 1 / `history`, but 1 / t in the first t.
    false_alarm : float, default=1e-4
        Probability that a value of the background counts as foreground, were the background Gaussian.
    min_share : float, default=0.2
        Share of the remembered frames from which on a component counts as background. An object that stops
        becomes background when it has stood still for about that share of `history`.
    complexity : float, default=0.05
        Share of the frames that a component must explain to stay.
    initial_deviation : float, default=12
        Standard deviation of a new component, in units of the pixels.
    min_deviation : float, default=2
        Smallest standard deviation of a component: no camera is less noisy.
    min_neighbours : int, default=3
        A foreground pixel needs that many foreground pixels among its eight neighbours, or is taken for noise, and a
        background pixel with more than 8 less that many is filled in. 0: every pixel by itself.
    follow_light : bool, default=True
    n_threads : int, optional

    Attributes
    ----------
    weights_ : array of shape (K, H, W)
    means_ : array of shape (K, C, H, W)
    variances_ : array of shape (K, H, W)
        Of each channel.
    n_frames_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import BackgroundMixture
    >>> rng = np.random.default_rng(0)
    >>> video = rng.normal(100.0, 3.0, (50, 30, 40))
    >>> video[-1, 10:20, 10:20] += 60.0
    >>> model = BackgroundMixture()
    >>> for frame in video[:-1]:
    ...     mask = model.apply(frame)
    >>> int(mask.sum()), int(model.apply(video[-1]).sum())
    (0, 100)
    """

    def __init__(
        self,
        n_components: int = 4,
        *,
        history: float = 200,
        false_alarm: float = 1e-4,
        min_share: float = 0.2,
        complexity: float = 0.05,
        initial_deviation: float = 12.0,
        min_deviation: float = 2.0,
        min_neighbours: int = 3,
        follow_light: bool = True,
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.history = history
        self.false_alarm = false_alarm
        self.min_share = min_share
        self.complexity = complexity
        self.initial_deviation = initial_deviation
        self.min_deviation = min_deviation
        self.min_neighbours = min_neighbours
        self.follow_light = follow_light
        self.n_threads = n_threads

    def apply(self, frame: ArrayLike, learning_rate: float | None = None) -> Flags:
        """The foreground of the next frame, from which the mixtures learn too.

        Parameters
        ----------
        frame : array of shape (H, W) or (H, W, C)
        learning_rate : float, optional
            What this frame counts, 0 to 1, instead of what `history` says. 0: learn nothing.

        Returns
        -------
        mask : array of bool, shape (H, W)

        Raises
        ------
        ValueError
            For a frame of another shape than the first, or not of finite numbers.
        """
        return self._advance(frame, learning_rate)

    def partial_fit(self, frame: ArrayLike, y: Any = None) -> Self:
        """Learn from the next frame."""
        self._advance(frame, None)
        return self

    def fit(self, frames: Any, y: Any = None) -> Self:
        """Start anew, and learn from frames, in order."""
        for name in ("weights_", "means_", "variances_", "n_frames_"):
            self.__dict__.pop(name, None)
        for frame in frames:
            self._advance(frame, None)
        return self

    def predict(self, frame: ArrayLike) -> Flags:
        """The foreground of a frame (H, W), from which nothing is learnt."""
        check_is_fitted(self, "weights_")
        return self._advance(frame, 0.0)

    def background(self) -> Single:
        """The mean of each pixel's heaviest component: (H, W), or (H, W, C) with several channels."""
        check_is_fitted(self, "weights_")
        heaviest = self.weights_.argmax(axis=0)
        image = np.take_along_axis(self.means_, heaviest[None, None], axis=0)[0]
        return np.asarray(image[0] if image.shape[0] == 1 else np.moveaxis(image, 0, -1))

    def _advance(self, frame: ArrayLike, learning_rate: float | None) -> Flags:
        planes = self._planes(frame)
        if not hasattr(self, "weights_"):
            self._check_parameters()
            self._begin(planes)
            return np.zeros(planes.shape[1:], dtype=bool)
        if planes.shape != self.means_.shape[1:]:
            raise ValueError(f"a frame has shape {planes.shape[1:]} and {planes.shape[0]} channels; the first had "
                             f"{self.means_.shape[2:]} and {self.means_.shape[1]}")  # fmt: skip
        if learning_rate is None:
            learning_rate = 1.0 / min(self.n_frames_ + 1, self.history)
            self.n_frames_ += 1
        elif not 0 <= learning_rate <= 1:
            raise ValueError(f"learning_rate must be between 0 and 1; got {learning_rate!r}")
        gain = _gain(self, planes) if self.follow_light else None
        mask = np.empty(planes.shape[1:], dtype=bool)
        state = _State(self, planes, mask, learning_rate, gain)
        runs = [slice(start, start + RUN) for start in range(0, mask.size, RUN)]
        share_out(runs, state.advance, thread_count(self.n_threads))
        return _tidy(mask, self.min_neighbours)

    def _planes(self, frame: ArrayLike) -> Single:
        """The channels (C, H, W) of a frame."""
        pixels = np.asarray(frame)
        if pixels.ndim not in (2, 3) or pixels.size == 0 or pixels.dtype.kind not in "biuf":
            raise ValueError(f"a frame is numbers of shape (H, W) or (H, W, C); got {pixels.dtype}, {pixels.shape}")
        planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        planes = np.ascontiguousarray(planes, dtype=np.float32)
        if not np.isfinite(planes.sum()):
            channel, row, column = np.argwhere(~np.isfinite(planes))[0] if not np.isfinite(planes).all() else (0, 0, 0)
            raise ValueError(f"a frame must be finite; row {row}, column {column}, channel {channel} is not")
        return planes

    def _check_parameters(self) -> None:
        self._check_types()
        sound = {
            "n_components": self.n_components >= 1,
            "history": self.history >= 1,
            "false_alarm": 0 < self.false_alarm < 1,
            "min_share": 0 < self.min_share < 1,
            "complexity": 0 <= self.complexity < 1,
            "initial_deviation": self.initial_deviation > 0,
            "min_deviation": self.min_deviation > 0,
            "min_neighbours": 0 <= self.min_neighbours <= 8,
            "n_threads": self.n_threads is None or self.n_threads >= 1,
        }
        for name, good in sound.items():
            if not good:
                raise ValueError(f"{name}={getattr(self, name)!r} is out of range")

    def _check_types(self) -> None:
        whole = ("n_components", "min_neighbours", *(() if self.n_threads is None else ("n_threads",)))
        for name in (*whole, "history", "false_alarm", "min_share", "complexity", "initial_deviation", "min_deviation"):
            value, kind = getattr(self, name), Integral if name in whole else Real
            if not isinstance(value, kind) or isinstance(value, bool):
                raise TypeError(f"{name} must be {'an integer' if name in whole else 'a number'}; got {value!r}")

    def _begin(self, planes: Single) -> None:
        channels, *shape = planes.shape
        self.weights_ = np.zeros((self.n_components, *shape), dtype=np.float32)
        self.means_ = np.zeros((self.n_components, channels, *shape), dtype=np.float32)
        self.variances_ = np.full_like(self.weights_, self.initial_deviation**2)
        self.weights_[0], self.means_[0] = 1.0, planes
        self.n_frames_ = 1


class _State:
    """One frame's step, for a run of pixels at a time: flat views of the model's arrays, and its constants."""

    def __init__(
        self, model: BackgroundMixture, planes: Single, mask: Flags, rate: float, gain: Single | None
    ) -> None:
        components, channels = model.means_.shape[:2]
        self.weights = model.weights_.reshape(components, -1)
        self.means = model.means_.reshape(components, channels, -1)
        self.variances = model.variances_.reshape(components, -1)
        self.values, self.mask = planes.reshape(channels, -1), mask.reshape(-1)
        self.gain = None if gain is None else gain[:, None]
        self.rate, self.share = np.float32(rate), np.float32(model.min_share)
        self.penalty = np.float32(rate * model.complexity)
        self.first = np.float32(model.initial_deviation**2)
        self.least = np.float32(model.min_deviation**2)
        self.threshold = np.float32(chi2.isf(model.false_alarm, channels))
        # what a component owns is a Gaussian cut off at the threshold: its mean square, in variances
        self.kept = np.float32(channels * chi2.cdf(self.threshold, channels + 2) / (1 - model.false_alarm))

    def advance(self, run: slice) -> None:
        """Tell the run's foreground, and learn."""
        weights, means, variances = self.weights[:, run], self.means[:, :, run], self.variances[:, run]
        if self.gain is not None and self.rate > 0:
            means *= self.gain
        expected = means if self.gain is None or self.rate > 0 else means * self.gain
        deviations = self.values[:, run] - expected
        squares = np.einsum("kcn,kcn->kn", deviations, deviations)
        distances = squares / variances
        distances[weights <= 0] = np.inf
        fits = distances < self.threshold
        self.mask[run] = ~(fits & (weights >= self.share)).any(axis=0)
        claims = fits * weights
        heaviest = claims.max(axis=0)
        owned = fits & (claims == heaviest)
        if self.rate > 0:
            self._replace(weights, means, variances, heaviest == 0, run)
            self._learn(weights, means, variances, deviations, squares, owned)

    def _learn(
        self, weights: Single, means: Single, variances: Single, deviations: Single, squares: Single, owned: Flags
    ) -> None:
        """Move weights, and the owners' means and variances, towards the values (Zivkovic 2004, equations 4 to 6)."""
        weights *= 1 - self.rate
        weights += self.rate * owned
        weights -= self.penalty
        np.maximum(weights, 0, out=weights)
        weights /= weights.sum(axis=0)
        step = np.maximum(weights, self.rate)
        np.divide(self.rate, step, out=step)
        step *= owned
        deviations *= step[:, None]
        means += deviations
        squares /= self.kept
        squares -= variances
        squares *= step
        variances += squares
        np.maximum(variances, self.least, out=variances)

    def _replace(self, weights: Single, means: Single, variances: Single, strange: Flags, run: slice) -> None:
        """Where a value fits no component, it replaces the one of least weight."""
        places = np.flatnonzero(strange)
        if places.size == 0:
            return
        weakest = weights[:, places].argmin(axis=0)
        weights[weakest, places] = self.rate / (1 - self.rate) if self.rate < 1 else 1.0
        means[weakest, :, places] = self.values[:, run][:, places].T
        variances[weakest, places] = self.first


def _gain(model: BackgroundMixture, planes: Single) -> Single:
    """Typical ratio (C,) of a frame's channels to their background, on some of the pixels; 1 where it is dark."""
    channels = len(planes)
    step = max(1, planes[0].size // LIGHT_PIXELS)
    values = planes.reshape(channels, -1)[:, ::step]
    weights = model.weights_.reshape(model.n_components, -1)[:, ::step]
    means = model.means_.reshape(model.n_components, channels, -1)[:, :, ::step]
    expected = np.take_along_axis(means, weights.argmax(axis=0)[None, None], axis=0)[0]
    lit = np.abs(expected) > 4 * model.min_deviation
    gain = np.ones(channels, dtype=np.float32)
    for channel in np.flatnonzero(lit.sum(axis=1) >= 100):
        ratio = np.median(values[channel, lit[channel]] / expected[channel, lit[channel]])
        gain[channel] = np.clip(ratio, 1 / LARGEST_GAIN, LARGEST_GAIN)
    return gain


def _tidy(mask: Flags, needed: int) -> Flags:
    """The mask with lonely pixels of either kind turned over."""
    if needed == 0:
        return mask
    padded = np.pad(mask, 1, mode="edge").astype(np.int8)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    count = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] - mask
    return np.asarray(np.where(mask, count >= needed, count > 8 - needed))
