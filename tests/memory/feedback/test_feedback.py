"""Feedback is kept once, and of each kind a user's latest counts."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from memory.database.database import Database, open_database
from memory.errors import QuotaReached, UnknownInteraction
from memory.feedback.feedback import MOST_CHANGES, FeedbackStore, by_interaction, latest
from memory.feedback.interactions import InteractionLog
from tests.support.databases import POSTGRESQL, database_url, empty_runs, home, postgresql, template
from tests.support.interactions import NOON, feedback, interaction

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_database(database_url, clock=lambda: NOON)
    log = InteractionLog(opened)
    await log.save(interaction("i1"))
    await log.save(interaction("i2"))
    yield opened
    await opened.aclose()


@pytest.fixture
def store(database: Database) -> FeedbackStore:
    return FeedbackStore(database)


async def test_the_same_feedback_again_is_the_record_from_before(store: FeedbackStore) -> None:
    (first,) = await store.add(feedback("f1", "rating", value=4))
    (again,) = await store.add(feedback("f2", "rating", value=4, minutes=5))
    assert first == again == feedback("f1", "rating", value=4)
    assert await store.of(["i1"]) == (first,)


async def test_a_user_may_change_the_rating_and_change_it_back(store: FeedbackStore) -> None:
    for id, value in (("f1", 4), ("f2", 1), ("f3", 4)):
        await store.add(feedback(id, "rating", value=value))
    given = await store.of(["i1"])
    assert [each.value for each in given] == [4, 1, 4]
    assert [each.id for each in latest(given)] == ["f3"]


async def test_the_later_one_counts_even_if_its_clock_is_behind(store: FeedbackStore) -> None:
    await store.add(feedback("f1", "vote", value=1, minutes=5))
    await store.add(feedback("f2", "vote", value=-1, minutes=0))
    assert [each.value for each in latest(await store.of(["i1"]))] == [-1]


async def test_other_kinds_and_other_users_replace_nothing(store: FeedbackStore) -> None:
    await store.add(
        feedback("f1", "rating", value=4),
        feedback("f2", "comment", text="good"),
        feedback("f3", "rating", value=1, owner="ann"),
    )
    assert len(latest(await store.of(["i1"]))) == 3


async def test_feedback_on_an_unknown_interaction_is_refused_and_others_in_its_group_are_kept(
    store: FeedbackStore,
) -> None:
    good, bad, *_ = await asyncio.gather(
        store.add(feedback("f1", "rating", value=4)),
        store.add(feedback("f2", "rating", value=4, interaction_id="nowhere")),
        *(store.add(feedback(f"g{i}", "vote", value=1, owner=f"o{i}")) for i in range(20)),
        return_exceptions=True,
    )
    assert good == (feedback("f1", "rating", value=4),)
    assert isinstance(bad, UnknownInteraction)
    assert len(await store.list()) == 21


async def test_the_same_feedback_sent_at_once_is_kept_once(store: FeedbackStore) -> None:
    stored = await asyncio.gather(*(store.add(feedback(f"f{i}", "rating", value=5)) for i in range(10)))
    assert len({each.id for (each,) in stored}) == 1
    assert len(await store.of(["i1"])) == 1


@pytest.mark.parametrize("database_url", [POSTGRESQL], indirect=True)
async def test_two_processes_that_hear_the_same_keep_it_once(database: Database, database_url: str) -> None:
    other = await open_database(database_url, clock=lambda: NOON)
    stores = (FeedbackStore(database), FeedbackStore(other))
    try:
        await asyncio.gather(
            *(stores[i % 2].add(feedback(f"f{i}", "rating", value=5)) for i in range(20)),
        )
        assert len(await stores[0].of(["i1"])) == 1
    finally:
        await other.aclose()


async def test_feedback_is_found_by_interaction_and_by_time(store: FeedbackStore) -> None:
    await store.add(feedback("f1", "rating", value=4))
    await store.add(feedback("f2", "rating", value=4, interaction_id="i2", minutes=5))
    late = feedback("f2", "rating", value=4, interaction_id="i2", minutes=5)
    assert await store.list(since=late.created_at) == (late,)
    assert [each.id for each in await store.list(until=late.created_at)] == ["f1"]
    grouped = by_interaction(await store.of(["i1", "i2", "i3"]))
    assert {id: [each.id for each in given] for id, given in grouped.items()} == {"i1": ["f1"], "i2": ["f2"]}


async def test_who_changes_their_mind_too_often_fills_nothing(store: FeedbackStore) -> None:
    for number in range(MOST_CHANGES):
        await store.add(feedback(f"f{number}", "comment", text=f"comment {number}"))
    with pytest.raises(QuotaReached):
        await store.add(feedback("more", "comment", text="one more"))
    (last,) = await store.add(feedback("again", "comment", text=f"comment {MOST_CHANGES - 1}"))
    assert last.id == f"f{MOST_CHANGES - 1}"
    await store.add(feedback("other", "comment", text="another owner's", owner="ann"))
    await store.add(feedback("vote", "vote", value=1))
    assert len(await store.of(["i1"])) == MOST_CHANGES + 2
