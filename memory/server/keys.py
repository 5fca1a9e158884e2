"""API keys in the relational store: whose they are, and what they may do.

Keeps digests of them only; what a scope opens is the api's business.
"""

import hashlib
import secrets
import uuid
from datetime import datetime
from typing import Any, Literal

from cachetools import TTLCache
from sqlalchemy import RowMapping, insert, select, update

from memory.database.database import Database
from memory.database.tables import API_KEYS
from memory.errors import UnknownKey
from memory.records.base import Record
from memory.server.threads import moment

Scope = Literal["chat", "learn", "admin"]
SCOPES: tuple[Scope, ...] = ("chat", "learn", "admin")
"""Each may what those before it may."""
PREFIX = "nsk_"
SECRET_BYTES = 32
"""With so much chance in a key, a plain digest needs no salt."""
REMEMBERED_SECONDS = 5.0
"""A key that was revoked works for so long at most; a service without keys notices the first one after it."""


class ApiKey(Record):
    """One key, without what makes it work."""

    id: str
    owner: str
    scope: Scope
    created_at: datetime
    revoked_at: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether it covers what needs that scope."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


class ApiKeys:
    """The keys of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: TTLCache[str, ApiKey | None] = TTLCache(maxsize=1000, ttl=REMEMBERED_SECONDS)
        self._required: TTLCache[str, bool] = TTLCache(maxsize=1, ttl=REMEMBERED_SECONDS)

    async def create(self, owner: str, scope: Scope) -> tuple[ApiKey, str]:
        """A new key, and the text of it, which nobody can be told again."""
        text = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        now = self._database.now()
        key = ApiKey(id=uuid.uuid4().hex[:12], owner=owner, scope=scope, created_at=now)
        row = {"id": key.id, "owner": owner, "scope": scope, "created_at": now.timestamp()}
        async with self._database.begin() as connection:
            await connection.execute(insert(API_KEYS).values(row | {"digest": _digest(text)}))
        return key, text

    async def revoke(self, key_id: str) -> None:
        """Makes a key worthless; again changes nothing. Raises UnknownKey."""
        this = API_KEYS.c.id == key_id
        now = self._database.now().timestamp()
        async with self._database.begin() as connection:
            if (await connection.execute(select(API_KEYS.c.id).where(this))).first() is None:
                raise UnknownKey(f"no key {key_id}: `nightschool keys list` shows them")
            await connection.execute(
                update(API_KEYS).where(this, API_KEYS.c.revoked_at.is_(None)).values(revoked_at=now)
            )

    async def list(self) -> tuple[ApiKey, ...]:
        """All keys, oldest first, revoked ones too."""
        async with self._database.begin() as connection:
            rows = (await connection.execute(select(API_KEYS).order_by(API_KEYS.c.created_at))).mappings()
            return tuple(_key(row) for row in rows)

    async def find(self, text: str) -> ApiKey | None:
        """The key of that text, unless there is none or it was revoked."""
        digest = _digest(text)
        if digest not in self._found:
            query = select(API_KEYS).where(API_KEYS.c.digest == digest, API_KEYS.c.revoked_at.is_(None))
            async with self._database.begin() as connection:
                row = (await connection.execute(query)).mappings().first()
            self._found[digest] = None if row is None else _key(row)
        return self._found.get(digest)

    async def required(self) -> bool:
        """Whether there ever were keys; a service without any asks nobody for one.

        Revoked ones count: to revoke the last one must open nothing.
        """
        if "required" not in self._required:
            query = select(API_KEYS.c.id).limit(1)
            async with self._database.begin() as connection:
                self._required["required"] = (await connection.execute(query)).first() is not None
        return bool(self._required.get("required", True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _key(row: RowMapping) -> ApiKey:
    revoked: Any = row["revoked_at"]
    return ApiKey(
        id=row["id"],
        owner=row["owner"],
        scope=row["scope"],
        created_at=moment(row["created_at"]),
        revoked_at=None if revoked is None else moment(revoked),
    )
