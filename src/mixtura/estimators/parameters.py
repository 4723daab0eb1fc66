"""Checks of constructor parameters, with messages that name the parameter."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from mixtura.covariance import covariance_model
from mixtura.engine import ENGINES
from mixtura.initialization import initializer
from mixtura.prior import ConjugatePrior

__all__ = ["ALGORITHMS", "PRIORS", "check_parameters"]

ALGORITHMS = ("auto", "em", "minibatch")
PRIORS = ("default",)


def check_parameters(estimator: Any) -> None:
    """Raise ValueError or TypeError for the first constructor parameter that is not allowed."""
    for name, minimum in (("n_components", 1), ("max_iter", 1)):
        _check_integer(name, getattr(estimator, name), minimum)
    if isinstance(estimator.n_init, str):
        _check_choice("n_init", estimator.n_init, ("auto",))
    else:
        _check_integer("n_init", estimator.n_init, 1)
    for name in ("tol", "reg_covar"):
        _check_not_negative(name, getattr(estimator, name))
    _check_checkpoint(estimator)
    _check_not_negative("forget", estimator.forget)
    if estimator.forget >= 1:
        raise ValueError(f"forget must be below 1; got {estimator.forget}")
    if estimator.n_threads is not None:
        _check_integer("n_threads", estimator.n_threads, 1)
    covariance_model(estimator.covariance_type)
    _check_flag("equal_weights", estimator.equal_weights)
    _check_flag("trace", estimator.trace)
    if not isinstance(estimator.noise, bool | np.bool_ | np.ndarray | list | tuple):
        raise TypeError(f"noise must be True, False or an array; got {estimator.noise!r}")
    _check_prior(estimator.prior)
    if estimator.fixed is not None and not isinstance(estimator.fixed, Mapping):
        raise TypeError(f"fixed must be a dictionary, as {{0: {{'mean': [0.0]}}}}; got {estimator.fixed!r}")
    _check_choice("algorithm", estimator.algorithm, ALGORITHMS)
    _check_choice("engine", estimator.engine, ENGINES)
    if isinstance(estimator.init_params, str):
        initializer(estimator.init_params)


def _check_integer(name: str, value: Any, minimum: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}; got {value}")


def _check_checkpoint(estimator: Any) -> None:
    if estimator.checkpoint is None:
        return
    if not isinstance(estimator.checkpoint, str | os.PathLike):
        raise TypeError(f"checkpoint must be None or the path of a file; got {estimator.checkpoint!r}")
    if estimator.trace:
        raise ValueError("trace=True does not go with a checkpoint, which holds no steps of the search")


def _check_not_negative(name: str, value: Any) -> None:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not 0 <= float(value) < float("inf"):
        raise ValueError(f"{name} must be >= 0 and finite; got {value}")


def _check_prior(prior: Any) -> None:
    if prior is not None and not isinstance(prior, ConjugatePrior) and not (isinstance(prior, str) and prior in PRIORS):
        raise ValueError(f"prior must be None, {', '.join(map(repr, PRIORS))} or a ConjugatePrior; got {prior!r}")


def _check_flag(name: str, value: Any) -> None:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {value!r}")


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
