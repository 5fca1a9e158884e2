"""Purges databases: after it, what was deleted is not in their files any more."""

import asyncio
import sqlite3
import time
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from memory.database.database import async_url
from memory.errors import StoreUnavailable

SECONDS = 60.0
"""How long other connections may keep a database from being purged."""


async def purge(url: str) -> None:
    """Purges the database at a SQLAlchemy URL, while others use it.

    SQLite's file is written anew and its log emptied. PostgreSQL's freed space is only marked for reuse: its
    pages, log and backups are its administrator's. Raises StoreUnavailable.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        await asyncio.to_thread(_purge_sqlite, str(parsed.database))
        return
    engine = create_async_engine(async_url(url), isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("VACUUM"))
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the database {parsed!r} could not be purged: {error}") from error
    finally:
        await engine.dispose()


def _purge_sqlite(path: str) -> None:
    if not Path(path).exists():
        return
    deadline = time.monotonic() + SECONDS
    try:
        connection = sqlite3.connect(path, timeout=SECONDS, isolation_level=None)
        try:
            connection.execute("VACUUM")
            while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise StoreUnavailable(f"{path} is being read, so its log stays: forget again later")
                time.sleep(0.1)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"{path} could not be purged: check that its disk has space for a copy of it, and forget again"
            f" ({error})"
        ) from error
