"""Owns working memory: opens the LangGraph saver that a URL names, on SQLite or PostgreSQL.

Reads back only our own records and LangGraph's own types: a checkpoint cannot name code to run.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from memory.database import BUSY_SECONDS, parse_url
from memory.errors import StoreUnavailable
from memory.records import Record


@asynccontextmanager
async def open_saver(url: str) -> AsyncIterator[BaseCheckpointSaver[str]]:
    """A saver over `sqlite:///PATH` or `postgresql://...`, closed on leaving.

    Records defined anywhere may be saved; import their modules before opening. Raises ValueError for
    another URL, StoreUnavailable if the store cannot be opened or its driver is not installed.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        opened = _sqlite(parsed.database or ":memory:")
    else:
        opened = _postgresql(parsed.set(drivername="postgresql").render_as_string(hide_password=False))
    async with opened as saver:
        yield saver


def serializer() -> JsonPlusSerializer:
    """Msgpack that rebuilds our records, and nothing else that LangGraph does not know to be safe."""
    return JsonPlusSerializer(
        allowed_msgpack_modules=[(record.__module__, record.__name__) for record in _records(Record)]
    )


@asynccontextmanager
async def _sqlite(path: str) -> AsyncIterator[BaseCheckpointSaver[str]]:
    try:
        async with aiosqlite.connect(path, timeout=BUSY_SECONDS) as connection:
            saver = AsyncSqliteSaver(connection, serde=serializer())
            await saver.setup()
            await connection.execute("PRAGMA synchronous=FULL")
            yield saver
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"checkpoints in {path}: {error}; check that its folder exists, is writable and has space"
        ) from error


@asynccontextmanager
async def _postgresql(url: str) -> AsyncIterator[BaseCheckpointSaver[str]]:
    try:
        from langgraph.checkpoint.postgres.aio import (  # type: ignore[import-not-found,unused-ignore]
            AsyncPostgresSaver,
        )
    except ImportError as error:
        raise StoreUnavailable(
            "checkpoints in PostgreSQL need the package langgraph-checkpoint-postgres: pip install it"
        ) from error
    async with AsyncPostgresSaver.from_conn_string(url, serde=serializer()) as saver:
        await saver.setup()
        yield saver


def _records(base: type[Record]) -> Iterable[type[Record]]:
    for record in base.__subclasses__():
        yield record
        yield from _records(record)
