"""A killed api's runs go on where they were; two apis on one database see each other's threads and runs."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError

from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]
pytestmark = pytest.mark.services

LEMUR = {"messages": [{"role": "user", "content": "What is a lemur?"}]}

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Iterator[Start]:
    """Loads an api on the test's home folder and database; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def begin(port: int = 0) -> "subprocess.Popen[str]":
        module = "tests.support.langgraph_process"
        command = [sys.executable, "-m", module, str(tmp_path), database_url, str(port)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate(timeout=10)


async def line(process: "subprocess.Popen[str]", beginning: str) -> str:
    """What follows the beginning in the process's next line that has it."""
    assert process.stdout is not None
    while text := await asyncio.to_thread(process.stdout.readline):
        if text.startswith(beginning):
            return text.removeprefix(beginning).strip()
    assert process.stderr is not None
    pytest.fail(f"the process ended before it said {beginning!r}: {process.stderr.read()[-2000:]}")


async def connected(process: "subprocess.Popen[str]") -> LangGraphClient:
    """Lets it open, which takes a second once it is loaded."""
    assert process.stdin is not None
    process.stdin.write("open\n")
    process.stdin.flush()
    return get_client(url=await line(process, "serving "))


async def rest(stream: AsyncIterator[Any], into: list[Any]) -> None:
    async for part in stream:  # one by one, for the stream may break off
        into.append(part)  # noqa: PERF401


async def test_a_killed_run_goes_on_from_its_last_checkpoint_and_its_stream_misses_nothing(
    start: Start, port: int, tmp_path: Path
) -> None:
    first, second = start(port), start(port)
    client = await connected(first)
    thread = (await client.threads.create())["thread_id"]
    parts: list[Any] = []
    stream = client.runs.stream(thread, "chat", input=LEMUR, stream_mode=["updates", "values"])
    reading = asyncio.create_task(rest(stream, parts))
    await line(first, "asked")
    first.send_signal(signal.SIGKILL)
    await asyncio.to_thread(first.wait, 10)
    (tmp_path / "allowed").touch()
    later = await connected(second)
    await asyncio.wait_for(reading, 120)  # the client came back by itself
    (run,) = await later.runs.list(thread)
    joined: Any = await later.runs.join(thread, run["run_id"])
    assert joined["messages"][-1]["content"] == "a small primate"
    assert parts[-1].data["messages"] == joined["messages"]
    assert [part.data["attempt"] for part in parts if part.event == "metadata"] == [1, 2]
    steps = [next(iter(part.data)) for part in parts if part.event == "updates"]
    assert steps == ["understand", "route", "answer", "remember"]
    whole = [part async for part in later.runs.join_stream(thread, run["run_id"])]
    assert whole == parts


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_processes_on_one_database_are_one_service(start: Start, tmp_path: Path) -> None:
    processes = start(), start()
    one, two = [await connected(process) for process in processes]
    thread = (await one.threads.create(metadata={"made": "by one"}))["thread_id"]
    assert (await two.threads.get(thread))["metadata"]["made"] == "by one"
    run = await one.runs.create(thread, "chat", input=LEMUR)
    await line(processes[0], "asked")
    with pytest.raises(ConflictError):
        await two.runs.create(thread, "chat", input=LEMUR, multitask_strategy="reject")
    queued = await two.runs.create(thread, "chat", input=LEMUR)
    seen: list[Any] = []
    reading = asyncio.create_task(rest(two.runs.join_stream(thread, run["run_id"]), seen))
    await two.runs.cancel(thread, run["run_id"], wait=True)
    assert (await one.runs.get(thread, run["run_id"]))["status"] == "interrupted"
    await asyncio.wait_for(reading, 60)
    assert seen[0].event == "metadata"
    (tmp_path / "allowed").touch()
    values: Any = await one.runs.join(thread, queued["run_id"])
    assert values["messages"][-1]["content"] == "a small primate"
    events = [part async for part in two.runs.join_stream(thread, queued["run_id"])]
    assert events == [part async for part in one.runs.join_stream(thread, queued["run_id"])]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_living_process_takes_up_what_a_dead_one_left(start: Start, tmp_path: Path) -> None:
    dying, living = start(), start()
    one, two = await connected(dying), await connected(living)
    thread = (await one.threads.create())["thread_id"]
    run = await one.runs.create(thread, "chat", input=LEMUR)
    await line(dying, "asked")
    dying.send_signal(signal.SIGKILL)
    (tmp_path / "allowed").touch()
    values: Any = await two.runs.join(thread, run["run_id"])
    assert values["messages"][-1]["content"] == "a small primate"
