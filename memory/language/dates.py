"""Dates in English texts, as far as they are given: a year, a month, or a day."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_NUMBERS = {name.lower(): number for number, name in enumerate(MONTH_NAMES, 1)}
_NUMBERS |= {name[:3]: number for name, number in list(_NUMBERS.items())} | {"sept": 9}
_MONTH = rf"(?P<month>{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})\.?"
_YEAR = r"(?P<year>1\d{3}|20\d{2})"
_AFTER_YEAR = (
    "in|at|by|for|from|to|and|or|as|on|with|until|through|after|before|when|while|under|during|but|near"
)
"""Words that may follow a year; before another word, such as `queries`, it is a number."""
_AS_OF = re.compile(r"\bas (?:of|at)(?: the)?\s+\Z", re.IGNORECASE)
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"\b(?P<year>1\d{3}|20\d{2})-(?P<number>0[1-9]|1[0-2])(?:-(?P<day>[0-2]\d|3[01]))?\b",
        rf"\b(?P<day>[12]?\d|3[01])(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:,? (?P<year>\d{{3,4}}))?\b",
        rf"\b{_MONTH} (?P<day>[12]?\d|3[01])(?:st|nd|rd|th)?\b(?:,? (?P<year>\d{{3,4}})\b)?",
        rf"\b{_MONTH},? {_YEAR}\b",
        rf"(?<![\d.,-]){_YEAR}(?![\d%]|[.,]\d|s\b|\s+(?!(?:{_AFTER_YEAR})\b)[A-Za-z\u00b0%])",
    )
)


class Date(NamedTuple):
    """A date with what is known of it; `start` and `end` are its place in the text."""

    year: int | None
    month: int | None
    day: int | None
    start: int
    end: int

    @property
    def first_day(self) -> datetime | None:
        """Its first day, in UTC; None without a year, and for one that no calendar has."""
        if self.year is None:
            return None
        try:
            return datetime(self.year, self.month or 1, self.day or 1, tzinfo=UTC)
        except ValueError:
            return None

    def agrees(self, other: "Date") -> bool:
        """Whether both can be the same day: neither gives a part that differs."""
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return all(one is None or two is None or one == two for one, two in pairs)


def dates(text: str) -> tuple[Date, ...]:
    """The dates in the text, in order; `1969`, `July 1969`, `20 July 1969`, `July 20` or `1969-07-20`."""
    found: list[Date] = []
    for form in _FORMS:
        for match in form.finditer(text):
            if not any(each.start < match.end() and match.start() < each.end for each in found):
                found.append(_date(match))
    return tuple(sorted(found, key=lambda each: each.start))


def as_of(sentence: str) -> datetime | None:
    """The first day that the sentence says it is true of: `as of March 2021`; None if it does not say."""
    stated = (
        each for each in dates(sentence) if _AS_OF.search(sentence[max(0, each.start - 20) : each.start])
    )
    return next((each.first_day for each in stated), None)


def without_dates(text: str) -> str:
    """The text with its dates left out."""
    return "".join(_between(text))


def _between(text: str) -> Iterator[str]:
    at = 0
    for date in dates(text):
        yield text[at : date.start]
        at = date.end
    yield text[at:]


def _date(match: re.Match[str]) -> Date:
    groups = match.groupdict()
    month = _NUMBERS[groups["month"].lower()] if groups.get("month") else None
    number, day, year = (int(value) if (value := groups.get(n)) else None for n in ("number", "day", "year"))
    return Date(year, month or number, day, match.start(), match.end())
