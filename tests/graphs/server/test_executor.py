"""The executor runs one run at a time on each thread, by its multitask strategy, and cancels runs."""

from pathlib import Path

import pytest

from graphs.server import executor as executing
from graphs.state import Runtime
from memory.errors import AlreadyExists, ThreadBusy, UnknownRun, UnknownThread
from memory.server.runs import CancelAction
from tests.support.run_server import RunServer, open_run_server


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
