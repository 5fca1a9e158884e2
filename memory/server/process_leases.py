"""Process leases: an advisory lock held for as long as the process lives.

A run names the process that works on it. Once that lease has expired, another process takes the run over.
"""

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import psycopg
from sqlalchemy.engine import make_url

from memory.errors import StoreUnavailable

EXPIRY_SECONDS = 6.0
"""How long a lock has to be missing before its lease counts as expired. After a restart of PostgreSQL each
process needs a moment to take its lock again."""
LOCK_CLASS = 0x70726F63
"""First number of the PostgreSQL advisory locks that stand for processes."""
IDLE, INTERVAL, COUNT = 5, 2, 3
"""TCP keep-alive, of which each side has its own: within eleven seconds both notice that the other is gone.
The server's own default is two hours, for which a lost connection would keep its lock."""
KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": IDLE,
    "keepalives_interval": INTERVAL,
    "keepalives_count": COUNT,
    "tcp_user_timeout": 1000 * (IDLE + INTERVAL * COUNT),
}
SERVERS_KEEPALIVE = f"""SELECT set_config('tcp_keepalives_idle', '{IDLE}', false),
    set_config('tcp_keepalives_interval', '{INTERVAL}', false),
    set_config('tcp_keepalives_count', '{COUNT}', false)"""


class ProcessLease(Protocol):
    """The lease of this process."""

    name: str
    """Unique among all processes, past ones included."""

    async def expired(self, names: frozenset[str]) -> frozenset[str]:
        """The processes among `names` whose lease has expired. Raises StoreUnavailable."""
        ...


class SoleProcess:
    """The lease of the only process that may open a SQLite file; every other lease counts as expired."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex

    async def expired(self, names: frozenset[str]) -> frozenset[str]:
        """See ProcessLease.expired."""
        return names - {self.name}


class PostgresLease:
    """The lease of a process that shares PostgreSQL with others: an advisory lock bound to a connection."""

    def __init__(self, url: str) -> None:
        """Call `acquire` before anything else."""
        self.name = uuid.uuid4().hex
        self._url = url
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._missing_since: dict[str, float] = {}
        """By the monotonic clock."""

    async def acquire(self) -> None:
        """Takes the lock, again if the connection was lost. Raises StoreUnavailable.

        The lock is shared: it does not wait for a lost connection that the server still takes for ours.
        """
        self._missing_since = {}  # after an outage the others may come back later than we do
        try:
            self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, **KEEPALIVE)
            await self._connection.execute(SERVERS_KEEPALIVE)
            await self._connection.execute(
                "SELECT pg_advisory_lock_shared(%s, hashtext(%s))", (LOCK_CLASS, self.name)
            )
        except psycopg.Error as error:
            raise StoreUnavailable(f"PostgreSQL: {error}; check its URL, and that it runs") from error

    async def expired(self, names: frozenset[str]) -> frozenset[str]:
        """See ProcessLease.expired."""
        assert self._connection is not None, "acquire comes first"
        if self._connection.closed or self._connection.broken:
            await self.acquire()
        query = """SELECT hashtext(name) IN (
            SELECT objid::bigint::bit(32)::int FROM pg_locks
            WHERE locktype = 'advisory' AND classid = %s AND granted
        ) FROM unnest(%s::text[]) AS name"""
        ordered = sorted(names)
        try:
            rows = await (await self._connection.execute(query, (LOCK_CLASS, ordered))).fetchall()
        except psycopg.OperationalError:
            await self.acquire()  # at once, before the others take our lease for expired
            return frozenset()
        except psycopg.Error as error:
            raise StoreUnavailable(f"PostgreSQL: {error}; check that it runs") from error
        now = time.monotonic()
        missing = [name for name, (locked,) in zip(ordered, rows, strict=True) if not locked]
        for name in names.difference(missing):
            self._missing_since.pop(name, None)
        return frozenset(
            name for name in missing if now - self._missing_since.setdefault(name, now) >= EXPIRY_SECONDS
        )

    async def release(self) -> None:
        """Releases the lock."""
        if self._connection is not None:
            await self._connection.close()


@asynccontextmanager
async def open_lease(url: str) -> AsyncIterator[ProcessLease]:
    """This process's lease on the database of a SQLAlchemy URL. Raises StoreUnavailable."""
    if make_url(url).get_backend_name() == "sqlite":
        yield SoleProcess()
        return
    lease = PostgresLease(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    await lease.acquire()
    try:
        yield lease
    finally:
        await lease.release()
