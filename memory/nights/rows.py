"""Rows and queries of what nights make: shared columns, filters, and reading in batches."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, false, select
from sqlalchemy.ext.asyncio import AsyncConnection

from memory.database.visibility import usable_rows
from memory.records.access import Access
from memory.records.attacks import Attack
from memory.records.nights import GoldenPair, Revision, Topic

MAX_IDS = 500
"""Ids in one query; SQLite limits its parameters."""


def equal(table: Table, **values: str | None) -> list[ColumnElement[bool]]:
    """The conditions that these columns have these values; None matches all."""
    wanted = {name: value for name, value in values.items() if value is not None}
    if any("\0" in value for value in wanted.values()):
        return [false()]  # PostgreSQL cannot even look for it
    return [table.c[name] == value for name, value in wanted.items()]


def made(
    table: Table,
    since: datetime | None,
    limit: int,
    *order: ColumnElement[Any],
    access: Access,
    **values: str | None,
) -> Select[Any]:
    """Bodies of what nights made from then on, newest first; of the same time in this order."""
    query = select(table.c.body).where(*equal(table, **values), usable_rows(access, table))
    if since is not None:
        query = query.where(table.c.created_at >= since.timestamp())
    return query.order_by(table.c.created_at.desc(), *order, table.c.id).limit(limit)


def night_made(record: Revision | Topic | GoldenPair | Attack) -> dict[str, Any]:
    """The columns that the tables of what nights make have in common."""
    return {
        "id": record.id,
        "night_id": record.night_id,
        "domain": record.domain,
        "created_at": record.created_at.timestamp(),
        "body": record.model_dump(mode="json"),
    }


def batches(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """The items in batches that fit into a query."""
    return (items[start : start + MAX_IDS] for start in range(0, len(items), MAX_IDS))


async def existing(connection: AsyncConnection, table: Table, ids: Collection[str]) -> set[str]:
    """Those of the ids that are in the table."""
    found: set[str] = set()
    for batch in batches(list(ids)):
        found |= set((await connection.execute(select(table.c.id).where(table.c.id.in_(batch)))).scalars())
    return found
