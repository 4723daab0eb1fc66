"""The part of a model file that holds a mixture: written, and checked to the last number when read."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.background import Background
from mixtura.covariance import covariance_model
from mixtura.document import Refused, array, boolean, integer, listing, mapping, number, place_of, shorten, text
from mixtura.mixture import WEIGHT_TOLERANCE, Mixture
from mixtura.shape import DIAGONAL, SPHERICAL, Shape

__all__ = ["describe_mixture", "mixture_in"]

KEYS = ("covariance_type", "weights", "means", "covariances")
#: Not written where they say nothing, so that older versions read the file.
OPTIONAL_KEYS = ("equal_weights", "background", "n_held")
BACKGROUND_KEYS = ("weight", "center", "edges")


def describe_mixture(mixture: Mixture) -> dict[str, Any]:
    """A mixture as JSON's values."""
    arrays = {name: getattr(mixture, name).tolist() for name in ("weights", "means", "covariances")}
    extra: dict[str, Any] = {"equal_weights": True} if mixture.equal_weights else {}
    if mixture.n_held:
        extra["n_held"] = mixture.n_held
    if mixture.background is not None:
        box = mixture.background
        extra["background"] = {"weight": float(box.weight), "center": box.center.tolist(), "edges": box.edges.tolist()}
    return {"covariance_type": mixture.covariance_type, **extra, **arrays}


def mixture_in(section: Any, place: str = "mixture") -> Mixture:
    """A checked mixture with exactly the numbers of the file: weights are not normalised again."""
    section = mapping(section, place, KEYS, OPTIONAL_KEYS)
    name = text(section["covariance_type"], f"{place}.covariance_type")
    n_components = len(listing(section["weights"], f"{place}.weights"))
    rows = listing(section["means"], f"{place}.means")
    n_features = len(listing(rows[0], f"{place}.means[0]"))
    try:
        model = covariance_model(name)
        model.n_parameters(n_components, n_features)  # raises where the model is not for that many features
    except ValueError as error:
        raise Refused(f"{place}.covariance_type", shorten(str(error), 200)) from None
    shape = model.shape
    mixture = Mixture(
        array(section["weights"], (n_components,), f"{place}.weights"),
        array(rows, (n_components, n_features), f"{place}.means"),
        array(section["covariances"], shape.array_shape(n_components, n_features), f"{place}.covariances"),
        name,
        boolean(section.get("equal_weights", False), f"{place}.equal_weights"),
        _background_in(section["background"], n_features, f"{place}.background") if "background" in section else None,
        integer(section.get("n_held", 0), f"{place}.n_held"),
    )
    if mixture.n_parameters < 0:
        raise Refused(f"{place}.n_held", f"more than the mixture has parameters; got {mixture.n_held}")
    with np.errstate(all="ignore"):
        _check_weights(mixture, place)
        _check_covariances(mixture, shape, place)
    return mixture


def _background_in(section: Any, n_features: int, place: str) -> Background:
    section = mapping(section, place, BACKGROUND_KEYS)
    background = Background(
        number(section["weight"], f"{place}.weight", minimum=0.0),
        array(section["center"], (n_features,), f"{place}.center"),
        array(section["edges"], (n_features, n_features), f"{place}.edges"),
    )
    with np.errstate(all="ignore"):
        try:
            background.check(n_features)
        except ValueError as error:
            raise Refused(place, str(error)) from None
    return background


def _check_weights(mixture: Mixture, place: str) -> None:
    weights = mixture.weights
    for k in np.flatnonzero(weights < 0):
        raise Refused(f"{place}.weights[{k}]", f"must not be negative; got {weights[k]}")
    total = weights.sum() + mixture.noise_weight
    if not abs(total - 1.0) <= WEIGHT_TOLERANCE:
        raise Refused(f"{place}.weights", f"must sum to 1; they sum to {total:.10g}")
    if mixture.equal_weights and not np.ptp(weights) <= WEIGHT_TOLERANCE:
        raise Refused(f"{place}.weights", "must be equal, as equal_weights says")


def _check_covariances(mixture: Mixture, shape: Shape, place: str) -> None:
    """Symmetric positive definite, without ever building more than the file holds."""
    if shape in (DIAGONAL, SPHERICAL):
        for index in np.argwhere(mixture.covariances <= 0):
            raise Refused(
                place_of(f"{place}.covariances", index.tolist()), f"must be positive; got {mixture.covariances[*index]}"
            )
    else:
        checked = 1 if shape.shared else mixture.n_components
        try:
            weights = np.full(checked, 1.0 / checked)
            Mixture.from_parameters(weights, mixture.means[:checked], mixture.covariances, mixture.covariance_type)
        except ValueError as error:
            raise Refused(f"{place}.covariances", str(error)) from None
    if not np.all(np.isfinite(mixture.whitener)):
        raise Refused(f"{place}.covariances", "a covariance is too close to singular to be inverted")
