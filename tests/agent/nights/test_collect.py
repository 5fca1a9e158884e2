"""A night uses the newest turns of its domain and period, and none that must not be used."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.feedback.pair_sources import Evidence
from agent.nights.collect import by_unit, collect, covered_until, usable_evidence
from memory.database.database import Database, open_database
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.records.access import SHARED
from memory.records.feedback import AnnotationItem
from memory.records.interactions import LoggedMessage
from memory.records.nights import Night
from tests.support.databases import migrated_sqlite
from tests.support.interactions import NOON, feedback, follow_up, interaction
from tests.support.nights import night


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    path = tmp_path / "nightschool.db"
    path.write_bytes(await asyncio.to_thread(migrated_sqlite))
    opened = await open_database(f"sqlite:///{path}")
    yield opened
    await opened.aclose()


@pytest.fixture
def log(database: Database) -> InteractionLog:
    return InteractionLog(database)


@pytest.fixture
def given(database: Database) -> FeedbackStore:
    return FeedbackStore(database)


def tonight(**options: Any) -> Night:
    return night(since=NOON, options=options)


def item(id: str, interaction_id: str) -> AnnotationItem:
    return AnnotationItem(
        id=id,
        batch="b",
        interaction_id=interaction_id,
        domain="rust",
        messages=(LoggedMessage(role="user", content="What is A?"),),
        a="A value.",
        b="A name.",
        a_source="served",
        b_source="sampled",
        created_at=NOON,
    )


async def test_turns_of_other_domains_and_times_are_not_collected(
    log: InteractionLog, given: FeedbackStore
) -> None:
    for turn in (
        interaction("before", minutes=-1),
        interaction("i1"),
        interaction("other", minutes=1, domain="python"),
        interaction("i2", minutes=2, outcome="abstained"),
        interaction("after", minutes=24 * 60),
    ):
        await log.save(turn)
    found = await collect(log, given, tonight(), SHARED)
    assert (found.ids, found.left_out) == (("i1", "i2"), {})
    assert (found.figures["turns"], found.figures["abstained"]) == (2, 1)


async def test_turns_that_must_not_be_used_are_counted_by_reason(
    log: InteractionLog, given: FeedbackStore
) -> None:
    for id, fields in {
        "i1": {},
        "i2": {"owner": "ann"},
        "i3": {"owner": "bob"},
        "i4": {"answer": "  "},
    }.items():
        await log.save(interaction(id, **fields))
    await given.add(feedback("f1", "reported", text="This is private, please do not use it."))
    found = await collect(log, given, tonight(exclude_owners=("bob",)), SHARED)
    assert found.ids == ("i2",)
    assert sorted(found.left_out) == [
        "its owner is excluded",
        "no question or no answer",
        "reported as private, or quotes a turn that was",
    ]


async def test_a_later_turn_that_quotes_one_reported_as_private_before_the_period_is_not_used(
    log: InteractionLog, given: FeedbackStore
) -> None:
    reported = interaction("i1", minutes=-60)
    for turn in (reported, follow_up(reported), interaction("i3")):
        await log.save(turn)
    await given.add(feedback("f1", "reported", text="This is private."))
    found = await collect(log, given, tonight(), SHARED)
    assert found.ids == ("i3",)
    evidence = Evidence([follow_up(reported)], [], [item("of-i2", "i2"), item("of-i3", "i3")], ())
    left = await usable_evidence(evidence, log, given, tonight(), SHARED)
    assert (list(left.interactions), [each.id for each in left.items]) == ([], ["of-i3"])


async def test_evidence_is_free_of_turns_that_must_not_be_used_and_of_what_is_about_them(
    log: InteractionLog, given: FeedbackStore
) -> None:
    turns = [
        interaction("i1"),
        interaction("i2"),
        interaction("i3", owner="bob"),
        interaction("old", owner="bob", minutes=-9999),
    ]
    for turn in turns:
        await log.save(turn)
    await given.add(feedback("f1", "reported", text="This is private."))
    votes = [feedback(f"f-{id}", "vote", value=1, interaction_id=id) for id in ("i1", "i2", "i3")]
    evidence = Evidence(
        interactions=turns[:3],
        feedback=[*votes, votes[1].model_copy(update={"owner": "bob"})],
        items=[item("of-i2", interaction_id="i2"), item("of-old", interaction_id="old")],
    )
    found = await usable_evidence(evidence, log, given, tonight(exclude_owners=("bob",)), SHARED)
    assert [turn.id for turn in found.interactions] == ["i2"]
    assert list(found.feedback) == [votes[1]]
    assert [each.id for each in found.items] == ["of-i2"]


async def test_a_turn_that_was_reported_as_wrong_is_used(log: InteractionLog, given: FeedbackStore) -> None:
    await log.save(interaction("i1"))
    await given.add(feedback("f1", "reported", text="This is wrong."))
    assert (await collect(log, given, tonight(), SHARED)).ids == ("i1",)


async def test_of_too_many_turns_the_newest_are_used(log: InteractionLog, given: FeedbackStore) -> None:
    for number in range(5):
        await log.save(interaction(f"i{number}", minutes=number))
    found = await collect(log, given, tonight(max_turns=2), SHARED)
    assert found.ids == ("i3", "i4")
    assert found.figures["left_out"] == 3


def test_nights_cover_what_they_went_over_without_a_gap() -> None:
    def done(id: str, since: int, until: int, **fields: Any) -> Night:
        hours = {"since": NOON + timedelta(hours=since), "until": NOON + timedelta(hours=until)}
        return night(id, **({"began_at": hours["until"], "status": "done"} | hours | fields))

    first, second, later = done("n1", 0, 24), done("n2", 24, 48), done("n3", 50, 60)
    assert covered_until([]) is None
    assert covered_until([later, second, first]) == second.until
    assert covered_until([first, second, done("n3", 40, 60)]) == NOON + timedelta(hours=60)
    assert covered_until([first, done("n2", 24, 48, status="failed")]) == first.until
    old = done("old", -999, -900, began_at=NOON + timedelta(hours=49))
    assert covered_until([first, second, old]) == second.until
    assert covered_until([first, done("n2", 24 * 30, 24 * 31)]) == NOON + timedelta(days=31)


def test_turns_of_one_unit_stand_side_by_side() -> None:
    turns = [interaction(f"i{n}", minutes=n, unit=unit) for n, unit in enumerate(("b", "a", None, "b", "a"))]
    assert [turn.id for turn in by_unit(turns)] == ["i2", "i1", "i4", "i0", "i3"]
