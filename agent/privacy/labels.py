"""Labels: the words around a number that say what it is, such as `Phone:` or `my card number is`."""

import re

BEFORE = 60
"""Characters before a number in which its label stands."""
AFTER = 24
"""Characters after a number in which its label stands."""


def has_label(text: str, span: tuple[int, int], label: re.Pattern[str]) -> bool:
    """Whether a label stands shortly before or after the span."""
    start, end = span
    return bool(label.search(text, max(0, start - BEFORE), start) or label.search(text, end, end + AFTER))


def nearest_label(text: str, start: int, label: re.Pattern[str]) -> re.Match[str] | None:
    """The last label shortly before the number."""
    labels = [*label.finditer(text, max(0, start - BEFORE), start)]
    return labels[-1] if labels else None
