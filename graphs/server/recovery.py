"""Recovery of events that a crash lost: their steps have a checkpoint, but the events were not stored.

Only `values` and `updates` events can be restored, because checkpoints contain them.
"""

from collections.abc import AsyncIterator, Sequence

from langgraph.types import StateSnapshot

from graphs.server.stream_modes import Event
from memory.server.runs import RunEvent

INTERRUPT = '{"__interrupt__":'


async def states_of_run(history: AsyncIterator[StateSnapshot], run_id: str) -> list[StateSnapshot]:
    """The run's states so far, oldest first, from its thread's history, which is newest first."""
    states: list[StateSnapshot] = []
    async for snapshot in history:
        if (snapshot.metadata or {}).get("run_id") != run_id:
            break
        states.append(snapshot)
    return states[::-1]


def missing_events(
    states: Sequence[StateSnapshot], stored: Sequence[RunEvent], modes: Sequence[str]
) -> list[Event]:
    """The events of these states that were not stored."""
    counts: dict[str, int] = {}
    for event in stored:
        if not event.data.startswith(INTERRUPT):
            counts[event.name] = counts.get(event.name, 0) + 1
    missing: list[Event] = []
    for name, data in (event for snapshot in states for event in _events(snapshot) if event[0] in modes):
        if counts.get(name, 0) > 0:
            counts[name] -= 1
        else:
            missing.append((name, data))
    return missing


def _events(snapshot: StateSnapshot) -> list[Event]:
    events: list[Event] = []
    if (snapshot.metadata or {}).get("source") == "loop":
        events.append(("values", snapshot.values))
    done = [task for task in snapshot.tasks if task.name != "__start__" and task.result is not None]
    return events + [("updates", {task.name: task.result}) for task in done]
