"""Routes of threads and their state, in LangGraph's format.

Runs on threads are in `thread_runs`; what is done to a thread is in `graphs.server.threads`.
"""

from typing import Annotated, Any, Literal

from fastapi import Header, Query, Response
from pydantic import Field

from api.auth import CallerDep, has_access
from api.compose import ServiceDep
from api.langgraph.common import (
    Body,
    Checkpoint,
    CheckpointId,
    Id,
    Lifetime,
    Limit,
    Offset,
    Select,
    ThreadId,
    checkpoint_of,
    checkpoint_reply,
    picked,
    state_reply,
    surface,
    thread_reply,
)
from graphs.server import threads, time_travel
from memory.server.threads import Json, Search, ThreadStatus

router = surface("threads")

MOST_SUPERSTEPS = 200


class Step(Body):
    """One node's update in a superstep."""

    values: Json | None = None
    command: None = None
    as_node: str


class Superstep(Body):
    """Updates that belong together."""

    updates: Annotated[list[Step], Field(min_length=1, max_length=100)]


class ThreadCreate(Body):
    """A new thread."""

    thread_id: Id | None = None
    metadata: Json = {}
    if_exists: Literal["raise", "do_nothing"] = "raise"
    supersteps: Annotated[list[Superstep], Field(max_length=MOST_SUPERSTEPS)] = []
    ttl: Lifetime | None = None


class ThreadPatch(Body):
    """What to merge into a thread."""

    metadata: Json = {}
    ttl: Lifetime | None = None


class ThreadSearch(Body):
    """Which threads, in which order."""

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
    """Which threads to count."""

    metadata: Json = {}
    values: Json = {}
    status: ThreadStatus | None = None


class ThreadPrune(Body):
    """Which threads to delete, or to thin out to their latest state."""

    thread_ids: Annotated[list[Id], Field(max_length=1000)]
    strategy: Literal["delete", "keep_latest"] = "delete"


class StateAt(Body):
    """A checkpoint to read the state of."""

    checkpoint: Checkpoint
    subgraphs: bool = False
    select: Select | None = None


class StateUpdate(Body):
    """Values to write into a thread's state, in the name of a node."""

    values: Json | None = None
    as_node: str | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_id: Id | None = None


class Fork(Body):
    """Where to branch off, and what to change there, in the name of a node."""

    checkpoint_id: Id
    values: Json | None = None
    as_node: str | None = None


class HistoryAsked(Body):
    """Which of a thread's states."""

    limit: Limit = 10
    before: Id | Checkpoint | None = None
    metadata: Json = {}
    checkpoint: Checkpoint | None = None
    select: Select | None = None


@router.post("/threads")
async def create(body: ThreadCreate, service: ServiceDep, caller: CallerDep) -> Json:
    """Creates a thread."""
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
    )
    return thread_reply(thread)


@router.post("/threads/search")
async def search(body: ThreadSearch, service: ServiceDep, caller: CallerDep) -> list[Json]:
    """Lists threads."""
    asks = body.model_dump(exclude={"select", "extract"})
    wanted = Search(owner=caller.owner, hidden=caller.hidden_graphs, **asks)
    return [picked(thread_reply(t), body.select) for t in await service.executor.threads.search(wanted)]


@router.post("/threads/count")
async def count(body: ThreadCount, service: ServiceDep, caller: CallerDep) -> int:
    """Counts threads."""
    wanted = Search(owner=caller.owner, hidden=caller.hidden_graphs, **body.model_dump())
    return await service.executor.threads.count(wanted)


@router.post("/threads/prune")
async def prune(body: ThreadPrune, service: ServiceDep, caller: CallerDep) -> Json:
    """Deletes threads, or all but their latest state; those that do not exist, or are busy, are left out."""
    latest = body.strategy == "keep_latest"
    seen = [id for id in body.thread_ids if await has_access(service, caller, id)]
    return {"pruned_count": await threads.prune(service.executor, seen, latest=latest)}


@router.get("/threads/{thread_id}")
async def show(thread_id: ThreadId, service: ServiceDep, include: Literal["ttl"] | None = None) -> Json:
    """One thread."""
    return thread_reply(await service.executor.threads.get(thread_id), ttl=include == "ttl")


@router.patch("/threads/{thread_id}", responses={204: {"description": "RunEnd; as `return=minimal` asks."}})
async def amend(
    thread_id: ThreadId, body: ThreadPatch, service: ServiceDep, prefer: Annotated[str, Header()] = ""
) -> Any:
    """Merges metadata into a thread's."""
    ttl = body.ttl.record if body.ttl else None
    thread = await service.executor.threads.amend(thread_id, metadata=body.metadata, ttl=ttl)
    return Response(status_code=204) if prefer == "return=minimal" else thread_reply(thread)


@router.delete("/threads/{thread_id}", status_code=204)
async def delete(thread_id: ThreadId, service: ServiceDep) -> None:
    """Ends what goes on on a thread, and deletes it with its past."""
    await threads.delete(service.executor, thread_id)


@router.post("/threads/{thread_id}/copy")
async def copy(thread_id: ThreadId, service: ServiceDep) -> Json:
    """Another thread with the same past."""
    return thread_reply(await threads.copy(service.executor, thread_id))


@router.post("/threads/{thread_id}/fork")
async def fork(thread_id: ThreadId, body: Fork, service: ServiceDep) -> Json:
    """A new thread that stands where this one stood at a checkpoint, or there with other values."""
    changes = body.values is not None or body.as_node is not None
    change = threads.NodeUpdate(values=body.values, as_node=body.as_node) if changes else None
    return thread_reply(await time_travel.fork(service.executor, thread_id, body.checkpoint_id, change))


@router.get("/threads/{thread_id}/state")
async def state(
    thread_id: ThreadId,
    service: ServiceDep,
    subgraphs: bool = False,
    select: Annotated[Select | None, Query()] = None,
) -> Json:
    """A thread's state now."""
    found = await threads.state(service.executor, thread_id, subgraphs=subgraphs)
    return picked(state_reply(thread_id, found), select)


@router.get("/threads/{thread_id}/state/{checkpoint_id}")
async def state_then(
    thread_id: ThreadId,
    checkpoint_id: CheckpointId,
    service: ServiceDep,
    subgraphs: bool = False,
    select: Annotated[Select | None, Query()] = None,
) -> Json:
    """A thread's state at a checkpoint."""
    found = await threads.state(service.executor, thread_id, checkpoint_id, subgraphs=subgraphs)
    return picked(state_reply(thread_id, found), select)


@router.post("/threads/{thread_id}/state/checkpoint")
async def state_at(thread_id: ThreadId, body: StateAt, service: ServiceDep) -> Json:
    """A thread's state at a checkpoint."""
    checkpoint_id = checkpoint_of(thread_id, body.checkpoint, None)
    found = await threads.state(service.executor, thread_id, checkpoint_id, subgraphs=body.subgraphs)
    return picked(state_reply(thread_id, found), body.select)


@router.post("/threads/{thread_id}/state")
async def update_state(thread_id: ThreadId, body: StateUpdate, service: ServiceDep) -> Json:
    """Writes values into a thread's state, or forks it at a checkpoint."""
    checkpoint_id = checkpoint_of(thread_id, body.checkpoint, body.checkpoint_id)
    change = threads.NodeUpdate(values=body.values, as_node=body.as_node)
    return checkpoint_reply(
        await threads.update(service.executor, thread_id, change, checkpoint_id=checkpoint_id)
    )


@router.post("/threads/{thread_id}/history")
async def history(thread_id: ThreadId, body: HistoryAsked, service: ServiceDep) -> list[Json]:
    """A thread's states, newest first."""
    before = body.before
    if isinstance(before, Checkpoint):
        before = checkpoint_of(thread_id, before, None)
    states = await time_travel.history(
        service.executor,
        thread_id,
        limit=body.limit,
        before=before,
        metadata=body.metadata,
        checkpoint_id=checkpoint_of(thread_id, body.checkpoint, None),
    )
    return [picked(state_reply(thread_id, snapshot), body.select) for snapshot in states]


@router.get("/threads/{thread_id}/history")
async def recent(
    thread_id: ThreadId, service: ServiceDep, limit: Annotated[int, Query(ge=1, le=1000)] = 10
) -> list[Json]:
    """A thread's latest states, newest first."""
    return await history(thread_id, HistoryAsked(limit=limit), service)
