"""Process leases: an advisory lock held for as long as a process that shares the database lives.

Says who is gone; what to do with what they left is the caller's business.
"""

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import psycopg
from sqlalchemy.engine import make_url

from memory.errors import StoreUnavailable

GONE_SECONDS = 6.0
"""How long a process has to be missed: after the server's restart each takes a while to be back."""
HERE = 0x70726F63
"""First number of the PostgreSQL advisory locks that stand for processes."""
ALIVE: dict[str, Any] = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
"""So that the server notices within seconds that a machine is gone."""


class Presence(Protocol):
    """This process among those that share its database."""

    name: str
    """No other process has it at the same time."""

    async def gone(self, names: frozenset[str]) -> frozenset[str]:
        """Which of those processes are no more. Raises StoreUnavailable."""
        ...


class Alone:
    """The one process that works on a SQLite file; whoever had its name before is gone."""

    name = "api"

    async def gone(self, names: frozenset[str]) -> frozenset[str]:
        """See Presence.gone."""
        return names - {self.name}


class Present:
    """One of several processes on one PostgreSQL; the connection that holds its lock is its sign of life."""

    def __init__(self, url: str) -> None:
        """`come` has to be called before anything else."""
        self.name = uuid.uuid4().hex
        self._url = url
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._missed: dict[str, float] = {}
        """Since when, by the monotonic clock."""

    async def come(self) -> None:
        """Takes the lock, anew if the connection was lost. Raises StoreUnavailable."""
        self._missed = {}  # who is back later than we are is not gone
        try:
            self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, **ALIVE)
            await self._connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (HERE, self.name))
        except psycopg.Error as error:
            raise StoreUnavailable(f"PostgreSQL: {error}; check its URL, and that it runs") from error

    async def gone(self, names: frozenset[str]) -> frozenset[str]:
        """See Presence.gone."""
        assert self._connection is not None, "come was called"
        if self._connection.closed or self._connection.broken:
            await self.come()
        held = """SELECT hashtext(name) IN (
            SELECT objid::bigint::bit(32)::int FROM pg_locks
            WHERE locktype = 'advisory' AND classid = %s AND granted
        ) FROM unnest(%s::text[]) AS name"""
        asked = sorted(names)
        try:
            rows = await (await self._connection.execute(held, (HERE, asked))).fetchall()
        except psycopg.OperationalError:
            await self.come()  # at once, before others miss us
            return frozenset()
        except psycopg.Error as error:
            raise StoreUnavailable(f"PostgreSQL: {error}; check that it runs") from error
        now = time.monotonic()
        missed = [name for name, (here,) in zip(asked, rows, strict=True) if not here]
        self._missed = {name: self._missed.get(name, now) for name in missed}
        return frozenset(name for name, since in self._missed.items() if now - since >= GONE_SECONDS)

    async def leave(self) -> None:
        """Lets the lock go."""
        if self._connection is not None:
            await self._connection.close()


@asynccontextmanager
async def open_presence(url: str) -> AsyncIterator[Presence]:
    """This process, while the block lasts, on the database of a SQLAlchemy URL. Raises StoreUnavailable."""
    if make_url(url).get_backend_name() == "sqlite":
        yield Alone()
        return
    present = Present(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    await present.come()
    try:
        yield present
    finally:
        await present.leave()
