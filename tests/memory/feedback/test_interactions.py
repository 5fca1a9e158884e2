"""Every chat turn is kept once, is found again, and goes when its time has come."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from memory.database.database import Database, open_database
from memory.database.tables import EXPERIMENTS, EXPOSURES, INTERACTIONS, METADATA
from memory.errors import StorageError, UnknownInteraction
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.records.experiments import Assignment
from tests.support.databases import database_url, empty_runs, home, postgresql, template
from tests.support.interactions import NOON, feedback, interaction

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_database(database_url, clock=lambda: NOON)
    yield opened
    await opened.aclose()


@pytest.fixture
def log(database: Database) -> InteractionLog:
    return InteractionLog(database)


async def test_an_interaction_comes_back_as_it_was_saved_once(log: InteractionLog) -> None:
    await log.save(interaction("i1"))
    await log.save(interaction("i1", answer="something else"))
    assert await log.list() == (interaction("i1"),)
    assert await log.get("i1") == interaction("i1")


async def test_interactions_come_newest_first_page_by_page(log: InteractionLog) -> None:
    for i in range(5):
        await log.save(interaction(f"i{i}", minutes=i // 2))
    first = await log.list(limit=2)
    second = await log.list(limit=2, after=first[-1].id)
    third = await log.list(limit=2, after=second[-1].id)
    assert [turn.id for turn in (*first, *second, *third)] == ["i4", "i3", "i2", "i1", "i0"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"domain": "bread"}, ["i1"]),
        ({"unit": "u1"}, ["i2"]),
        ({"owner": "ann"}, ["i3"]),
        ({"outcome": "abstained"}, ["i4"]),
        ({"since": NOON + timedelta(minutes=3)}, ["i4", "i3"]),
        ({"until": NOON + timedelta(minutes=1)}, ["i0"]),
        ({"owner": "ann", "unit": "u1"}, []),
    ],
    ids=str,
)
async def test_interactions_are_filtered(
    log: InteractionLog, wanted: dict[str, Any], found: list[str]
) -> None:
    others: list[dict[str, Any]] = [
        {},
        {"domain": "bread"},
        {"unit": "u1"},
        {"owner": "ann"},
        {"outcome": "abstained"},
    ]
    for i, fields in enumerate(others):
        await log.save(interaction(f"i{i}", minutes=i, **fields))
    assert [turn.id for turn in await log.list(**wanted)] == found


async def test_an_interaction_is_hidden_from_other_owners(log: InteractionLog) -> None:
    await log.save(interaction("i1", owner="ann"))
    assert (await log.get("i1", owner="ann")).id == "i1"
    for id, owner in (("i1", "bob"), ("i2", None), ("\0", None)):
        with pytest.raises(UnknownInteraction):
            await log.get(id, owner=owner)


async def test_a_stream_goes_through_a_period_oldest_first_and_holds_no_connection(
    log: InteractionLog,
) -> None:
    for i in range(7):
        await log.save(interaction(f"i{i}", minutes=i // 3))
    pages = []
    async for page in log.stream(until=NOON + timedelta(minutes=2), page=2):
        await log.save(interaction(f"late{len(pages)}", minutes=9))  # needs SQLite's only connection
        pages.append([turn.id for turn in page])
    assert pages == [["i0", "i1"], ["i2", "i3"], ["i4", "i5"]]


async def test_many_interactions_at_once_are_all_kept(log: InteractionLog) -> None:
    await asyncio.gather(*(log.save(interaction(f"i{i}")) for i in range(200)))
    assert len(await log.list(limit=1000)) == 200


async def test_old_interactions_are_deleted_with_their_feedback(
    log: InteractionLog, database: Database
) -> None:
    store = FeedbackStore(database)
    for id, minutes in (("i1", 0), ("i2", 1), ("i3", 2)):
        await log.save(interaction(id, minutes=minutes))
        await store.add(feedback(f"f-{id}", "rating", value=4, interaction_id=id))
    assert await log.delete_before(NOON + timedelta(minutes=2), limit=1) == 1
    assert await log.delete_before(NOON + timedelta(minutes=2)) == 1
    assert [turn.id for turn in await log.list()] == ["i3"]
    assert [each.id for each in await store.list()] == ["f-i3"]


async def test_a_units_first_exposure_is_kept_with_its_turn(log: InteractionLog, database: Database) -> None:
    async with database.begin() as connection:
        row = {"id": "e1", "domain": "rust", "status": "running", "created_at": 0.0, "body": {}}
        await connection.execute(insert(EXPERIMENTS).values(row))
    brief = Assignment(experiment_id="e1", version=1, variant="brief")
    control = brief.model_copy(update={"variant": "control"})
    await asyncio.gather(
        log.save(interaction("i1", unit="u1", assignment=brief)),
        log.save(interaction("i2", unit="u1", assignment=control, minutes=1)),
        log.save(interaction("i3", unit="u2", assignment=control)),
        log.save(interaction("i4", unit=None, assignment=control)),
        log.save(interaction("i5", unit="u3")),
    )
    async with database.begin() as connection:
        columns = (EXPOSURES.c.unit, EXPOSURES.c.variant, EXPOSURES.c.created_at)
        rows = (await connection.execute(select(*columns).order_by(EXPOSURES.c.unit))).all()
    assert [tuple(row) for row in rows] == [
        ("u1", "brief", NOON.timestamp()),
        ("u2", "control", NOON.timestamp()),
    ]


async def test_a_turn_whose_exposure_cannot_be_kept_is_not_kept_either(
    log: InteractionLog, database: Database
) -> None:
    nowhere = Assignment(experiment_id="nowhere", version=1, variant="brief")
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await log.save(interaction("i1", unit="u1", assignment=nowhere))
    async with database.begin() as connection:
        assert (await connection.execute(select(INTERACTIONS.c.id))).all() == []


async def test_what_people_wrote_is_in_no_error(log: InteractionLog, database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(METADATA.drop_all)
    with pytest.raises(StorageError) as failed:
        await log.save(interaction("i1"))
    told = "".join(traceback.format_exception(failed.value))
    assert "interactions" in told
    assert "a transfer" not in told
