"""Working memory: opens the LangGraph saver that a URL names, on SQLite or PostgreSQL.

Reads back only our own records and LangGraph's own types: a checkpoint cannot name code to run.
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
"""The saver takes turns on one of them; the others replace those that the server has dropped."""
CONNECT_SECONDS = 10.0
MAKING_TABLES = 0x636865636B
"""Number of a PostgreSQL advisory lock."""


@asynccontextmanager
async def open_saver(url: str) -> AsyncIterator[Saver]:
    """A saver over `sqlite:///PATH` or `postgresql://...`, closed on leaving.

    Records defined anywhere may be saved; import their modules before opening. Raises ValueError for
    another URL, StoreUnavailable if the store cannot be opened.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        async with _sqlite(parsed.database or ":memory:") as sqlite:
            yield sqlite
    else:
        plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        async with _postgresql(plain) as postgres:
            yield postgres


def serializer() -> JsonPlusSerializer:
    """Msgpack that rebuilds our records, and nothing else that LangGraph does not know to be safe."""
    return JsonPlusSerializer(
        allowed_msgpack_modules=[(record.__module__, record.__name__) for record in _records(Record)]
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
            f"checkpoints in {path}: {error}; check that its folder exists, is writable and has space"
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
        async with pool.connection() as connection, alone(connection):
            await saver.setup()
            await saver.create_links_table("BYTEA")
        yield saver
    except (psycopg.Error, PoolTimeout) as error:
        raise StoreUnavailable(
            f"checkpoints in PostgreSQL: {error}; check its URL, and that it runs"
        ) from error
    finally:
        await pool.close()


@asynccontextmanager
async def alone(connection: psycopg.AsyncConnection[dict[str, Any]]) -> AsyncIterator[None]:
    """Lets one process at a time make the tables.

    Asks again and again: whoever waited in the database would keep `CREATE INDEX CONCURRENTLY` waiting too.
    """
    while True:
        taken = await connection.execute("SELECT pg_try_advisory_lock(%s) AS mine", (MAKING_TABLES,))
        if (row := await taken.fetchone()) is not None and row["mine"]:
            break
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock(%s)", (MAKING_TABLES,))


def _records(base: type[Record]) -> Iterable[type[Record]]:
    for record in base.__subclasses__():
        yield record
        yield from _records(record)
