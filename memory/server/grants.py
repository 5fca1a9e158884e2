"""Grants: which owners may use a closed domain. A domain is closed while it has at least one grant."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cachetools import TTLCache
from sqlalchemy import delete, select

from memory.database.database import Database
from memory.database.tables import GRANTS
from memory.errors import UnknownGrant
from memory.records.access import Access
from memory.records.base import Domain, Record
from memory.server.audit import AuditLog
from memory.server.keys import LOCAL_OPERATOR
from memory.server.threads import moment

CACHE_SECONDS = 5.0
"""A grant that another process adds or removes takes effect at most this much later."""


class Grant(Record):
    """An owner's right to a closed domain."""

    owner: str
    domain: Domain
    write: bool = False
    """May also add documents, teach and run nights; without it the owner only reads and chats."""
    created_at: datetime


class Grants:
    """The grants of one database."""

    def __init__(
        self,
        database: Database,
        timer: Callable[[], float] = time.monotonic,
        *,
        audit_heads: Path | None = None,
    ) -> None:
        """`audit_heads` is the file of the audit log's hashes."""
        self._database = database
        self._audit = AuditLog(database, audit_heads)
        self._cache: TTLCache[str, tuple[Grant, ...]] = TTLCache(maxsize=1, ttl=CACHE_SECONDS, timer=timer)

    async def add(
        self, owner: str, domain: Domain, *, write: bool = False, by: str = LOCAL_OPERATOR
    ) -> tuple[Grant, bool]:
        """Grants the owner the domain, or changes its grant; also returns whether this closed the domain.

        Raises ValueError for an empty owner.
        """
        if not owner.strip():
            raise ValueError("a grant needs the owner of a key: `nightschool keys list` shows them")
        now = self._database.now()
        grant = Grant(owner=owner, domain=domain, write=write, created_at=now)
        row = {"owner": owner, "domain": domain, "write": write, "created_at": now.timestamp()}
        audited = self._audit.acting(
            "grant.add", by=by, subject=domain, details={"owner": owner, "write": write}
        )
        async with audited, self._database.begin() as connection:
            known = await connection.execute(select(GRANTS.c.owner).where(GRANTS.c.domain == domain).limit(1))
            closed_now = known.first() is None
            await connection.execute(self._database.upsert(GRANTS).values(row))
        self._cache.clear()
        return grant, closed_now

    async def remove(
        self, owner: str, domain: Domain, *, reopen: bool = False, by: str = LOCAL_OPERATOR
    ) -> bool:
        """Removes a grant; returns whether the domain is open now.

        Raises UnknownGrant, and ValueError for the last grant of a domain unless `reopen`: everybody would
        see what is shared in it.
        """
        audited = self._audit.acting("grant.remove", by=by, subject=domain, details={"owner": owner})
        async with audited, self._database.begin() as connection:
            rows = await connection.execute(
                select(GRANTS.c.owner).where(GRANTS.c.domain == domain).with_for_update()
            )
            owners = set(rows.scalars())
            if owner not in owners:
                raise UnknownGrant(f"{owner} has no grant on {domain}: `nightschool grants list` shows all")
            opens = owners == {owner}
            if opens and not reopen:
                raise ValueError(
                    f"this is the last grant on {domain}: without it the domain is open to every key; "
                    "use --reopen (or reopen=true) if that is wanted, or grant it to somebody else first"
                )
            await connection.execute(delete(GRANTS).where(GRANTS.c.owner == owner, GRANTS.c.domain == domain))
        self._cache.clear()
        return opens

    async def list(self) -> tuple[Grant, ...]:
        """All grants, by domain and owner."""
        query = select(GRANTS).order_by(GRANTS.c.domain, GRANTS.c.owner)
        async with self._database.begin() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(Grant(**(dict(row) | {"created_at": moment(row["created_at"])})) for row in rows)

    async def access(self, owner: str | None) -> Access:
        """What an owner may read and write; None is an admin, or everyone in a service without keys."""
        grants = self._cache.get("all")
        if grants is None:
            grants = self._cache["all"] = await self.list()
        own = [grant for grant in grants if grant.owner == owner]
        return Access(
            owner=owner,
            everything=owner is None,
            closed=frozenset(grant.domain for grant in grants),
            readable=frozenset(grant.domain for grant in own),
            writable=frozenset(grant.domain for grant in own if grant.write),
        )
