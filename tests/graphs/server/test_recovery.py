"""Recovery of events: what checkpoints hold and the event log lacks is added once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from langgraph.types import PregelTask, StateSnapshot

from graphs.server.recovery import missing_events, states_of_run
from graphs.server.serialization import text
from memory.server.runs import RunEvent


def state(number: int, run_id: str = "r", *, source: str = "loop", result: Any = None) -> StateSnapshot:
    """A state in which the node `step` follows, with its result if it ended."""
    task = PregelTask(id=str(number), name="step", path=(), result=result)
    metadata: Any = {"run_id": run_id, "source": source}
    return StateSnapshot({"n": number}, ("step",), {"configurable": {}}, metadata, None, None, (task,), ())


INPUT = StateSnapshot(
    {}, ("__start__",), {"configurable": {}}, {"run_id": "r", "source": "input"}, None, None,
    (PregelTask(id="0", name="__start__", path=(), result={"n": 0}),), (),
)  # fmt: skip
STATES = [INPUT, state(1, result={"n": 2}), state(2, result={"n": 3}), state(3)]
EVENTS = [
    ("values", {"n": 1}),
    ("updates", {"step": {"n": 2}}),
    ("values", {"n": 2}),
    ("updates", {"step": {"n": 3}}),
    ("values", {"n": 3}),
]
MODES = ("values", "updates")


def stored(*events: tuple[str, Any]) -> list[RunEvent]:
    return [RunEvent(number=n, name=name, data=text(data)) for n, (name, data) in enumerate(events, start=1)]


async def test_the_states_of_a_run_are_its_last_ones_oldest_first() -> None:
    async def history() -> AsyncIterator[StateSnapshot]:
        for snapshot in (state(4), state(3), state(2, "another"), state(1)):
            yield snapshot

    assert [snapshot.values["n"] for snapshot in await states_of_run(history(), "r")] == [3, 4]


@pytest.mark.parametrize("count", range(len(EVENTS) + 1))
def test_what_was_not_stored_is_missing_wherever_the_process_ended(count: int) -> None:
    assert missing_events(STATES, stored(*EVENTS[:count]), MODES) == EVENTS[count:]


def test_only_modes_that_were_requested_are_restored() -> None:
    assert missing_events(STATES, [], ("updates",)) == [event for event in EVENTS if event[0] == "updates"]
    assert missing_events(STATES, [], ("messages",)) == []


def test_the_notice_of_an_interrupt_is_no_update_of_a_step() -> None:
    notice = ("updates", {"__interrupt__": [{"value": "what?"}]})
    assert missing_events(STATES, stored(*EVENTS[:2], notice), MODES) == EVENTS[2:]
