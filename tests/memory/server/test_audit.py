"""The audit log: rows stay as they were written, in one order, and whatever is changed is found."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DBAPIError

from memory.database.database import Database, open_database
from memory.database.tables import AUDIT_LOG
from memory.errors import StoreUnavailable
from memory.records.base import digest_of
from memory.server.audit import AuditLog
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]

WRITERS = 20
ROWS = 5


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await open_database(database_url)
    yield database
    await database.aclose()


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return tmp_path / "audit.heads"


async def written(database: Database, heads: Path | None = None, rows: int = ROWS) -> AuditLog:
    audit = AuditLog(database, heads)
    for number in range(rows):
        await audit.record("promote", by="ann", subject=f"pumps-v{number}", details={"domain": "pumps"})
    return audit


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def tamper(database: Database, *statements: str) -> None:
    """Changes the table as somebody with the database's password could."""
    is_sqlite = database._engine.dialect.name == "sqlite"
    async with database.begin() as connection:
        for trigger in ("audit_log_no_update", "audit_log_no_delete", "audit_log_append_only"):
            if is_sqlite:
                await connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
            else:
                await connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger} ON audit_log"))
        for statement in statements:
            await connection.execute(text(statement))


@pytest.mark.services
async def test_rows_of_concurrent_writers_form_one_chain(database_url: str, heads: Path) -> None:
    """Twenty connection pools are twenty processes to the database."""
    opened = [await open_database(database_url) for _ in range(WRITERS)]
    logs = [AuditLog(database, heads) for database in opened]
    await asyncio.gather(*(written(database, heads, rows=ROWS) for database in opened))
    rows = await logs[0].list(limit=1000)
    assert [row.number for row in rows] == [*range(1, WRITERS * ROWS + 1)]
    found = await logs[0].verify()
    assert (found.rows, found.problem) == (WRITERS * ROWS, None)
    for database in opened:
        await database.aclose()


@pytest.mark.parametrize(
    "change",
    [
        update(AUDIT_LOG).values(by="bob"),
        update(AUDIT_LOG).values(hash="0").where(AUDIT_LOG.c.number == 2),
        delete(AUDIT_LOG),
        delete(AUDIT_LOG).where(AUDIT_LOG.c.number == ROWS),
    ],
)
async def test_the_database_refuses_to_change_or_delete_a_row(database: Database, change: object) -> None:
    audit = await written(database)
    with pytest.raises((StoreUnavailable, DBAPIError), match="append-only"):
        async with database.begin() as connection:
            await connection.execute(change)  # type: ignore[call-overload]
    assert (await audit.verify()).problem is None


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (("UPDATE audit_log SET \"by\" = 'bob' WHERE number = 3",), "row 3 was altered"),
        (("UPDATE audit_log SET details = '{}' WHERE number = 2",), "row 2 was altered"),
        (("UPDATE audit_log SET time = time - 60 WHERE number = 4",), "row 4 was altered"),
        (("DELETE FROM audit_log WHERE number = 1",), "row 1 is missing"),
        (("DELETE FROM audit_log WHERE number = 3",), "row 3 is missing"),
        (
            (
                "DELETE FROM audit_log WHERE number = 2",
                "UPDATE audit_log SET number = number - 1 WHERE number > 2",
            ),
            "row 2 was altered",
        ),
        (
            (
                "UPDATE audit_log SET number = 99 WHERE number = 2",
                "UPDATE audit_log SET number = 2 WHERE number = 3",
                "UPDATE audit_log SET number = 3 WHERE number = 99",
            ),
            "row 2 was altered",
        ),
        (("DELETE FROM audit_log WHERE number > 3",), "row 4 is missing"),
        (("DELETE FROM audit_log",), "row 1 is missing"),
    ],
)
async def test_the_first_row_that_is_wrong_is_found(
    database: Database, heads: Path, statements: tuple[str, ...], problem: str
) -> None:
    audit = await written(database, heads)
    await tamper(database, *statements)
    found = await audit.verify()
    assert found.problem is not None
    assert found.problem.startswith(problem)
    assert found.rows == int(problem.split()[1]) - 1


async def test_a_chain_that_was_written_anew_with_valid_hashes_is_found(
    database: Database, heads: Path
) -> None:
    audit = await written(database, heads)
    rows = [row.model_dump() for row in await audit.list()]
    previous = rows[1]["hash"]
    for row in rows[2:]:
        row |= {"by": "bob", "previous": previous}
        row["hash"] = previous = digest_of({name: row[name] for name in row if name != "hash"})
    await tamper(database, "DELETE FROM audit_log WHERE number > 2")
    async with database.begin() as connection:
        await connection.execute(insert(AUDIT_LOG), rows[2:])
    assert str((await audit.verify()).problem).startswith("row 3 was written anew")
    assert (await AuditLog(database).verify()).problem is None, "the chain alone does not tell"


async def test_an_action_is_recorded_before_it_is_taken_and_so_is_its_failure(database: Database) -> None:
    audit = AuditLog(database)
    async with audit.acting("promote", by="ann", subject="pumps-v1"):
        assert [row.action for row in await audit.list()] == ["promote"]
    with pytest.raises(ValueError, match="no such"):
        async with audit.acting("rollback", by="ann", subject="pumps"):
            raise ValueError("no such adapter")
    assert [row.action for row in await audit.list()] == ["promote", "rollback", "rollback.failed"]


async def test_an_action_whose_trace_cannot_be_written_is_not_taken(database: Database) -> None:
    audit = AuditLog(database, Path("/nowhere/audit.heads"))
    with pytest.raises(StoreUnavailable, match=r"audit\.heads"):
        async with audit.acting("promote", by="ann", subject="pumps-v1"):
            pytest.fail("promoted without a trace")


async def test_rows_are_listed_by_action_person_and_time(database: Database) -> None:
    audit = await written(database)
    await audit.record("grant", by="bob", subject="pumps")
    assert [row.number for row in await audit.list(by="bob")] == [ROWS + 1]
    assert len(await audit.list(action="promote", limit=3)) == 3
    assert [row.number for row in await audit.list(after=ROWS)] == [ROWS + 1]
    assert await audit.list(since=database.now() + timedelta(hours=1)) == ()


async def test_a_line_cut_short_by_a_crash_does_not_hide_the_others(database: Database, heads: Path) -> None:
    audit = await written(database, heads)
    append(heads, "6 abc")
    await written(database, heads, rows=1)
    assert (await audit.verify()).problem is None
    await tamper(database, "DELETE FROM audit_log WHERE number > 4")
    assert str((await audit.verify()).problem).startswith("row 5 is missing")


async def test_only_the_services_own_user_reads_the_heads(database: Database, heads: Path) -> None:
    previous = os.umask(0)
    try:
        await written(database, heads, rows=1)
    finally:
        os.umask(previous)
    assert mode(heads) == 0o600
