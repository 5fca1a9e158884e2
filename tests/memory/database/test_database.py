"""Gaps and runs are kept, once, and survive a crash."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from sqlalchemy import create_engine

from memory.database.database import Database, async_url, open_database
from memory.database.tables import METADATA
from memory.errors import StoreUnavailable, UnknownGap, UnknownRun
from memory.records.access import EVERYTHING, SHARED, Access
from memory.records.interactions import Correction, Gap
from memory.records.runs import Outcome
from tests.support.access import DOMAINS, OWNERS, accesses
from tests.support.databases import database_url, empty_runs, home, new_postgresql, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEARNED = Outcome(status="learned", reason="all gates passed", adapter="rust-v1-0123abcd")


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nightschool.db"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_database(database_url, clock=lambda: NOW)
    yield opened
    await opened.aclose()


def gap(id: str = "g1", question: str = "What is a move?", domain: str = "rust") -> Gap:
    return Gap(id=id, question=question, domain=domain, keywords=("move",), uncertainty=None, opened_at=NOW)


async def test_one_question_opens_one_gap_however_it_is_spelt(database: Database) -> None:
    assert await database.open_gap(gap()) == gap()
    assert (await database.open_gap(gap("g2", "what is a MOVE"))).id == "g1"
    assert (await database.open_gap(gap("g3", domain="bread"))).id == "g3"
    assert [g.id for g in await database.gaps("open", access=EVERYTHING)] == ["g1", "g3"]


async def test_two_owners_have_a_gap_each_for_the_same_question(database: Database) -> None:
    mine = gap("g2").model_copy(update={"owner": "ann"})
    for opened in (gap(), mine):
        assert (await database.open_gap(opened)).id == opened.id
        again = opened.model_copy(update={"id": "again"})
        assert (await database.open_gap(again)).id == opened.id
    assert [g.id for g in await database.gaps(access=SHARED)] == ["g1"]
    assert (await database.gap("g2", access=Access(owner="ann"))).owner == "ann"
    with pytest.raises(UnknownGap):
        await database.gap("g2", access=Access(owner="ben"))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(access=accesses())
async def test_gaps_are_read_by_those_who_may_and_nobody_else(database: Database, access: Access) -> None:
    everything = [gap(f"{o} {d}", domain=d).model_copy(update={"owner": o}) for o in OWNERS for d in DOMAINS]
    for each in everything:
        await database.open_gap(each)
    readable = {g.id for g in everything if access.may_read(g.owner, g.domain)}
    assert {g.id for g in await database.gaps(access=access)} == readable


async def test_a_gap_keeps_one_correction_of_each_answer_and_gives_them_on_when_merged(
    database: Database,
) -> None:
    def correction(interaction: str, text: str) -> Correction:
        return Correction(interaction_id=interaction, feedback_id=f"f-{text}", text=text, created_at=NOW)

    await database.open_gap(gap())
    await database.add_correction("g1", correction("i1", "a fish"))
    await database.add_correction("g1", correction("i1", "a transfer"))
    assert [each.text for each in (await database.gap("g1", access=EVERYTHING)).corrections] == ["a transfer"]
    await database.open_gap(gap("g2", "What is moving?"))
    await database.add_correction("g2", correction("i2", "a change of owner"))
    merged = await database.merge_gap("g1", into="g2")
    assert [each.text for each in merged.corrections] == ["a change of owner", "a transfer"]


async def test_many_askers_at_once_open_one_gap(database: Database) -> None:
    opened = await asyncio.gather(*(database.open_gap(gap(f"g{n}")) for n in range(10)))
    assert len({g.id for g in opened}) == 1
    assert len(await database.gaps(access=EVERYTHING)) == 1


async def test_a_closed_gap_makes_room_for_another(database: Database) -> None:
    await database.open_gap(gap())
    closed = await database.set_gap("g1", "closed", "r1")
    assert (closed.status, closed.run_id) == ("closed", "r1")
    assert (await database.open_gap(gap("g2"))).id == "g2"
    assert (await database.set_gap("g1", "open")).status == "closed"
    assert [g.id for g in await database.gaps("open", access=EVERYTHING)] == ["g2"]


async def test_moving_a_gap_on_keeps_its_run_unless_another_is_named(database: Database) -> None:
    await database.open_gap(gap())
    await database.set_gap("g1", "learning", "r1")
    assert (await database.set_gap("g1", "open")).run_id == "r1"
    assert await database.gap("g1", access=EVERYTHING) == gap().model_copy(update={"run_id": "r1"})


async def test_a_dismissed_gap_is_kept_and_its_question_opens_no_other(database: Database) -> None:
    await database.open_gap(gap())
    assert (await database.dismiss_gap("g1")).status == "dismissed"
    assert (await database.dismiss_gap("g1")).status == "dismissed"
    assert (await database.open_gap(gap("g2"))).id == "g1"
    assert await database.gaps("open", access=EVERYTHING) == ()


async def test_a_deleted_gap_is_gone_and_its_runs_stay(database: Database) -> None:
    await database.open_gap(gap())
    await start(database, "r1", gap_id="g1")
    await database.delete_gap("g1")
    with pytest.raises(UnknownGap):
        await database.gap("g1", access=EVERYTHING)
    assert (await database.run("r1")).gap_id is None
    assert (await database.open_gap(gap("g2"))).id == "g2"


async def test_a_merged_gap_is_stood_for_by_the_other_until_that_closes(database: Database) -> None:
    await database.open_gap(gap())
    other = gap("g2", "What does moving mean?").model_copy(update={"keywords": ("moving", "move")})
    await database.open_gap(other)
    standing = await database.merge_gap("g2", "g1")
    assert (standing.id, standing.keywords) == ("g1", ("move", "moving"))
    merged = await database.gap("g2", access=EVERYTHING)
    assert (merged.status, merged.merged_into) == ("dismissed", "g1")
    assert (await database.open_gap(gap("g3", "what does moving mean"))).id == "g1"
    await database.set_gap("g1", "closed")
    assert (await database.gap("g2", access=EVERYTHING)).status == "closed"
    assert (await database.open_gap(gap("g4", "What does moving mean?"))).id == "g4"


async def test_what_was_merged_into_a_gap_moves_and_goes_with_it(database: Database) -> None:
    for id, question in (("g1", "What is a move?"), ("g2", "What is moving?"), ("g3", "Why move?")):
        await database.open_gap(gap(id, question))
    await database.merge_gap("g3", "g2")
    await database.merge_gap("g2", "g1")
    assert (await database.gap("g3", access=EVERYTHING)).merged_into == "g1"
    await database.delete_gap("g1")
    assert await database.gaps(access=EVERYTHING) == ()


async def test_a_gap_that_a_run_works_on_is_neither_dismissed_deleted_nor_merged(database: Database) -> None:
    await database.open_gap(gap())
    await database.open_gap(gap("g2", "Why move?"))
    await database.set_gap("g1", "learning", "r1")
    for change in (
        database.dismiss_gap("g1"),
        database.delete_gap("g1"),
        database.merge_gap("g1", "g2"),
    ):
        with pytest.raises(ValueError, match="r1"):
            await change
    assert (await database.gap("g1", access=EVERYTHING)).status == "learning"
    assert (await database.merge_gap("g2", "g1")).status == "learning"


async def test_gaps_merge_only_into_others_that_stand(database: Database) -> None:
    await database.open_gap(gap())
    await database.open_gap(gap("g2", "Why move?"))
    with pytest.raises(ValueError, match="itself"):
        await database.merge_gap("g1", "g1")
    for unknown in (database.merge_gap("no", "g1"), database.merge_gap("g1", "no")):
        with pytest.raises(UnknownGap):
            await unknown
    for status in ("closed", "dismissed"):
        await database.set_gap("g2", status)
        with pytest.raises(ValueError, match="not closed"):
            await database.merge_gap("g1", "g2")
    await database.set_gap("g2", "closed")
    with pytest.raises(ValueError, match="nothing to dismiss"):
        await database.dismiss_gap("g2")


async def test_unknown_gaps_and_runs_are_refused(database: Database) -> None:
    with pytest.raises(UnknownGap):
        await database.gap("no", access=EVERYTHING)
    with pytest.raises(UnknownGap):
        await database.set_gap("no", "closed")
    with pytest.raises(UnknownGap):
        await database.dismiss_gap("no")
    with pytest.raises(UnknownGap):
        await database.delete_gap("no")
    with pytest.raises(UnknownRun):
        await database.run("no")
    with pytest.raises(UnknownRun):
        await database.finish_run("no", LEARNED, {})
    with pytest.raises(UnknownGap):
        await start(database, "r1", gap_id="no")
    assert await database.runs() == ()


async def start(database: Database, run_id: str, *, minutes: int = 0, gap_id: str | None = None) -> None:
    await database.start_run(
        run_id, subject="Rust", whole=True, domain=None, gap_id=gap_id, now=NOW + timedelta(minutes=minutes)
    )


async def test_a_run_is_running_until_it_is_finished(database: Database) -> None:
    await start(database, "r1")
    await start(database, "r1", minutes=5)
    begun = await database.run("r1")
    assert (begun.status, begun.started_at, begun.report, begun.finished_at) == ("running", NOW, None, None)
    await database.finish_run("r1", LEARNED, {"events": [{"step": "attempt"}]})
    ended = await database.run("r1")
    assert (ended.status, ended.outcome, ended.finished_at) == ("learned", LEARNED, NOW)
    assert ended.report == {"events": [{"step": "attempt"}]}


async def test_runs_and_gaps_are_counted_by_status(database: Database) -> None:
    assert (await database.run_counts(), await database.gap_counts()) == ({}, {})
    for number in range(3):
        await start(database, f"r{number}")
        await database.open_gap(gap(f"g{number}", f"What is {number}?"))
    await database.finish_run("r0", LEARNED, {})
    await database.dismiss_gap("g0")
    assert await database.run_counts() == {"learned": 1, "running": 2}
    assert await database.gap_counts() == {"dismissed": 1, "open": 2}


async def test_a_run_that_was_resumed_ends_as_it_ended_last(database: Database) -> None:
    await start(database, "r1")
    await database.finish_run("r1", Outcome(status="stopped", reason="too long"), {})
    await database.finish_run("r1", LEARNED, {})
    assert (await database.run("r1")).status == "learned"


async def test_runs_come_newest_first(database: Database) -> None:
    for n in range(3):
        await start(database, f"r{n}", minutes=n)
    assert [r.id for r in await database.runs(limit=2)] == ["r2", "r1"]


async def test_everything_is_there_after_opening_again(database_url: str) -> None:
    first = await open_database(database_url)
    await first.open_gap(gap())
    await first.aclose()
    second = await open_database(database_url)
    assert await second.gaps(access=EVERYTHING) == (gap(),)
    await second.aclose()


async def test_the_migrations_make_exactly_the_schema_that_the_code_expects(
    database: Database, database_url: str
) -> None:
    made = create_engine(driven(database_url))
    with made.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    made.dispose()
    assert [d for d in differences if "alembic_version" not in str(d)] == []


def driven(url: str) -> str:
    """The URL with the synchronous driver that we have."""
    return url.replace("postgresql:", "postgresql+psycopg:")


@pytest.mark.services
async def test_many_processes_may_open_a_new_database_at_once(postgresql: Any) -> None:
    url = new_postgresql(postgresql)
    opened = await asyncio.gather(*(open_database(url) for _ in range(4)))
    await asyncio.gather(*(database.aclose() for database in opened))


async def test_sqlite_runs_durably(sqlite: str) -> None:
    await (await open_database(sqlite)).aclose()
    with sqlite3.connect(sqlite.removeprefix("sqlite:///")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_kill_loses_nothing_that_was_acknowledged(database_url: str) -> None:
    """A child opens gaps and prints each id once `open_gap` has returned, until it is killed."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        OPENER,
        database_url,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert child.stdout is not None
    acknowledged = [(await child.stdout.readline()).decode().strip() for _ in range(20)]
    child.kill()
    await child.wait()
    database = await open_database(database_url)
    stored = {g.id for g in await database.gaps(limit=100_000, access=EVERYTHING)}
    assert stored >= set(acknowledged) >= {"g0", "g19"}
    await database.aclose()


OPENER = """
import asyncio, sys
from datetime import UTC, datetime
from memory.database.database import open_database
from memory.records.interactions import Gap

async def main():
    database = await open_database(sys.argv[1])
    for n in range(100_000):
        question = f"What is number {n}?"
        await database.open_gap(Gap(id=f"g{n}", question=question, domain="rust", keywords=(),
                                    uncertainty=None, opened_at=datetime.now(UTC)))
        print(f"g{n}", flush=True)

asyncio.run(main())
"""


async def test_a_database_that_cannot_be_opened_says_what_to_check(tmp_path: Path) -> None:
    (tmp_path / "rubbish.db").write_bytes(b"this is no database, whatever its name says" * 30)
    for path in (tmp_path / "no" / "folder.db", tmp_path / "rubbish.db"):
        with pytest.raises(StoreUnavailable, match="check"):
            await open_database(f"sqlite:///{path}")


async def test_a_database_of_a_later_version_is_refused(sqlite: str) -> None:
    await (await open_database(sqlite)).aclose()
    with sqlite3.connect(sqlite.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnavailable, match="later version"):
        await open_database(sqlite)


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/name", ""])
def test_only_urls_of_supported_databases_are_taken(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite"):
        async_url(url)
