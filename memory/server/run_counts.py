"""How many runs on threads wait or are worked on, by graph and status."""

from collections.abc import Mapping

from sqlalchemy import func, select

from memory.database.database import Database
from memory.database.tables import THREAD_RUNS, UNFINISHED_RUN


async def unfinished_counts(database: Database) -> Mapping[tuple[str, ...], int]:
    """The unfinished runs of all owners. Raises StoreUnavailable."""
    kind = (THREAD_RUNS.c.graph_id, THREAD_RUNS.c.status)
    query = select(*kind, func.count()).where(UNFINISHED_RUN).group_by(*kind)
    async with database.begin() as connection:
        return {(graph, status): count for graph, status, count in await connection.execute(query)}
