"""The event stream of a thread: the events of its runs, one run after the other, and of runs yet to come."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from graphs.server.executor import POLL_SECONDS, Executor
from memory.errors import UnknownRun, UnknownThread
from memory.server.runs import RunEvent, RunStatus, ThreadRun


class RunEnd(NamedTuple):
    """The end of a run."""

    status: RunStatus | None
    """None if the run was deleted."""


class Position(NamedTuple):
    """A position in the stream, to continue from."""

    run_id: str
    number: int | None
    """The last event that was read; None for the end of the run."""


async def follow_thread(
    executor: Executor, thread_id: str, after: Position | None = None
) -> AsyncIterator[tuple[Position, RunEvent | RunEnd]]:
    """The events and ends of the thread's runs after a position; by default from the first unfinished run.

    Ends when the thread is deleted. Raises UnknownRun for a position in a run that does not exist. Holds no
    database connection while it waits.
    """
    skipped = 0
    if after is None:
        runs = await executor.runs.unfinished(thread_id)
        latest = runs[-1:] or await executor.runs.list(thread_id, limit=1)
    else:
        latest = (await executor.runs.get(after.run_id, thread_id),)
        runs = () if after.number is None else latest
        skipped = after.number or 0
    while True:
        for run in runs:
            async for event in executor.follow(run.run_id, skipped):
                yield Position(run.run_id, event.number), event
            yield Position(run.run_id, None), RunEnd(await _status(executor, run))
            skipped = 0
        latest = runs[-1:] or latest
        runs = await executor.runs.since(thread_id, latest[0] if latest else None)
        if not runs:
            try:
                await executor.threads.get(thread_id)
            except UnknownThread:
                return
            await asyncio.sleep(POLL_SECONDS)


async def _status(executor: Executor, run: ThreadRun) -> RunStatus | None:
    try:
        return (await executor.runs.get(run.run_id)).status
    except UnknownRun:
        return None
