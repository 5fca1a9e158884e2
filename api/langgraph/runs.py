"""Routes of runs in LangGraph's format, on threads and stateless: start, stream, join, cancel, delete.

Runs are executed by `graphs.server.executor` and continue if the client disconnects, unless the request
says otherwise.
"""

import re
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Header, Query, Response
from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse

from api.auth import CallerDep, has_access
from api.compose import Service, ServiceDep
from api.langgraph.common import ID, RunId, Select, ThreadId, langgraph_router, select_fields
from api.langgraph.run_requests import BatchedRun, CancelMany, RunBody, StreamedRun, check_modes
from api.langgraph.run_service import run_reply
from api.langgraph.streams import delayed_json, event_stream, links, thread_event_stream
from graphs.server.thread_stream import Position
from memory.errors import ThreadBusy, UnknownRun
from memory.server.runs import RunStatus, ThreadRun
from memory.server.threads import Json

router = langgraph_router("runs")

MAX_IN_BATCH = 100
LastEventId = Annotated[str | None, Header()]
Action = Literal["interrupt", "rollback"]


@router.post("/threads/{thread_id}/runs")
async def create(
    thread_id: ThreadId, body: RunBody, service: ServiceDep, caller: CallerDep, response: Response
) -> Json:
    """Queues a run on a thread and returns at once."""
    run = await service.run_service.start(caller, body, thread_id)
    response.headers["Content-Location"] = links(run, "join")["Content-Location"]
    return run_reply(run)


@router.post("/threads/{thread_id}/runs/stream", response_class=EventSourceResponse)
async def stream(
    thread_id: ThreadId, body: StreamedRun, service: ServiceDep, caller: CallerDep
) -> EventSourceResponse:
    """Queues a run on a thread and streams its events."""
    return _stream(service, body, await service.run_service.start(caller, body, thread_id))


@router.post("/threads/{thread_id}/runs/wait")
async def wait(
    thread_id: ThreadId, body: RunBody, service: ServiceDep, caller: CallerDep
) -> StreamingResponse:
    """Queues a run on a thread, waits for its end and replies with its final values."""
    return _wait(service, body, await service.run_service.start(caller, body, thread_id))


@router.post("/runs")
async def create_stateless(body: RunBody, service: ServiceDep, caller: CallerDep, response: Response) -> Json:
    """Queues a run on a new thread, which is deleted after the run unless it is to be kept."""
    run = await service.run_service.start(caller, body, None)
    response.headers["Content-Location"] = links(run, "join")["Content-Location"]
    return run_reply(run)


@router.post("/runs/stream", response_class=EventSourceResponse)
async def stream_stateless(body: StreamedRun, service: ServiceDep, caller: CallerDep) -> EventSourceResponse:
    """Queues a run on a new thread and streams its events."""
    return _stream(service, body, await service.run_service.start(caller, body, None))


@router.post("/runs/wait")
async def wait_stateless(body: RunBody, service: ServiceDep, caller: CallerDep) -> StreamingResponse:
    """Queues a run on a new thread, waits for its end and replies with its final values."""
    return _wait(service, body, await service.run_service.start(caller, body, None))


@router.post("/runs/batch")
async def batch(body: list[BatchedRun], service: ServiceDep, caller: CallerDep) -> list[Json]:
    """Queues several runs, each of which counts as a request.

    If one is rejected, those before it stay queued.
    """
    if not 0 < len(body) <= MAX_IN_BATCH:
        raise ValueError(f"a batch has 1 to {MAX_IN_BATCH} runs")
    if len(body) > 1 and not caller.is_local:
        await service.rate_limits.spend("requests", caller.name, len(body) - 1)
    return [run_reply(await service.run_service.start(caller, run, run.thread_id)) for run in body]


@router.post("/runs/cancel", status_code=204)
async def cancel_many(
    body: CancelMany, service: ServiceDep, caller: CallerDep, action: Action = "interrupt"
) -> None:
    """Cancels several runs: some runs of a thread, or all with a status. Skips runs that have ended."""
    by_id = body.thread_id is not None and body.run_ids is not None
    if by_id == (body.status is not None):
        raise ValueError("send thread_id and run_ids, or status")
    if body.run_ids is not None:
        runs = [await service.executor.runs.get(run_id, body.thread_id) for run_id in body.run_ids]
    else:
        unfinished = await service.executor.runs.unfinished()
        runs = [run for run in unfinished if body.status in ("all", run.status)]
    for run in runs:
        if not await has_access(service, caller, run.thread_id):
            continue
        try:
            await service.executor.cancel(run.run_id, action)
        except (ThreadBusy, UnknownRun):
            continue  # it has ended meanwhile


@router.get("/threads/{thread_id}/runs")
async def listing(
    thread_id: ThreadId,
    service: ServiceDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    status: RunStatus | None = None,
    select: Annotated[Select | None, Query()] = None,
) -> list[Json]:
    """A thread's runs, newest first."""
    await service.executor.threads.get(thread_id)
    runs = await service.executor.runs.list(thread_id, status=status, limit=limit, offset=offset)
    return [select_fields(run_reply(run), select) for run in runs]


@router.get("/threads/{thread_id}/runs/{run_id}")
async def show(thread_id: ThreadId, run_id: RunId, service: ServiceDep) -> Json:
    """One run."""
    return run_reply(await service.executor.runs.get(run_id, thread_id))


@router.delete("/threads/{thread_id}/runs/{run_id}", status_code=204)
async def delete(thread_id: ThreadId, run_id: RunId, service: ServiceDep) -> None:
    """Deletes a finished run with its events; the thread's state stays."""
    await service.executor.runs.get(run_id, thread_id)
    await service.executor.runs.delete(run_id)


@router.get("/threads/{thread_id}/runs/{run_id}/join")
async def join(thread_id: ThreadId, run_id: RunId, service: ServiceDep) -> StreamingResponse:
    """Waits for the end of a run and replies with its final values."""
    run = await service.executor.runs.get(run_id, thread_id)
    return delayed_json(run, service.executor.final_values(run))


@router.get("/threads/{thread_id}/runs/{run_id}/stream", response_class=EventSourceResponse)
async def join_stream(
    thread_id: ThreadId,
    run_id: RunId,
    service: ServiceDep,
    stream_mode: Annotated[list[str] | None, Query()] = None,
    cancel_on_disconnect: bool = False,
    last_event_id: LastEventId = None,
) -> EventSourceResponse:
    """A run's events from the first, or after Last-Event-ID, until it ends. Stored for an hour after that."""
    modes = [mode for mode in stream_mode or [] if mode]
    if modes:
        check_modes(modes)
    run = await service.executor.runs.get(run_id, thread_id)
    on_disconnect = partial(service.executor.cancel, run_id) if cancel_on_disconnect else None
    return event_stream(
        service.executor,
        run,
        modes=modes or run.request["modes"],
        after=event_number(last_event_id),
        on_disconnect=on_disconnect,
    )


@router.get("/threads/{thread_id}/stream", response_class=EventSourceResponse)
async def thread_stream(
    thread_id: ThreadId,
    service: ServiceDep,
    stream_mode: Annotated[list[Literal["run_modes", "lifecycle"]] | None, Query()] = None,
    last_event_id: LastEventId = None,
) -> EventSourceResponse:
    """The events of a thread's runs, including future runs; with `lifecycle` only their starts and ends."""
    await service.executor.threads.get(thread_id)
    after = stream_position(last_event_id)
    if after is not None:
        await service.executor.runs.get(after.run_id, thread_id)
    all_events = not stream_mode or "run_modes" in stream_mode
    return thread_event_stream(service.executor, thread_id, all_events=all_events, after=after)


@router.post("/threads/{thread_id}/runs/{run_id}/cancel", status_code=202)
async def cancel(
    thread_id: ThreadId, run_id: RunId, service: ServiceDep, wait: bool = False, action: Action = "interrupt"
) -> Any:
    """Cancels a run; `rollback` also undoes it. With `wait`, replies after the run's end."""
    run = await service.executor.runs.get(run_id, thread_id)
    await service.executor.cancel(run_id, action)
    if wait:
        return delayed_json(run, service.executor.final_values(run))
    return Response(status_code=202)


def event_number(last_event_id: str | None) -> int:
    """The event to continue after; 0 for none or `-1`, which mean from the first. Raises ValueError."""
    if last_event_id in (None, "", "-1"):
        return 0
    if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 10):
        raise ValueError("Last-Event-ID must be the id of an event of this run")
    return int(last_event_id)


def stream_position(last_event_id: str | None) -> Position | None:
    """The position in a thread's stream to continue after. Raises ValueError."""
    if last_event_id in (None, ""):
        return None
    run_id, colon, last = last_event_id.rpartition(":")
    if not (colon and re.fullmatch(ID, run_id)):
        raise ValueError("Last-Event-ID must be the id of an event of this thread")
    return Position(run_id, None if last == "done" else event_number(last))


def _stream(service: Service, body: RunBody, run: ThreadRun) -> EventSourceResponse:
    return event_stream(
        service.executor, run, modes=body.modes, on_disconnect=_on_disconnect(service, body, run)
    )


def _wait(service: Service, body: RunBody, run: ThreadRun) -> StreamingResponse:
    return delayed_json(run, service.executor.final_values(run), _on_disconnect(service, body, run))


def _on_disconnect(service: Service, body: RunBody, run: ThreadRun) -> Any:
    return partial(service.executor.cancel, run.run_id) if body.on_disconnect == "cancel" else None
