"""Objects in a sequence of masks, followed by a Kalman filter of constant velocity."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi2

from mixtura.shape import Array

__all__ = ["CentroidTracker", "Track"]

#: Position and velocity after one frame, from those before it; positions are what is seen.
STEP = np.block([[np.eye(2), np.eye(2)], [np.zeros((2, 2)), np.eye(2)]])
SEEN = np.eye(2, 4)

#: A costlier assignment than any within the gate.
FORBIDDEN = 1e6


@dataclass(eq=False)
class Track:
    """One object: where it is, how it moves, and where it has been.

    Attributes
    ----------
    identity : int
    state : array of shape (4,)
        Row, column, and their velocities in pixels a frame.
    covariance : array of shape (4, 4)
        Of the state.
    box : tuple of slice
        Rows and columns that the object covered when it was last seen.
    seen : int
        Frames in which it was seen.
    missed : int
        Frames since then.
    path : list of array of shape (2,)
        Estimated position in each frame since the first.
    """

    identity: int
    state: Array
    covariance: Array
    box: tuple[slice, slice]
    seen: int = 1
    missed: int = 0
    path: list[Array] = field(default_factory=list)

    @property
    def position(self) -> Array:
        """Row and column."""
        return self.state[:2]

    @property
    def velocity(self) -> Array:
        """Rows and columns a frame."""
        return self.state[2:]


class CentroidTracker:
    """Tracks of the objects in masks, by the centroids of their connected pixels.

    Each track is a Kalman filter (Kalman 1960) whose velocity is constant but for a random acceleration; tracks and
    objects are matched so that the sum of squared Mahalanobis distances is least (Kuhn 1955), and never over more than
    `gate` says is plausible.

    Parameters
    ----------
    min_area : int, default=30
        Smaller objects are ignored.
    acceleration : float, default=0.5
        Standard deviation of the change of velocity from frame to frame, in pixels a frame.
    measurement_deviation : float, default=2
        Standard deviation of a centroid, in pixels.
    gate : float, default=0.999
        Probability that an object is found within what its track expects.
    min_seen : int, default=3
        Frames from which on a track is reported: until then it may be noise.
    max_missed : int, default=10
        Frames that a track survives unseen.

    Attributes
    ----------
    tracks : list of Track
        All that live, those too young to be reported among them.

    Examples
    --------
    >>> import numpy as np
    >>> tracker = CentroidTracker()
    >>> for t in range(20):
    ...     mask = np.zeros((60, 100), dtype=bool)
    ...     mask[20:30, 3 * t : 3 * t + 10] = True
    ...     tracks = tracker.update(mask)
    >>> len(tracks), tracks[0].position.round(1).tolist(), (abs(tracks[0].velocity) + 1e-9).round(1).tolist()
    (1, [24.5, 61.5], [0.0, 3.0])
    """

    def __init__(
        self,
        min_area: int = 30,
        *,
        acceleration: float = 0.5,
        measurement_deviation: float = 2.0,
        gate: float = 0.999,
        min_seen: int = 3,
        max_missed: int = 10,
    ) -> None:
        _check("min_area", min_area, Integral, 1)
        _check("min_seen", min_seen, Integral, 1)
        _check("max_missed", max_missed, Integral, 0)
        _check("acceleration", acceleration, Real, 1e-12)
        _check("measurement_deviation", measurement_deviation, Real, 1e-12)
        _check("gate", gate, Real, 1e-12, 1 - 1e-12)
        self.min_area = min_area
        self.min_seen = min_seen
        self.max_missed = max_missed
        noise = np.array([0.5, 1.0])[:, None] * np.array([0.5, 1.0])
        self._process = acceleration**2 * np.kron(noise, np.eye(2))
        self._measurement = measurement_deviation**2 * np.eye(2)
        self._farthest = float(chi2.ppf(gate, 2))
        self._next = 1
        self.tracks: list[Track] = []

    def update(self, mask: ArrayLike) -> list[Track]:
        """Follow the objects of the next mask (H, W); returns the tracks that are old enough to be reported."""
        pixels = np.asarray(mask)
        if pixels.dtype.kind not in "biuf" or (pixels != pixels).any():  # NaN would count as an object
            raise ValueError(f"a mask is True, False or numbers without NaN; got an array of {pixels.dtype}")
        centroids, boxes = self._objects(pixels.astype(bool))
        for track in self.tracks:
            track.state = STEP @ track.state
            track.covariance = STEP @ track.covariance @ STEP.T + self._process
        matched = self._matches(centroids)
        for track, found in matched.items():
            self._correct(track, centroids[found])
            track.box, track.seen, track.missed = boxes[found], track.seen + 1, 0
        for track in self.tracks:
            track.missed += track not in matched
            track.path.append(track.position.copy())
        self.tracks = [one for one in self.tracks if one.missed <= (self.max_missed if self._reported(one) else 0)]
        for found in set(range(len(boxes))) - set(matched.values()):
            self._start(centroids[found], boxes[found])
        return [one for one in self.tracks if self._reported(one)]

    def _reported(self, track: Track) -> bool:
        return track.seen >= self.min_seen

    def _objects(self, mask: NDArray[np.bool_]) -> tuple[Array, list[tuple[slice, slice]]]:
        """Centroids (n, 2) and boxes of the connected groups of pixels that are large enough."""
        if mask.ndim != 2:
            raise ValueError(f"a mask has shape (H, W); got {mask.shape}")
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        if count == 0:
            return np.empty((0, 2)), []
        large = 1 + np.flatnonzero(np.bincount(labels.ravel(), minlength=count + 1)[1:] >= self.min_area)
        boxes = ndimage.find_objects(labels)
        centroids = ndimage.center_of_mass(mask, labels, large) if large.size else []
        return np.array(centroids, dtype=np.float64).reshape(-1, 2), [boxes[one - 1] for one in large]

    def _matches(self, centroids: Array) -> dict[Track, int]:
        """Which object each track has become."""
        if not self.tracks or not len(centroids):
            return {}
        cost = np.array([self._distances(track, centroids) for track in self.tracks])
        rows, columns = linear_sum_assignment(np.where(cost <= self._farthest, cost, FORBIDDEN))
        good = cost[rows, columns] <= self._farthest
        return {self.tracks[row]: int(column) for row, column in zip(rows[good], columns[good], strict=True)}

    def _distances(self, track: Track, centroids: Array) -> Array:
        """Squared Mahalanobis distances (n,) of objects from where the track expects its own."""
        spread = cho_factor(SEEN @ track.covariance @ SEEN.T + self._measurement)
        off = centroids - track.position
        return np.asarray((off.T * cho_solve(spread, off.T)).sum(axis=0))

    def _correct(self, track: Track, centroid: Array) -> None:
        """Kalman's update, in Joseph's form, whose covariance stays positive definite."""
        spread = cho_factor(SEEN @ track.covariance @ SEEN.T + self._measurement)
        gain = cho_solve(spread, SEEN @ track.covariance).T
        track.state = track.state + gain @ (centroid - track.position)
        rest = np.eye(4) - gain @ SEEN
        track.covariance = rest @ track.covariance @ rest.T + gain @ self._measurement @ gain.T

    def _start(self, centroid: Array, box: tuple[slice, slice]) -> None:
        """Begin a track: nothing is known of its velocity but that it is not beyond the object's own size a frame."""
        size = max(box[0].stop - box[0].start, box[1].stop - box[1].start)
        covariance = np.diag(np.repeat([self._measurement[0, 0], float(size) ** 2], 2))
        state = np.array([*centroid, 0.0, 0.0])
        self.tracks.append(Track(self._next, state, covariance, box, path=[state[:2].copy()]))
        self._next += 1


def _check(name: str, value: Any, kind: type, least: float, most: float = 1e12) -> None:
    """Raise ValueError if a parameter is not a number of that kind in that range."""
    if not isinstance(value, kind) or not least <= float(value) <= most:  # type: ignore[arg-type]
        what = "an integer" if kind is Integral else "a number"
        raise ValueError(f"{name} must be {what} from {least:g} to {most:g}; got {value!r}")
