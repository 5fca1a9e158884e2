"""API keys in the relational store, with their owners and scopes; only their digests are stored."""

import hashlib
import secrets
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from cachetools import TTLCache
from sqlalchemy import RowMapping, insert, select, update

from memory.database.database import Database
from memory.database.tables import API_KEYS
from memory.errors import UnknownKey
from memory.records.access import WEB_OWNER
from memory.records.base import Record
from memory.server.audit import AuditLog
from memory.server.threads import moment

Scope = Literal["metrics", "chat", "annotate", "learn", "approve", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""In ascending order: each scope includes those before it, but `metrics`, which only `admin` includes."""
LOCAL_OPERATOR = "local operator"
"""The name of everyone who calls a service without keys. No key may have this owner."""
PREFIX = "nsk_"
SECRET_BYTES = 32
"""Random enough that the stored digest needs no salt."""
CACHE_SECONDS = 5.0
"""A revoked key works at most this long, and a service without keys notices its first key after this time."""


class ApiKey(Record):
    """An API key without its secret."""

    id: str
    owner: str
    scope: Scope
    created_at: datetime
    revoked_at: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether the key's scope includes `scope`."""
        if scope == "metrics":
            return self.scope in ("metrics", "admin")
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


class ApiKeys:
    """The keys of one database."""

    def __init__(
        self,
        database: Database,
        timer: Callable[[], float] = time.monotonic,
        audit_heads: Path | None = None,
    ) -> None:
        """`audit_heads` is the file of the audit log's hashes."""
        self._database = database
        self._audit = AuditLog(database, audit_heads)
        # Each is read once per call: an entry may expire between two reads.
        self._found: TTLCache[str, ApiKey] = TTLCache(maxsize=1000, ttl=CACHE_SECONDS, timer=timer)
        self._required: TTLCache[str, bool] = TTLCache(maxsize=1, ttl=CACHE_SECONDS, timer=timer)

    async def create(self, owner: str, scope: Scope) -> tuple[ApiKey, str]:
        """Creates a key; returns it with its secret text, which cannot be retrieved later.

        Raises ValueError for an owner's name that is empty or reserved.
        """
        if not owner.strip() or owner in (LOCAL_OPERATOR, WEB_OWNER):
            raise ValueError(f"owner {owner!r}: use the name of a person or an application")
        text = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        now = self._database.now()
        key = ApiKey(id=uuid.uuid4().hex[:12], owner=owner, scope=scope, created_at=now)
        row = {"id": key.id, "owner": owner, "scope": scope, "created_at": now.timestamp()}
        details = {"owner": owner, "scope": scope}
        async with (
            self._audit.acting("key.create", by=LOCAL_OPERATOR, subject=key.id, details=details),
            self._database.begin() as connection,
        ):
            await connection.execute(insert(API_KEYS).values(row | {"digest": _digest(text)}))
        return key, text

    async def revoke(self, key_id: str) -> None:
        """Revokes a key; revoking it again changes nothing. Raises UnknownKey."""
        is_this = API_KEYS.c.id == key_id
        now = self._database.now().timestamp()
        async with (
            self._audit.acting("key.revoke", by=LOCAL_OPERATOR, subject=key_id),
            self._database.begin() as connection,
        ):
            if (await connection.execute(select(API_KEYS.c.id).where(is_this))).first() is None:
                raise UnknownKey(f"no key {key_id}: `nightschool keys list` shows all keys")
            await connection.execute(
                update(API_KEYS).where(is_this, API_KEYS.c.revoked_at.is_(None)).values(revoked_at=now)
            )

    async def list(self) -> tuple[ApiKey, ...]:
        """All keys including revoked ones, oldest first."""
        async with self._database.begin() as connection:
            rows = (await connection.execute(select(API_KEYS).order_by(API_KEYS.c.created_at))).mappings()
            return tuple(_key(row) for row in rows)

    async def find(self, text: str) -> ApiKey | None:
        """The key with this secret text; None if it does not exist or was revoked."""
        digest = _digest(text)
        key = self._found.get(digest)
        if key is None:
            query = select(API_KEYS).where(API_KEYS.c.digest == digest, API_KEYS.c.revoked_at.is_(None))
            async with self._database.begin() as connection:
                row = (await connection.execute(query)).mappings().first()
            if row is not None:
                key = self._found[digest] = _key(row)
        return key

    async def valid(self, key_id: str) -> ApiKey | None:
        """The key with this id; None if it does not exist or was revoked."""
        query = select(API_KEYS).where(API_KEYS.c.id == key_id, API_KEYS.c.revoked_at.is_(None))
        async with self._database.begin() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else _key(row)

    async def required(self) -> bool:
        """Whether requests need a key: true once a key was ever created.

        Revoked keys count, so that revoking the last one does not open the service to everyone.
        """
        required = self._required.get("required")
        if required is None:
            query = select(API_KEYS.c.id).limit(1)
            async with self._database.begin() as connection:
                required = (await connection.execute(query)).first() is not None
            self._required["required"] = required
        return required


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
