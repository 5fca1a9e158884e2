"""What DBOS notes of a run is dropped once it has ended, and what goes on stays."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dbos import DBOS

from agent.settings import Settings
from graphs.server.executor import Executor, open_executor
from graphs.server.graph_spec import ServedChat
from graphs.server.run_spec import Order
from graphs.state import Runtime
from memory.checkpoints.connect import open_saver
from memory.database.database import open_database
from tests.graphs.conftest import clock, eventually, runtime
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = pytest.mark.services

LEMUR = {"messages": "What is a lemur?"}


@pytest.fixture
async def executor(runtime: Runtime, home: Path, database_url: str) -> AsyncIterator[Executor]:
    settings = Settings(home=home, database_url=database_url)
    async with AsyncExitStack() as stack:
        database = await open_database(database_url)
        stack.push_async_callback(database.aclose)
        saver = await stack.enter_async_context(open_saver(settings.checkpoints))
        given = replace(runtime, database=database)
        yield await stack.enter_async_context(
            open_executor(given, saver, (ServedChat(saver),), settings.durable)
        )


async def test_only_what_ended_before_then_is_dropped_and_its_run_stays(executor: Executor) -> None:
    accepted = await executor.served["chat"].accept("thread", LEMUR, {})
    run = await executor.start("thread", "chat", Order(input=accepted), create_thread=True)
    await executor.ended(run.run_id)
    soon = datetime.now(UTC) + timedelta(minutes=1)

    async def noted() -> bool:
        (note,) = await DBOS.list_workflows_async(workflow_ids=[run.run_id])
        return note.status == "SUCCESS"

    await eventually(noted)
    assert await executor.durable.collect(soon - timedelta(minutes=2)) == 0
    assert await executor.durable.collect(soon) == 1
    assert await DBOS.list_workflows_async(workflow_ids=[run.run_id]) == []
    assert (await executor.runs.get(run.run_id)).status == "success"
    await executor.durable.begin(run.run_id)  # as after a crash: what has ended is not begun again
    await executor.work(run.run_id)
    assert (await executor.runs.get(run.run_id)).attempt == 1
