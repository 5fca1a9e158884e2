"""Supervision: attempts after a crash, takeovers by another process, and stores that are away."""

import asyncio
import json
from pathlib import Path

import pytest
import sqlalchemy
from tenacity import wait_none

from graphs.server import executor as executing
from graphs.server.executor import Executor
from graphs.state import Runtime
from memory.database.tables import RUN_EVENTS
from memory.errors import QuotaReached, StoreUnavailable
from memory.server.runs import RunEvent, ThreadRun, ThreadRuns
from tests.graphs.conftest import eventually
from tests.support.run_server import RunServer, events, open_run_server


async def test_the_events_of_two_attempts_are_numbered_as_one_log(runtime: Runtime, tmp_path: Path) -> None:
    async with open_run_server(runtime, tmp_path) as first:
        run_id = await first.start("wait")
        await first.waits()
        await anext(first.executor.follow(run_id, after=1))  # the update of `read` is stored
    left = await ThreadRuns(runtime.database).get(run_id)
    assert (left.status, left.worker) == ("running", None), "others need not wait for the lease to expire"
    async with open_run_server(runtime, tmp_path) as second:
        second.graph.finish.set()
        assert await second.end(run_id) == "success"
        stored = await events(second, run_id)
        assert [event.number for event in stored] == [1, 2, 3, 4]
        assert [event.name for event in stored] == ["metadata", "updates", "metadata", "updates"]
        attempts = [json.loads(event.data)["attempt"] for event in stored if event.name == "metadata"]
        assert attempts == [1, 2]
        assert await second.done() == ["read wait", "did wait"]


async def test_another_attempt_adds_the_events_that_a_crash_lost(runtime: Runtime, tmp_path: Path) -> None:
    async with open_run_server(runtime, tmp_path) as first:
        run_id = await first.start("wait", request={"modes": ("updates",)})
        await first.waits()
    async with runtime.database.begin() as connection:
        await connection.execute(sqlalchemy.delete(RUN_EVENTS).where(RUN_EVENTS.c.number > 1))
    async with open_run_server(runtime, tmp_path) as second:
        second.graph.finish.set()
        stored = [(event.number, event.name, event.data) for event in await events(second, run_id)]
    assert stored[2:] == [
        (3, "updates", '{"read":{"done":["read wait"]}}'),
        (4, "updates", '{"do":{"done":["did wait"]}}'),
    ]


async def test_a_run_that_another_process_took_over_is_left_to_it(runtime: Runtime, tmp_path: Path) -> None:
    async with open_run_server(runtime, tmp_path, supervised=False) as slow:
        run_id = await slow.start("wait")
        await slow.waits()
        async with open_run_server(runtime, tmp_path) as other:
            other.graph.finish.set()
            assert await other.end(run_id) == "success"
            stored = await events(other, run_id)
            slow.graph.finish.set()

            async def idle() -> bool:
                return not slow.executor._active

            await eventually(idle)
            assert await events(other, run_id) == stored
            run = await other.executor.runs.get(run_id)
            assert (run.status, run.attempt) == ("success", 2)


async def test_the_graph_of_an_attempt_that_lost_its_run_is_stopped(server: RunServer) -> None:
    run_id = await server.start("wait", delay_seconds=0.3)
    await server.executor.runs.append(run_id, [RunEvent(number=1, name="metadata", data="{}")])

    async def begun_and_stopped() -> bool:
        return await server.status(run_id) == "running" and not server.executor._active

    await eventually(begun_and_stopped)
    assert not server.graph.finish.is_set()


async def test_a_run_that_another_process_cancelled_ends(runtime: Runtime, tmp_path: Path) -> None:
    async with (
        open_run_server(runtime, tmp_path) as working,
        open_run_server(runtime, tmp_path, supervised=False) as other,
    ):
        run_id = await working.start("wait")
        await working.waits()
        await other.executor.cancel(run_id)
        assert await other.end(run_id) == "interrupted"


async def test_a_run_whose_process_died_too_often_has_failed(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphs.server.run_attempt.MAX_ATTEMPTS", 0)
    run_id = await server.start("sing")
    assert await server.end(run_id) == "error"
    assert await server.done() == []


async def test_a_run_outlasts_a_store_that_is_away(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Executor._work_on.retry, "wait", wait_none())
    claim, failures = server.executor.runs.claim, iter([1, 2])

    async def failing(run_id: str, worker: str) -> ThreadRun | None:
        if next(failures, None) is not None:
            raise StoreUnavailable("the database is away")
        return await claim(run_id, worker)

    monkeypatch.setattr(server.executor.runs, "claim", failing)
    assert await server.end(await server.start("sing")) == "success"


@pytest.mark.parametrize("error", [StoreUnavailable("the database is away"), ZeroDivisionError("a bug")])
async def test_supervision_outlasts_a_store_that_is_away_and_a_bug(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(executing, "ORPHAN_CHECK_SECONDS", 0.01)
    turns: list[str] = []

    async def failing(executor: Executor) -> None:
        turns.append("failing")
        raise error

    async def other(executor: Executor) -> None:
        turns.append("other")

    async with open_run_server(runtime, tmp_path, {"failing": failing, "other": other}) as server:
        assert await server.end(await server.start("sing", delay_seconds=0.1)) == "success"

        async def several() -> bool:
            return turns.count("failing") > 2 and turns.count("other") > 2

        await eventually(several)
        wrong = {name: problem for name, problem in server.executor.loops.states.items() if problem}
        assert list(wrong) == ["failing"]
        assert str(error) in wrong["failing"]


async def test_one_thread_that_cannot_be_launched_keeps_no_other_waiting(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = server.executor.runs.next

    async def next_of(thread_id: str) -> ThreadRun | None:
        if thread_id == "bad":
            raise ZeroDivisionError("a bug")
        return await following(thread_id)

    await server.executor.threads.create("good", owner=None, metadata={})
    bad = await server.start("sing", "bad", delay_seconds=0.1)
    good = await server.start("sing", "good", delay_seconds=0.2)
    monkeypatch.setattr(server.executor.runs, "next", next_of)
    assert await server.end(good) == "success"
    assert await server.status(bad) == "pending"


async def test_a_run_that_was_claimed_but_never_begun_is_begun_by_the_supervision(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if an error came between the claim and the start of the task."""
    monkeypatch.setattr(executing, "ORPHAN_CHECK_SECONDS", 0.05)
    launch, dropped = server.executor._launch, []

    def drop_the_first(run_id: str, **more: ThreadRun | None) -> None:
        if not dropped:
            dropped.append(run_id)
            return
        launch(run_id, **more)

    monkeypatch.setattr(server.executor, "_launch", drop_the_first)
    run_id = await server.start("sing")
    assert await server.end(run_id) == "success"
    assert dropped == [run_id]


async def test_supervision_survives_a_run_that_ends_while_its_cancellation_is_looked_up(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await server.start("wait", "one")
    await server.waits()
    stored = await server.executor.runs.get(first)
    looked_up = asyncio.Event()

    async def ended_meanwhile(run_ids: tuple[str, ...]) -> tuple[ThreadRun, ...]:
        looked_up.set()
        return (stored.model_copy(update={"run_id": "ended meanwhile", "cancel": "interrupt"}),)

    monkeypatch.setattr(server.executor.runs, "to_cancel", ended_meanwhile)
    await asyncio.wait_for(looked_up.wait(), 10)
    monkeypatch.undo()
    second = await server.start("sing", "two", delay_seconds=0.1)
    assert await server.end(second) == "success"


async def test_runs_that_wait_for_something_outside_take_no_place_of_others(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "MAX_CONCURRENT_RUNS", 2)
    sleeping = [await server.start("sleep", f"sleeping {number}") for number in range(4)]
    await server.waits(4)
    assert await server.end(await server.start("sing", "other")) == "success"
    working = [await server.start("wait", f"working {number}") for number in range(3)]
    await server.waits(6)
    assert await server.status(working[2]) == "pending"
    server.graph.finish.set()
    for run_id in (*sleeping, *working):
        assert await server.end(run_id) == "success"


async def test_an_owner_has_a_quota_of_unfinished_runs_of_a_graph(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "QUOTAS", {"task": 2})
    first = await server.start("wait", "1", owner="ann")
    await server.start("wait", "2", owner="ann")
    with pytest.raises(QuotaReached, match="2 task runs of ann are unfinished"):
        await server.start("wait", "3", owner="ann")
    await server.start("wait", "4", owner="bob")
    await server.start("wait", "5")
    server.graph.finish.set()
    await server.end(first)
    await server.start("sing", "6", owner="ann")
