"""Operations on threads outside runs: create, read, update, copy, prune, delete."""

import uuid
from collections.abc import Sequence
from contextlib import suppress

from langchain_core.runnables import RunnableConfig
from langgraph.errors import EmptyInputError, InvalidUpdateError
from langgraph.types import StateSnapshot, StateUpdate

from agent.loops import do_all
from graphs.server import serialization
from graphs.server.executor import Executor
from graphs.server.graph_spec import GraphSpec
from graphs.server.run_attempt import thread_config
from memory.errors import AlreadyExists, UnknownCheckpoint, UnknownThread
from memory.records.base import Record
from memory.server.keys import LOCAL_OPERATOR
from memory.server.threads import Json, Thread, Ttl, TtlStrategy


class NodeUpdate(Record):
    """An update of the state, made as if by a node. Without `values` it only ends the pending step."""

    values: Json | None = None
    as_node: str | None = None


async def create(
    executor: Executor,
    thread_id: str | None,
    *,
    owner: str | None,
    metadata: Json,
    ttl: Ttl | None,
    exist_ok: bool,
    supersteps: Sequence[Sequence[NodeUpdate]] = (),
    by: str = LOCAL_OPERATOR,
) -> Thread:
    """Creates a thread. `supersteps` become its history, written `by` the caller; its metadata must then name
    the graph.

    Raises AlreadyExists, ValueError.
    """
    thread_id = thread_id or str(uuid.uuid4())
    if supersteps and metadata.get("graph_id") not in executor.graph_specs:
        raise ValueError("supersteps need metadata.graph_id: one of " + ", ".join(executor.graph_specs))
    if not supersteps:
        return await executor.threads.create(
            thread_id, owner=owner, metadata=metadata, ttl=ttl, exist_ok=exist_ok
        )
    graph_spec = executor.graph_specs[metadata["graph_id"]]
    steps = [[_state_update(update, graph_spec, by) for update in step] for step in supersteps]
    try:
        await executor.threads.create(thread_id, owner=owner, metadata=metadata, ttl=ttl)
    except AlreadyExists:
        if exist_ok and await executor.threads.open_to(owner, thread_id):
            return await executor.threads.get(thread_id)  # it already has a history
        raise
    try:
        await graph_spec.graph.abulk_update_state(thread_config(thread_id), steps)
    except (InvalidUpdateError, EmptyInputError, ValueError) as error:
        await executor.threads.delete(thread_id)
        raise ValueError(f"supersteps: {error}") from error
    await record_state(executor, thread_id)
    return await executor.threads.get(thread_id)


async def state(
    executor: Executor, thread_id: str, checkpoint_id: str | None = None, *, subgraphs: bool = False
) -> StateSnapshot | None:
    """The thread's state, now or at a checkpoint; None while it has none.

    Raises UnknownThread, UnknownCheckpoint.
    """
    graph_spec = await graph_of(executor, thread_id)
    if graph_spec is None:
        if checkpoint_id is not None:
            raise unknown_checkpoint(checkpoint_id)
        return None
    snapshot = await executor.state(graph_spec.name, thread_id, checkpoint_id, subgraphs=subgraphs)
    if snapshot.created_at is not None:
        return snapshot
    if checkpoint_id is not None:
        raise unknown_checkpoint(checkpoint_id)
    return None


async def update(
    executor: Executor,
    thread_id: str,
    change: NodeUpdate,
    *,
    checkpoint_id: str | None = None,
    by: str = LOCAL_OPERATOR,
) -> RunnableConfig:
    """Writes values into the state, or forks it at a checkpoint; returns the new checkpoint's config.

    `by` is the owner of the key that changes it.

    Raises UnknownThread, UnknownCheckpoint, ThreadBusy, ValueError.
    """
    graph_spec = await graph_of(executor, thread_id)
    if graph_spec is None:
        raise ValueError(f"thread {thread_id} has no graph yet: run one on it, or set metadata.graph_id")
    if checkpoint_id is not None:
        await state(executor, thread_id, checkpoint_id)
    change_of_state = _state_update(change, graph_spec, by)
    await graph_spec.record_update(thread_id, change.values or {}, by=by)
    async with executor.threads.idle(thread_id) as record:  # else one of two updates at once would be lost
        try:
            config = await graph_spec.graph.aupdate_state(
                thread_config(thread_id, checkpoint_id),
                change_of_state.values,
                as_node=change_of_state.as_node,
            )
        except (InvalidUpdateError, EmptyInputError, ValueError) as error:
            raise ValueError(f"the state cannot be updated like this: {error}") from error
        await record(serialization.thread_outcome(await executor.state(graph_spec.name, thread_id)))
    return config


async def copy(executor: Executor, thread_id: str) -> Thread:
    """Copies a thread with its history, but without its runs. Raises UnknownThread."""
    original = await executor.threads.get(thread_id)
    copied = await executor.threads.create(
        str(uuid.uuid4()), owner=original.owner, metadata=original.metadata
    )
    await executor.saver.acopy_thread(thread_id, copied.thread_id)
    await record_state(executor, copied.thread_id)
    return await executor.threads.get(copied.thread_id)


async def delete(executor: Executor, thread_id: str) -> None:
    """Cancels the thread's runs and deletes it with its history. Raises UnknownThread, ThreadBusy."""
    await executor.threads.get(thread_id)
    await _remove(executor, thread_id)


async def prune(executor: Executor, thread_ids: Sequence[str], *, latest: bool) -> int:
    """Deletes the threads, or with `latest` all but the latest state of idle ones.

    Skips unknown threads. Returns the number of threads that were pruned.
    """
    count = 0
    for thread_id in dict.fromkeys(thread_ids):
        try:
            thread = await executor.threads.get(thread_id)
        except UnknownThread:
            continue
        if not latest:
            await _remove(executor, thread_id)
        elif thread.status == "busy":
            continue  # its run may still be rolled back to an earlier checkpoint
        else:
            await executor.saver.aprune([thread_id], strategy="keep_latest")
        count += 1
    return count


async def expire(executor: Executor) -> None:
    """Deletes or prunes expired threads; a periodic task of the executor."""

    async def end(expired: tuple[str, TtlStrategy]) -> None:
        thread_id, strategy = expired
        if strategy == "keep_latest":
            await executor.saver.aprune([thread_id], strategy="keep_latest")
            await executor.threads.renew(thread_id)
        else:
            with suppress(UnknownThread):  # another process has deleted it
                await _remove(executor, thread_id)

    await do_all(await executor.threads.expired(), end)


async def graph_of(executor: Executor, thread_id: str) -> GraphSpec | None:
    """The spec of the thread's graph; None if no graph has run on it. Raises UnknownThread."""
    return _graph_spec(executor, await executor.threads.get(thread_id))


async def record_state(executor: Executor, thread_id: str) -> None:
    """Records the thread's state after a change outside a run. Raises UnknownThread."""
    if (graph_spec := await graph_of(executor, thread_id)) is not None:
        await executor.threads.record(
            thread_id, serialization.thread_outcome(await executor.state(graph_spec.name, thread_id))
        )


def unknown_checkpoint(checkpoint_id: str) -> UnknownCheckpoint:
    """The error for a checkpoint that the thread does not have."""
    return UnknownCheckpoint(f"the thread has no checkpoint {checkpoint_id}: see its history")


def _graph_spec(executor: Executor, thread: Thread) -> GraphSpec | None:
    return executor.graph_specs.get(str(thread.metadata.get("graph_id")))


def _state_update(change: NodeUpdate, graph_spec: GraphSpec, by: str) -> StateUpdate:
    nodes = set(graph_spec.graph.nodes) | {"__copy__", "__end__"}
    if change.as_node is not None and change.as_node not in nodes:
        raise ValueError(
            f"{graph_spec.name} has no node {change.as_node!r}: it has {', '.join(sorted(nodes))}"
        )
    allowed = graph_spec.rights.as_node
    if change.as_node is not None and change.as_node not in allowed | {"__copy__", "__end__"}:
        raise ValueError(
            f"no client may write as {change.as_node!r}: those of {graph_spec.name} are "
            + (", ".join(sorted(allowed)) or "none")
        )
    if change.values is None and change.as_node not in allowed:
        return StateUpdate(None, change.as_node)
    # An update without values in the place of a node changes what comes next, so it has an author, too.
    return StateUpdate(graph_spec.validate_update(change.values or {}, by), change.as_node)


async def _remove(executor: Executor, thread_id: str) -> None:
    await executor.cancel_all(thread_id)
    await executor.saver.adelete_thread(
        thread_id
    )  # before the row, so that a crash leaves nothing unreachable
    await executor.threads.delete(thread_id)
