"""A whole thread can be followed with LangGraph's client: every run of it, one after the other."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from graphs.state import Runtime
from memory.database.database import open_database
from tests.graphs.conftest import clock, runtime
from tests.support.databases import database_url, empty_runs, home, on_database, postgresql, template
from tests.support.langgraph_server import serving

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = pytest.mark.services

ASKED: Any = {"messages": [{"role": "user", "content": "What is a borrow?"}]}


@pytest.fixture
async def url(runtime: Runtime, home: Path, database_url: str) -> AsyncIterator[str]:
    database = await open_database(database_url)
    async with serving(on_database(runtime, database), home, database_url) as address:
        yield address
    await database.aclose()


@pytest.fixture
async def client(url: str) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=url) as opened:
        yield opened


async def told(client: LangGraphClient, thread: str, runs: int, **options: Any) -> list[Any]:
    """What is told until so many runs have ended."""
    parts: list[Any] = []
    async for part in await client.threads.join_stream(thread, **options):
        parts.append(part)
        if sum(part.event == "run_done" for part in parts) == runs:
            break
    return parts


async def test_a_thread_is_followed_through_all_its_runs(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "chat", input=ASKED)
    following = asyncio.create_task(told(client, thread, 2))
    changes = asyncio.create_task(told(client, thread, 2, stream_mode="lifecycle"))
    await asyncio.sleep(0.5)
    runs = [await client.runs.create(thread, "chat", input=ASKED, stream_mode="updates") for _ in range(2)]
    parts = await following
    names = [part.event for part in parts]
    assert (names[0], names[-1], names.count("run_done")) == ("metadata", "run_done", 2)
    assert "updates" in names
    ended = [part.data for part in parts if part.event == "run_done"]
    assert ended == [{"run_id": run["run_id"], "status": "success"} for run in runs]
    assert [part.event for part in await changes] == ["metadata", "run_done"] * 2

    again = await told(client, thread, 2, last_event_id=parts[0].id)
    assert [part.id for part in again] == [part.id for part in parts[1:]]
    first_end = next(part.id for part in parts if part.event == "run_done")
    after = await told(client, thread, 1, last_event_id=first_end)
    assert [part.id for part in after] == [part.id for part in parts[names.index("run_done") + 1 :]]


async def test_a_thread_that_is_deleted_is_followed_no_more(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    following = asyncio.create_task(told(client, thread, 1))
    await asyncio.sleep(0.5)
    await client.threads.delete(thread)
    assert await asyncio.wait_for(following, 5) == []


async def test_what_cannot_be_followed_says_so(url: str, client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    async with httpx.AsyncClient(base_url=url) as http:
        for path, place, status in (
            (f"/threads/{thread}/stream", "x", 422),
            (f"/threads/{thread}/stream", "a:b", 422),
            (f"/threads/{thread}/stream", "nobody:1", 404),
            (f"/threads/{thread}/stream?stream_mode=state_update", "", 422),
            ("/threads/nowhere/stream", "", 404),
        ):
            reply = await http.get(path, headers={"Last-Event-ID": place})
            assert (reply.status_code, bool(reply.json()["detail"])) == (status, True)
