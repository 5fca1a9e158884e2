"""The executor: one run at a time on each thread, strategies, cancelling, failures, and takeovers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy
from tenacity import wait_none

from graphs.server import executor as executing
from graphs.server.executor import Executor
from graphs.server.run_spec import CommandSpec
from graphs.state import Runtime
from memory.database.tables import RUN_EVENTS
from memory.errors import AlreadyExists, StoreUnavailable, ThreadBusy, UnknownRun, UnknownThread
from memory.server.runs import CancelAction, RunEvent, ThreadRun, ThreadRuns
from tests.graphs.conftest import eventually
from tests.support.run_server import RunServer, open_run_server


@pytest.fixture
async def server(runtime: Runtime, tmp_path: Path) -> AsyncIterator[RunServer]:
    async with open_run_server(runtime, tmp_path) as opened:
        yield opened


async def events(server: RunServer, run_id: str, after: int = 0) -> list[RunEvent]:
    """All events of the run, which has to end."""
    return [event async for event in server.executor.follow(run_id, after)]


async def test_a_run_does_its_task_and_leaves_its_thread_idle(server: RunServer) -> None:
    run_id = await server.start("sing", owner="ada", metadata={"k": "v"}, assistant_id="a")
    assert await server.end(run_id) == "success"
    assert await server.done() == ["read sing", "did sing"]
    run = await server.executor.runs.get(run_id)
    assert (run.attempt, run.worker, run.error, run.metadata) == (1, None, None, {"k": "v"})
    state = await server.executor.state("task", "t", run.checkpoint_id)
    assert state.values["done"] == ["read sing", "did sing"]
    assert (await server.executor.outcome(run)) == state.values
    thread = await server.executor.threads.get("t")
    assert (thread.status, thread.owner, thread.error) == ("idle", "ada", None)
    assert thread.metadata == {"graph_id": "task", "assistant_id": "a"}
    assert thread.values == state.values


async def test_a_run_needs_its_thread_unless_it_creates_one(server: RunServer) -> None:
    with pytest.raises(UnknownThread):
        await server.start("sing", create_thread=False)
    await server.end(await server.start("sing"))
    assert await server.end(await server.start("dance", create_thread=False)) == "success"


async def test_a_run_id_is_used_once(server: RunServer) -> None:
    await server.end(await server.start("sing", run_id="r"))
    with pytest.raises(AlreadyExists):
        await server.start("dance", run_id="r")
    assert await server.done() == ["read sing", "did sing"]


async def test_an_invalid_request_starts_nothing(server: RunServer) -> None:
    with pytest.raises(ValueError, match="no node 'nowhere'"):
        await server.start("sing", request={"interrupt_before": ("nowhere",)})
    with pytest.raises(UnknownThread):
        await server.executor.threads.get("t")


async def test_an_enqueued_run_waits_for_the_one_before_it(server: RunServer) -> None:
    first = await server.start("wait")
    await server.waits()
    second, third = await server.start("sing"), await server.start("dance")
    assert [await server.status(run) for run in (first, second, third)] == ["running", "pending", "pending"]
    assert (await server.executor.threads.get("t")).status == "busy"
    server.graph.finish.set()
    assert [await server.end(run) for run in (first, second, third)] == ["success"] * 3
    in_order = [f"{verb} {task}" for task in ("wait", "sing", "dance") for verb in ("read", "did")]
    assert await server.done() == in_order
    assert (await server.executor.threads.get("t")).status == "idle"


async def test_starting_and_cancelling_do_not_wait_for_the_next_look_at_the_database(
    runtime: Runtime, tmp_path: Path
) -> None:
    async with open_run_server(runtime, tmp_path, supervised=False) as server:
        first, second = await server.start("wait"), await server.start("sing")
        await server.waits()
        await server.executor.cancel(first)
        assert [await server.end(run) for run in (first, second)] == ["interrupted", "success"]


async def test_threads_do_not_wait_for_each_other(server: RunServer) -> None:
    waiting = await server.start("wait", "one")
    assert await server.end(await server.start("sing", "two")) == "success"
    assert await server.status(waiting) == "running"


async def test_a_run_that_rejects_waiting_is_refused_while_the_thread_is_busy(server: RunServer) -> None:
    first = await server.start("wait")
    with pytest.raises(ThreadBusy, match=first):
        await server.start("sing", strategy="reject")
    server.graph.finish.set()
    await server.end(first)
    assert [run.run_id for run in await server.executor.runs.list("t")] == [first]
    assert await server.end(await server.start("sing", strategy="reject")) == "success"


async def test_an_interrupting_run_ends_those_before_it_where_they_are(server: RunServer) -> None:
    first, second = await server.start("wait"), await server.start("dance")
    await server.waits()
    third = await server.start("sing", strategy="interrupt")
    assert [await server.end(run) for run in (first, second, third)] == [
        "interrupted",
        "interrupted",
        "success",
    ]
    assert await server.done() == ["read wait", "read sing", "did sing"]
    assert server.graph.failures == [("stopped", "it was cancelled")]


async def test_a_run_that_rolls_back_leaves_nothing_of_those_before_it(server: RunServer) -> None:
    await server.end(await server.start("sing"))
    first, second = await server.start("wait"), await server.start("dance")
    await server.waits()
    third = await server.start("jump", strategy="rollback")
    assert [await server.end(run) for run in (first, second, third)] == [None, None, "success"]
    assert await server.done() == ["read sing", "did sing", "read jump", "did jump"]
    past = server.graph.graph.aget_state_history({"configurable": {"thread_id": "t"}})
    assert first not in {(state.metadata or {}).get("run_id") async for state in past}


@pytest.mark.parametrize(
    ("action", "left"), [("interrupt", ["interrupted"] * 2), ("rollback", [None] * 2)], ids=lambda case: case
)
async def test_running_and_waiting_runs_are_cancelled(
    server: RunServer, action: CancelAction, left: list[str | None]
) -> None:
    running, waiting = await server.start("wait"), await server.start("sing")
    await server.waits()
    await server.executor.cancel(waiting, action)
    await server.executor.cancel(running, action)
    assert [await server.end(run) for run in (running, waiting)] == left
    assert await server.done() == (["read wait"] if action == "interrupt" else [])
    status = (await server.executor.threads.get("t")).status
    assert status == ("interrupted" if action == "interrupt" else "idle")
    for run_id in (running, waiting):
        with pytest.raises(ThreadBusy if action == "interrupt" else UnknownRun):
            await server.executor.cancel(run_id)


async def test_a_cancelled_run_can_be_continued(server: RunServer) -> None:
    run_id = await server.start("wait")
    await server.waits()
    await server.executor.cancel(run_id)
    await server.end(run_id)
    server.graph.finish.set()
    assert await server.end(await server.command()) == "success"
    assert await server.done() == ["read wait", "did wait"]


async def test_all_runs_of_a_thread_are_cancelled_at_once(server: RunServer) -> None:
    runs = [await server.start("wait") for _ in range(3)]
    other = await server.start("wait", "other")
    await server.executor.cancel_all("t")
    assert [await server.status(run) for run in (*runs, other)] == ["interrupted"] * 3 + ["running"]


async def test_a_delayed_run_starts_when_it_is_due_and_others_go_first(server: RunServer) -> None:
    delayed = await server.start("sing", delay_seconds=0.4)
    prompt = await server.start("dance")
    assert await server.end(prompt) == "success"
    assert await server.status(delayed) == "pending"
    assert await server.end(delayed) == "success"
    assert await server.done() == ["read dance", "did dance", "read sing", "did sing"]


async def test_more_runs_than_a_process_works_on_stay_pending(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "MAX_CONCURRENT_RUNS", 1)
    first, second = await server.start("wait", "one"), await server.start("sing", "two")
    await server.waits()
    assert await server.status(second) == "pending"
    server.graph.finish.set()
    assert [await server.end(run) for run in (first, second)] == ["success"] * 2


@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        ("refuse", "ValueError", "this cannot be done"),
        ("crash", "ZeroDivisionError", "ZeroDivisionError: this cannot be divided; please report it"),
    ],
)
async def test_a_run_whose_graph_fails_says_why_and_the_next_one_goes_on(
    server: RunServer, task: str, error: str, message: str
) -> None:
    run_id = await server.start(task)
    waiting = await server.start("sing")
    assert await server.end(run_id) == "error"
    run = await server.executor.runs.get(run_id)
    assert run.error is not None
    assert run.error["error"] == error
    assert run.error["message"].endswith(message)
    assert await server.executor.outcome(run) == {"__error__": run.error}
    last = (await events(server, run_id))[-1]
    assert (last.name, json.loads(last.data)) == ("error", run.error)
    assert server.graph.failures == [("failed", run.error["message"])]
    assert await server.end(waiting) == "success"
    assert (await server.executor.threads.get("t")).status == "idle"


async def test_a_failed_run_leaves_its_thread_in_error(server: RunServer) -> None:
    await server.end(await server.start("refuse"))
    thread = await server.executor.threads.get("t")
    assert (thread.status, (thread.error or {})["error"]) == ("error", "ValueError")
    assert await server.done() == ["read refuse"]


async def test_too_many_steps_stop_a_run(server: RunServer) -> None:
    run_id = await server.start("sing", request={"recursion_limit": 1})
    assert await server.end(run_id) == "error"
    ((kind, reason),) = server.graph.failures
    assert kind == "stopped"
    assert reason.startswith("too many steps")


async def test_an_interrupt_waits_for_its_answer(server: RunServer) -> None:
    first = await server.start("ask")
    assert await server.end(first) == "success"
    assert (await server.executor.threads.get("t")).status == "interrupted"
    outcome = await server.executor.outcome(await server.executor.runs.get(first))
    assert outcome["__interrupt__"][0]["value"] == "what?"
    await server.end(await server.command(command=CommandSpec(answers=True, resume=" yes ")))
    assert await server.done() == ["read ask", "was told yes"]
    again = await server.command(command=CommandSpec(answers=True, resume="no"))
    assert await server.end(again) == "error"
    assert "nothing to resume" in server.graph.failures[-1][1]


async def test_a_run_stops_before_a_node_and_the_next_goes_on(server: RunServer) -> None:
    await server.end(await server.start("sing", request={"interrupt_before": ("do",)}))
    assert await server.done() == ["read sing"]
    await server.end(await server.command())
    assert await server.done() == ["read sing", "did sing"]


async def test_a_run_starts_from_an_earlier_checkpoint(server: RunServer) -> None:
    await server.end(await server.start("sing"))
    past = server.graph.graph.aget_state_history({"configurable": {"thread_id": "t"}})
    (before,) = [state async for state in past if state.next == ("do",)]
    await server.end(await server.start("dance"))
    checkpoint = before.config["configurable"]["checkpoint_id"]
    await server.end(await server.command(checkpoint_id=checkpoint))
    assert await server.done() == ["read sing", "did sing"]


async def test_a_follower_gets_each_event_while_the_run_goes_on_and_then_the_end(server: RunServer) -> None:
    run_id = await server.start("wait", request={"modes": ("values",)})
    following = server.executor.follow(run_id)
    early = [await anext(following) for _ in range(4)]
    assert [event.name for event in early] == ["metadata", "values", "updates", "values"]
    assert await server.status(run_id) == "running"
    server.graph.finish.set()
    late = [event async for event in following]
    assert [event.name for event in late] == ["updates", "values"]
    assert [event.number for event in (*early, *late)] == list(range(1, 7))
    assert await events(server, run_id, after=4) == late
    assert json.loads(early[0].data) == {"run_id": run_id, "attempt": 1}


async def test_the_events_of_a_run_end_when_it_is_deleted(server: RunServer) -> None:
    run_id = await server.start("wait")
    await server.waits()
    following = asyncio.create_task(events(server, run_id))
    await server.executor.cancel(run_id, "rollback")
    await asyncio.wait_for(following, 20)


async def test_a_webhook_is_sent_once_the_run_has_ended(server: RunServer) -> None:
    url = "https://example.org/hook"
    ended = await server.start("sing", request={"webhook": url})
    await server.end(ended)

    async def sent() -> bool:
        return (await server.executor.runs.get(ended)).worker is None

    await eventually(sent)
    ((run_id, to, body),) = server.jobs.webhooks
    assert (run_id, to) == (ended, url)
    message = json.loads(body)
    assert (message["status"], message["values"]["done"]) == ("success", ["read sing", "did sing"])


async def test_a_run_that_is_cancelled_before_it_starts_has_a_webhook_too(server: RunServer) -> None:
    await server.start("wait")
    waiting = await server.start("sing", request={"webhook": "https://example.org/hook"})
    await server.executor.cancel(waiting)
    assert [(run, json.loads(body)["status"]) for run, _, body in server.jobs.webhooks] == [
        (waiting, "interrupted")
    ]


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


async def test_supervision_outlasts_a_store_that_is_away_but_not_a_bug(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "ORPHAN_CHECK_SECONDS", 0.0)
    errors: list[Exception] = [StoreUnavailable("the database is away")]

    async def periodic_task(executor: Executor) -> None:
        if errors:
            raise errors.pop()

    async with open_run_server(runtime, tmp_path, [periodic_task]) as server:
        assert await server.end(await server.start("sing", delay_seconds=0.1)) == "success"
        assert errors == []
        assert server.supervising is not None
        errors.append(ZeroDivisionError("a bug"))
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(server.supervising, 20)


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
