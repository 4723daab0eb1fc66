"""ModelSelectionDisplay: a criterion over the number of components and the covariance model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from numpy.typing import ArrayLike

from mixtura.plot.style import INK, color_of, marker_of, note, on_axes

__all__ = ["ModelSelectionDisplay"]

#: Of more curves than this, so many of the best have colours and names; the others are grey.
MOST_CURVES = 6

#: Crosses for what failed with one number of components stand this far apart: fourteen of them take less than one unit.
FAILURE_STEP = 0.06

#: The axis ends where this share of the values is inside, if the others would press those together.
SHOWN = 0.7
PRESSED = 1.6

FAILED = "\N{MULTIPLICATION SIGN}"
STYLES = ("curves", "table")


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
    style : {"curves", "table"}
        Of many curves the best six have colours and names, and values far
        above the others leave the axes. The table has a cell for each fit, with
        its distance from the best one.

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
    style: str = "curves"
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
        if self.style not in STYLES:
            raise ValueError(f"style must be one of {', '.join(STYLES)}; got {self.style!r}")
        self._order = sorted(lowest, key=lambda key: lowest[key])
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
    def from_selection(
        cls, selection: Any, *, criterion: str | None = None, style: str = "curves", ax: Any = None
    ) -> ModelSelectionDisplay:
        """Draw a criterion of a fitted `GaussianMixtureIC` over all its cells.

        Parameters
        ----------
        selection : fitted GaussianMixtureIC
        criterion : {"bic", "icl", "aic", "cv"}, optional
            Default: the one that chose.
        style : {"curves", "table"}, default="curves"
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        ModelSelectionDisplay

        Raises
        ------
        ValueError
            If the selection has no such criterion.
        """
        table = selection.results_
        criterion = selection.criterion if criterion is None else criterion
        if criterion not in table or criterion not in ("bic", "icl", "aic", "cv"):
            known = [name for name in ("bic", "icl", "aic", "cv") if name in table]
            raise ValueError(f"criterion must be one of {', '.join(known)}; got {criterion!r}")
        numbers = np.unique(table["n_components"])
        curves = {}
        for name in dict.fromkeys(table["covariance_type"]):
            own = table["covariance_type"] == name
            found = dict(zip(table["n_components"][own], table[criterion][own], strict=True))
            curves[str(name)] = [found.get(number, np.nan) for number in numbers]
        label = "cross-validated -2 log density" if criterion == "cv" else criterion.upper()
        return cls(numbers.tolist(), curves, label, style).plot(ax=ax)

    from_estimator = from_selection

    def plot(self, *, ax: Any = None) -> ModelSelectionDisplay:
        """Draw on ``ax``, or on new axes; returns this display.

        What has no value is a small cross: at the lower edge in its curve's colour, or in its cell.
        """
        self.figure_, self.ax_ = on_axes(ax)
        self.ax_.set_xlabel("number of components")
        if self.style == "table":
            return self._plot_table()
        named = self._order[:MOST_CURVES] if len(self._curves) > MOST_CURVES else list(self._curves)
        for name in self._curves:
            if name not in named:
                self.ax_.plot(self.n_components, self._curves[name], color="0.82", lw=0.9, marker=".", ms=3, zorder=1)
        for index, name in enumerate(named):
            style = {"color": color_of(index), "marker": marker_of(index), "label": name or None}
            self.ax_.plot(self.n_components, self._curves[name], ms=5, lw=1.5, **style)
        if len(named) < len(self._curves):
            others = f"{len(self._curves) - len(named)} others"
            self.ax_.plot([], [], color="0.82", lw=0.9, marker=".", ms=3, label=others)
        self._limit()
        self._mark_best()
        self._mark_failures(named)
        self.ax_.set_xticks(list(self.n_components))
        self.ax_.set_ylabel(f"{self.criterion} (lower is better)")
        if len(self._curves) > 1:
            self.ax_.legend(frameon=False, fontsize="small", ncols=2)
        return self

    def _limit(self) -> None:
        """End the axis where most values are inside, if the others would press those together."""
        values = np.concatenate([curve[np.isfinite(curve)] for curve in self._curves.values()])
        best, worst = float(values.min()), float(values.max())
        reach = float(np.quantile(values, SHOWN)) - best
        margin = 0.12 * (worst - best or 1.0)
        if len(self._curves) < 4 or worst - best < PRESSED * reach:
            self.ax_.set_ylim(best - margin, worst + margin)
            return
        top = best + 1.1 * reach
        self.ax_.set_ylim(best - 0.14 * reach, top)
        beyond = int((values > top).sum())
        note(self.ax_, [f"{beyond} of {values.size} fits lie above" if beyond else ""])

    def _plot_table(self) -> ModelSelectionDisplay:
        """A cell for each fit: the darker, the nearer to the best."""
        names = list(self._curves)
        distance = np.array([self._curves[name] for name in names]) - self._curves[self.best_[0]][self._column]
        finite = distance[np.isfinite(distance)]
        norm = LogNorm(1.0, max(float(finite.max()) + 1.0, 2.0))
        shown = np.ma.masked_invalid(distance + 1.0)
        self.ax_.imshow(shown, cmap="Blues_r", norm=norm, aspect="auto")
        for (i, j), value in np.ndenumerate(distance):
            best = (names[i], self.n_components[j]) == self.best_
            text = _short(value) if np.isfinite(value) else FAILED
            dark = np.isfinite(value) and float(norm(value + 1.0)) < 0.45
            style = {"color": "white" if dark else INK, "fontweight": "bold" if best else "normal"}
            self.ax_.text(j, i, text, ha="center", va="center", fontsize="x-small", **style)
        self.ax_.set_xticks(range(len(self.n_components)), [str(number) for number in self.n_components])
        self.ax_.set_yticks(range(len(names)), names)
        self.ax_.tick_params(length=0)
        self.ax_.set_title(f"{self.criterion} above the best ({self._said}); {FAILED} no sound fit", fontsize="medium")
        return self

    @property
    def _column(self) -> int:
        return list(self.n_components).index(self.best_[1])

    @property
    def _said(self) -> str:
        name, number = self.best_
        return f"{name}, K = {number}" if name else f"K = {number}"

    def _mark_failures(self, named: Sequence[str]) -> None:
        """Crosses where curves have no value, side by side at the lower edge; only the first is in the legend."""
        label, edge, width = "no sound fit", self.ax_.get_xaxis_transform(), FAILURE_STEP * len(self._curves)
        for index, (name, curve) in enumerate(self._curves.items()):
            color = color_of(named.index(name)) if name in named else "0.7"
            for number in np.asarray(self.n_components)[~np.isfinite(curve)]:
                at = number + FAILURE_STEP * (index + 0.5) - 0.5 * width
                style = {"color": color, "ms": 4, "ls": "none", "label": label or None}
                self.ax_.plot([at], [0.025], "x", transform=edge, **style)
                label = ""

    def _mark_best(self) -> None:
        name, number = self.best_
        value = self._curves[name][self._column]
        self.ax_.plot([number], [value], "o", ms=14, mfc="none", mec=INK, mew=1.5)
        right = number > np.mean(self.n_components)  # there the text goes to the left, to stay inside
        self.ax_.annotate(
            self._said,
            (number, value),
            xytext=(-12 if right else 12, -14),
            textcoords="offset points",
            ha="right" if right else "left",
            color=INK,
        )


def _short(value: float) -> str:
    """A distance in few characters."""
    return f"{value:.0f}" if value < 99_999.5 else f"{value:.0e}".replace("e+0", "e")
