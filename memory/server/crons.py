"""Crons in the relational store: runs that are started on a schedule.

DBOS fires them; the api checks what a run may request.
"""

import uuid
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import RowMapping, delete, func, insert, select, update

from memory.database.database import Database
from memory.database.tables import CRONS
from memory.errors import QuotaReached, UnknownCron
from memory.records.base import Record
from memory.server.threads import Json, contains, moment

MAX_CRONS = 10_000
MAX_PER_OWNER = 20


class CronSpec(Record):
    """What a cron runs, and when."""

    assistant_id: str
    thread_id: str | None = None
    """None for a new thread per run."""
    schedule: str
    """A cron expression of five fields, or six with seconds first."""
    timezone: str | None = None
    """IANA name; None for UTC."""
    end_time: datetime | None = None
    enabled: bool = True
    on_run_completed: Literal["delete", "keep"] = "delete"
    metadata: Json = {}
    payload: Json = {}
    """The request body of each run."""
    key_id: str | None = None
    """The key that it was made or changed with last, whose rights its runs have; None without keys."""
    disabled_reason: str | None = None
    """Why the service has disabled it."""
    last_run_id: str | None = None
    skipped: int = 0
    """Firings that were left out because the run of the one before was unfinished."""


class Cron(CronSpec):
    """A stored cron."""

    cron_id: str
    owner: str | None
    created_at: datetime
    updated_at: datetime


class Crons:
    """The crons of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, spec: CronSpec, owner: str | None) -> Cron:
        """Stores a new cron. Raises QuotaReached if the owner has as many as one owner may have."""
        now = self._database.now()
        cron = Cron(
            **spec.model_dump(), cron_id=str(uuid.uuid4()), owner=owner, created_at=now, updated_at=now
        )
        row = {
            "id": cron.cron_id,
            "owner": owner,
            "created_at": now.timestamp(),
            "updated_at": now.timestamp(),
            "body": spec.model_dump(mode="json"),
        }
        of_owner = select(func.count()).select_from(CRONS).where(CRONS.c.owner == owner)
        async with self._database.begin() as connection:
            await connection.execute(insert(CRONS).values(row))
            if owner is not None and (await connection.execute(of_owner)).scalar_one() > MAX_PER_OWNER:
                raise QuotaReached(f"{owner} has {MAX_PER_OWNER} crons already: delete one first")
        return cron

    async def get(self, cron_id: str, owner: str | None = None) -> Cron:
        """The cron with this id. Raises UnknownCron, also for another owner's; None may see all."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(CRONS).where(CRONS.c.id == cron_id))).mappings().first()
        if row is None or owner not in (None, row["owner"]):
            raise UnknownCron(f"no cron {cron_id}: list them with a search")
        return _cron(row)

    def has_ended(self, cron: Cron) -> bool:
        """Whether the cron is disabled or past its end time."""
        return not cron.enabled or (cron.end_time is not None and cron.end_time <= self._database.now())

    async def update(self, cron_id: str, changes: Json) -> Cron:
        """Changes fields of a cron and returns it. Raises UnknownCron, or ValueError for invalid values."""
        now = self._database.now().timestamp()
        this = CRONS.c.id == cron_id
        # Written first, so that a change of the client and one of a firing come one after the other.
        touch = update(CRONS).where(this).values(updated_at=now).returning(CRONS)
        async with self._database.begin() as connection:
            row = (await connection.execute(touch)).mappings().first()
            if row is None:
                raise UnknownCron(f"no cron {cron_id}: list them with a search")
            spec = CronSpec.model_validate(row["body"] | changes)
            await connection.execute(update(CRONS).where(this).values(body=spec.model_dump(mode="json")))
        return await self.get(cron_id)

    async def count_skipped(self, cron_id: str) -> None:
        """Counts a firing that was left out. Raises UnknownCron."""
        await self.update(cron_id, {"skipped": (await self.get(cron_id)).skipped + 1})

    async def delete(self, cron_id: str) -> None:
        """Deletes a cron; deleting it again changes nothing."""
        async with self._database.begin() as connection:
            await connection.execute(delete(CRONS).where(CRONS.c.id == cron_id))

    async def search(
        self, *, owner: str | None, metadata: Json | None = None, **fields: Any
    ) -> tuple[Cron, ...]:
        """The matching crons, newest first; `fields` are further field values to match."""
        query = select(CRONS).order_by(CRONS.c.created_at.desc(), CRONS.c.id).limit(MAX_CRONS)
        if owner is not None:
            query = query.where(CRONS.c.owner == owner)
        async with self._database.begin() as connection:
            crons = [_cron(row) for row in (await connection.execute(query)).mappings()]
        return tuple(
            cron
            for cron in crons
            if contains(cron.metadata, metadata or {})
            and all(getattr(cron, name) == value for name, value in fields.items())
        )


def _cron(row: RowMapping) -> Cron:
    return Cron(
        **row["body"],
        cron_id=row["id"],
        owner=row["owner"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
    )
