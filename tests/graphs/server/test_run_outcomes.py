"""How runs end: failures, interrupts, their events and their webhooks."""

import asyncio
import json

import pytest

from graphs.server.run_spec import CommandSpec
from tests.graphs.conftest import eventually
from tests.support.run_server import RunServer, events


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


async def test_a_run_that_can_be_neither_finished_nor_rolled_back_ends_with_its_error(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(*_: object) -> None:
        raise ZeroDivisionError("the checkpoints cannot be read")

    run_id = await server.start("wait")
    await server.waits()
    monkeypatch.setattr(server.executor.saver, "aundo_run", unreadable)
    await server.executor.cancel(run_id, "rollback")
    assert await server.end(run_id) == "error"
    run = await server.executor.runs.get(run_id)
    assert "the checkpoints cannot be read" in (run.error or {})["message"]
    assert await server.end(await server.start("sing")) == "success", "the thread is free again"
