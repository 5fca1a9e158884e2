"""The audit log: who approved, promoted, forgot or granted what; append-only and hash-chained.

Each row holds the SHA-256 of the row before it and of itself, so that `verify` finds the first row that was
altered, moved or removed. That the newest rows were cut off shows only against a copy elsewhere: each row's
number and hash is also appended to a file (`audit.heads`) and written to the service's log.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import RowMapping, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from memory.database.database import Database
from memory.database.tables import AUDIT_LOG
from memory.errors import StoreUnavailable
from memory.records.base import Record, digest_of

log = logging.getLogger(__name__)

Action = Literal[
    "adapter.promote",
    "adapter.rollback",
    "assistant.change",
    "curriculum.approve",
    "curriculum.decline",
    "curriculum.edit",
    "experiment.change",
    "experiment.start",
    "experiment.stop",
    "gate.calibrate",
    "golden.decide",
    "grant.add",
    "grant.remove",
    "key.create",
    "key.revoke",
    "lesson.forget",
    "memory.forget",
    "model.add",
    "model.remove",
    "model.stop",
    "model.study",
    "model.use",
    "preferences.train",
    "revision.decide",
    "sentence.reinstate",
    "perspective.weigh",
    "sentence.withdraw",
    "signature.refuse",
    "webhook.refuse",
]
"""What is recorded. `adapter.promote.failed` and so on say that the action before was not carried out."""

HEADS = "audit.heads"
"""Name of the file with each row's number and hash, in the home folder."""
FIRST_PREVIOUS = "0" * 64
"""What the first row holds as the hash of the row before it."""
LOCK = 0x6175646974
"""Number of the PostgreSQL advisory lock that lets only one process append at a time."""
BATCH = 1000
"""Rows that `verify` reads at once."""
FAILED = ".failed"


class AuditRecord(Record):
    """One row: an action that was about to be taken, by whom, and on what."""

    number: int
    time: float
    """Seconds since 1970."""
    action: str
    by: str
    """Name of the key's owner, or `local operator`."""
    subject: str
    """Id of what was acted on."""
    details: dict[str, Any]
    previous: str
    hash: str

    @property
    def expected_hash(self) -> str:
        """The hash of the row's content."""
        return digest_of(self.model_dump(exclude={"hash"}))


class Verification(Record):
    """What `verify` found."""

    rows: int
    """Rows that are in order."""
    problem: str | None = None
    """What is wrong with the first row that is not."""


class AuditLog:
    """The audit log of one database. Nothing in it is ever changed; triggers refuse it, too."""

    def __init__(self, database: Database, heads: Path | None = None) -> None:
        """`heads` is the file that each row's number and hash is appended to."""
        self._database = database
        self._heads = heads

    async def record(
        self, action: Action, *, by: str, subject: str, details: Mapping[str, Any] | None = None
    ) -> AuditRecord:
        """Appends a row and returns it.

        Call it before acting, so that no act is without a trace, and outside of transactions. `details` is
        JSON, without personal data. Raises StoreUnavailable, also if `heads` cannot be written.
        """
        return await self._append(action, by, subject, dict(details or {}))

    async def _append(self, action: str, by: str, subject: str, details: dict[str, Any]) -> AuditRecord:
        async with self._database.begin() as connection:
            previous = await _lock_last(connection)
            content = {
                "number": previous["number"] + 1 if previous else 1,
                "time": self._database.now().timestamp(),
                "action": action,
                "by": by,
                "subject": subject,
                "details": details,
                "previous": previous["hash"] if previous else FIRST_PREVIOUS,
            }
            row = AuditRecord(**content, hash=digest_of(content))
            await connection.execute(insert(AUDIT_LOG).values(row.model_dump()))
        if self._heads is not None:
            await asyncio.to_thread(_append, self._heads, f"{row.number} {row.hash}\n")
        log.info("audit %d: %s %s by %s; hash %s", row.number, action, subject, by, row.hash)
        return row

    @asynccontextmanager
    async def acting(
        self, action: Action, *, by: str, subject: str, details: Mapping[str, Any] | None = None
    ) -> AsyncIterator[None]:
        """Records the action before the block, and its failure if the block raises. Raises like `record`."""
        await self.record(action, by=by, subject=subject, details=details)
        try:
            yield
        except BaseException as error:
            await self._append(action + FAILED, by, subject, {"error": type(error).__name__})
            raise

    async def list(
        self,
        *,
        action: str | None = None,
        by: str | None = None,
        since: datetime | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> tuple[AuditRecord, ...]:
        """Rows in order from the one after number `after`; all of them, or those that match."""
        query = select(AUDIT_LOG).where(AUDIT_LOG.c.number > after).order_by(AUDIT_LOG.c.number).limit(limit)
        if action is not None:
            query = query.where(AUDIT_LOG.c.action == action)
        if by is not None:
            query = query.where(AUDIT_LOG.c.by == by)
        if since is not None:
            query = query.where(AUDIT_LOG.c.time >= since.timestamp())
        async with self._database.begin() as connection:
            return tuple(_row(each) for each in (await connection.execute(query)).mappings())

    async def verify(self) -> Verification:
        """Checks all rows, and against `heads` that none was cut off or written anew."""
        last, previous = 0, FIRST_PREVIOUS
        heads = dict(_read(self._heads)) if self._heads is not None else {}
        while rows := await self.list(after=last, limit=BATCH):
            for row in rows:
                if problem := _problem(row, last + 1, previous, heads.pop(row.number, row.hash)):
                    return Verification(rows=last, problem=problem)
                last, previous = row.number, row.hash
        if heads:
            return Verification(
                rows=last,
                problem=f"row {last + 1} is missing: {self._heads} names {len(heads)} rows after it",
            )
        return Verification(rows=last)


def _problem(row: AuditRecord, number: int, previous: str, anchored: str) -> str | None:
    if row.number != number:
        return f"row {number} is missing: the next one is row {row.number}"
    if row.hash != row.expected_hash:
        return f"row {number} was altered: its content does not match its hash"
    if row.previous != previous:
        return f"row {number} does not follow the row before it: one of the two was replaced"
    if row.hash != anchored:
        return f"row {number} was written anew: its hash is not the one that was noted when it was made"
    return None


async def _lock_last(connection: AsyncConnection) -> RowMapping | None:
    """The newest row; no other process can append until the transaction ends."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
    else:  # a write takes SQLite's lock, even one of no rows
        await connection.execute(update(AUDIT_LOG).where(text("0")).values(action=AUDIT_LOG.c.action))
    newest = select(func.max(AUDIT_LOG.c.number)).scalar_subquery()
    query = select(AUDIT_LOG.c.number, AUDIT_LOG.c.hash).where(AUDIT_LOG.c.number == newest)
    return (await connection.execute(query)).mappings().first()


def _row(row: RowMapping) -> AuditRecord:
    return AuditRecord.model_validate(dict(row))


def _append(path: Path, line: str) -> None:
    """Appends the line with one write, so that several processes may share the file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreUnavailable(
            f"{path} cannot be written: check that its folder exists, is writable and has space ({error})",
            part="the audit log",
        ) from error


def _read(path: Path) -> Iterator[tuple[int, str]]:
    """Numbers and hashes; the last line is left out if a crash cut it short."""
    for line in path.read_text().splitlines() if path.exists() else ():
        number, _, digest = line.partition(" ")
        if number.isdecimal() and len(digest) == len(FIRST_PREVIOUS):
            yield int(number), digest
