"""How what graphs hold becomes JSON: messages, records, interrupts and whatever else a state may name.

Reads nothing back; what clients send is checked where it is received.
"""

import json
from typing import Any

from langgraph.types import StateSnapshot
from pydantic_core import to_json

from memory.server.threads import Json, Standing


def text(value: Any) -> str:
    """The value as JSON text; what JSON has no form for is told in words, and no number is NaN."""
    return to_json(value, fallback=str, inf_nan_mode="null").decode()


def plain(value: Any) -> Any:
    """The value as JSON values."""
    return json.loads(text(value))


def standing(snapshot: StateSnapshot, error: Json | None = None) -> Standing:
    """What the graph's state leaves of its thread."""
    return Standing(
        values=plain(snapshot.values) if snapshot.values else None,
        interrupts={task.id: plain(task.interrupts) for task in snapshot.tasks if task.interrupts},
        unfinished=bool(snapshot.next),
        error=error,
    )


def outcome(snapshot: StateSnapshot) -> Json:
    """The values that a run ends with, and the interrupts that it waits at, as clients have them."""
    values: Json = plain(snapshot.values) if snapshot.values else {}
    return values | ({"__interrupt__": plain(snapshot.interrupts)} if snapshot.interrupts else {})
