"""Replaces relative dates by absolute ones: `last Friday` becomes `on Friday 5 May 2023`.

What is exact stays exact and what is vague stays vague: `three days ago` is a day, `two weeks ago` is `around
26 May 2023`, and `a few weeks ago` is `a few weeks before 9 June 2023`.
Dates that come again (`every Friday`, birthdays) are left as they are.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

WEEKDAYS = tuple(day.lower() for day in calendar.day_name)
_SHORT_WEEKDAYS = tuple(day[:3] for day in WEEKDAYS)
MONTHS = tuple(month.lower() for month in calendar.month_name)
"""The index is the month's number; the first is empty."""
SEASONS = {"winter": 12, "spring": 3, "summer": 6, "fall": 9, "autumn": 9}
"""Their first months, in the northern hemisphere."""
_DIGITS = "zero one two three four five six seven eight nine ten"
_NUMBERS = {
    **{word: n for n, word in enumerate(_DIGITS.split())},
    **{"a": 1, "an": 1, "eleven": 11, "twelve": 12, "a couple of": 2},
}
_SATURDAY = 5
LONGEST_COUNT = 1000
"""Days, weeks, months or years; larger numbers are no dates."""


class DatePhrase(NamedTuple):
    """A date in a text at `text[start:end]`, and how to write it."""

    start: int
    end: int
    text: str
    """The absolute date, with its preposition."""
    until: datetime
    """The end of the period that it names."""
    relative: bool = True
    """Whether it was relative to the day on which it was written."""


def date_phrases(text: str, day: date, *, past: bool) -> tuple[DatePhrase, ...]:
    """The dates in the text, written on `day`, in order and without overlaps.

    `past` says whether the text is about what has been, so that `on Friday` is the last Friday.
    """
    found: list[DatePhrase] = []
    for pattern, read in _READERS:
        for match in pattern.finditer(text):
            overlaps = any(match.start() < f.end and f.start < match.end() for f in found)
            if overlaps or _RECURRING.search(text[max(0, match.start() - 12) : match.start()]):
                continue
            try:
                result = read(match, day, past)
            except (ValueError, OverflowError):  # no such day, such as 31 June
                continue
            if result is not None:
                written, last, relative = result
                found.append(DatePhrase(*match.span(), written, _end_of(last), relative))
    return tuple(sorted(found))


def spelled_date(day: date) -> str:
    """`7 May 2023`."""
    return f"{day.day} {calendar.month_name[day.month]} {day.year}"


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), UTC)


_Read = tuple[str, date, bool]
"""The date as written, its last day, and whether it was relative."""
_BEFORE = (
    r"(?:(?P<preposition>on|by|until|till|before|after|since|from|for|due|of|to|at|in|during|around|about)"
    r"\s+)?"
)
_RECURRING = re.compile(r"\b(?:every|each|per)\s+(?:other\s+)?$|\b(?:birthday|anniversary) is\s+$", re.I)


def _with(match: re.Match[str], written: str, default: str = "on") -> str:
    """The date after the preposition of the text; `at` and `in` give way to the one that suits the date."""
    preposition = match["preposition"]
    if preposition is None or preposition.lower() in ("at", "in", "on"):
        preposition = default
    return f"{preposition} {written}"


def _named_day(match: re.Match[str], day: date, past: bool) -> _Read:
    name = " ".join(match["name"].lower().split())
    part = (match["part"] or "").lower()
    shifts = {"yesterday": -1, "last night": -1, "tomorrow": 1, "the day before yesterday": -2,
              "the day after tomorrow": 2}  # fmt: skip
    when = day + timedelta(days=shifts.get(name, 0))
    part = {"last night": "night", "tonight": "evening"}.get(name, part or name.removeprefix("this "))
    if part in ("morning", "afternoon", "evening", "night"):
        written = f"the {part} of {spelled_date(when)}"
    else:
        written = spelled_date(when)
    return _with(match, written), when, True


def _days_event(match: re.Match[str], day: date, past: bool) -> _Read:
    when = day + timedelta(days={"yesterday": -1, "today": 0, "tomorrow": 1}[match["name"].lower()])
    return f"the {match['noun']} on {spelled_date(when)}", when, True


def _count(text: str) -> int:
    word = " ".join(text.lower().split())
    number = _NUMBERS[word] if word in _NUMBERS else int(word)
    if number > LONGEST_COUNT:
        raise ValueError(f"{number} is too many")
    return number


def _ago(match: re.Match[str], day: date, past: bool) -> _Read:
    return _shifted(match, day, -1)


def _ahead(match: re.Match[str], day: date, past: bool) -> _Read | None:
    return None if past else _shifted(match, day, 1)


def _shifted(match: re.Match[str], day: date, sign: int) -> _Read:
    unit, words = match["unit"].lower(), " ".join(match["count"].split())
    side = "before" if sign < 0 else "after"
    vague = words.lower() in ("a few", "several", "some")
    if vague or unit == "week":
        if vague:
            last = _moved(day, "week" if unit == "day" else unit, sign * (1 if unit == "day" else 4))
            return f"{words.lower()} {unit}s {side} {spelled_date(day)}", last, True
        last = _moved(day, unit, sign * _count(words))
        return f"around {spelled_date(last)}", last, True
    when = _moved(day, unit, sign * _count(words))
    if unit == "day":
        return f"on {spelled_date(when)}", when, True
    return (
        (_in_month(when.year, when.month) if unit == "month" else _in_year(when.year)),
        _last_of(unit, when),
        True,
    )


def _moved(day: date, unit: str, count: int) -> date:
    if unit in ("day", "week"):
        return day + timedelta(days=count * (7 if unit == "week" else 1))
    months = day.year * 12 + day.month - 1 + count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _in_month(year: int, month: int) -> str:
    return f"in {calendar.month_name[month]} {year}"


def _in_year(year: int) -> str:
    return f"in {year}"


def _last_of(unit: str, when: date) -> date:
    """The last day of the month or year."""
    month = when.month if unit == "month" else 12
    return date(when.year, month, calendar.monthrange(when.year, month)[1])


def _period(match: re.Match[str], day: date, past: bool) -> _Read | None:
    """`last week`, `this weekend`, `next summer`, `next Friday`, `last May`."""
    step = {"last": -1, "past": -1, "previous": -1, "next": 1, "coming": 1}.get(match["which"].lower(), 0)
    name = match["name"].lower()
    monday = day - timedelta(days=day.weekday())
    if name == "week":
        side = {-1: "before", 0: "of", 1: "after"}[step]
        return (
            _with(match, f"the week {side} {spelled_date(day)}", "in"),
            monday + timedelta(days=7 * step + 6),
            True,
        )
    if name == "weekend":
        return _weekend(match, day, monday, step, past)
    if name in ("month", "year"):
        when = _moved(day, name, step)
        written = f"{calendar.month_name[when.month]} {when.year}" if name == "month" else str(when.year)
        return _with(match, written, "in"), _last_of(name, when), True
    if name in SEASONS:
        year = _season_year(name, day, step)
        last = _moved(date(year, SEASONS[name], 1), "month", 2)
        return _with(match, f"the {name} of {year}", "in"), _last_of("month", last), True
    if name[:3] in _SHORT_WEEKDAYS:
        when = _weekday(name, day, monday, step, past)
        return _with(match, f"{calendar.day_name[when.weekday()]} {spelled_date(when)}"), when, True
    month = MONTHS.index(name)
    year = day.year + (step if step and (month - day.month) * step <= 0 else 0)
    return _with(match, f"{name.title()} {year}", "in"), _last_of("month", date(year, month, 1)), True


def _weekend(match: re.Match[str], day: date, monday: date, step: int, past: bool) -> _Read:
    saturday = monday + timedelta(days=_SATURDAY + 7 * step)
    if step == 0 and past and saturday > day:
        saturday -= timedelta(days=7)
    if step == -1 and day.weekday() < _SATURDAY:
        saturday = monday - timedelta(days=2)
    return _with(match, f"the weekend of {spelled_date(saturday)}"), saturday + timedelta(days=1), True


def _season_year(name: str, day: date, step: int) -> int:
    """The year in which the season begins: `last summer` is the latest that has ended, `next` the first
    that has not begun."""
    starts = [date(day.year + n, SEASONS[name], 1) for n in (-2, -1, 0, 1, 2)]
    if step < 0:
        return max(s.year for s in starts if _last_of("month", _moved(s, "month", 2)) < day)
    if step > 0:
        return min(s.year for s in starts if s > day)
    return min(s.year for s in starts if _last_of("month", _moved(s, "month", 2)) >= day)


def _weekday(name: str, day: date, monday: date, step: int, past: bool) -> date:
    wanted = _weekday_number(name)
    if step > 0:
        return monday + timedelta(days=7 + wanted)
    if step < 0 or past:
        return day - timedelta(days=(day.weekday() - wanted - 1) % 7 + 1)
    return day + timedelta(days=(wanted - day.weekday() - 1) % 7 + 1)


def _weekday_number(name: str) -> int:
    return _SHORT_WEEKDAYS.index(name.lower()[:3])


def _plain_weekday(match: re.Match[str], day: date, past: bool) -> _Read:
    monday = day - timedelta(days=day.weekday())
    when = _weekday(match["name"].lower(), day, monday, 0, past)
    written = f"{calendar.day_name[when.weekday()]} {spelled_date(when)}"
    if match["preposition"] is None:  # `the deadline is Friday`
        return written, when, True
    return _with(match, written), when, True


def _plain_month(match: re.Match[str], day: date, past: bool) -> _Read:
    month = MONTHS.index(match["name"].lower())
    year = _year_of(date(day.year, month, 1), _last_of("month", date(day.year, month, 1)), day, past)
    return f"{match['before']} {match['name'].title()} {year}", _last_of("month", date(year, month, 1)), True


def _day_of_month(match: re.Match[str], day: date, past: bool) -> _Read:
    month = MONTHS.index(match["name"].lower())
    number = int(match["day"])
    if match["year"]:
        when = date(int(match["year"]), month, number)
        return match[0], when, False
    this_year = date(day.year, month, number)
    when = this_year.replace(year=_year_of(this_year, this_year, day, past))
    written = spelled_date(when)
    return (written if match["preposition"] is None else _with(match, written)), when, True


def _year_of(first: date, last: date, day: date, past: bool) -> int:
    """The year of a period that is known by its first and last day in the present year."""
    if past:
        return first.year if first <= day else first.year - 1
    return first.year if last >= day else first.year + 1


def _absolute(match: re.Match[str], day: date, past: bool) -> _Read:
    if match["iso"]:
        return match[0], date.fromisoformat(match["iso"]), False
    month = match["month"]
    number = MONTHS.index(month.lower()) if month else 12
    return match[0], _last_of("month" if month else "year", date(int(match["year"]), number, 1)), False


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_MONTH = "|".join(MONTHS[1:])
_WEEKDAY = "|".join(WEEKDAYS)
_SHORT_WEEKDAY = "mon|tues?|wed|thu(?:rs?)?|fri|sat|sun"
_COUNT = r"(?P<count>\d{1,3}|a|an|a\s+couple\s+of|a\s+few|several|some|" + "|".join(
    word for word in _NUMBERS if len(word) > 2 and " " not in word
) + ")"  # fmt: skip
_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date, bool], _Read | None]], ...] = (
    (_pattern(r"\b(?P<name>yesterday|today|tomorrow)['\u2019]s\s+(?P<noun>[a-z]+)\b"), _days_event),
    (
        _pattern(
            rf"\b{_BEFORE}(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?\s+(?P<name>{_MONTH})"
            r"(?:,?\s+(?P<year>\d{4}))?)\b"
        ),
        _day_of_month,
    ),
    (
        _pattern(
            rf"\b{_BEFORE}(?P<name>{_MONTH})\s+(?:the\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
            r"(?:,?\s+(?P<year>\d{4}))?(?!\d)\b"
        ),
        _day_of_month,
    ),
    (
        _pattern(
            rf"\b(?:(?P<iso>\d{{4}}-\d\d-\d\d)|(?:(?:in|by|until|since|of)\s+)?(?P<month>{_MONTH})\s+(?P<year>\d{{4}}))\b"
        ),
        _absolute,
    ),
    (_pattern(r"\b(?:in|by|until)\s+(?P<iso>$^)?(?P<month>$^)?(?P<year>20\d\d)\b"), _absolute),
    (
        _pattern(
            rf"\b{_BEFORE}(?P<name>the\s+day\s+before\s+yesterday|the\s+day\s+after\s+tomorrow|yesterday|today"
            r"|tomorrow|tonight|last\s+night|this\s+(?:morning|afternoon|evening))\b"
            r"(?:\s+(?P<part>morning|afternoon|evening|night))?(?!['\u2019-])"
        ),
        _named_day,
    ),
    (_pattern(rf"\b(?:about\s+|around\s+)?{_COUNT}\s+(?P<unit>day|week|month|year)s?\s+ago\b"), _ago),
    (_pattern(rf"\bin\s+(?:about\s+)?{_COUNT}\s+(?P<unit>day|week|month|year)s?\b(?!['\u2019])"), _ahead),
    (
        _pattern(
            rf"\b{_BEFORE}(?:the\s+)?(?P<which>last|past|previous|next|this|coming)\s+(?P<name>weekend|week|month"
            rf"|year|{'|'.join(SEASONS)}|{_WEEKDAY}|{_SHORT_WEEKDAY}|{_MONTH})\b(?!['\u2019-])"
        ),
        _period,
    ),
    (_pattern(rf"\b{_BEFORE}(?P<name>{_WEEKDAY})\b(?!['\u2019-])"), _plain_weekday),
    # Not `may`: a month begins with a capital letter.
    (
        re.compile(
            r"\b(?P<before>[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Ff]rom|[Dd]uring|early|late|mid|[Ff]or)\s+"
            rf"(?P<name>{'|'.join(m.title() for m in MONTHS[1:])})\b(?!\s+\d|['\u2019-])"
        ),
        _plain_month,
    ),
)
"""Tried in this order; what one has read is not read by the next."""


def latest_end(phrases: Iterator[DatePhrase] | tuple[DatePhrase, ...]) -> datetime | None:
    """The end of the period that ends last; None without dates."""
    return max((phrase.until for phrase in phrases), default=None)
