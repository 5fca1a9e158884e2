"""Quick statements run on the event loop, commits and waits in a thread; one commit serves many writes."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory.checkpoints.savers import SharedLock
from memory.database.sqlite import LoopConnection

INSERT = "INSERT INTO notes (text) VALUES (?)"


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[LoopConnection]:
    async with LoopConnection(str(tmp_path / "notes.db"), busy_seconds=5.0) as opened:
        await opened.executescript("PRAGMA journal_mode=WAL; CREATE TABLE notes (text TEXT)")
        yield opened


def threads_of(connection: LoopConnection) -> list[tuple[str, bool]]:
    """Records the verb of each statement, and whether it ran in the thread of the event loop."""
    here, ran = threading.get_ident(), list[tuple[str, bool]]()
    note = ran.append
    connection._conn.set_trace_callback(
        lambda statement: note((statement.split()[0], threading.get_ident() == here))
    )
    return ran


async def test_quick_statements_run_on_the_event_loop_and_others_in_a_thread(
    connection: LoopConnection,
) -> None:
    ran = threads_of(connection)
    await connection.execute(INSERT, ("a",))
    await connection.execute("UPDATE notes SET text = 'b'")
    await connection.execute_fetchall("SELECT text FROM notes")
    await connection.commit()
    await connection.execute("DELETE FROM notes")
    await connection.commit()
    here = {(verb, loop) for verb, loop in ran if verb != "PRAGMA"}
    assert {("INSERT", True), ("UPDATE", True), ("COMMIT", False), ("DELETE", False)} <= here


async def test_a_statement_waits_for_another_process_without_holding_up_the_loop(
    connection: LoopConnection, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "notes.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(connection.execute(INSERT, ("late",)))
    await asyncio.sleep(0.05)
    assert not writing.done()
    other.execute("COMMIT")
    other.close()
    await writing
    await connection.commit()
    assert list(await connection.execute_fetchall("SELECT text FROM notes")) == [("late",)]


async def test_one_commit_serves_the_writes_that_came_while_another_was_in_progress(
    connection: LoopConnection,
) -> None:
    ran = threads_of(connection)

    async def write(text: str) -> None:
        await connection.execute(INSERT, (text,))
        await connection.commit()

    await asyncio.gather(*(write(str(number)) for number in range(20)))
    assert [verb for verb, _ in ran].count("INSERT") == 20
    assert [verb for verb, _ in ran].count("COMMIT") < 5


async def test_a_shared_lock_lets_its_users_in_together_and_an_exclusive_one_alone() -> None:
    lock, order = SharedLock(), list[str]()
    leave = asyncio.Event()

    async def share(name: str) -> None:
        async with lock:
            order.append(name)
            await leave.wait()

    async def alone() -> None:
        async with lock.exclusive():
            order.append("alone")
            await asyncio.sleep(0)
            order.append("done")

    first = [asyncio.create_task(share(name)) for name in ("a", "b")]
    await asyncio.sleep(0)
    exclusive = asyncio.create_task(alone())
    await asyncio.sleep(0)
    late = asyncio.create_task(share("c"))
    await asyncio.sleep(0)
    assert order == ["a", "b"]
    leave.set()
    await asyncio.gather(*first, exclusive, late)
    assert order == ["a", "b", "alone", "done", "c"]
