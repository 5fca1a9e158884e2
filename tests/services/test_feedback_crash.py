"""kill -9 of the api: every turn and all feedback that a client was told of is on disk."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from memory.database.database import open_database
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from tests.api.conftest import asking
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]
pytestmark = pytest.mark.services

CLIENTS = 8
ENOUGH = 40
"""Acknowledged turns after which the api is killed, while others are under way."""


@pytest.fixture
def api(tmp_path: Path, database_url: str) -> Iterator["subprocess.Popen[str]"]:
    """An api on the test's home folder and database, whose engine answers at once."""
    (tmp_path / "allowed").touch()
    command = [sys.executable, "-m", "tests.support.langgraph_process", str(tmp_path), database_url, "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        yield process
        process.kill()


async def test_nothing_that_was_acknowledged_is_lost(api: "subprocess.Popen[str]", database_url: str) -> None:
    assert api.stdin is not None
    assert api.stdout is not None
    api.stdin.write("\n")
    api.stdin.flush()
    url = (await asyncio.to_thread(api.stdout.readline)).removeprefix("serving ").strip()
    turns: set[str] = set()
    given: set[str] = set()

    async def talk() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            while True:
                try:
                    reply = await client.post("/v1/chat/completions", json=asking("What is a lemur?"))
                    id = reply.raise_for_status().json()["nightschool"]["run_id"]
                    turns.add(id)
                    body = {"interaction_id": id, "rating": 4, "comment": "good"}
                    reply = await client.post("/v1/feedback", json=body)
                    given.update(each["id"] for each in reply.raise_for_status().json()["feedback"])
                except httpx.TransportError:
                    return
                if len(given) > ENOUGH:
                    api.send_signal(signal.SIGKILL)

    await asyncio.gather(*(talk() for _ in range(CLIENTS)))
    api.wait(timeout=10)
    database = await open_database(database_url)
    logged = {turn.id for turn in await InteractionLog(database).list(limit=10_000)}
    stored = {each.id for each in await FeedbackStore(database).list()}
    await database.aclose()
    assert len(given) > ENOUGH
    assert turns <= logged
    assert given <= stored
