"""The page: one file with its style, its script and its data, that can load nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable
from importlib.resources import files

from mixtura.report.columns import columns_of
from mixtura.report.drawings import drawings
from mixtura.report.iterations import iterations_of
from mixtura.report.markup import json_script
from mixtura.report.sections import (
    choice_section,
    profile_section,
    provenance_section,
    summary_section,
    warnings_section,
)
from mixtura.report.subject import Subject
from mixtura.report.survey import survey_rows

__all__ = ["SCRIPTS", "STEPS", "page_of"]

#: What is done for a report, in this order.
STEPS = ("checking the rows", "looking at all rows", "running EM for the page", "writing")

#: In the order in which they need one another.
SCRIPTS = ("chart.js", "scatter.js", "pairs.js", "certainty.js", "iterations.js", "choice.js", "profile.js", "page.js")

PLACE = re.compile(r"\{\{(\w+)\}\}")


def page_of(subject: Subject, title: str, say: Callable[[str], None]) -> str:
    """The whole page as text."""
    say(STEPS[1])
    columns = columns_of(subject)
    survey = survey_rows(subject, columns)
    say(STEPS[2])
    iterations = iterations_of(subject)
    script = "".join(f"// {name}\n{_web(name)}" for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    style = _web("page.css")
    parts = {
        "policy": html.escape(_policy(script, style)),
        "title": html.escape(title),
        "style": style,
        "summary": summary_section(subject, survey),
        "warnings": warnings_section(subject, survey, iterations),
        "profile": profile_section(subject, survey),
        "choice": choice_section(subject),
        "provenance": provenance_section(subject),
        "data": json_script("data", drawings(subject, survey, columns, iterations)),
        "script": script,
    }
    # in one pass, so that nothing that was put in is looked at again
    return PLACE.sub(lambda place: parts[place[1]], _web("page.html"))


def _web(name: str) -> str:
    return files("mixtura.report").joinpath("web", name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Nothing may be loaded or sent, and only this script and this style may run."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
