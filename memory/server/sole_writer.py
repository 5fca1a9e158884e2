"""Keeps documents to one writer among all api processes on a database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from memory.database.database import Database

LOCK = 0x646F6373
"""Number of the PostgreSQL advisory lock."""


@asynccontextmanager
async def sole_writer(database: Database) -> AsyncIterator[None]:
    """Waits until no other api process writes documents, and keeps them waiting while the block runs.

    Does nothing on SQLite, which only one api uses. Raises StoreUnavailable.
    """
    if not database.shared:
        yield
        return
    async with database.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
        yield
