"""Serialization of graph states to JSON: messages, records, interrupts and anything else in a state."""

import json
from typing import Any

from langgraph.types import StateSnapshot
from pydantic_core import to_json

from graphs.server.snapshots import unfinished_steps
from memory.server.threads import Json, ThreadOutcome


def text(value: Any) -> str:
    """The value as JSON text; unknown types become strings, NaN and infinity become null."""
    return to_json(value, fallback=str, inf_nan_mode="null").decode()


def plain(value: Any) -> Any:
    """The value as JSON values."""
    return json.loads(text(value))


def thread_outcome(snapshot: StateSnapshot, error: Json | None = None) -> ThreadOutcome:
    """The thread's state after a run or an update."""
    return ThreadOutcome(
        values=plain(snapshot.values) if snapshot.values else None,
        interrupts={task.id: plain(task.interrupts) for task in snapshot.tasks if task.interrupts},
        unfinished=bool(unfinished_steps(snapshot)),
        error=error,
    )


def outcome(snapshot: StateSnapshot) -> Json:
    """The values that a run ended with, and the interrupts that it waits at, in LangGraph's format."""
    values: Json = plain(snapshot.values) if snapshot.values else {}
    return values | ({"__interrupt__": plain(snapshot.interrupts)} if snapshot.interrupts else {})
