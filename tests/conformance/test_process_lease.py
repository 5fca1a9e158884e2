"""What every process lease does: it names its process, and says which others no longer live."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import psycopg
import pytest

from memory.errors import StoreUnavailable
from memory.server import process_leases
from memory.server.process_leases import PostgresLease, ProcessLease, open_lease
from tests.graphs.conftest import eventually
from tests.support.databases import postgresql

__all__ = ["postgresql"]

DEAD = "a process that died"
NOBODY: frozenset[str] = frozenset()
EXPIRY_SECONDS = 0.2

Open = Callable[[], AbstractAsyncContextManager[ProcessLease]]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_leases, "EXPIRY_SECONDS", EXPIRY_SECONDS)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def opening(request: pytest.FixtureRequest) -> Open:
    """Opens a lease on the same database, once for each process."""
    if request.param == "sqlite":
        return lambda: open_lease("sqlite:////nowhere/nightschool.db")
    url = request.getfixturevalue("postgresql").get_uri("postgres")
    return lambda: open_lease(url)


@pytest.fixture
async def lease(opening: Open) -> AsyncIterator[ProcessLease]:
    async with opening() as opened:
        yield opened


@pytest.fixture
def url(postgresql: Any) -> str:
    return str(postgresql.get_uri("postgres"))


@pytest.fixture
async def leases(url: str) -> AsyncIterator[tuple[PostgresLease, PostgresLease]]:
    """The leases of two processes that share a PostgreSQL; a SQLite file has only one."""
    async with open_lease(url) as one, open_lease(url) as two:
        assert isinstance(one, PostgresLease)
        assert isinstance(two, PostgresLease)
        yield one, two


async def expires(lease: ProcessLease, name: str) -> None:
    """Waits until that process counts as dead."""

    async def expired() -> bool:
        return await lease.expired(frozenset({name})) == {name}

    await eventually(expired)


async def disconnect(url: str, *leases: PostgresLease) -> None:
    """Ends the connections of the leases on the server, as a crash of PostgreSQL does."""
    pids = [lease._connection.info.backend_pid for lease in leases if lease._connection is not None]
    assert len(pids) == len(leases)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for pid in pids:
            await connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


async def test_each_process_has_a_name_of_its_own(opening: Open) -> None:
    async with AsyncExitStack() as stack:
        names = {(await stack.enter_async_context(opening())).name for _ in range(3)}
    assert len(names) == 3


async def test_this_process_never_expires(lease: ProcessLease) -> None:
    await expires(lease, DEAD)
    assert await lease.expired(frozenset({lease.name})) == NOBODY
    assert await lease.expired(frozenset({lease.name, DEAD})) == {DEAD}


async def test_only_processes_that_were_named_expire(lease: ProcessLease) -> None:
    await expires(lease, DEAD)
    assert await lease.expired(NOBODY) == NOBODY


async def test_a_process_that_closed_its_lease_expires(opening: Open, lease: ProcessLease) -> None:
    async with opening() as other:
        name = other.name
    await expires(lease, name)


@pytest.mark.services
async def test_two_living_processes_see_each_other(leases: tuple[PostgresLease, PostgresLease]) -> None:
    one, two = leases
    names = frozenset({one.name, two.name, DEAD})
    await expires(one, DEAD)
    await expires(two, DEAD)
    assert await one.expired(names) == await two.expired(names) == {DEAD}


@pytest.mark.services
async def test_a_process_is_missing_for_a_while_before_it_expires(
    leases: tuple[PostgresLease, PostgresLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = leases
    monkeypatch.setattr(process_leases, "EXPIRY_SECONDS", 60.0)
    await two.release()
    assert await one.expired(frozenset({two.name})) == NOBODY
    monkeypatch.setattr(process_leases, "EXPIRY_SECONDS", 0.0)
    assert await one.expired(frozenset({two.name})) == {two.name}


@pytest.mark.services
async def test_a_process_whose_connection_is_lost_expires(
    url: str, leases: tuple[PostgresLease, PostgresLease]
) -> None:
    one, two = leases
    await disconnect(url, two)
    await expires(one, two.name)


@pytest.mark.services
async def test_a_lost_connection_is_opened_again_and_the_lease_with_it(
    url: str, leases: tuple[PostgresLease, PostgresLease]
) -> None:
    one, two = leases
    await disconnect(url, two)
    await expires(one, two.name)
    assert await two.expired(frozenset({one.name, DEAD})) == NOBODY, "it has just come back itself"
    assert await one.expired(frozenset({two.name})) == NOBODY
    assert await two.expired(frozenset({one.name, two.name})) == NOBODY


@pytest.mark.services
async def test_after_an_outage_the_others_have_time_to_come_back(
    url: str, leases: tuple[PostgresLease, PostgresLease]
) -> None:
    one, two = leases
    await expires(one, DEAD)
    await disconnect(url, one, two)
    names = frozenset({two.name, DEAD})
    assert await one.expired(names) == NOBODY
    assert await one.expired(names) == NOBODY, "it begins to count anew"
    await two.expired(NOBODY)
    await expires(one, DEAD)
    assert await one.expired(names) == {DEAD}


@pytest.mark.services
async def test_a_lease_comes_back_while_the_server_still_holds_its_lost_connection(
    leases: tuple[PostgresLease, PostgresLease],
) -> None:
    """As after a network partition, of which the server hears later than its client."""
    one, two = leases
    lost = two._connection
    await asyncio.wait_for(two.acquire(), 10)
    assert await one.expired(frozenset({two.name})) == NOBODY
    assert lost is not None
    await lost.close()
    assert await one.expired(frozenset({two.name})) == NOBODY
    await two.release()
    await expires(one, two.name)


@pytest.mark.services
async def test_a_database_that_is_away_is_an_unavailable_store(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="check its URL"):
        await PostgresLease("postgresql://localhost:1/nothing").acquire()
