"""Crons ask for runs in time, and webhooks are told of a run's end once, on every database."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from graphs.state import Runtime
from memory.database.database import open_database
from memory.server.webhooks import Webhooks
from tests.graphs.conftest import clock, eventually, runtime
from tests.support.databases import database_url, empty_runs, home, on_database, postgresql, template
from tests.support.langgraph_server import serving

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = pytest.mark.services

LEMUR = {"messages": [{"role": "user", "content": "What is a lemur?"}]}
EVERY_SECOND = "* * * * * *"


@pytest.fixture
async def given(runtime: Runtime, database_url: str) -> AsyncIterator[Runtime]:
    """The runtime on the database of the test."""
    database = await open_database(database_url)
    yield on_database(runtime, database)
    await database.aclose()


@pytest.fixture
def told() -> list[httpx.Request]:
    return []


@pytest.fixture
async def client(
    given: Runtime, home: Path, database_url: str, told: list[httpx.Request]
) -> AsyncIterator[LangGraphClient]:
    def answer(request: httpx.Request) -> httpx.Response:
        told.append(request)
        return httpx.Response(503 if len(told) == 1 else 200)  # the first time nobody is at home

    webhooks = Webhooks(
        "secret",
        lambda: datetime.now(UTC),
        resolve=lambda host: ["93.184.216.34"] if host == "example.org" else ["127.0.0.1"],
        transport=httpx.MockTransport(answer),
    )
    async with (
        serving(given, home, database_url, webhooks=webhooks) as url,
        get_client(url=url) as opened,
    ):
        yield opened


async def test_a_webhook_is_told_until_it_listens_with_what_the_run_ended_with(
    client: LangGraphClient, told: list[httpx.Request]
) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "chat", input=LEMUR, webhook="https://example.org/hook")

    async def listened() -> bool:
        return len(told) == 2

    await eventually(listened)
    first, second = told
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    body = json.loads(second.content)
    assert (body["thread_id"], body["status"]) == (thread, "success")
    assert body["values"]["messages"][-1]["content"] == "a small primate"


async def test_a_run_that_is_cancelled_before_it_begins_tells_its_webhook(
    client: LangGraphClient, told: list[httpx.Request]
) -> None:
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(
        thread, "chat", input=LEMUR, webhook="https://example.org/hook", after_seconds=3600
    )
    await client.runs.cancel(thread, run["run_id"])

    async def listened() -> bool:
        return bool(told)

    await eventually(listened)
    assert json.loads(told[0].content)["status"] == "interrupted"


async def test_a_private_webhook_is_refused(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    with pytest.raises(UnprocessableEntityError):
        await client.runs.create(thread, "chat", input=LEMUR, webhook="http://localhost:9/")


async def test_a_cron_asks_for_its_run_in_time_until_it_is_deleted(
    client: LangGraphClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.langgraph.crons.check_schedule", lambda schedule: schedule)  # once a minute
    cron: Any = await client.crons.create(
        "chat", schedule=EVERY_SECOND, input=LEMUR, metadata={"of": "test"}, on_run_completed="keep"
    )
    found: list[Any] = []

    async def ran() -> bool:
        found[:] = await client.threads.search(metadata={"graph_id": "chat"}, status="idle")
        return bool(found)

    await eventually(ran, seconds=30)
    await client.crons.delete(cron["cron_id"])
    (run, *_) = await client.runs.list(found[0]["thread_id"])
    assert (run["metadata"]["cron_id"], run["metadata"]["of"]) == (cron["cron_id"], "test")
    assert found[0]["values"]["messages"][-1]["content"] == "a small primate"
    with pytest.raises(NotFoundError):
        await client.crons.delete(cron["cron_id"])


async def test_crons_are_listed_counted_changed_and_paused(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    cron: Any = await client.crons.create_for_thread(thread, "chat", schedule="0 3 * * *", input=LEMUR)
    assert (cron["thread_id"], cron["schedule"], cron["enabled"]) == (thread, "0 3 * * *", True)
    assert cron["next_run_date"] is not None
    changed: Any = await client.crons.update(
        cron["cron_id"], schedule="0 4 * * *", timezone="Europe/Berlin", enabled=False
    )
    assert (changed["schedule"], changed["timezone"], changed["next_run_date"]) == (
        "0 4 * * *",
        "Europe/Berlin",
        None,
    )
    assert [one["cron_id"] for one in await client.crons.search(thread_id=thread)] == [cron["cron_id"]]
    assert await client.crons.count(thread_id=thread) == 1
    assert await client.crons.count(thread_id="other") == 0


@pytest.mark.parametrize(
    "asked",
    [
        {"schedule": "whenever"},
        {"schedule": "0 0 31 2 *"},
        {"schedule": EVERY_SECOND},
        {"schedule": "0 3 * * *", "input": {"messages": [{"role": "pirate", "content": "arr"}]}},
        {"schedule": "0 3 * * *", "timezone": "Mars/Olympus"},
        {"schedule": "0 3 * * *", "end_time": "soon"},
        {"schedule": "0 3 * * *", "surprise": 1},
    ],
)
async def test_a_cron_that_says_nothing_is_refused(client: LangGraphClient, asked: dict[str, Any]) -> None:
    with pytest.raises(UnprocessableEntityError):
        await client.http.post("/runs/crons", json={"assistant_id": "chat", "input": LEMUR, **asked})
