"""A night's report is read from the stores, with the figures of the nights before it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent.nights.report.gather import gather_report, read_history, stored_report
from agent.nights.report.records import MorningReport
from agent.nights.report.report import morning_report
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.database.database import Database, open_database
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.nights.store import NightStore
from memory.records.access import SHARED
from memory.records.nights import Night
from tests.support.interactions import interaction
from tests.support.nights import WHEN, golden, night, revision, score, topic

HOUR_BEFORE = WHEN - timedelta(hours=1)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path / 'nightschool.db'}")
    yield opened
    await opened.aclose()


async def report_of(night: Night, database: Database) -> MorningReport:
    return await gather_report(
        night,
        store=NightStore(database),
        log=InteractionLog(database),
        feedback=FeedbackStore(database),
        registry=VolatileAdapterRegistry(),
        access=SHARED,
    )


async def finished(id: str, days: int, database: Database, *, status: str = "done") -> Night:
    """A stored night that ended so many days after the first."""
    moment = WHEN + timedelta(days=days)
    period = {"since": moment - timedelta(days=1), "until": moment, "began_at": moment}
    begun = await NightStore(database).begin(night(id, **period))
    summary = morning_report(begun, turns=(), scores=[score(value=5 + days)]).model_dump(mode="json")
    ended = begun.model_copy(update={"status": status, "summary": summary})
    await NightStore(database).update(ended)
    return ended


async def test_only_turns_of_its_domain_and_period_count(database: Database) -> None:
    log = InteractionLog(database)
    for id, fields in {
        "mine": {},
        "other": {"domain": "python"},
        "late": {"created_at": WHEN},
        "excluded": {"owner": "robot"},
    }.items():
        await log.save(interaction(id, **{"created_at": HOUR_BEFORE, **fields}))
    store = NightStore(database)
    await store.save_scores([score("mine", 9), score("other", 1), score("late", 1), score("excluded", 1)])
    begun = await store.begin(night(options={"exclude_owners": ("robot",)}))
    report = await report_of(begun, database)
    assert (report.turns, report.brackets) == (1, {"low": 0, "middle": 0, "high": 1})


async def test_of_too_many_turns_the_newest_count(database: Database) -> None:
    log = InteractionLog(database)
    for number in range(4):
        moment = HOUR_BEFORE + timedelta(minutes=number)
        await log.save(interaction(f"i{number}", created_at=moment, unit=f"u{number}"))
    begun = await NightStore(database).begin(night(options={"max_turns": 3}))
    assert (await report_of(begun, database)).units == 3


async def test_what_the_night_made_is_in_it_and_what_others_made_is_not(database: Database) -> None:
    store = NightStore(database)
    await InteractionLog(database).save(interaction("i1", created_at=HOUR_BEFORE))
    begun = await store.begin(night())
    await store.save_revision(revision())
    await store.save_revision(revision("r2", night_id="n0"))
    await store.save_golden([golden(), golden("g2", night_id="n0")])
    await store.save_topics("n1", [topic()])
    report = await report_of(begun, database)
    assert (report.revisions, report.golden, len(report.topics)) == ({"improved": 1}, {"qa": 1}, 1)


async def test_the_history_holds_earlier_nights_that_were_done_oldest_first(database: Database) -> None:
    await finished("n0", 0, database)
    await finished("stopped", 1, database, status="stopped")
    await finished("n2", 2, database)
    last = await finished("n3", 3, database)
    await finished("n4", 4, database)
    history = await read_history(last, NightStore(database))
    assert [(figures.night_id, figures.quality) for figures in history] == [("n0", 5), ("n2", 7)]


async def test_a_night_that_is_over_keeps_its_report(database: Database) -> None:
    ended = await finished("n0", 0, database)
    kept = stored_report(await NightStore(database).night("n0"))
    assert kept is not None
    assert kept.figures.quality == 5
    assert stored_report(ended.model_copy(update={"summary": {}})) is None
