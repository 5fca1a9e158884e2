"""Waits until the service is quiet and no other night runs; and the window in which a night works."""

import math
from datetime import datetime, timedelta

from langgraph.runtime import Runtime as Injected

from graphs.state import Event, NightState, Runtime, Update, event
from memory.language.counting import counted
from memory.records.nights import Night

QUIET_MINUTES = 5
"""Minutes over which chat turns are counted to tell whether the service is quiet."""
POLL_SECONDS = 30.0
"""Most seconds between two looks."""


async def wait(state: NightState, runtime: Injected[Runtime]) -> Update:
    """Waits for quiet and for other nights to end; when the window is over, the night is skipped."""
    context = runtime.context
    night = await context.nights.night(state["night_id"])
    told = ""
    events: list[Event] = []
    while night.status != "running":
        if is_over(night, context.clock()):
            minutes = counted(night.options.window_minutes, "minute")
            reason = f"the window of {minutes} passed: {told or 'no time was left'}"
            events.append(event(context, "wait", reason))
            return {"ending": "skipped", "reason": reason, "events": events}
        if not await is_quiet(night, context):
            limit = counted(night.options.quiet_requests, "turn")
            reason = f"the service is not quiet: {limit} a minute or more"
        elif await context.nights.acquire(night.id):
            break
        else:
            reason = "another night runs"
        if reason != told:
            told = reason
            events.append(event(context, "wait", f"waiting: {reason}"))
            runtime.stream_writer(events[-1])
        left = (window_end(night) - context.clock()).total_seconds()
        await context.sleep(min(POLL_SECONDS, max(left, 0.0)))
    return {"events": [*events, event(context, "wait", "the service is quiet: the night begins")]}


async def is_quiet(night: Night, context: Runtime) -> bool:
    """Whether chat turns are rarer than the night's limit; turns that are not logged do not count."""
    fewer_than = QUIET_MINUTES * night.options.quiet_requests
    since = context.clock() - timedelta(minutes=QUIET_MINUTES)
    return len(await context.interactions.list(since=since, limit=math.ceil(fewer_than))) < fewer_than


def window_end(night: Night) -> datetime:
    """When the night has to stop; a resumed one has its whole window again."""
    return (night.resumed_at or night.began_at) + timedelta(minutes=night.options.window_minutes)


def is_over(night: Night, now: datetime) -> bool:
    """Whether the night's window has ended."""
    return now >= window_end(night)
