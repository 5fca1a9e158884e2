"""What a run that is taken up again still has to tell: of steps whose checkpoint outlived their events.

Speaks of `values` and `updates` only, which checkpoints hold; what else was on its way is lost.
"""

from collections.abc import AsyncIterator, Sequence

from langgraph.types import StateSnapshot

from graphs.server.stream_modes import Event
from memory.server.runs import RunEvent

INTERRUPT = '{"__interrupt__":'


async def own_steps(history: AsyncIterator[StateSnapshot], run_id: str) -> list[StateSnapshot]:
    """The states that the run has left so far, oldest first, out of its thread's, which come newest first."""
    own: list[StateSnapshot] = []
    async for snapshot in history:
        if (snapshot.metadata or {}).get("run_id") != run_id:
            break
        own.append(snapshot)
    return own[::-1]


def missed(steps: Sequence[StateSnapshot], kept: Sequence[RunEvent], modes: Sequence[str]) -> list[Event]:
    """The events of those steps that were not kept."""
    told: dict[str, int] = {}
    for line in kept:
        if not line.data.startswith(INTERRUPT):
            told[line.name] = told.get(line.name, 0) + 1
    missing: list[Event] = []
    for event in (event for snapshot in steps for event in _events(snapshot) if event[0] in modes):
        if told.get(event[0], 0) > 0:
            told[event[0]] -= 1
        else:
            missing.append(event)
    return missing


def _events(snapshot: StateSnapshot) -> list[Event]:
    events: list[Event] = []
    if (snapshot.metadata or {}).get("source") == "loop":
        events.append(("values", snapshot.values))
    done = [task for task in snapshot.tasks if task.name != "__start__" and task.result is not None]
    return events + [("updates", {task.name: task.result}) for task in done]
