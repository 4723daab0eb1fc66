"""Covariance models: a rack of functions from (count, scatter) to covariances.

Only this folder compares a covariance type's name. To add a model, write its
``solve`` and ``n_parameters`` beside the others and list it in `MODELS`.
"""

from __future__ import annotations

from mixtura.covariance.diagonal import EEI, EVI, VEI, VVI
from mixtura.covariance.ellipsoidal import EEE, EVV, VEE, VVV
from mixtura.covariance.model import CovarianceModel, nearest_member
from mixtura.covariance.oriented import EEV, EVE, VEV, VVE
from mixtura.covariance.spherical import EII, VII, E, V

__all__ = ["ALIASES", "MODELS", "UNIVARIATE", "CovarianceModel", "covariance_model", "model_names", "nearest_member"]

_ALL: tuple[CovarianceModel, ...] = (
    EII(), VII(), EEI(), VEI(), EVI(), VVI(), EEE(), VEE(), EVE(), VVE(), EEV(), VEV(), EVV(), VVV(), E(), V(),
)  # fmt: skip

#: mclust's fourteen models, in mclust's order, and its two of a single feature.
MODELS: dict[str, CovarianceModel] = {model.name: model for model in _ALL}

#: Models of a single feature, with which the other fourteen coincide there.
UNIVARIATE = ("E", "V")

#: scikit-learn's names for four of mclust's models.
ALIASES = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}


def covariance_model(name: str) -> CovarianceModel:
    """The covariance model of that name, mclust's or scikit-learn's.

    Raises
    ------
    ValueError
        If there is no such model; the message lists those there are.
    """
    try:
        return MODELS[name if name in MODELS else ALIASES[name]]
    except (KeyError, TypeError):
        known = ", ".join([*ALIASES, *MODELS])
        raise ValueError(f"covariance_type must be one of {known}; got {name!r}") from None


def model_names(n_features: int) -> tuple[str, ...]:
    """Names of the models that differ for that many features: E and V of one, fourteen of more.

    Examples
    --------
    >>> from mixtura.covariance import model_names
    >>> model_names(1)
    ('E', 'V')
    >>> len(model_names(4))
    14
    """
    return UNIVARIATE if n_features == 1 else tuple(name for name in MODELS if name not in UNIVARIATE)
