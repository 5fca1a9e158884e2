"""Time travel: reads a thread's history and forks it.

A run starts from a checkpoint by `RunRequest.checkpoint_id`.
"""

import uuid

from langgraph.types import StateSnapshot

from graphs.server import serialization
from graphs.server.executor import Executor
from graphs.server.run_attempt import thread_config
from graphs.server.threads import (
    NodeUpdate,
    delete,
    graph_of,
    record_state,
    state,
    unknown_checkpoint,
    update,
)
from memory.database.page_size import require_small
from memory.server.keys import LOCAL_OPERATOR
from memory.server.threads import Json, Thread


async def history(
    executor: Executor,
    thread_id: str,
    *,
    limit: int,
    before: str | None = None,
    metadata: Json | None = None,
    checkpoint_id: str | None = None,
) -> tuple[StateSnapshot, ...]:
    """The thread's states, newest first; with `checkpoint_id` only that one.

    Raises UnknownThread, and ValueError for states that are too large for one page.
    """
    graph_spec = await graph_of(executor, thread_id)
    if graph_spec is None:
        return ()
    states = graph_spec.graph.aget_state_history(
        thread_config(thread_id, checkpoint_id),
        filter=metadata or None,
        before=thread_config(thread_id, before) if before is not None else None,
        limit=limit,
    )
    found: list[StateSnapshot] = []
    size = 0
    async for snapshot in states:
        size += len(serialization.text(snapshot.values))
        require_small(size)
        found.append(snapshot)
    return tuple(found)


async def fork(
    executor: Executor,
    thread_id: str,
    checkpoint_id: str,
    change: NodeUpdate | None = None,
    *,
    by: str = LOCAL_OPERATOR,
) -> Thread:
    """Copies a thread up to a checkpoint, optionally with a change there. Starts no run.

    Results of steps that were unfinished at the checkpoint are not copied: a run repeats those steps.
    Raises UnknownThread, UnknownCheckpoint, and ValueError for the state before the input was read.
    """
    original = await executor.threads.get(thread_id)
    snapshot = await state(executor, thread_id, checkpoint_id)
    if snapshot is None:
        raise unknown_checkpoint(checkpoint_id)
    if "__start__" in snapshot.next:
        raise ValueError(f"checkpoint {checkpoint_id} precedes the input: use a later one")
    origin = {"forked_from": {"thread_id": thread_id, "checkpoint_id": checkpoint_id}}
    copied = await executor.threads.create(
        str(uuid.uuid4()), owner=original.owner, metadata=original.metadata | origin
    )
    await executor.saver.acopy_thread(thread_id, copied.thread_id, until=checkpoint_id)
    try:
        if change is not None:
            await update(executor, copied.thread_id, change, by=by)
        else:
            await record_state(executor, copied.thread_id)
    except ValueError:
        await delete(executor, copied.thread_id)
        raise
    return await executor.threads.get(copied.thread_id)
