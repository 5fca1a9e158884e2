"""The HTTP cache: what servers let be kept of their replies, in a SQLite file of limited size."""

import asyncio
import sqlite3
from pathlib import Path

from hishel import AsyncSqliteStorage

from memory.errors import StoreUnavailable

FILE = "web-cache.db"
MAX_BYTES = 256 * 1024**2
MAX_REPLY_BYTES = 10_000_000
SECONDS = 7 * 24 * 3600.0
"""Longest time that a reply is kept, whatever its server allows."""


def open_cache(path: Path) -> AsyncSqliteStorage:
    """The cache in this file, which is made with the first reply."""
    return AsyncSqliteStorage(
        database_path=path, default_ttl=SECONDS, max_stream_size=MAX_REPLY_BYTES, max_size=MAX_BYTES
    )


async def clear_cache(path: Path) -> None:
    """Leaves nothing of the replies in the file, which may be open. Raises StoreUnavailable."""
    await asyncio.to_thread(_clear, path)


def _clear(path: Path) -> None:
    if not path.exists():
        return
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        try:
            connection.execute("PRAGMA secure_delete = ON")
            tables = {
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            for table in sorted({"streams", "entries"} & tables, reverse=True):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"{path} cannot be cleared: {error}; stop the service and delete it"
        ) from error
