"""A run is its row, its event log and a process lease: what a dead process leaves, another one takes over."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.settings import Settings
from graphs.server.executor import Executor, open_executor
from graphs.server.graph_spec import ChatSpec
from graphs.server.retention import EVENT_RETENTION
from graphs.server.run_spec import RunRequest, RunSpec
from graphs.state import Runtime
from memory.checkpoints.connect import open_saver
from memory.database.database import Database, open_database
from memory.records.access import EVERYTHING
from memory.server.runs import RunEvent, ThreadRun, ThreadRuns
from tests.graphs.conftest import clock, eventually, runtime
from tests.support.databases import database_url, empty_runs, home, on_database, postgresql, template

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = pytest.mark.services

LEMUR = {"messages": "What is a lemur?"}
URL = "https://example.org/hook"

Sent = list[tuple[str, str]]
Open = Callable[..., AbstractAsyncContextManager[Executor]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_database(database_url)
    yield opened
    await opened.aclose()


@pytest.fixture
def sent() -> Sent:
    """The webhooks that were sent: URL and message id."""
    return []


@pytest.fixture
def opened(runtime: Runtime, home: Path, database_url: str, database: Database, sent: Sent) -> Open:
    """Opens an executor on the test's database."""
    settings = Settings(home=home, database_url=database_url)

    async def send_webhook(url: str, message_id: str, body: str, owner: str | None) -> None:
        sent.append((url, message_id))

    async def fire_cron(cron_id: str, name: str) -> None:
        raise AssertionError("there are no crons here")

    @asynccontextmanager
    async def opening() -> AsyncIterator[Executor]:
        async with AsyncExitStack() as stack:
            saver = await stack.enter_async_context(open_saver(settings.checkpoints_url))
            yield await stack.enter_async_context(
                open_executor(
                    on_database(runtime, database),
                    saver,
                    (ChatSpec(saver),),
                    settings.runs_url,
                    make_senders=lambda executor: (send_webhook, fire_cron),
                )
            )

    return opening


async def queued(runs: ThreadRuns, thread_id: str = "thread", webhook: str | None = None) -> ThreadRun:
    """A chat run in the database that no executor knows of."""
    now = datetime.now(UTC)
    request = RunRequest(
        input={"messages": LEMUR["messages"], "model": None, "max_tokens": None, "unsure": None},
        modes=("updates",),
        webhook=webhook,
    )
    run = ThreadRun(
        run_id=f"run-{thread_id}",
        thread_id=thread_id,
        assistant_id="chat",
        graph_id="chat",
        request=request.model_dump(mode="json"),
        created_at=now,
        updated_at=now,
        starts_at=now,
    )
    await runs.add(run, create_thread=True, thread_metadata={"graph_id": "chat"})
    return run


async def test_a_run_of_a_dead_process_is_taken_over_as_another_attempt(
    opened: Open, database: Database
) -> None:
    runs = ThreadRuns(database)
    run = await queued(runs)
    assert await runs.claim(run.run_id, "a process that died") is not None
    async with opened() as executor:
        ended = await executor.wait(run.run_id)
    assert ended is not None
    assert (ended.status, ended.attempt, ended.worker) == ("success", 2, None)


@pytest.mark.parametrize("steps", range(1, 6))
async def test_a_run_goes_on_also_from_between_the_end_of_a_step_and_its_checkpoint(
    opened: Open, database: Database, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """What the step returned is stored then, but the next step is not named anywhere."""
    runs = ThreadRuns(database)
    run = await queued(runs)
    async with opened() as executor:
        ended = asyncio.Event()
        store = executor.saver.aput
        calls = 0

        async def die(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls <= steps:
                return await store(*arguments)
            await asyncio.sleep(0.05)
            ended.set()
            return await asyncio.Event().wait()

        monkeypatch.setattr(executor.saver, "aput", die)
        await asyncio.wait_for(ended.wait(), 30)
    async with opened() as executor:
        finished = await executor.wait(run.run_id)
        assert finished is not None
        values = await executor.outcome(finished)
    assert (finished.status, finished.attempt) == ("success", 2)
    assert [message["type"] for message in values["messages"]] == ["human", "ai"]


async def test_a_run_that_was_never_begun_is_begun(opened: Open, database: Database) -> None:
    run = await queued(ThreadRuns(database))
    async with opened() as executor:
        ended = await executor.wait(run.run_id)
    assert ended is not None
    assert (ended.status, ended.attempt) == ("success", 1)


async def test_the_webhook_of_a_process_that_died_before_sending_it_is_sent(
    opened: Open, database: Database, sent: Sent
) -> None:
    runs = ThreadRuns(database)
    run = await queued(runs, webhook=URL)
    await runs.cancel(run.run_id, "interrupt", "a process that died")
    async with opened():

        async def told() -> bool:
            return sent == [(URL, f"{run.run_id}:ended")]

        await eventually(told)

        async def recorded() -> bool:
            return (await runs.get(run.run_id)).worker is None

        await eventually(recorded)


async def test_a_run_is_claimed_by_one_process_only(database: Database) -> None:
    runs = ThreadRuns(database)
    run = await queued(runs)
    claimed = await runs.claim(run.run_id, "one")
    assert claimed is not None
    assert await runs.claim(run.run_id, "two") is None
    taken = await runs.take_over(claimed, "two")
    assert taken is not None
    assert (taken.attempt, taken.worker) == (2, "two")
    assert await runs.take_over(claimed, "three") is None


async def test_a_process_that_closes_gives_its_runs_up_at_once(database: Database) -> None:
    runs = ThreadRuns(database)
    run = await queued(runs)
    await runs.claim(run.run_id, "one")
    await runs.release("one")
    (orphan,) = await runs.orphans("two")
    assert (orphan.run_id, orphan.worker) == (run.run_id, None)


async def test_a_run_that_has_ended_is_not_begun_again(opened: Open) -> None:
    async with opened() as executor:
        accepted = await executor.graph_specs["chat"].validate_input("thread", LEMUR, {}, EVERYTHING)
        run = await executor.start(
            RunSpec(
                thread_id="thread",
                graph_id="chat",
                request=RunRequest(input=accepted),
                create_thread=True,
            )
        )
        await executor.wait(run.run_id)
        assert await executor.runs.claim(run.run_id, "another") is None
        assert (await executor.runs.get(run.run_id)).attempt == 1


async def test_events_are_dropped_an_hour_after_the_end_and_the_run_stays(database: Database) -> None:
    runs = ThreadRuns(database)
    ended, active = await queued(runs, "ended"), await queued(runs, "active")
    for run in (ended, active):
        await runs.append(run.run_id, [RunEvent(number=1, name="updates", data="{}")])
    await runs.cancel(ended.run_id, "interrupt", "one")
    now = database.now()
    assert await runs.drop_events(now - EVENT_RETENTION, limit=10) == 0
    assert await runs.drop_events(now + timedelta(minutes=1), limit=10) == 1
    assert (await runs.events(ended.run_id))[1] == ()
    assert len((await runs.events(active.run_id))[1]) == 1
    assert (await runs.get(ended.run_id)).status == "interrupted"
