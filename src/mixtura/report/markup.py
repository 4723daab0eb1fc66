"""HTML that is escaped by construction: text becomes markup in `tag` only."""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["Markup", "json_script", "shown_name", "table", "tag", "together"]

#: Longer names of columns are cut: a page has to hold two hundred of them.
NAME_LENGTH = 60

#: Kinds of characters that a name is not shown with: controls, invisible formats, unpaired surrogates, line ends.
UNSHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

VOID = {"input"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: str | Markup | Iterable[Markup] | None, **attributes: Any) -> Markup:
    """An element; what is not Markup is escaped.

    A trailing underscore of an attribute's name is dropped, other underscores
    become hyphens, and an attribute that is None is left out.

    Examples
    --------
    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{together(*children)}</{name}>")


def together(*children: str | Markup | Iterable[Markup] | None) -> Markup:
    """Markup of several children, one after the other."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, str):
            parts.append(html.escape(child))
        elif child is not None:
            parts.extend(together(one) for one in child)
    return Markup("".join(parts))


def table(caption: str, titles: Sequence[str | Markup], rows: Iterable[Sequence[str | Markup]]) -> Markup:
    """A table whose first column names the rows, in a box that scrolls sideways where it is too wide."""
    head = tag("tr", [tag("th", title, scope="col") for title in titles])
    body = [
        tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]])
        for row in rows
    ]
    whole = tag("table", tag("thead", head), tag("tbody", body))
    box = tag("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)
    return together(tag("p", caption, class_="caption"), box)  # a caption inside would scroll away


def json_script(identifier: str, value: Any) -> Markup:
    r"""Data for the page's script, which no value of theirs can end.

    Examples
    --------
    >>> json_script("data", ["</script>"])
    '<script type="application/json" id="data">["\\u003c/script\\u003e"]</script>'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(f'<script type="application/json" id="{html.escape(identifier)}">{text}</script>')


def shown_name(name: object) -> str:
    r"""A column's name as it is shown: without what is invisible or turns text around, and not too long.

    Examples
    --------
    >>> shown_name("a\u202eb"), shown_name("")
    ('a\ufffdb', '(no name)')
    """
    text = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(one) in UNSHOWN else one for one in str(name))
    text = text if len(text) <= NAME_LENGTH else text[: NAME_LENGTH - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return text.strip() or "(no name)"
