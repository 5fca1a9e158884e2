"""Retention: deletes old chat turns with their feedback, old events of runs, and old records of jobs."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from graphs.server.background_jobs import RETENTION as JOB_RETENTION
from graphs.server.background_jobs import BackgroundJobs
from memory.feedback.interactions import PAGE, InteractionLog
from memory.server.runs import ThreadRuns

log = logging.getLogger(__name__)

CHECK_SECONDS = 3600.0
CLEANUP_SECONDS = 60.0
"""Interval at which old events and records of jobs are deleted."""
CLEANUP_PAGES = 100
"""Most pages of events that are deleted in a row."""
PAUSE_SECONDS = 0.25
"""Between two pages, so that others can write."""
RUNS_PAGE = 200
"""Runs whose events are deleted at once."""
EVENT_RETENTION = timedelta(hours=1)
"""How long the events of a finished run can still be streamed; its state stays."""


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


async def delete_old_events(runs: ThreadRuns, jobs: BackgroundJobs) -> None:
    """Deletes expired events of runs and records of jobs, page by page."""
    for _ in range(CLEANUP_PAGES):
        now = runs.now()
        events = await runs.drop_events(now - EVENT_RETENTION, limit=RUNS_PAGE)
        if not events + await jobs.delete_finished(now - JOB_RETENTION):
            return
        await asyncio.sleep(PAUSE_SECONDS)
