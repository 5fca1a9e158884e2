"""Routes of threads in LangGraph's format: threads themselves, their state, history and forks."""

from typing import Annotated, Any, Literal

from fastapi import Header, Query, Response
from pydantic import Field

from api.auth import CallerDep, has_access
from api.callers import Caller, scope_of
from api.compose import ServiceDep
from api.langgraph.common import (
    Body,
    Checkpoint,
    CheckpointId,
    Id,
    Limit,
    Offset,
    Select,
    ThreadId,
    TtlBody,
    checkpoint_reply,
    langgraph_router,
    requested_checkpoint,
    select_fields,
    state_reply,
    thread_reply,
)
from graphs.server import threads, time_travel
from memory.server.threads import Json, Search, ThreadStatus

router = langgraph_router("threads")

MAX_SUPERSTEPS = 200


class SuperstepUpdate(Body):
    """One node's update in a superstep."""

    values: Json | None = None
    command: None = None
    as_node: str


class Superstep(Body):
    """Updates that share a checkpoint."""

    updates: Annotated[list[SuperstepUpdate], Field(min_length=1, max_length=100)]


class ThreadCreate(Body):
    """A new thread."""

    thread_id: Id | None = None
    metadata: Json = {}
    if_exists: Literal["raise", "do_nothing"] = "raise"
    supersteps: Annotated[list[Superstep], Field(max_length=MAX_SUPERSTEPS)] = []
    ttl: TtlBody | None = None


class ThreadPatch(Body):
    """The changes to a thread; metadata is merged."""

    metadata: Json = {}
    ttl: TtlBody | None = None


class ThreadSearch(Body):
    """Filters and order of a search for threads."""

    ids: Annotated[list[Id], Field(max_length=1000)] = []
    metadata: Json = {}
    values: Json = {}
    status: ThreadStatus | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"] = "updated_at"
    sort_order: Literal["asc", "desc"] = "desc"
    select: Select | None = None
    extract: None = None


class ThreadCount(Body):
    """Filters of threads to count."""

    metadata: Json = {}
    values: Json = {}
    status: ThreadStatus | None = None


class ThreadPrune(Body):
    """Threads to delete, or to reduce to their latest state."""

    thread_ids: Annotated[list[Id], Field(max_length=1000)]
    strategy: Literal["delete", "keep_latest"] = "delete"


class StateAt(Body):
    """The checkpoint whose state to read."""

    checkpoint: Checkpoint
    subgraphs: bool = False
    select: Select | None = None


class StateUpdate(Body):
    """Values to write into a thread's state, as if by a node."""

    values: Json | None = None
    as_node: str | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_id: Id | None = None


class Fork(Body):
    """The checkpoint to fork at, and a change to make there, as if by a node."""

    checkpoint_id: Id
    values: Json | None = None
    as_node: str | None = None


class HistoryQuery(Body):
    """Filters of a thread's history."""

    limit: Limit = 10
    before: Id | Checkpoint | None = None
    metadata: Json = {}
    checkpoint: Checkpoint | None = None
    select: Select | None = None


@router.post("/threads")
async def create(body: ThreadCreate, service: ServiceDep, caller: CallerDep) -> Json:
    """Creates a thread."""
    _require_graph(body.metadata, caller)
    thread = await threads.create(
        service.executor,
        body.thread_id,
        owner=caller.owner,
        metadata=body.metadata,
        ttl=body.ttl.record if body.ttl else None,
        exist_ok=body.if_exists == "do_nothing",
        supersteps=[
            [threads.NodeUpdate(values=step.values, as_node=step.as_node) for step in superstep.updates]
            for superstep in body.supersteps
        ],
        by=caller.name,
    )
    return thread_reply(thread)


@router.post("/threads/search")
async def search(body: ThreadSearch, service: ServiceDep, caller: CallerDep) -> list[Json]:
    """Searches threads."""
    filters = body.model_dump(exclude={"select", "extract"})
    query = Search(owner=caller.owner, hidden=caller.hidden_graphs, **filters)
    return [
        select_fields(thread_reply(thread), body.select)
        for thread in await service.executor.threads.search(query)
    ]


@router.post("/threads/count")
async def count(body: ThreadCount, service: ServiceDep, caller: CallerDep) -> int:
    """Counts threads."""
    query = Search(owner=caller.owner, hidden=caller.hidden_graphs, **body.model_dump())
    return await service.executor.threads.count(query)


@router.post("/threads/prune")
async def prune(body: ThreadPrune, service: ServiceDep, caller: CallerDep) -> Json:
    """Deletes threads, or all but their latest state; skips threads that do not exist or are busy."""
    latest = body.strategy == "keep_latest"
    allowed = [id for id in body.thread_ids if await has_access(service, caller, id)]
    return {"pruned_count": await threads.prune(service.executor, allowed, latest=latest)}


@router.get("/threads/{thread_id}")
async def show(thread_id: ThreadId, service: ServiceDep, include: Literal["ttl"] | None = None) -> Json:
    """One thread."""
    return thread_reply(await service.executor.threads.get(thread_id), ttl=include == "ttl")


@router.patch(
    "/threads/{thread_id}",
    responses={204: {"description": "Changed; the reply with `Prefer: return=minimal`."}},
)
async def amend(
    thread_id: ThreadId,
    body: ThreadPatch,
    service: ServiceDep,
    caller: CallerDep,
    prefer: Annotated[str, Header()] = "",
) -> Any:
    """Changes a thread; merges metadata."""
    _require_graph(body.metadata, caller)
    ttl = body.ttl.record if body.ttl else None
    thread = await service.executor.threads.amend(thread_id, metadata=body.metadata, ttl=ttl)
    return Response(status_code=204) if prefer == "return=minimal" else thread_reply(thread)


@router.delete("/threads/{thread_id}", status_code=204)
async def delete(thread_id: ThreadId, service: ServiceDep) -> None:
    """Cancels a thread's runs and deletes it with its history."""
    await threads.delete(service.executor, thread_id)


@router.post("/threads/{thread_id}/copy")
async def copy(thread_id: ThreadId, service: ServiceDep) -> Json:
    """Copies a thread with its history."""
    return thread_reply(await threads.copy(service.executor, thread_id))


@router.post("/threads/{thread_id}/fork")
async def fork(thread_id: ThreadId, body: Fork, service: ServiceDep, caller: CallerDep) -> Json:
    """Copies a thread up to a checkpoint, optionally with a change there."""
    changes = body.values is not None or body.as_node is not None
    change = threads.NodeUpdate(values=body.values, as_node=body.as_node) if changes else None
    return thread_reply(
        await time_travel.fork(service.executor, thread_id, body.checkpoint_id, change, by=caller.name)
    )


@router.get("/threads/{thread_id}/state")
async def state(
    thread_id: ThreadId,
    service: ServiceDep,
    subgraphs: bool = False,
    select: Annotated[Select | None, Query()] = None,
) -> Json:
    """A thread's current state."""
    snapshot = await threads.state(service.executor, thread_id, subgraphs=subgraphs)
    return select_fields(state_reply(thread_id, snapshot), select)


@router.get("/threads/{thread_id}/state/{checkpoint_id}")
async def state_at_checkpoint(
    thread_id: ThreadId,
    checkpoint_id: CheckpointId,
    service: ServiceDep,
    subgraphs: bool = False,
    select: Annotated[Select | None, Query()] = None,
) -> Json:
    """A thread's state at a checkpoint."""
    snapshot = await threads.state(service.executor, thread_id, checkpoint_id, subgraphs=subgraphs)
    return select_fields(state_reply(thread_id, snapshot), select)


@router.post("/threads/{thread_id}/state/checkpoint")
async def post_state_at_checkpoint(thread_id: ThreadId, body: StateAt, service: ServiceDep) -> Json:
    """A thread's state at a checkpoint."""
    checkpoint_id = requested_checkpoint(thread_id, body.checkpoint, None)
    snapshot = await threads.state(service.executor, thread_id, checkpoint_id, subgraphs=body.subgraphs)
    return select_fields(state_reply(thread_id, snapshot), body.select)


@router.post("/threads/{thread_id}/state")
async def update_state(
    thread_id: ThreadId, body: StateUpdate, service: ServiceDep, caller: CallerDep
) -> Json:
    """Writes values into a thread's state, or forks it at a checkpoint."""
    checkpoint_id = requested_checkpoint(thread_id, body.checkpoint, body.checkpoint_id)
    change = threads.NodeUpdate(values=body.values, as_node=body.as_node)
    return checkpoint_reply(
        await threads.update(service.executor, thread_id, change, checkpoint_id=checkpoint_id, by=caller.name)
    )


@router.post("/threads/{thread_id}/history")
async def history(thread_id: ThreadId, body: HistoryQuery, service: ServiceDep) -> list[Json]:
    """A thread's states, newest first."""
    before = body.before
    if isinstance(before, Checkpoint):
        before = requested_checkpoint(thread_id, before, None)
    states = await time_travel.history(
        service.executor,
        thread_id,
        limit=body.limit,
        before=before,
        metadata=body.metadata,
        checkpoint_id=requested_checkpoint(thread_id, body.checkpoint, None),
    )
    return [select_fields(state_reply(thread_id, snapshot), body.select) for snapshot in states]


@router.get("/threads/{thread_id}/history")
async def recent(
    thread_id: ThreadId, service: ServiceDep, limit: Annotated[int, Query(ge=1, le=1000)] = 10
) -> list[Json]:
    """A thread's latest states, newest first."""
    return await history(thread_id, HistoryQuery(limit=limit), service)


def _require_graph(metadata: Json, caller: Caller) -> None:
    """Raises Forbidden for the thread of a graph that the caller may not run."""
    if "graph_id" in metadata:
        caller.require(scope_of(str(metadata["graph_id"])))
