"""PlotMixin: the method that draws, for the estimators that have components to show."""

from __future__ import annotations

from typing import Any

from mixtura.drawing import draw
from mixtura.estimators.base import check_is_fitted

__all__ = ["PlotMixin"]


class PlotMixin:
    """Gives an estimator `plot`; matplotlib is imported when it is called."""

    #: What is drawn where nothing is said: with rows, and without.
    _kinds: tuple[str, str] = ("classification", "profile")

    def plot(self, X: Any = None, *, kind: str | None = None, **options: Any) -> Any:
        """Draw the fitted model with matplotlib.

        Parameters
        ----------
        X : array or data frame of shape (n, D), optional
            Rows to draw; a profile, the convergence and a selection need none.
        kind : str, optional
            "classification", "uncertainty", "density", "profile", "convergence",
            "iterations" (after a fit with ``trace=True``), "k_means", "outliers",
            "merging" or, of a `GaussianMixtureIC`, "selection".
            Default: what suits the estimator, and whether there are rows.
        **options
            Of that display's ``from_estimator``, such as ``ax``, ``features`` and ``directions``.

        Returns
        -------
        display
            Of `mixtura.plot`, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            For a kind that this estimator does not have, or that needs rows.
        """
        check_is_fitted(self)
        return draw(self, X, self._kinds[X is None] if kind is None else kind, **options)
