"""The stream of a thread: its runs one after the other, from a position, and of runs yet to come."""

import asyncio

import pytest

from graphs.server.thread_stream import Position, RunEnd, follow_thread
from graphs.server.threads import delete
from memory.errors import UnknownRun
from memory.server.runs import RunEvent
from tests.support.run_server import RunServer

Part = tuple[Position, RunEvent | RunEnd]
RUN = ["metadata", "updates", "updates"]
"""The events of a run."""


def reading(server: RunServer, count: int, after: Position | None = None) -> "asyncio.Task[list[Part]]":
    """Reads that many parts of the thread's stream."""

    async def read() -> list[Part]:
        stream = follow_thread(server.executor, "t", after)
        return [await anext(stream) for _ in range(count)]

    return asyncio.create_task(asyncio.wait_for(read(), 20))


def plain(parts: list[Part]) -> list[tuple[str, str | None]]:
    """The run of each part, and its event's name or the status that the run ended with."""
    return [(at.run_id, part.name if isinstance(part, RunEvent) else part.status) for at, part in parts]


def whole(run_id: str, status: str = "success") -> list[tuple[str, str | None]]:
    return [*((run_id, name) for name in RUN), (run_id, status)]


async def test_runs_come_one_after_the_other_each_with_its_end(server: RunServer) -> None:
    first, second = await server.start("wait"), await server.start("sing")
    task = reading(server, 8)
    await server.waits()
    server.graph.finish.set()
    assert plain(await task) == whole(first) + whole(second)


async def test_runs_that_ended_before_are_left_out_and_later_ones_are_not(server: RunServer) -> None:
    await server.end(await server.start("sing"))
    task = reading(server, 4)
    await asyncio.sleep(0.05)
    second = await server.start("dance")
    assert plain(await task) == whole(second)


async def test_a_stream_may_begin_before_the_first_run(server: RunServer) -> None:
    await server.executor.threads.create("t", owner=None, metadata={})
    task = reading(server, 4)
    await asyncio.sleep(0.05)
    first = await server.start("sing")
    assert plain(await task) == whole(first)


async def test_a_reader_continues_after_any_position_without_loss(server: RunServer) -> None:
    first, second = await server.start("wait"), await server.start("refuse")
    task = reading(server, 8)
    server.graph.finish.set()
    parts = await task
    assert plain(parts)[4:] == [
        (second, "metadata"),
        (second, "updates"),
        (second, "error"),  # the event
        (second, "error"),  # the status
    ]
    for count, (position, _) in enumerate(parts[:-1], start=1):
        assert await reading(server, 8 - count, position) == parts[count:]
    assert parts[3][0] == Position(first, None)


async def test_a_position_in_a_run_that_is_not_there_is_an_unknown_run(server: RunServer) -> None:
    other = await server.start("sing", "other thread")
    await server.executor.threads.create("t", owner=None, metadata={})
    for run_id in ("nowhere", other):
        with pytest.raises(UnknownRun):
            await reading(server, 1, Position(run_id, 1))


async def test_a_run_that_is_rolled_back_ends_without_a_status(server: RunServer) -> None:
    run_id = await server.start("wait")
    await server.waits()
    task = reading(server, 3)
    await asyncio.sleep(0.05)
    await server.executor.cancel(run_id, "rollback")
    assert plain(await task) == [(run_id, "metadata"), (run_id, "updates"), (run_id, None)]


async def test_the_stream_ends_when_the_thread_is_deleted(server: RunServer) -> None:
    await server.end(await server.start("sing"))

    async def rest() -> list[Part]:
        return [part async for part in follow_thread(server.executor, "t")]

    task = asyncio.create_task(rest())
    await asyncio.sleep(0.05)
    await delete(server.executor, "t")
    assert await asyncio.wait_for(task, 20) == []
