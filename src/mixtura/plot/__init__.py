"""Matplotlib displays of a fitted mixture: which row is where, how surely, how dense, how many, and how EM got there.

They follow scikit-learn's convention: ``from_estimator`` makes and draws one,
``plot`` draws it again, and ``ax_`` and ``figure_`` are what was drawn on. Only
this folder imports matplotlib. Components differ by colour, by marker and by the
line of their ellipse, so that pictures can be read without colours.
"""

from __future__ import annotations

try:
    import matplotlib.pyplot  # noqa: F401
except ImportError as error:
    raise ImportError('the displays need matplotlib; install it with: pip install "mixtura[plot]"') from error

from mixtura.plot.animation import animate
from mixtura.plot.classification import ClassificationDisplay
from mixtura.plot.convergence import ConvergenceDisplay
from mixtura.plot.density import DensityDisplay
from mixtura.plot.iterations import IterationsDisplay
from mixtura.plot.k_means import KMeansComparisonDisplay
from mixtura.plot.kinds import KINDS, draw
from mixtura.plot.merging import MergeDisplay
from mixtura.plot.outliers import OutlierDisplay
from mixtura.plot.profile import ProfileDisplay
from mixtura.plot.selection import ModelSelectionDisplay
from mixtura.plot.style import MARKERS, PALETTE, color_of, marker_of
from mixtura.plot.uncertainty import UncertaintyDisplay

__all__ = [
    "ClassificationDisplay",
    "ConvergenceDisplay",
    "DensityDisplay",
    "IterationsDisplay",
    "KINDS",
    "KMeansComparisonDisplay",
    "MARKERS",
    "MergeDisplay",
    "ModelSelectionDisplay",
    "OutlierDisplay",
    "PALETTE",
    "ProfileDisplay",
    "UncertaintyDisplay",
    "animate",
    "color_of",
    "draw",
    "marker_of",
]
