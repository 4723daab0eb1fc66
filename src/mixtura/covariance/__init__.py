"""Covariance models: a rack of functions from (count, scatter) to covariances.

Only this folder compares a covariance type's name. To add a model, write its
``solve`` and ``n_parameters`` beside the others and list it in `MODELS`.
"""

from __future__ import annotations

from mixtura.covariance.diagonal import VVI
from mixtura.covariance.ellipsoidal import EEE, VVV
from mixtura.covariance.model import CovarianceModel
from mixtura.covariance.spherical import VII

__all__ = ["ALIASES", "MODELS", "CovarianceModel", "covariance_model"]

MODELS: dict[str, CovarianceModel] = {model.name: model for model in (VII(), VVI(), EEE(), VVV())}

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
        return MODELS[ALIASES.get(name, name)]
    except (KeyError, TypeError):
        known = ", ".join([*ALIASES, *MODELS])
        raise ValueError(f"covariance_type must be one of {known}; got {name!r}") from None
