"""Retention: deletes chat turns that have been kept long enough, together with their feedback."""

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from memory.feedback.interactions import PAGE, InteractionLog

log = logging.getLogger(__name__)

CHECK_SECONDS = 3600.0


def interaction_retention(
    interactions: InteractionLog, keep: timedelta, clock: Callable[[], datetime]
) -> Callable[[object], Awaitable[None]]:
    """A periodic task of the executor that deletes turns older than `keep`, once an hour."""
    checked_at: float | None = None

    async def delete_expired(_executor: object) -> None:
        nonlocal checked_at
        if checked_at is not None and time.monotonic() - checked_at < CHECK_SECONDS:
            return
        count = await interactions.delete_before(clock() - keep, limit=PAGE)
        if count < PAGE:  # else the next page is deleted at the next tick
            checked_at = time.monotonic()
        if count:
            log.info("deleted %s chat turns older than %s days", count, keep.days)

    return delete_expired
