"""Streams of runs: server-sent events, and JSON whose connection is kept alive until it is complete.

What the events are is in `graphs.server.stream_modes`; no database connection is held between two of them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from graphs.server import serialization
from graphs.server.executor import Executor
from graphs.server.stream_modes import matches
from graphs.server.thread_stream import Position, RunEnd, follow_thread
from memory.errors import StorageError
from memory.server.runs import ThreadRun
from memory.server.threads import Json

SIGN_SECONDS = 5
"""Between two signs of life."""

Left = Callable[[], Awaitable[object]]


def links(run: ThreadRun, ending: str) -> dict[str, str]:
    """Headers that name the run, and where a client that was cut off goes on."""
    path = f"/threads/{run.thread_id}/runs/{run.run_id}"
    return {"Content-Location": path, "Location": f"{path}/{ending}"}


def events(
    executor: Executor, run: ThreadRun, *, modes: Sequence[str], after: int = 0, on_leave: Left | None = None
) -> EventSourceResponse:
    """The run's events past number `after`; a client that comes back with the last one's id misses none.

    `on_leave` is called if the client goes away before the end.
    """
    return EventSourceResponse(
        _events(executor, run, modes, after, on_leave), ping=SIGN_SECONDS, headers=links(run, "stream")
    )


def thread_events(
    executor: Executor, thread_id: str, *, all_of_them: bool, after: Position | None
) -> EventSourceResponse:
    """The events of the thread's runs, or only when each begins and ends, until the client goes away."""
    return EventSourceResponse(_thread_events(executor, thread_id, all_of_them, after), ping=SIGN_SECONDS)


async def _thread_events(
    executor: Executor, thread_id: str, all_of_them: bool, after: Position | None
) -> AsyncIterator[ServerSentEvent]:
    async for place, event in follow_thread(executor, thread_id, after):
        name = f"{place.run_id}:{'done' if place.number is None else place.number}"
        if isinstance(event, RunEnd):
            ended = {"run_id": place.run_id, "status": event.status}
            yield ServerSentEvent(event="run_done", data=serialization.text(ended), id=name)
        elif all_of_them or event.name == "metadata":
            yield ServerSentEvent(event=event.name, data=event.data, id=name)


def eventually(run: ThreadRun, result: Awaitable[object], on_leave: Left | None = None) -> StreamingResponse:
    """JSON that takes its time: until it is there, a newline now and then says that it is still to come."""
    return StreamingResponse(
        _eventually(result, on_leave), media_type="application/json", headers=links(run, "join")
    )


async def outcome(executor: Executor, run: ThreadRun) -> Json:
    """What the run ends with, once it has; a run that was rolled back leaves the state before it."""
    ended = await executor.wait(run.run_id)
    if ended is None:
        return serialization.outcome(await executor.state(run.graph_id, run.thread_id))
    return await executor.outcome(ended)


async def _events(
    executor: Executor, run: ThreadRun, modes: Sequence[str], after: int, on_leave: Left | None
) -> AsyncIterator[ServerSentEvent]:
    over = False
    try:
        async for event in executor.follow(run.run_id, after):
            if matches(event.name, modes):
                yield ServerSentEvent(event=event.name, data=event.data, id=str(event.number))
        over = True
    finally:
        if not over and on_leave is not None:
            _detached(on_leave)


async def _eventually(result: Awaitable[object], on_leave: Left | None) -> AsyncIterator[bytes]:
    waiting = asyncio.ensure_future(result)
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=SIGN_SECONDS)
            if not waiting.done():
                yield b"\n"
        yield serialization.text(waiting.result()).encode()
    finally:
        if not waiting.done():
            waiting.cancel()
            if on_leave is not None:
                _detached(on_leave)


_leaving: set[asyncio.Future[object]] = set()
"""Held so that they are not collected while they run."""


def _detached(left: Left) -> None:
    """Runs it although the request that asks for it is being cancelled."""

    async def quietly() -> None:
        with suppress(StorageError):  # it may have ended by now
            await left()

    task = asyncio.ensure_future(quietly())
    _leaving.add(task)  # type: ignore[arg-type]
    task.add_done_callback(_leaving.discard)
