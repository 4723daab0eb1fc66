"""How well a covariance model tells the classes of rows that it has not seen: what a classifier is chosen by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from mixtura.estimators.class_mixtures import LabelledRows, climb, family_of_classes
from mixtura.mstep import MStep
from mixtura.shape import Array

__all__ = ["folds_of", "held_out_loss"]

FOLDS = 5


def folds_of(data: LabelledRows, n_classes: int) -> NDArray[np.intp] | None:
    """The fold (N,) of each labelled row, -1 of the others; None where a class has only one row.

    Each class is shared out evenly, in the order of its rows' values, so that
    neither chance nor the order of the rows has a part in it; equal rows go
    together, so that a row of weight two is as good as two.
    """
    folds = np.full(data.codes.size, -1, dtype=np.intp)
    values = np.where(np.isnan(data.rows), np.inf, data.rows)
    for code in range(n_classes):
        mine = data.codes == code
        distinct, inverse = np.unique(values[mine], axis=0, return_inverse=True)
        if distinct.shape[0] < 2:
            return None
        folds[mine] = inverse.reshape(-1) % FOLDS
    return folds


def held_out_loss(
    data: LabelledRows, folds: NDArray[np.intp], n_classes: int, priors: Array | None, mstep: MStep, max_iter: int
) -> float:
    """Mean -log p(class | row) of rows held out in turn, with one component for each class.

    It estimates the logarithmic score of the classifier, which only the true
    probabilities make least (Good 1952); BIC estimates the fit of p(row, class)
    instead, of which the density of the rows is by far the larger part.
    """
    loss = 0.0
    for fold in range(int(folds.max()) + 1):
        kept, held = (folds >= 0) & (folds != fold), folds == fold
        family = family_of_classes(_part(data, kept), n_classes, mstep)
        family = climb([family], _part(data, kept), priors, LOOSE, max_iter)[0][0]
        with np.errstate(all="ignore"):
            joint = _part(data, held).joint(family.mixture.forms)
            own = joint[np.arange(joint.shape[0]), data.codes[held]]
            loss += float(data.weights[held] @ (logsumexp(joint, axis=1) - own))
    return loss / float(data.weights[folds >= 0].sum()) if np.isfinite(loss) else np.inf


#: Gain per row at which EM of incomplete rows stops where models are only compared.
LOOSE = 1e-4


def _part(data: LabelledRows, rows: NDArray[np.bool_]) -> LabelledRows:
    return LabelledRows(data.rows[rows], data.weights[rows], data.codes[rows])
