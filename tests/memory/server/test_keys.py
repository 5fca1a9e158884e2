"""API keys: a key is found, and known to be required, at whatever moment the cache expires."""

import itertools
from collections.abc import AsyncIterator

import pytest

from memory.database.database import Database, open_database
from memory.errors import UnknownKey
from memory.server.audit import AuditLog
from memory.server.keys import CACHE_SECONDS, LOCAL_OPERATOR, ApiKeys
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]

CALLS = 20


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await open_database(database_url)
    yield database
    await database.aclose()


@pytest.mark.parametrize("step", [CACHE_SECONDS / 7, CACHE_SECONDS / 2, CACHE_SECONDS, 2 * CACHE_SECONDS])
async def test_the_cache_may_expire_between_any_two_reads(database: Database, step: float) -> None:
    """The timer advances whenever it is read, so that entries expire in the middle of calls."""
    ticks = itertools.count()
    keys = ApiKeys(database, timer=lambda: step * next(ticks))
    assert not any([await keys.required() for _ in range(CALLS)])

    _, text = await keys.create("ann", "chat")
    later = ApiKeys(database, timer=lambda: step * next(ticks))
    assert all([await later.required() for _ in range(CALLS)])
    assert all([await later.find(text) for _ in range(CALLS)])


async def test_a_new_key_is_found_although_it_was_looked_for_before(database: Database) -> None:
    keys = ApiKeys(database)
    assert await keys.find("nsk_unknown") is None
    _, text = await keys.create("ann", "chat")
    found = await keys.find(text)
    assert found is not None
    assert found.owner == "ann"


async def test_a_revoked_key_is_not_found_once_the_cache_has_expired(database: Database) -> None:
    now = [0.0]
    keys = ApiKeys(database, timer=lambda: now[0])
    key, text = await keys.create("ann", "chat")
    assert await keys.find(text) is not None
    await keys.revoke(key.id)
    now[0] = CACHE_SECONDS + 0.1
    assert await keys.find(text) is None
    assert await keys.required()


async def test_no_key_has_the_name_of_the_local_operator(database: Database) -> None:
    for name in (LOCAL_OPERATOR, " "):
        with pytest.raises(ValueError, match="use the name of a person"):
            await ApiKeys(database).create(name, "chat")


async def test_who_may_call_since_when_is_in_the_audit_log(database: Database) -> None:
    keys = ApiKeys(database)
    key, text = await keys.create("ann", "learn")
    await keys.revoke(key.id)
    with pytest.raises(UnknownKey):
        await keys.revoke("none")
    rows = await AuditLog(database).list()
    assert [(row.action, row.subject) for row in rows] == [
        ("key.create", key.id),
        ("key.revoke", key.id),
        ("key.revoke", "none"),
        ("key.revoke.failed", "none"),
    ]
    assert rows[0].details == {"owner": "ann", "scope": "learn"}
    assert text not in "".join(row.model_dump_json() for row in rows)
