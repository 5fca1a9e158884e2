"""A schedule starts nights in time, one after the other, on every database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from graphs.state import Runtime
from memory.database.database import open_database
from tests.graphs.conftest import clock, eventually, runtime
from tests.support.databases import database_url, empty_runs, home, on_database, postgresql, template
from tests.support.langgraph_server import serving

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = pytest.mark.services

EVERY_SECOND = "* * * * * *"


@pytest.fixture
async def service(runtime: Runtime, database_url: str) -> AsyncIterator[Runtime]:
    """The runtime on the database of the test."""
    database = await open_database(database_url)
    yield on_database(runtime, database)
    await database.aclose()


@pytest.fixture
async def client(service: Runtime, home: Path, database_url: str) -> AsyncIterator[LangGraphClient]:
    async with serving(service, home, database_url) as url, get_client(url=url) as opened:
        yield opened


async def test_a_schedule_starts_one_night_after_the_other(
    client: LangGraphClient, service: Runtime, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.langgraph.crons.check_schedule", lambda schedule: schedule)  # once a minute
    cron: Any = await client.crons.create(
        "night", schedule=EVERY_SECOND, input={"domain": "rust"}, on_run_completed="keep"
    )

    async def two_are_over() -> bool:
        nights = await service.nights.nights(domain="rust")
        return sum(night.ended_at is not None for night in nights) >= 2

    await eventually(two_are_over, seconds=30)
    await client.crons.delete(cron["cron_id"])
    ended = [each for each in await service.nights.nights(domain="rust") if each.ended_at is not None]
    assert {(each.status, each.reason) for each in ended} == {("skipped", "0 turns, and the minimum is 5")}
    threads = await client.threads.search(metadata={"graph_id": "night"}, limit=100)
    assert {each.id for each in ended} <= {thread["thread_id"] for thread in threads}
