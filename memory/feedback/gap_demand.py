"""How often a gap's question was asked, and by how many users, counted in the interaction log."""

from collections.abc import Iterable

from sqlalchemy import case, distinct, func, select

from memory.database.database import Database
from memory.database.tables import GAPS, INTERACTIONS
from memory.records.base import Record

PAGE = 500
"""Ids in one query; SQLite limits its parameters."""


class GapDemand(Record):
    """How often a gap's question was asked, gaps that were merged into it among them."""

    asked: int = 0
    """Logged turns; those that are older than the log's retention are gone."""
    users: int = 0
    """Different users, among turns whose caller named one."""


async def gap_demand(database: Database, gap_ids: Iterable[str]) -> dict[str, GapDemand]:
    """The demand for each gap; those that nobody asked for any more are missing. Raises StoreUnavailable."""
    turn, gap = INTERACTIONS.c, GAPS.c
    stands = func.coalesce(gap.merged_into, gap.id)
    user = case((turn.unit.is_not(None), func.coalesce(turn.owner, "") + "/" + turn.unit))
    counts = (
        select(stands.label("gap"), func.count().label("asked"), func.count(distinct(user)).label("users"))
        .select_from(INTERACTIONS.join(GAPS, turn.gap_id == gap.id))
        .group_by(stands)
    )
    ids, found = sorted(set(gap_ids)), dict[str, GapDemand]()
    for start in range(0, len(ids), PAGE):
        page = counts.where(stands.in_(ids[start : start + PAGE]))
        async with database.begin() as connection:
            for row in (await connection.execute(page)).mappings():
                found[row["gap"]] = GapDemand(asked=row["asked"], users=row["users"])
    return found
