"""Routes of threads and their state, in LangGraph's format.

Runs on threads are in `thread_runs`; what is done to a thread is in `graphs.server.threads`.
"""

from typing import Annotated, Any, Literal

from fastapi import Header, Query, Response
from pydantic import Field

from api.auth import Calling, opens
from api.compose import Given
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
from graphs.server import threads
from graphs.server import time_travel as past
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
async def create(asked: ThreadCreate, given: Given, calling: Calling) -> Json:
    """Creates a thread."""
    thread = await threads.create(
        given.executor,
        asked.thread_id,
        owner=calling.owner,
        metadata=asked.metadata,
        ttl=asked.ttl.record if asked.ttl else None,
        exist_ok=asked.if_exists == "do_nothing",
        supersteps=[
            [threads.Update(values=step.values, as_node=step.as_node) for step in superstep.updates]
            for superstep in asked.supersteps
        ],
    )
    return thread_reply(thread)


@router.post("/threads/search")
async def search(asked: ThreadSearch, given: Given, calling: Calling) -> list[Json]:
    """Lists threads."""
    asks = asked.model_dump(exclude={"select", "extract"})
    wanted = Search(owner=calling.owner, hidden=calling.hidden, **asks)
    return [picked(thread_reply(t), asked.select) for t in await given.executor.threads.search(wanted)]


@router.post("/threads/count")
async def count(asked: ThreadCount, given: Given, calling: Calling) -> int:
    """Counts threads."""
    wanted = Search(owner=calling.owner, hidden=calling.hidden, **asked.model_dump())
    return await given.executor.threads.count(wanted)


@router.post("/threads/prune")
async def prune(asked: ThreadPrune, given: Given, calling: Calling) -> Json:
    """Deletes threads, or all but their latest state; those that do not exist, or are busy, are left out."""
    latest = asked.strategy == "keep_latest"
    seen = [id for id in asked.thread_ids if await opens(given, calling, id)]
    return {"pruned_count": await threads.prune(given.executor, seen, latest=latest)}


@router.get("/threads/{thread_id}")
async def show(thread_id: ThreadId, given: Given, include: Literal["ttl"] | None = None) -> Json:
    """One thread."""
    return thread_reply(await given.executor.threads.get(thread_id), ttl=include == "ttl")


@router.patch("/threads/{thread_id}", responses={204: {"description": "Done; as `return=minimal` asks."}})
async def amend(
    thread_id: ThreadId, asked: ThreadPatch, given: Given, prefer: Annotated[str, Header()] = ""
) -> Any:
    """Merges metadata into a thread's."""
    ttl = asked.ttl.record if asked.ttl else None
    thread = await given.executor.threads.amend(thread_id, metadata=asked.metadata, ttl=ttl)
    return Response(status_code=204) if prefer == "return=minimal" else thread_reply(thread)


@router.delete("/threads/{thread_id}", status_code=204)
async def delete(thread_id: ThreadId, given: Given) -> None:
    """Ends what goes on on a thread, and deletes it with its past."""
    await threads.delete(given.executor, thread_id)


@router.post("/threads/{thread_id}/copy")
async def copy(thread_id: ThreadId, given: Given) -> Json:
    """Another thread with the same past."""
    return thread_reply(await threads.copy(given.executor, thread_id))


@router.post("/threads/{thread_id}/fork")
async def fork(thread_id: ThreadId, asked: Fork, given: Given) -> Json:
    """A new thread that stands where this one stood at a checkpoint, or there with other values."""
    changes = asked.values is not None or asked.as_node is not None
    change = threads.Update(values=asked.values, as_node=asked.as_node) if changes else None
    return thread_reply(await past.fork(given.executor, thread_id, asked.checkpoint_id, change))


@router.get("/threads/{thread_id}/state")
async def state(
    thread_id: ThreadId,
    given: Given,
    subgraphs: bool = False,
    select: Annotated[Select | None, Query()] = None,
) -> Json:
    """A thread's state now."""
    found = await threads.state(given.executor, thread_id, subgraphs=subgraphs)
    return picked(state_reply(thread_id, found), select)


@router.get("/threads/{thread_id}/state/{checkpoint_id}")
async def state_then(
    thread_id: ThreadId,
    checkpoint_id: CheckpointId,
    given: Given,
    subgraphs: bool = False,
    select: Annotated[Select | None, Query()] = None,
) -> Json:
    """A thread's state at a checkpoint."""
    found = await threads.state(given.executor, thread_id, checkpoint_id, subgraphs=subgraphs)
    return picked(state_reply(thread_id, found), select)


@router.post("/threads/{thread_id}/state/checkpoint")
async def state_at(thread_id: ThreadId, asked: StateAt, given: Given) -> Json:
    """A thread's state at a checkpoint."""
    checkpoint_id = checkpoint_of(thread_id, asked.checkpoint, None)
    found = await threads.state(given.executor, thread_id, checkpoint_id, subgraphs=asked.subgraphs)
    return picked(state_reply(thread_id, found), asked.select)


@router.post("/threads/{thread_id}/state")
async def update_state(thread_id: ThreadId, asked: StateUpdate, given: Given) -> Json:
    """Writes values into a thread's state, or forks it at a checkpoint."""
    checkpoint_id = checkpoint_of(thread_id, asked.checkpoint, asked.checkpoint_id)
    change = threads.Update(values=asked.values, as_node=asked.as_node)
    return checkpoint_reply(
        await threads.update(given.executor, thread_id, change, checkpoint_id=checkpoint_id)
    )


@router.post("/threads/{thread_id}/history")
async def history(thread_id: ThreadId, asked: HistoryAsked, given: Given) -> list[Json]:
    """A thread's states, newest first."""
    before = asked.before
    if isinstance(before, Checkpoint):
        before = checkpoint_of(thread_id, before, None)
    states = await past.history(
        given.executor,
        thread_id,
        limit=asked.limit,
        before=before,
        metadata=asked.metadata,
        checkpoint_id=checkpoint_of(thread_id, asked.checkpoint, None),
    )
    return [picked(state_reply(thread_id, snapshot), asked.select) for snapshot in states]


@router.get("/threads/{thread_id}/history")
async def recent(
    thread_id: ThreadId, given: Given, limit: Annotated[int, Query(ge=1, le=1000)] = 10
) -> list[Json]:
    """A thread's latest states, newest first."""
    return await history(thread_id, HistoryAsked(limit=limit), given)
