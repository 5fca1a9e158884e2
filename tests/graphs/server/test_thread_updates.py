"""Updates of a thread's state land one after the other, and never beside a run."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from graphs.server import threads
from graphs.server.threads import NodeUpdate
from graphs.state import Runtime
from memory.errors import ThreadBusy
from tests.support.run_server import RunServer, TaskSpec, open_run_server

UPDATES = 8


@pytest.fixture(autouse=True)
def clients_may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets clients write what shows which updates landed."""
    rights = TaskSpec.rights.model_copy(update={"keys": frozenset({"task", "done"})})
    monkeypatch.setattr(TaskSpec, "rights", rights)


async def update(server: RunServer, text: str) -> None:
    await threads.update(server.executor, "t", NodeUpdate(values={"done": [text]}, as_node="read"))


async def test_updates_at_the_same_time_all_land(server: RunServer) -> None:
    await server.end(await server.start("sing"))
    await asyncio.gather(*(update(server, f"update {number}") for number in range(UPDATES)))
    done = await server.done()
    assert sorted(done[2:]) == [f"update {number}" for number in range(UPDATES)]
    assert ((await server.executor.threads.get("t")).values or {})["done"] == done, "the last one is listed"


async def test_updates_of_two_processes_all_land(runtime: Runtime, tmp_path: Path) -> None:
    async with (
        open_run_server(runtime, tmp_path) as one,
        open_run_server(runtime, tmp_path, supervised=False) as two,
    ):
        await one.end(await one.start("sing"))
        servers = [one, two] * (UPDATES // 2)
        await asyncio.gather(*(update(server, f"update {n}") for n, server in enumerate(servers)))
        assert len(await one.done()) == 2 + UPDATES


async def test_no_update_lands_while_a_run_is_unfinished(server: RunServer) -> None:
    await server.start("wait")
    await server.waits()
    with pytest.raises(ThreadBusy, match="busy with run"):
        await update(server, "too early")


async def test_a_run_that_is_started_during_an_update_comes_after_it(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.end(await server.start("sing"))
    begun, finish = asyncio.Event(), asyncio.Event()
    write = server.graph.graph.aupdate_state

    async def slow(*arguments: Any, **options: Any) -> Any:
        begun.set()
        await finish.wait()
        return await write(*arguments, **options)

    monkeypatch.setattr(server.graph.graph, "aupdate_state", slow)
    updating = asyncio.create_task(update(server, "the update"))
    await begun.wait()
    starting = asyncio.create_task(server.start("hum"))
    await asyncio.sleep(0.05)
    assert not starting.done()
    finish.set()
    await updating
    assert await server.end(await starting) == "success"
    assert await server.done() == ["read sing", "did sing", "the update", "read hum", "did hum"]


async def test_an_update_that_is_refused_leaves_the_thread_usable(server: RunServer) -> None:
    await server.end(await server.start("sing"))
    with pytest.raises(ValueError, match="no node"):
        await threads.update(server.executor, "t", NodeUpdate(values={}, as_node="nowhere"))
    await update(server, "after it")
    assert (await server.done())[-1] == "after it"
