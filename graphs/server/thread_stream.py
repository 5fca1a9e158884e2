"""The stream of a whole thread: the events of its runs, one after the other, future ones included."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from graphs.server.executor import TICK_SECONDS, Executor
from memory.errors import UnknownRun, UnknownThread
from memory.server.runs import RunEvent, RunStatus, ThreadRun


class RunEnd(NamedTuple):
    """A run has ended; None if it was deleted."""

    status: RunStatus | None


class Position(NamedTuple):
    """A reader's position: after that many events of a run, or after its end."""

    run_id: str
    number: int | None


async def follow_thread(
    executor: Executor, thread_id: str, after: Position | None = None
) -> AsyncIterator[tuple[Position, RunEvent | RunEnd]]:
    """What its runs say, and that they end, past a place or from the runs that have not ended now.

    Goes on until the thread is gone. Raises UnknownRun for a place that is not there. Holds no connection
    while it waits.
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
            await asyncio.sleep(TICK_SECONDS)


async def _status(executor: Executor, run: ThreadRun) -> RunStatus | None:
    try:
        return (await executor.runs.get(run.run_id)).status
    except UnknownRun:
        return None
