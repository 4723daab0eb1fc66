"""The first paragraph: what was found, in plain words."""

from __future__ import annotations

import numpy as np

from mixtura.report.columns import separation
from mixtura.report.subject import Subject
from mixtura.report.survey import Survey
from mixtura.report.words import covariance_words, figure, listed, number, percent, several

__all__ = ["CERTAIN", "component_name", "sentences", "told_apart_by"]

#: A row is uncertain if its best component has less probability than this; the page's slider starts here.
CERTAIN = 0.9

#: A component is called high or low in a feature from this many of the feature's standard deviations on.
REMARKABLE = 0.5


def component_name(subject: Subject, group: int) -> str:
    """What a group of rows is called."""
    return f"component {group}" if group < subject.mixture.n_components else "noise"


def sentences(subject: Subject, survey: Survey) -> list[str]:
    """The summary."""
    mixture = subject.mixture
    many = mixture.n_components
    rows = f"{number(len(subject.rows))} rows"
    rows += "" if subject.weights is None else f" of weight {number(subject.total_weight)} in all"
    groups = several(many, "group")
    told = [f"The model finds {groups} in {rows} with {several(mixture.n_features, 'feature')}."]
    if many > 1:
        share = survey.uncertain_share(CERTAIN)
        told.append(
            f"{percent(share).capitalize()} of the rows are uncertain: "
            f"the group that fits them best has less than {percent(CERTAIN)} probability."
        )
        shares = survey.mass[:many] / survey.mass.sum()
        order = np.argsort(-shares, kind="stable")
        told.append(
            "Of the rows, "
            + listed([f"{percent(shares[k])} are in {component_name(subject, k)}" for k in order], 5)
            + ", as predict numbers them."
        )
    if subject.has_noise:
        share = float(survey.mass[-1] / survey.mass.sum())
        told.append(f"{percent(share).capitalize()} of the rows are noise and belong to no group.")
    told.append(_of_covariances(subject))
    told += _of_choice(subject)
    threshold = getattr(subject.model, "threshold_", None)
    if threshold is not None:
        told.append(
            f"As an outlier detector it calls rows with a log density below {figure(threshold)} outliers; "
            "this report is about the mixture behind it."
        )
    return told


def _of_covariances(subject: Subject) -> str:
    mixture = subject.mixture
    name = mixture.model.name
    if mixture.n_components == 1:
        return f"The covariance model is {name}."
    # with one feature, there is nothing but width
    return f"It has {covariance_words(name if mixture.n_features > 1 else name[:1])} ({name})."


def _of_choice(subject: Subject) -> list[str]:
    if subject.choice is None:
        return []
    table, criterion = subject.choice.results_, subject.choice.criterion
    found = int(np.isfinite(table[criterion]).sum())
    return [
        f"{criterion.upper()} chose {several(subject.mixture.n_components, 'component')} and the covariance model "
        f"{subject.mixture.covariance_type} among {number(found)} sound fits."
    ]


def told_apart_by(subject: Subject, survey: Survey, component: int) -> str:
    """What makes a component different from the rows as a whole."""
    deviations = np.sqrt(survey.variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        away = np.nan_to_num((subject.mixture.means[component] - survey.mean) / deviations, posinf=0.0, neginf=0.0)
    order = np.argsort(-np.abs(away) - 1e-9 * separation(subject.mixture), kind="stable")
    high = [subject.titles[j] for j in order if away[j] >= REMARKABLE]
    low = [subject.titles[j] for j in order if away[j] <= -REMARKABLE]
    parts = [f"{word} {listed(names, 4)}" for word, names in (("high in", high), ("low in", low)) if names]
    return ", ".join(parts) or "near the average in every feature"
