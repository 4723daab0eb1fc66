"""mixtura: Gaussian mixture models.

One rule: an E-step is a sum over blocks of rows; an M-step is a function of that sum.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixtura.background import Background as Background
    from mixtura.bootstrap import bootstrap_parameters as bootstrap_parameters
    from mixtura.em import Status as Status
    from mixtura.estimators.base import CollapsedComponentWarning as CollapsedComponentWarning
    from mixtura.estimators.base import ConstantFeatureWarning as ConstantFeatureWarning
    from mixtura.estimators.classifier import GaussianMixtureClassifier as GaussianMixtureClassifier
    from mixtura.estimators.gaussian_mixture import GaussianMixture as GaussianMixture
    from mixtura.estimators.gaussian_mixture_ic import GaussianMixtureIC as GaussianMixtureIC
    from mixtura.estimators.imputer import GaussianMixtureImputer as GaussianMixtureImputer
    from mixtura.estimators.outlier_detector import GaussianMixtureOutlierDetector as GaussianMixtureOutlierDetector
    from mixtura.estimators.predictive import PredictiveDistribution as PredictiveDistribution
    from mixtura.estimators.regressor import GaussianMixtureRegressor as GaussianMixtureRegressor
    from mixtura.image import segment_image as segment_image
    from mixtura.likelihood_ratio import bootstrap_lrt as bootstrap_lrt
    from mixtura.merging import merge_components as merge_components
    from mixtura.mixture import Mixture as Mixture
    from mixtura.persistence import ModelFileError as ModelFileError
    from mixtura.persistence import load as load
    from mixtura.persistence import save as save
    from mixtura.prior import ConjugatePrior as ConjugatePrior
    from mixtura.table.reader import open_rows as open_rows
    from mixtura.tracking import CentroidTracker as CentroidTracker
    from mixtura.video import BackgroundMixture as BackgroundMixture

__version__ = "0.1.0"

#: Where each public name lives; imported when first asked for, so that `import mixtura` is quick.
_HOMES = {
    "CentroidTracker": "mixtura.tracking",
    "BackgroundMixture": "mixtura.video",
    "segment_image": "mixtura.image",
    "Background": "mixtura.background",
    "CollapsedComponentWarning": "mixtura.estimators.base",
    "ConjugatePrior": "mixtura.prior",
    "ConstantFeatureWarning": "mixtura.estimators.base",
    "GaussianMixture": "mixtura.estimators.gaussian_mixture",
    "GaussianMixtureClassifier": "mixtura.estimators.classifier",
    "GaussianMixtureIC": "mixtura.estimators.gaussian_mixture_ic",
    "GaussianMixtureImputer": "mixtura.estimators.imputer",
    "GaussianMixtureOutlierDetector": "mixtura.estimators.outlier_detector",
    "GaussianMixtureRegressor": "mixtura.estimators.regressor",
    "Mixture": "mixtura.mixture",
    "ModelFileError": "mixtura.persistence",
    "PredictiveDistribution": "mixtura.estimators.predictive",
    "Status": "mixtura.em",
    "bootstrap_lrt": "mixtura.likelihood_ratio",
    "bootstrap_parameters": "mixtura.bootstrap",
    "load": "mixtura.persistence",
    "merge_components": "mixtura.merging",
    "open_rows": "mixtura.table.reader",
    "save": "mixtura.persistence",
}

__all__ = [
    "CentroidTracker",
    "BackgroundMixture",
    "segment_image",
    "Background",
    "CollapsedComponentWarning",
    "ConjugatePrior",
    "ConstantFeatureWarning",
    "GaussianMixture",
    "GaussianMixtureClassifier",
    "GaussianMixtureIC",
    "GaussianMixtureImputer",
    "GaussianMixtureOutlierDetector",
    "GaussianMixtureRegressor",
    "Mixture",
    "ModelFileError",
    "PredictiveDistribution",
    "Status",
    "__version__",
    "bootstrap_lrt",
    "bootstrap_parameters",
    "load",
    "merge_components",
    "open_rows",
    "save",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'mixtura' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
