"""A domain is closed while somebody has a grant on it, and opens again only on purpose."""

from pathlib import Path

import pytest

from memory.database.database import Database, open_database
from memory.errors import UnknownGrant
from memory.records.access import Access
from memory.server.grants import CACHE_SECONDS, Grants


@pytest.fixture
async def database(tmp_path: Path) -> Database:
    return await open_database(f"sqlite:///{tmp_path / 'runs.db'}")


async def test_without_grants_every_domain_is_open_and_admins_see_everything(database: Database) -> None:
    grants = Grants(database)
    assert await grants.access("ann") == Access(owner="ann")
    assert (await grants.access(None)).everything
    await database.aclose()


async def test_the_first_grant_closes_a_domain_to_all_others(database: Database) -> None:
    grants = Grants(database)
    _, closed_now = await grants.add("ann", "medical")
    assert closed_now
    _, closed_now = await grants.add("ben", "medical", write=True)
    assert not closed_now
    ann, ben, cem = [await grants.access(name) for name in ("ann", "ben", "cem")]
    assert [each.may_read(None, "medical") for each in (ann, ben, cem)] == [True, True, False]
    assert [each.may_write("medical") for each in (ann, ben, cem)] == [False, True, False]
    assert (await grants.access(None)).may_write("medical")
    await database.aclose()


async def test_a_grant_can_be_changed(database: Database) -> None:
    grants = Grants(database)
    await grants.add("ann", "medical", write=True)
    await grants.add("ann", "medical")
    assert not (await grants.access("ann")).may_write("medical")
    assert len(await grants.list()) == 1
    await database.aclose()


async def test_the_last_grant_is_removed_only_on_purpose(database: Database) -> None:
    grants = Grants(database)
    for owner in ("ann", "ben"):
        await grants.add(owner, "medical")
    assert not await grants.remove("ben", "medical")
    with pytest.raises(ValueError, match="open to every key"):
        await grants.remove("ann", "medical")
    assert not (await grants.access("ben")).may_use("medical")
    assert await grants.remove("ann", "medical", reopen=True)
    assert (await grants.access("ben")).may_use("medical")
    with pytest.raises(UnknownGrant, match="ann has no grant on medical"):
        await grants.remove("ann", "medical")
    await database.aclose()


async def test_grants_are_read_from_the_database_once_in_a_while(database: Database) -> None:
    now = 0.0
    here, elsewhere = Grants(database, timer=lambda: now), Grants(database)
    assert (await here.access("ben")).may_use("medical")
    await elsewhere.add("ann", "medical")
    assert (await here.access("ben")).may_use("medical")
    now = CACHE_SECONDS + 1
    assert not (await here.access("ben")).may_use("medical")
    await database.aclose()
