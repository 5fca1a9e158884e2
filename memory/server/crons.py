"""Crons in the relational store: which run is asked for again and again, where, and until when.

When they fire is for DBOS to say; what a run may ask for, for the api.
"""

import uuid
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import RowMapping, delete, insert, select, update

from memory.database.database import Database
from memory.database.tables import CRONS
from memory.errors import UnknownCron
from memory.records.base import Record
from memory.server.threads import Json, contains, moment

MOST_CRONS = 10_000


class CronSpec(Record):
    """What a cron asks for, and when."""

    assistant_id: str
    thread_id: str | None = None
    """None: a thread of its own for each run."""
    schedule: str
    """A cron expression of five fields, or six with seconds first."""
    timezone: str | None = None
    """IANA name; None is UTC."""
    end_time: datetime | None = None
    enabled: bool = True
    on_run_completed: Literal["delete", "keep"] = "delete"
    metadata: Json = {}
    payload: Json = {}
    """The body of the request that each run is made from."""


class Cron(CronSpec):
    """One cron."""

    cron_id: str
    owner: str | None
    created_at: datetime
    updated_at: datetime


class Crons:
    """The crons of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, plan: CronSpec, owner: str | None) -> Cron:
        """A new cron."""
        now = self._database.now()
        cron = Cron(
            **plan.model_dump(), cron_id=str(uuid.uuid4()), owner=owner, created_at=now, updated_at=now
        )
        row = {
            "id": cron.cron_id,
            "owner": owner,
            "created_at": now.timestamp(),
            "updated_at": now.timestamp(),
            "body": plan.model_dump(mode="json"),
        }
        async with self._database.begin() as connection:
            await connection.execute(insert(CRONS).values(row))
        return cron

    async def get(self, cron_id: str, owner: str | None = None) -> Cron:
        """Raises UnknownCron, for another owner's too; None owns all."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(CRONS).where(CRONS.c.id == cron_id))).mappings().first()
        if row is None or owner not in (None, row["owner"]):
            raise UnknownCron(f"no cron {cron_id}: search lists those that there are")
        return _cron(row)

    def has_ended(self, cron: Cron) -> bool:
        """Whether it fires no more, or not for now."""
        return not cron.enabled or (cron.end_time is not None and cron.end_time <= self._database.now())

    async def update(self, cron_id: str, changes: Json) -> Cron:
        """The cron with other values. Raises UnknownCron, ValueError."""
        before = await self.get(cron_id)
        kept = before.model_dump(include=set(CronSpec.model_fields))
        plan = CronSpec.model_validate(kept | changes)
        now = self._database.now().timestamp()
        async with self._database.begin() as connection:
            await connection.execute(
                update(CRONS)
                .where(CRONS.c.id == cron_id)
                .values(updated_at=now, body=plan.model_dump(mode="json"))
            )
        return await self.get(cron_id)

    async def delete(self, cron_id: str) -> None:
        """Deletes it; again changes nothing."""
        async with self._database.begin() as connection:
            await connection.execute(delete(CRONS).where(CRONS.c.id == cron_id))

    async def search(
        self, *, owner: str | None, metadata: Json | None = None, **wanted: Any
    ) -> tuple[Cron, ...]:
        """Those that match, newest first; `wanted` are fields and their values."""
        query = select(CRONS).order_by(CRONS.c.created_at.desc(), CRONS.c.id).limit(MOST_CRONS)
        if owner is not None:
            query = query.where(CRONS.c.owner == owner)
        async with self._database.begin() as connection:
            found = [_cron(row) for row in (await connection.execute(query)).mappings()]
        return tuple(
            cron
            for cron in found
            if contains(cron.metadata, metadata or {})
            and all(getattr(cron, name) == value for name, value in wanted.items())
        )


def _cron(row: RowMapping) -> Cron:
    return Cron(
        **row["body"],
        cron_id=row["id"],
        owner=row["owner"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
    )
