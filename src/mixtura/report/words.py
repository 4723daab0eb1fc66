"""Numbers and lists as a reader would say them."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["count", "covariance_words", "figure", "listed", "measured", "number", "percent", "several"]

SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

#: Narrow enough for a phone, and no digits from two lines.
SPACE = "\N{NO-BREAK SPACE}"

#: What the letters of a covariance model's name say of volume, shape and orientation (Celeux and Govaert 1995).
LETTERS = (
    {"E": "of equal volume", "V": "of different volumes"},
    {"E": "of equal shape", "V": "of different shapes", "I": "round"},
    {"E": "turned the same way", "V": "each turned its own way", "I": "along the features' axes"},
)


def number(value: float) -> str:
    r"""A whole number with its thousands apart; a weight sum may have a fraction.

    Examples
    --------
    >>> number(12), number(12345.0).replace("\u00a0", " "), number(2.5)
    ('12', '12 345', '2.5')
    """
    if not float(value).is_integer():
        return figure(value)
    return f"{int(value):,}".replace(",", SPACE) if abs(value) >= 10_000 else str(int(value))


def figure(value: float) -> str:
    """A measured number with five digits."""
    return f"{value:.5g}" if math.isfinite(value) else "not known"


def measured(value: float, spread: float) -> str:
    """A number with the digits that matter where values differ by the spread.

    Examples
    --------
    >>> measured(1700000000.12345, 0.01), measured(12.3456, 2.0), measured(5.0, 0.0)
    ('1700000000.1235', '12.35', '5')
    """
    if not (spread > 0 and math.isfinite(spread) and math.isfinite(value)):
        return figure(value)
    places = 2 - math.floor(math.log10(spread))
    if abs(value) < 1e-3 * spread * 10 or not 0 <= places <= 12 or abs(value) >= 1e12:
        return figure(value)
    return f"{value:.{places}f}"


def several(value: float, noun: str, plural: str = "") -> str:
    """A number and its noun, small numbers in words.

    Examples
    --------
    >>> several(3, "group"), several(1, "row"), several(20, "row")
    ('three groups', 'one row', '20 rows')
    """
    return f"{count(value)} {noun if value == 1 else plural or noun + 's'}"


def count(value: float) -> str:
    """A number, the small ones in words."""
    return SMALL[int(value)] if float(value).is_integer() and 0 <= value < len(SMALL) else number(value)


def percent(share: float) -> str:
    r"""A share of a whole, never rounded to all or nothing.

    Examples
    --------
    >>> [percent(share).replace("\u00a0", " ") for share in (0.0, 0.001, 0.123, 0.999, 1.0)]
    ['0 %', 'under 1 %', '12 %', 'over 99 %', '100 %']
    """
    if 0 < share < 0.005:
        return f"under{SPACE}1{SPACE}%"
    if 0.995 <= share < 1:
        return f"over{SPACE}99{SPACE}%"
    return f"{100 * share:.0f}{SPACE}%"


def listed(words: Sequence[str], most: int = 8) -> str:
    """Words with commas and an "and"; of many only the first.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"], most=2)
    ('a', 'a and b', 'a, b and 1 more')
    """
    shown = [*words[:most], *([f"{len(words) - most} more"] if len(words) > most else [])]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" and {shown[-1]}" if shown else "none"


def covariance_words(name: str) -> str:
    """What a covariance model's name says of several components with more than one feature, or of one feature by E, V.

    Examples
    --------
    >>> covariance_words("EEE")
    'components of equal volume, of equal shape, turned the same way'
    """
    parts = [LETTERS[place].get(letter, "") for place, letter in enumerate(name)] if len(name) <= len(LETTERS) else []
    if len(parts) == 1:
        return "components of equal width" if name.startswith("E") else "components of different widths"
    if not all(parts) or not parts:
        return f"components of the covariance model {name}"
    return f"components {', '.join(parts[: 2 if name.endswith('II') else 3])}"
