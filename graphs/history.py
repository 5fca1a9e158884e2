"""Owns a run's past: its checkpoints in order, each with the step that it precedes.

Replaying and forking come with time travel; here the past is only read.
"""

from datetime import datetime
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from memory.errors import UnknownRun
from memory.records import Record

MOST_CHECKPOINTS = 200


class Moment(Record):
    """One checkpoint: what would run next from it, and which keys the state held."""

    checkpoint_id: str
    step: int
    next: tuple[str, ...]
    keys: tuple[str, ...]
    created_at: datetime | None


async def history(graph: CompiledStateGraph[Any, Any, Any, Any], run_id: str) -> tuple[Moment, ...]:
    """The run's checkpoints, newest first. Raises UnknownRun when there are none."""
    config: RunnableConfig = {"configurable": {"thread_id": run_id}}
    moments = [
        Moment(
            checkpoint_id=snapshot.config["configurable"]["checkpoint_id"],
            step=(snapshot.metadata or {}).get("step", -1),
            next=snapshot.next,
            keys=tuple(sorted(snapshot.values)),
            created_at=datetime.fromisoformat(snapshot.created_at) if snapshot.created_at else None,
        )
        async for snapshot in graph.aget_state_history(config, limit=MOST_CHECKPOINTS)
    ]
    if not moments:
        raise UnknownRun(f"no run {run_id!r} has a checkpoint: see `nightschool runs`")
    return tuple(moments)
