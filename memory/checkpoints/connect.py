"""Opens the LangGraph checkpoint saver for a database URL, on SQLite or PostgreSQL.

Deserialization is limited to our own records and LangGraph's safe types, so a checkpoint cannot run code.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
import psycopg
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from memory.checkpoints.savers import Pool, PostgresSaver, Saver, SqliteSaver
from memory.database.database import BUSY_SECONDS, parse_url
from memory.errors import StoreUnavailable
from memory.records.base import Record

CONNECTIONS = 4
"""Size of the pool. The saver uses one connection at a time; the others replace dropped ones."""
CONNECT_SECONDS = 10.0
SETUP_LOCK = 0x636865636B
"""Number of the PostgreSQL advisory lock that lets one process at a time create tables."""


@asynccontextmanager
async def open_saver(url: str) -> AsyncIterator[Saver]:
    """Opens a saver for `sqlite:///PATH` or `postgresql://...`, and closes it on exit.

    Checkpoints may contain any Record subclass whose module is imported before this call. Raises ValueError
    for another URL, StoreUnavailable if the database cannot be opened.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        async with _sqlite(parsed.database or ":memory:") as sqlite:
            yield sqlite
    else:
        psycopg_url = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        async with _postgresql(psycopg_url) as postgres:
            yield postgres


def serializer() -> JsonPlusSerializer:
    """LangGraph's msgpack serializer, allowed to rebuild our Record classes besides its own safe types."""
    return JsonPlusSerializer(
        allowed_msgpack_modules=[(record.__module__, record.__name__) for record in _subclasses(Record)]
    )


@asynccontextmanager
async def _sqlite(path: str) -> AsyncIterator[SqliteSaver]:
    try:
        async with aiosqlite.connect(path, timeout=BUSY_SECONDS) as connection:
            saver = SqliteSaver(connection, serde=serializer())
            await saver.setup()
            await saver.create_links_table("BLOB")
            await connection.execute("PRAGMA synchronous=FULL")
            yield saver
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"the checkpoints in {path} cannot be opened: check that its folder exists, is writable and has"
            f" space ({error})"
        ) from error


@asynccontextmanager
async def _postgresql(url: str) -> AsyncIterator[PostgresSaver]:
    options: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=CONNECTIONS,
        kwargs=options,
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    try:
        await pool.open(wait=True, timeout=CONNECT_SECONDS)
        saver = PostgresSaver(pool, serde=serializer())
        async with pool.connection() as connection, setup_lock(connection):
            await saver.setup()
            await saver.create_links_table("BYTEA")
        yield saver
    except (psycopg.Error, PoolTimeout) as error:
        raise StoreUnavailable(
            f"the checkpoints in PostgreSQL cannot be reached: check the URL, and that it runs ({error})"
        ) from error
    finally:
        await pool.close()


@asynccontextmanager
async def setup_lock(connection: psycopg.AsyncConnection[dict[str, Any]]) -> AsyncIterator[None]:
    """Holds the PostgreSQL advisory lock that lets one process at a time create tables.

    It polls, because a session waiting for the lock would block another's `CREATE INDEX CONCURRENTLY`.
    """
    while True:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s) AS acquired", (SETUP_LOCK,))
        if (row := await cursor.fetchone()) is not None and row["acquired"]:
            break
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock(%s)", (SETUP_LOCK,))


def _subclasses(base: type[Record]) -> Iterable[type[Record]]:
    """All direct and indirect subclasses."""
    for record in base.__subclasses__():
        yield record
        yield from _subclasses(record)
