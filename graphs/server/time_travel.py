"""Time travel: a thread's history, and forks of it. A run from a checkpoint is `RunRequest.checkpoint_id`."""

import uuid

from langgraph.types import StateSnapshot

from graphs.server.executor import Executor
from graphs.server.run_attempt import thread_config
from graphs.server.threads import Update, delete, graph_of, record_state, state, unknown, update
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
    """The thread's states, newest first; only that of a checkpoint if one is given. Raises UnknownThread."""
    graph_spec = await graph_of(executor, thread_id)
    if graph_spec is None:
        return ()
    states = graph_spec.graph.aget_state_history(
        thread_config(thread_id, checkpoint_id),
        filter=metadata or None,
        before=thread_config(thread_id, before) if before is not None else None,
        limit=limit,
    )
    return tuple([snapshot async for snapshot in states])


async def fork(
    executor: Executor, thread_id: str, checkpoint_id: str, change: Update | None = None
) -> Thread:
    """A new thread that stands where this one stood at the checkpoint, or there with other values.

    Nothing runs on it yet, and what had been begun from there is left out: a run on it does that again.
    Raises UnknownThread, UnknownCheckpoint, and ValueError for the state before the input was read.
    """
    original = await executor.threads.get(thread_id)
    then = await state(executor, thread_id, checkpoint_id)
    if then is None:
        raise unknown(checkpoint_id)
    if "__start__" in then.next:
        raise ValueError(f"checkpoint {checkpoint_id} is from before the input was read: take a later one")
    origin = {"forked_from": {"thread_id": thread_id, "checkpoint_id": checkpoint_id}}
    twin = await executor.threads.create(
        str(uuid.uuid4()), owner=original.owner, metadata=original.metadata | origin
    )
    await executor.saver.acopy_thread(thread_id, twin.thread_id, until=checkpoint_id)
    try:
        if change is not None:
            await update(executor, twin.thread_id, change)
        else:
            await record_state(executor, twin.thread_id)
    except ValueError:
        await delete(executor, twin.thread_id)
        raise
    return await executor.threads.get(twin.thread_id)
