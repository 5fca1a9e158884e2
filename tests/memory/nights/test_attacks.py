"""Attacks are kept with the turn that they are about, and seen by who may read their source."""

from collections.abc import AsyncIterator

import pytest

from memory.database.database import Database, open_database
from memory.feedback.interactions import InteractionLog
from memory.nights.attacks import Attacks
from memory.records.access import Access
from tests.support.databases import database_url, empty_runs, home, postgresql, template
from tests.support.interactions import interaction
from tests.support.nights import CITATION, LATER, attack

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_database(database_url)
    for id in ("i1", "i2"):
        await InteractionLog(opened).save(interaction(id))
    yield opened
    await opened.aclose()


async def test_attacks_are_listed_by_night_domain_and_result_newest_first(database: Database) -> None:
    store = Attacks(database)
    for each in (
        attack("x1"),
        attack("x2", result="held", created_at=LATER),
        attack("x3", night_id="n2", domain="python", interaction_id=None),
    ):
        await store.save(each)
    assert [each.id for each in await store.list()] == ["x2", "x1", "x3"]
    assert await store.list(night_id="n1", result="fell") == (attack("x1"),)
    assert [each.id for each in await store.list(domain="python")] == ["x3"]


async def test_an_attack_is_there_once(database: Database) -> None:
    store = Attacks(database)
    await store.save(attack())
    await store.save(attack(answer="A value.", result="held"))
    assert [each.result for each in await store.list()] == ["held"]


async def test_an_attack_goes_with_its_turn_and_does_not_come_back(database: Database) -> None:
    store, log = Attacks(database), InteractionLog(database)
    await store.save(attack("x1"))
    await store.save(attack("x2", interaction_id=None))
    await log.delete_before(LATER)
    assert [each.id for each in await store.list()] == ["x2"]
    await store.save(attack("x1"))
    assert [each.id for each in await store.list()] == ["x2"]


async def test_only_who_may_read_the_source_sees_an_attack(database: Database) -> None:
    store = Attacks(database)
    private = CITATION.model_copy(update={"owner": "ann", "domain": "rust"})
    await store.save(attack("x1", citation=private))
    await store.save(attack("x2", domain="closed"))
    closed = frozenset({"closed"})
    assert [each.id for each in await store.list(access=Access(owner="ann", closed=closed))] == ["x1"]
    assert await store.list(access=Access(owner="ben", closed=closed)) == ()
