"""Matplotlib displays: which row belongs to which component, and how many components there are.

They follow scikit-learn's convention: ``from_estimator`` makes and draws one,
``plot`` draws it again, and ``ax_`` and ``figure_`` are what was drawn on. Only
this file imports matplotlib.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, norm

from mixtura.mixture import Mixture
from mixtura.shape import Array

try:
    import matplotlib.pyplot as plt
    from matplotlib.patches import Ellipse
except ImportError as error:
    raise ImportError('the displays need matplotlib; install it with: pip install "mixtura[plot]"') from error

__all__ = ["ClassificationDisplay", "ModelSelectionDisplay"]

#: Okabe and Ito's colours, told apart with any colour vision (yellow left out: too pale on white).
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vP*X<>pH"  # as many again, because colours repeat and prints are grey

#: More components than this are numbered at their centres: a longer legend hides rows.
LEGEND_LIMIT = 4

#: More curves than this have their legend beside the axes.
LEGEND_CURVES = 6

#: Crosses for what failed with one number of components stand this far apart: fourteen of them take less than one unit.
FAILURE_STEP = 0.06

NOISE_COLOR = "0.55"
CURVE_POINTS = 512


def color_of(component: int) -> str:
    """The colour of a component; they repeat after the palette's end."""
    return PALETTE[component % len(PALETTE)]


def marker_of(component: int) -> str:
    """The marker of a component; of another period than the colours, so pairs repeat late."""
    return MARKERS[component % len(MARKERS)]


@dataclass(eq=False)
class ClassificationDisplay:
    """Rows coloured by component, with the components drawn over them.

    Two features are drawn as a scatter with one ellipse a component; a single
    feature as a histogram with the components' densities under their sum.

    Parameters
    ----------
    mixture : Mixture
        In the units of the rows.
    rows : array of shape (n, D)
    labels : array of shape (n,)
        Component of each row.
    features : sequence of one or two int
        Which features to draw.
    feature_names : sequence of str
        Of all D features.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from mixtura import Mixture
    >>> from mixtura.plot import ClassificationDisplay
    >>> mixture = Mixture.from_parameters([0.5, 0.5], [[0.0, 0.0], [5.0, 5.0]], [1.0, 1.0], "spherical")
    >>> rows, labels = mixture.rvs(50, random_state=0)
    >>> display = ClassificationDisplay(mixture, rows, labels).plot(probability=0.9)
    >>> len(display.ax_.patches)
    2
    """

    mixture: Mixture
    rows: Array
    labels: NDArray[np.integer[Any]]
    features: Sequence[int] = (0, 1)
    feature_names: Sequence[str] = ()
    ax_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.rows = np.asarray(self.rows, dtype=np.float64)
        self.labels = np.asarray(self.labels)
        n_features = self.mixture.n_features
        if self.rows.ndim != 2 or self.rows.shape[1] != n_features:
            raise ValueError(f"rows must have shape (n, {n_features}); got {self.rows.shape}")
        self.features = _checked_features(self.features, n_features)
        self.feature_names = list(self.feature_names) or [f"feature {j}" for j in range(n_features)]

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        features: Sequence[int] = (0, 1),
        probability: float = 0.95,
        ax: Any = None,
    ) -> ClassificationDisplay:
        """Draw the rows of X as a fitted estimator classifies them.

        Parameters
        ----------
        estimator : object
            Fitted, with ``mixture_`` and ``predict``.
        X : array-like or data frame of shape (n, D)
        features : sequence of one or two int, default=(0, 1)
            Which features to draw; where D is 1, the only one.
        probability : float, default=0.95
            Share of a component's mass inside its ellipse.
        ax : matplotlib.axes.Axes, optional
            Default: new axes.

        Returns
        -------
        ClassificationDisplay
        """
        names = getattr(X, "columns", getattr(estimator, "feature_names_in_", ()))
        display = cls(
            estimator.mixture_, np.asarray(X), estimator.predict(X), features, [str(name) for name in names]
        )
        return display.plot(ax=ax, probability=probability)

    def plot(self, *, ax: Any = None, probability: float = 0.95, bins: int | str = "auto") -> ClassificationDisplay:
        """Draw on ``ax``, or on new axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        probability : float, default=0.95
            Share of a component's mass inside its ellipse, between 0 and 1.
        bins : int or str, default="auto"
            Of the histogram, where one feature is drawn.

        Returns
        -------
        ClassificationDisplay
            This one.

        Raises
        ------
        ValueError
            If the probability is not between 0 and 1.
        """
        if not 0 < probability < 1:
            raise ValueError(f"probability must be between 0 and 1; got {probability}")
        self.figure_, self.ax_ = _axes(ax)
        if len(self.features) == 1:
            self._draw_line(bins)
        else:
            self._draw_plane(probability)
        if len(self.features) == 1 or self.mixture.n_components <= LEGEND_LIMIT:
            self.ax_.legend(framealpha=0.8, edgecolor="none", markerscale=1.6, fontsize="small")
        return self

    def _draw_plane(self, probability: float) -> None:
        first, second = self.features
        for k in range(self.mixture.n_components):
            own = self.rows[self.labels == k]
            style = {"color": color_of(k), "marker": marker_of(k), "label": f"component {k}"}
            self.ax_.scatter(own[:, first], own[:, second], s=14, alpha=0.6, linewidths=0, **style)
            self.ax_.add_patch(self._ellipse(k, probability))
            if self.mixture.n_components > LEGEND_LIMIT:
                self._number(k)
        if self.mixture.background is not None:
            own = self.rows[self.labels == -1]
            self.ax_.scatter(own[:, first], own[:, second], s=8, color=NOISE_COLOR, marker="x", lw=0.8, label="noise")
        self.ax_.autoscale_view()
        self.ax_.set_xlabel(self.feature_names[first])
        self.ax_.set_ylabel(self.feature_names[second])

    def _number(self, component: int) -> None:
        center = self.mixture.means[component, list(self.features)]
        box = {"boxstyle": "circle,pad=0.2", "fc": "white", "ec": color_of(component), "alpha": 0.9}
        self.ax_.annotate(str(component), tuple(center), ha="center", va="center", fontsize="small", bbox=box)

    def _ellipse(self, component: int, probability: float) -> Any:
        """The smallest region that holds that share of the component's mass over the two features."""
        chosen = list(self.features)
        covariance = self.mixture.dense_covariances[component][np.ix_(chosen, chosen)]
        eigenvalues, vectors = np.linalg.eigh(covariance)
        width, height = 2 * np.sqrt(chi2.ppf(probability, df=2) * eigenvalues)
        angle = np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
        center = self.mixture.means[component, chosen]
        return Ellipse(tuple(center), width, height, angle=angle, fill=False, lw=1.5, ec=color_of(component))

    def _draw_line(self, bins: int | str) -> None:
        feature = self.features[0]
        values = self.rows[:, feature]
        self.ax_.hist(values, bins=bins, density=True, color="0.88", edgecolor="0.75")
        grid, densities = self._densities(feature, values)
        for k, density in enumerate(densities):
            self.ax_.plot(grid, density, color=color_of(k), lw=1.5, label=f"component {k}")
            own = values[self.labels == k]
            self.ax_.plot(own, np.zeros_like(own), "|", color=color_of(k), ms=7, clip_on=False)
        self.ax_.plot(grid, densities.sum(axis=0), color="0.25", lw=2, ls="--", label="mixture")
        self.ax_.set_xlabel(self.feature_names[feature])
        self.ax_.set_ylabel("density")

    def _densities(self, feature: int, values: Array) -> tuple[Array, Array]:
        """A grid (m,) and, on it, each component's share of one feature's density (K, m)."""
        margin = 0.05 * float(np.ptp(values)) or 1.0
        grid = np.linspace(values.min() - margin, values.max() + margin, CURVE_POINTS)
        deviations = np.sqrt(self.mixture.dense_covariances[:, feature, feature])
        means = self.mixture.means[:, feature]
        shares = self.mixture.weights[:, None] * norm.pdf(grid, means[:, None], deviations[:, None])
        return grid, shares


@dataclass(eq=False)
class ModelSelectionDisplay:
    """A criterion over the number of components, with the best marked.

    Parameters
    ----------
    n_components : array of shape (m,)
    values : array of shape (m,), or dict of str to array of shape (m,)
        The criterion, lower is better; one curve for each name in a dict. NaN
        where a model could not be fitted.
    criterion : str, default="BIC"
        Label of the vertical axis.

    Attributes
    ----------
    best_ : tuple of (str, int)
        Name of the curve and number of components with the lowest value.
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from mixtura.plot import ModelSelectionDisplay
    >>> display = ModelSelectionDisplay([1, 2, 3], [2600.0, 2322.0, 2340.0]).plot()
    >>> display.best_
    ('', 2)
    """

    n_components: Sequence[int]
    values: Any
    criterion: str = "BIC"
    best_: tuple[str, int] = field(default=("", 0), init=False)
    ax_: Any = field(default=None, init=False, repr=False)
    figure_: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        curves = self.values if isinstance(self.values, dict) else {"": self.values}
        self._curves = {name: np.asarray(curve, dtype=np.float64) for name, curve in curves.items()}
        for name, curve in self._curves.items():
            if curve.shape != (len(self.n_components),):
                raise ValueError(f"curve {name!r} must have {len(self.n_components)} values; got shape {curve.shape}")
        lowest = {name: np.nanmin(curve) for name, curve in self._curves.items() if np.isfinite(curve).any()}
        if not lowest:
            raise ValueError("no value of the criterion is finite")
        name = min(lowest, key=lambda key: lowest[key])
        self.best_ = (name, int(self.n_components[int(np.nanargmin(self._curves[name]))]))

    @classmethod
    def from_estimators(cls, estimators: Iterable[Any], X: ArrayLike, *, ax: Any = None) -> ModelSelectionDisplay:
        """Draw the BIC of fitted estimators that differ in their number of components.

        Parameters
        ----------
        estimators : iterable of fitted estimators
            With ``mixture_`` and ``bic``; one curve for each covariance type.
        X : array-like of shape (n, D)
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        ModelSelectionDisplay
        """
        found: dict[str, dict[int, float]] = {}
        for estimator in estimators:
            mixture = estimator.mixture_
            found.setdefault(mixture.covariance_type, {})[mixture.n_components] = estimator.bic(X)
        numbers = sorted({k for curve in found.values() for k in curve})
        curves = {name: [curve.get(k, np.nan) for k in numbers] for name, curve in found.items()}
        return cls(numbers, curves if len(curves) > 1 else next(iter(curves.values()))).plot(ax=ax)

    @classmethod
    def from_selection(cls, selection: Any, *, ax: Any = None) -> ModelSelectionDisplay:
        """Draw the criterion of a fitted `GaussianMixtureIC` over all its cells.

        Parameters
        ----------
        selection : fitted GaussianMixtureIC
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        ModelSelectionDisplay
        """
        table, criterion = selection.results_, selection.criterion
        numbers = np.unique(table["n_components"])
        curves = {}
        for name in dict.fromkeys(table["covariance_type"]):
            own = table["covariance_type"] == name
            found = dict(zip(table["n_components"][own], table[criterion][own], strict=True))
            curves[str(name)] = [found.get(number, np.nan) for number in numbers]
        label = "cross-validated -2 log density" if criterion == "cv" else criterion.upper()
        return cls(numbers.tolist(), curves, label).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> ModelSelectionDisplay:
        """Draw on ``ax``, or on new axes; returns this display.

        What has no value is a small cross at the lower edge, in its curve's colour.
        """
        self.figure_, self.ax_ = _axes(ax)
        for index, (name, curve) in enumerate(self._curves.items()):
            style = {"color": color_of(index), "marker": marker_of(index), "label": name or None}
            self.ax_.plot(self.n_components, curve, ms=5, lw=1.5, **style)
        self._mark_best()
        self._mark_failures()
        self.ax_.set_xticks(list(self.n_components))
        self.ax_.set_xlabel("number of components")
        self.ax_.set_ylabel(f"{self.criterion} (lower is better)")
        if len(self._curves) > LEGEND_CURVES:  # a long legend stands beside the axes
            self.ax_.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
        elif len(self._curves) > 1:
            self.ax_.legend(frameon=False, fontsize="small", ncols=2)
        return self

    def _mark_failures(self) -> None:
        """Crosses where curves have no value, side by side at the lower edge; only the first is in the legend."""
        label, edge, width = "no sound fit", self.ax_.get_xaxis_transform(), FAILURE_STEP * len(self._curves)
        for index, curve in enumerate(self._curves.values()):
            for number in np.asarray(self.n_components)[~np.isfinite(curve)]:
                at = number + FAILURE_STEP * (index + 0.5) - 0.5 * width
                style = {"color": color_of(index), "ms": 4, "ls": "none", "label": label or None}
                self.ax_.plot([at], [0.025], "x", transform=edge, **style)
                label = ""

    def _mark_best(self) -> None:
        name, number = self.best_
        value = self._curves[name][list(self.n_components).index(number)]
        self.ax_.plot([number], [value], "o", ms=14, mfc="none", mec="0.25", mew=1.5)
        text = f"{name}, K = {number}" if name else f"K = {number}"
        right = number > np.mean(self.n_components)  # there the text goes to the left, to stay inside
        self.ax_.annotate(
            text,
            (number, value),
            xytext=(-12 if right else 12, -14),
            textcoords="offset points",
            ha="right" if right else "left",
            color="0.25",
        )
        self.ax_.margins(y=0.12)


def _axes(ax: Any) -> tuple[Any, Any]:
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax.figure, ax


def _checked_features(features: Sequence[int], n_features: int) -> tuple[int, ...]:
    chosen = tuple(int(feature) for feature in features) if n_features > 1 else (0,)
    if len(chosen) not in (1, 2) or len(set(chosen)) < len(chosen):
        raise ValueError(f"features must be one or two different indices; got {tuple(features)}")
    if not all(0 <= feature < n_features for feature in chosen):
        raise ValueError(f"features must be between 0 and {n_features - 1}; got {tuple(features)}")
    return chosen
