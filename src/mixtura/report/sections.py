"""The sections of the page that need no script: text and tables."""

from __future__ import annotations

import numpy as np

from mixtura.report.findings import CAUTION, PROBLEM, findings
from mixtura.report.iterations import Iterations
from mixtura.report.markup import Markup, shown_name, table, tag, together
from mixtura.report.provenance import facts_of
from mixtura.report.subject import Subject
from mixtura.report.summary import component_name, sentences, told_apart_by
from mixtura.report.survey import Survey
from mixtura.report.words import figure, measured, number, percent, several

__all__ = ["choice_section", "profile_section", "provenance_section", "summary_section", "warnings_section"]

#: What stands before a warning, beside its colour and its word.
SIGNS = {PROBLEM: "\N{HEAVY MULTIPLICATION X}", CAUTION: "\N{BLACK UP-POINTING TRIANGLE}"}
OTHER_SIGN = "\N{BLACK CIRCLE}"

#: Columns of the table of components, and cells of a choice that are listed.
TABLE_COMPONENTS = 30
RANKED_CELLS = 10
FAILED_CELLS = 20

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


def summary_section(subject: Subject, survey: Survey) -> Markup:
    """What was found, in plain words."""
    first, *rest = sentences(subject, survey)
    return together(tag("p", first, class_="lead"), tag("p", " ".join(rest)))


def warnings_section(subject: Subject, survey: Survey, iterations: Iterations | str) -> Markup:
    """The findings, the gravest first."""
    found = findings(subject, survey, iterations)
    if not found:
        fit = "the fit converged, " if subject.fit is not None else ""
        return tag("p", f"Nothing that was looked for was found: {fit}no component collapsed, none overlaps another.")
    items = [
        tag(
            "li",
            tag("strong", tag("span", SIGNS.get(one.level, OTHER_SIGN), class_="sign", aria_hidden="true"),
                f" {one.level.capitalize()}: {one.title}. "),
            one.text,
            class_=one.level,
        )
        for one in found
    ]  # fmt: skip
    return tag("ul", items, class_="findings")


def profile_section(subject: Subject, survey: Survey) -> Markup:
    """A card for each component, and the table of all means and standard deviations."""
    cards = [_card(subject, survey, k) for k in range(min(subject.mixture.n_components, TABLE_COMPONENTS))]
    return together(tag("ol", cards, class_="cards"), tag("details", tag("summary", "All numbers"), _moments(subject)))


def _card(subject: Subject, survey: Survey, component: int) -> Markup:
    share = percent(float(survey.mass[component] / survey.mass.sum()))
    size = several(int(survey.counts[component]), "row")
    doubt = 1.0 - float(survey.confusion[component, component])
    return tag(
        "li",
        tag("h3", tag("span", class_="swatch", data_group=component), component_name(subject, component).capitalize()),
        tag("p", tag("strong", share), f" of all, {size}. ", f"{_capital(told_apart_by(subject, survey, component))}."),
        tag("p", f"On average, a row of it has {percent(doubt)} probability of belonging elsewhere.", class_="aside")
        if len(survey.counts) > 1 else None,
    )  # fmt: skip


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _moments(subject: Subject) -> Markup:
    mixture = subject.mixture
    shown = range(min(mixture.n_components, TABLE_COMPONENTS))
    deviations = np.sqrt(np.einsum("kii->ki", mixture.dense_covariances))
    rows = [["weight", *[figure(mixture.weights[k]) for k in shown]]]
    for j, title in enumerate(subject.titles):
        pairs = [(mixture.means[k, j], deviations[k, j]) for k in shown]
        cells = [f"{measured(mean, deviation)} {PLUS_MINUS} {deviation:.3g}" for mean, deviation in pairs]
        rows.append([_name(title), *cells])
    left = mixture.n_components - len(shown)
    caption = "Mean and standard deviation of each feature in each component"
    caption += f" (the first {len(shown)}; {left} more are not shown)" if left else ""
    return table(caption, ["", *[component_name(subject, k) for k in shown]], rows)


def _name(title: str) -> Markup:
    """A name from the data, which does not turn its surroundings around."""
    return tag("bdi", title)


def choice_section(subject: Subject) -> Markup:
    """How the number of components came about."""
    if subject.choice is None:
        return tag(
            "p",
            f"The number of components, {subject.mixture.n_components}, and the covariance model were given, not "
            "chosen: GaussianMixtureIC compares them, and its report shows how.",
        )
    results, criterion = subject.choice.results_, subject.choice.criterion
    values = results[criterion]
    order = [int(i) for i in np.argsort(values, kind="stable") if np.isfinite(values[i])]
    rows = [
        [
            str(rank),
            f"{results['covariance_type'][i]}",
            str(results["n_components"][i]),
            number(float(results["n_parameters"][i])),
            f"{results['log_likelihood'][i]:.2f}",
            f"{values[i]:.2f}",
            "yes" if results["converged"][i] else "no",
        ]
        for rank, i in enumerate(order[:RANKED_CELLS], 1)
    ]
    titles = ["rank", "covariance", "components", "parameters", "log likelihood", criterion.upper(), "converged"]
    return together(table(f"The best by {criterion.upper()}; lower is better", titles, rows), _failed(subject))


def _failed(subject: Subject) -> Markup | None:
    results = subject.choice.results_
    failed = [i for i, reason in enumerate(results["reason"]) if reason]
    if not failed:
        return None
    items = [
        tag("li", f"{results['covariance_type'][i]}, {results['n_components'][i]}: {results['reason'][i]}")
        for i in failed[:FAILED_CELLS]
    ]
    if len(failed) > FAILED_CELLS:
        items.append(tag("li", f"and {len(failed) - FAILED_CELLS} more"))
    title = f"Without a sound fit: {len(failed)} of {results['reason'].size}"
    return tag("details", tag("summary", title), tag("ul", items))


def provenance_section(subject: Subject) -> Markup:
    """Versions, the call, its seed and the fingerprint."""
    entries = [together(tag("dt", name), tag("dd", tag("code", text))) for name, text in facts_of(subject)]
    names = ", ".join(shown_name(name) for name in subject.names[:200])
    entries.append(together(tag("dt", "Features"), tag("dd", tag("bdi", names))))
    check = "mixtura.report.fingerprint(X)" if subject.weights is None else "mixtura.report.fingerprint(X, weights)"
    return together(
        tag("dl", entries),
        tag("p", "The fingerprint is that of the numbers alone: ", tag("code", check), " gives it again."),
    )
