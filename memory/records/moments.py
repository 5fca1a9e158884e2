"""Times that callers name: with a time zone, and within years that all stores and their arithmetic hold."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

FIRST_YEAR, LAST_YEAR = 1900, 2999


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _within_years(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"the year has to be one from {FIRST_YEAR} to {LAST_YEAR}")
    return moment


Moment = Annotated[datetime, AfterValidator(_in_utc), AfterValidator(_within_years)]
"""A time or a date; without a time zone it is in UTC."""
ZonedMoment = Annotated[AwareDatetime, AfterValidator(_within_years)]
"""A time with its time zone."""
