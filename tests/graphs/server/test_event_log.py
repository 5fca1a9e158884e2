"""The event log: events keep their order, are stored in batches, and wake those who wait for them."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from graphs.server import event_log
from graphs.server.event_log import EventLog, Notifier
from graphs.state import Runtime
from memory.database.database import Database
from memory.errors import RunLost
from memory.server.runs import RunEvent, ThreadRun, ThreadRuns


class CountedRuns(ThreadRuns):
    """Counts the writes."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.batches: list[int] = []

    async def append(self, run_id: str, events: Sequence[RunEvent]) -> None:
        self.batches.append(len(events))
        await super().append(run_id, events)


@pytest.fixture
def runs(runtime: Runtime) -> CountedRuns:
    return CountedRuns(runtime.database)


@pytest.fixture
async def run(runtime: Runtime, runs: CountedRuns) -> ThreadRun:
    """A run at its first attempt."""
    now = runtime.database.now()
    queued = ThreadRun(
        run_id="r",
        thread_id="t",
        assistant_id="a",
        graph_id="g",
        created_at=now,
        updated_at=now,
        starts_at=now,
    )
    await runs.add(queued, create_thread=True, thread_metadata={})
    claimed = await runs.claim("r", "worker")
    assert claimed is not None
    return claimed


def opened(runs: ThreadRuns, run: ThreadRun, lost: list[str] | None = None) -> EventLog:
    return EventLog(run, runs, Notifier(), ([] if lost is None else lost).append)


async def stored(runs: ThreadRuns) -> list[tuple[int, str, Any]]:
    """Number, name and data of each event."""
    _, events = await runs.events("r")
    return [(event.number, event.name, json.loads(event.data)) for event in events]


async def test_events_are_numbered_from_one_and_stored_when_the_log_closes(
    runs: CountedRuns, run: ThreadRun
) -> None:
    async with opened(runs, run) as log:
        log.append("metadata", {"a": 1})
        log.append("values", [None, "ü"])
    assert await stored(runs) == [(1, "metadata", {"a": 1}), (2, "values", [None, "ü"])]


async def test_another_attempt_continues_the_numbers(runs: CountedRuns, run: ThreadRun) -> None:
    async with opened(runs, run) as log:
        log.append("values", 1)
        log.append("values", 2)
    again = await runs.take_over(run, "another worker")
    assert again is not None
    async with opened(runs, again) as log:
        log.append("values", 3)
    assert [number for number, _, _ in await stored(runs)] == [1, 2, 3]


async def test_an_event_holds_what_the_data_was_when_it_was_added(runs: CountedRuns, run: ThreadRun) -> None:
    state = {"steps": ["one"]}
    async with opened(runs, run) as log:
        log.append("values", state)
        state["steps"].append("two")
    assert await stored(runs) == [(1, "values", {"steps": ["one"]})]


async def test_events_in_quick_succession_are_written_together(
    runs: CountedRuns, run: ThreadRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "BATCH_SECONDS", 60.0)  # closing does not wait for it
    async with opened(runs, run) as log:
        for number in range(100):
            log.append("values", number)
            await asyncio.sleep(0)
    assert [data for _, _, data in await stored(runs)] == list(range(100))
    assert runs.batches == [100]


async def test_a_log_without_events_writes_nothing(runs: CountedRuns, run: ThreadRun) -> None:
    async with opened(runs, run):
        pass
    assert runs.batches == []


async def test_events_are_stored_before_the_log_closes(runs: CountedRuns, run: ThreadRun) -> None:
    notifier = Notifier()
    async with EventLog(run, runs, notifier, lambda run_id: None) as log:
        with notifier.subscribed("r") as notified:
            log.append("values", 1)
            await asyncio.wait_for(notified(60.0), 20)
        assert await stored(runs) == [(1, "values", 1)]


async def test_an_attempt_that_was_taken_over_learns_of_it_at_its_next_event(
    runs: CountedRuns, run: ThreadRun
) -> None:
    lost: list[str] = []

    async def attempt() -> None:
        async with opened(runs, run, lost) as log:
            again = await runs.take_over(run, "another worker")
            assert again is not None
            async with opened(runs, again) as other:
                other.append("values", "theirs")
            log.append("values", "ours")

    with pytest.raises(RunLost):
        await attempt()
    assert lost == ["r"]
    assert await stored(runs) == [(1, "values", "theirs")]


async def test_the_error_of_an_attempt_is_not_hidden_by_a_lost_run(runs: CountedRuns, run: ThreadRun) -> None:
    lost: list[str] = []

    async def attempt() -> None:
        async with opened(runs, run, lost) as log:
            await runs.append("r", [RunEvent(number=1, name="values", data="0")])
            log.append("values", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempt()
    assert lost == ["r"]


async def test_events_before_an_error_are_stored(runs: CountedRuns, run: ThreadRun) -> None:
    async def attempt() -> None:
        async with opened(runs, run) as log:
            log.append("values", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempt()
    assert await stored(runs) == [(1, "values", 1)]


async def test_a_notification_wakes_all_subscribers_of_its_run_only() -> None:
    notifier = Notifier()

    async def woken(run_id: str, seconds: float) -> bool:
        with notifier.subscribed(run_id) as notified:
            started = asyncio.get_running_loop().time()
            await notified(seconds)
            return asyncio.get_running_loop().time() - started < seconds

    waiting = [asyncio.create_task(woken("r", 20.0)) for _ in range(3)]
    other = asyncio.create_task(woken("other", 0.05))
    await asyncio.sleep(0.01)
    notifier.notify("r")
    notifier.notify("nobody waits for this one")
    assert await asyncio.gather(*waiting) == [True] * 3
    assert not await other


async def test_a_notification_before_the_wait_is_not_lost() -> None:
    notifier = Notifier()
    with notifier.subscribed("r") as notified:
        notifier.notify("r")
        await asyncio.wait_for(notified(60.0), 20)
