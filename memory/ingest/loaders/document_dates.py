"""The date that a document gives itself: in its properties or the metadata of its page.

Where a document gives several, it is the last on which its text was revised.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from memory.language.dates import dates, without_dates

FIRST_YEAR, LAST_YEAR = 1000, 2999
"""A year outside is a program's mark for no date, or nonsense."""
LONGEST = 60
"""Characters of a date, as written."""
MAX_SCRIPTS = 20
"""Blocks of JSON-LD that are read of a page."""
_TEMPLATE = datetime(2013, 12, 23, 23, 15, tzinfo=UTC)
"""What python-docx writes into each document that it makes."""
_UNSET = frozenset(
    {date(1601, 1, 1), date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1), date(1904, 1, 1),
     date(1970, 1, 1), date(1980, 1, 1)}
)  # fmt: skip
"""Days that programs count from, and write where they know no date."""
_PDF = re.compile(r"(?:D:)?(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(?:Z|([+-]\d\d)'?(\d\d)?)?")
_TIME = re.compile(r"\b\d{1,2}:\d\d(?::\d\d)?\b")
_META_NAMES = (
    "article:modified_time", "og:updated_time", "datemodified", "dcterms.modified", "dc.date.modified",
    "last-modified", "revised", "article:published_time", "datepublished", "dcterms.issued",
    "dc.date.issued", "dcterms.date", "dc.date", "citation_publication_date", "publication_date", "pubdate",
    "publish-date", "date", "dcterms.created", "dc.date.created", "datecreated",
)  # fmt: skip
_JSON_LD_NAMES = ("dateModified", "datePublished", "dateCreated")


def first_date(written: Iterable[object]) -> datetime | None:
    """The first of these that is a date; None if none is. What is no text is none."""
    found = (parsed(each) for each in written if isinstance(each, str))
    return next((each for each in found if each is not None), None)


def parsed(text: str) -> datetime | None:
    """A date as a program or a person writes it, in UTC; None for what is none.

    Of a year or a month alone it is the first day.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        return None
    for read in (datetime.fromisoformat, _pdf_date, _mail_date):
        try:
            moment = _in_utc(read(text))
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        unset = moment.date() in _UNSET or moment == _TEMPLATE
        return None if unset else _believable(moment)
    text = _TIME.sub("", text)
    found = dates(text)
    whole = len(found) == 1 and not any(c.isdigit() for c in without_dates(text))  # else `03/04/2021` is 2021
    first_day = found[0].first_day if whole else None
    return None if first_day is None else _believable(first_day)


def page_date(tree: Any) -> datetime | None:
    """The date that an HTML page (an lxml tree) gives in its `meta` elements or as JSON-LD."""
    named: dict[str, str] = {}
    for element in tree.iter("meta"):
        for attribute in ("property", "name", "itemprop", "http-equiv"):
            if name := element.get(attribute):
                named.setdefault(name.strip().lower(), element.get("content") or "")
    described = list(_described(tree))
    given = {name: [each.get(name) for each in described] for name in _JSON_LD_NAMES}
    metas = [(name, named.get(name)) for name in _META_NAMES]
    modified = [text for name, text in metas if "modif" in name or name in ("og:updated_time", "revised")]
    others = [text for _, text in metas]
    return first_date(
        [*given["dateModified"], *modified, *given["datePublished"], *others, *given["dateCreated"]]
    )


def _described(tree: Any) -> Iterator[Mapping[str, Any]]:
    """What the page's JSON-LD says of the page, not of its comments or of what it mentions."""
    scripts = (each for each in tree.iter("script") if "ld+json" in (each.get("type") or "").lower())
    for script, _ in zip(scripts, range(MAX_SCRIPTS), strict=False):
        try:
            value = json.loads(script.text or "")
        except (ValueError, RecursionError):
            continue
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, Mapping):
                continue
            graph = each.get("@graph")
            parts = graph if isinstance(graph, list) else []
            yield from (each, *(part for part in parts if isinstance(part, Mapping)))


def _pdf_date(text: str) -> datetime:
    """A date such as `D:20210304050607+01'00'`. Raises ValueError."""
    match = _PDF.fullmatch(text.rstrip("'"))
    if match is None:
        raise ValueError(f"{text!r} is no date of a PDF")
    year, month, day, hour, minute, second, zone, zone_minute = match.groups()
    return datetime.fromisoformat(
        f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}"
        + (f"{zone}:{zone_minute or '00'}" if zone else "+00:00")
    )


def _mail_date(text: str) -> datetime:
    """A date such as `Thu, 04 Mar 2021 05:06:07 +0100`. Raises ValueError or TypeError."""
    if ":" not in text:
        raise ValueError(f"{text!r} has no time")
    return parsedate_to_datetime(text)


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _believable(moment: datetime) -> datetime | None:
    return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None
