"""Owns what clients keep by namespace and key and find again by meaning: LangGraph's stores, opened by URL.

Knows nobody's namespace; whose is whose is the api's business.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from langgraph.store.base import TTLConfig
from langgraph.store.postgres import AsyncPostgresStore, PoolConfig
from langgraph.store.sqlite import AsyncSqliteStore
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url

from memory.checkpoints import alone
from memory.embedding import Embedder
from memory.errors import StoreUnavailable

Items = AsyncSqliteStore | AsyncPostgresStore
"""Either does the same."""
CONNECTIONS = 4
TTL: TTLConfig = {"sweep_interval_minutes": 5}
"""Between two looks for items whose time is over."""


@asynccontextmanager
async def open_items(url: str, embedder: Embedder) -> AsyncIterator[Items]:
    """The store at a SQLAlchemy URL, with its tables made. Raises StoreUnavailable."""

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = (await asyncio.to_thread(embedder.embed, list(texts))).tolist()
        return vectors

    place = make_url(url)
    sqlite = place.get_backend_name() == "sqlite"
    opened = _sqlite if sqlite else _postgresql
    address = str(place.database) if sqlite else place.set(drivername="postgresql").render_as_string(False)
    try:
        async with opened(address, {"dims": embedder.dimension, "embed": embed, "fields": ["$"]}) as items:
            await items.start_ttl_sweeper()
            try:
                yield items
            finally:
                await items.stop_ttl_sweeper()
    except (psycopg.Error, sqlite3.Error) as error:
        raise StoreUnavailable(
            f"the store of items: {error}; check its database, and pgvector there"
        ) from error


@asynccontextmanager
async def _sqlite(path: str, index: Any) -> AsyncIterator[Items]:
    async with AsyncSqliteStore.from_conn_string(path, index=index, ttl=TTL) as items:
        await items.setup()
        yield items


@asynccontextmanager
async def _postgresql(url: str, index: Any) -> AsyncIterator[Items]:
    pool: PoolConfig = {"min_size": 1, "max_size": CONNECTIONS}
    async with AsyncPostgresStore.from_conn_string(url, pool_config=pool, index=index, ttl=TTL) as items:
        options: Any = {"autocommit": True, "row_factory": dict_row}
        async with await psycopg.AsyncConnection.connect(url, **options) as connection, alone(connection):
            await items.setup()
        yield items
