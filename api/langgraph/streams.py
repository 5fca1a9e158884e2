"""Streamed replies of runs: server-sent events, and JSON that keeps its connection alive until it is ready.

No database connection is held between two events.
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

KEEP_ALIVE_SECONDS = 5
"""Interval of signs of life on an idle connection."""

OnDisconnect = Callable[[], Awaitable[object]]


def links(run: ThreadRun, ending: str) -> dict[str, str]:
    """Headers with the run's path, and the path by which a disconnected client reconnects."""
    path = f"/threads/{run.thread_id}/runs/{run.run_id}"
    return {"Content-Location": path, "Location": f"{path}/{ending}"}


def event_stream(
    executor: Executor,
    run: ThreadRun,
    *,
    modes: Sequence[str],
    after: int = 0,
    on_disconnect: OnDisconnect | None = None,
) -> EventSourceResponse:
    """The run's events after number `after`, as server-sent events whose ids are the numbers.

    `on_disconnect` is called if the client disconnects before the end.
    """
    return EventSourceResponse(
        _events(executor, run, modes, after, on_disconnect),
        ping=KEEP_ALIVE_SECONDS,
        headers=links(run, "stream"),
    )


def thread_event_stream(
    executor: Executor, thread_id: str, *, all_events: bool, after: Position | None
) -> EventSourceResponse:
    """The events of the thread's runs until the client disconnects.

    Without `all_events` only the starts and ends of the runs.
    """
    return EventSourceResponse(
        _thread_events(executor, thread_id, all_events, after), ping=KEEP_ALIVE_SECONDS
    )


async def _thread_events(
    executor: Executor, thread_id: str, all_events: bool, after: Position | None
) -> AsyncIterator[ServerSentEvent]:
    async for position, event in follow_thread(executor, thread_id, after):
        event_id = f"{position.run_id}:{'done' if position.number is None else position.number}"
        if isinstance(event, RunEnd):
            data = {"run_id": position.run_id, "status": event.status}
            yield ServerSentEvent(event="run_done", data=serialization.text(data), id=event_id)
        elif all_events or event.name == "metadata":
            yield ServerSentEvent(event=event.name, data=event.data, id=event_id)


def delayed_json(
    run: ThreadRun, result: Awaitable[object], on_disconnect: OnDisconnect | None = None
) -> StreamingResponse:
    """A JSON reply that is not ready yet; until then newlines keep the connection alive."""
    return StreamingResponse(
        _keep_alive(result, on_disconnect), media_type="application/json", headers=links(run, "join")
    )


async def _events(
    executor: Executor, run: ThreadRun, modes: Sequence[str], after: int, on_disconnect: OnDisconnect | None
) -> AsyncIterator[ServerSentEvent]:
    complete = False
    try:
        async for event in executor.follow(run.run_id, after):
            if matches(event.name, modes):
                yield ServerSentEvent(event=event.name, data=event.data, id=str(event.number))
        complete = True
    finally:
        if not complete and on_disconnect is not None:
            _run_detached(on_disconnect)


async def _keep_alive(result: Awaitable[object], on_disconnect: OnDisconnect | None) -> AsyncIterator[bytes]:
    waiting = asyncio.ensure_future(result)
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=KEEP_ALIVE_SECONDS)
            if not waiting.done():
                yield b"\n"
        yield serialization.text(waiting.result()).encode()
    finally:
        if not waiting.done():
            waiting.cancel()
            if on_disconnect is not None:
                _run_detached(on_disconnect)


_callbacks: set[asyncio.Future[object]] = set()
"""References that keep running callbacks from being garbage-collected."""


def _run_detached(on_disconnect: OnDisconnect) -> None:
    """Runs the callback in a task of its own, because the request's task is being cancelled."""

    async def run() -> None:
        with suppress(StorageError):  # the run may have ended by now
            await on_disconnect()

    task = asyncio.ensure_future(run())
    _callbacks.add(task)  # type: ignore[arg-type]
    task.add_done_callback(_callbacks.discard)
