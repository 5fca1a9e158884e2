"""Pages of lists that grow with use: at most so many entries, after the last one of the page before."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query

MOST = 1000
"""Entries of a page."""
Limit = Annotated[int, Query(ge=1, le=MOST, description="Entries at most.")]
Entry = TypeVar("Entry")


def page_of(
    entries: Sequence[Entry], ids: Sequence[str], *, after: str | None, limit: int, unknown: Exception
) -> list[Entry]:
    """The first entries, or those after the one with the id `after`; raises `unknown` if none has it."""
    if after is not None and after not in ids:
        raise unknown
    start = 0 if after is None else ids.index(after) + 1
    return list(entries[start : start + limit])
