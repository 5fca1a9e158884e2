"""Items that clients keep by namespace and key and find by meaning: LangGraph's stores, opened by URL.

Knows nobody's namespace; whose is whose is the api's business.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
import numpy as np
import psycopg
from langgraph.store.base import Op, PutOp, Result, SearchItem, SearchOp, TTLConfig
from langgraph.store.base.embed import get_text_at_path
from langgraph.store.postgres import AsyncPostgresStore, PoolConfig
from langgraph.store.postgres.base import PostgresIndexConfig
from langgraph.store.sqlite import AsyncSqliteStore
from psycopg.rows import dict_row
from sqlalchemy.engine import URL, make_url

from memory.checkpoints.connect import alone
from memory.database.database import BUSY_SECONDS
from memory.errors import StoreUnavailable
from memory.retrieval.embedding import Embedder

MOST_RANKED = 10_000
"""Items that one search by meaning looks at in SQLite, the latest first."""


class SqliteItemStore(AsyncSqliteStore):
    """The SQLite store with vectors of its own, compared one by one.

    LangGraph's own searches need an extension that many builds of Python cannot load (sqlite-vec).
    """

    def __init__(self, connection: aiosqlite.Connection, embedder: Embedder) -> None:
        super().__init__(connection, ttl=TTL)
        self._embedder = embedder

    async def setup(self) -> None:
        """See the base class."""
        await super().setup()
        await self.conn.execute(
            "CREATE TABLE IF NOT EXISTS item_vectors"
            " (place TEXT, key TEXT, vector BLOB NOT NULL, PRIMARY KEY (place, key))"
        )

    async def sweep_ttl(self) -> int:
        """See the base class."""
        swept = await super().sweep_ttl()
        await self.conn.execute(
            "DELETE FROM item_vectors WHERE NOT EXISTS"
            " (SELECT 1 FROM store WHERE store.prefix = place AND store.key = item_vectors.key)"
        )
        return swept

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """See the base class."""
        asked = list(ops)
        results = await super().abatch([_widened(op) for op in asked])
        for op in asked:
            if isinstance(op, PutOp):
                await self._note(op)
        return [
            await self._ranked(op, result) if isinstance(op, SearchOp) and op.query else result
            for op, result in zip(asked, results, strict=True)
        ]

    async def _note(self, op: PutOp) -> None:
        place = (".".join(op.namespace), op.key)
        paths = op.index if isinstance(op.index, list) else ["$"]
        texts = [] if op.index is False or op.value is None else _texts(op.value, paths)
        if not texts:
            await self.conn.execute("DELETE FROM item_vectors WHERE place = ? AND key = ?", place)
            return
        (vector,) = await asyncio.to_thread(self._embedder.embed, ["\n".join(texts)])
        await self.conn.execute(
            "INSERT OR REPLACE INTO item_vectors (place, key, vector) VALUES (?, ?, ?)",
            (*place, vector.tobytes()),
        )

    async def _ranked(self, op: SearchOp, found: Any) -> list[SearchItem]:
        (wanted,) = await asyncio.to_thread(self._embedder.embed, [op.query or ""])
        prefix = ".".join(op.namespace_prefix)
        rows = await self.conn.execute_fetchall(
            "SELECT place, key, vector FROM item_vectors WHERE substr(place, 1, ?) = ?", (len(prefix), prefix)
        )
        vectors = {(place, key): np.frombuffer(blob, dtype=np.float32) for place, key, blob in rows}
        for item in found:
            vector = vectors.get((".".join(item.namespace), item.key))
            item.score = None if vector is None else float(vector @ wanted)
        scored = sorted((item for item in found if item.score is not None), key=lambda item: -item.score)
        return scored[op.offset : op.offset + op.limit]


ItemStore = SqliteItemStore | AsyncPostgresStore
"""Either does the same."""
CONNECTIONS = 4
TTL: TTLConfig = {"sweep_interval_minutes": 5}
"""Between two looks for items whose time is over."""


@asynccontextmanager
async def open_item_store(url: str, embedder: Embedder) -> AsyncIterator[ItemStore]:
    """The store at a SQLAlchemy URL, with its tables made. Raises StoreUnavailable."""

    place = make_url(url)
    try:
        if place.get_backend_name() == "sqlite":
            async with aiosqlite.connect(
                str(place.database), timeout=BUSY_SECONDS, isolation_level=None
            ) as file:
                items: ItemStore = SqliteItemStore(file, embedder)
                await items.setup()
                async with _swept(items):
                    yield items
        else:
            async with _postgresql(place.set(drivername="postgresql"), embedder) as kept, _swept(kept):
                yield kept
    except (psycopg.Error, sqlite3.Error) as error:
        raise StoreUnavailable(f"the store: {error}; check its database, and pgvector there") from error


@asynccontextmanager
async def _swept(items: ItemStore) -> AsyncIterator[None]:
    await items.start_ttl_sweeper()
    try:
        yield
    finally:
        await items.stop_ttl_sweeper()


@asynccontextmanager
async def _postgresql(place: URL, embedder: Embedder) -> AsyncIterator[AsyncPostgresStore]:
    async def embed(texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = (await asyncio.to_thread(embedder.embed, list(texts))).tolist()
        return vectors

    url = place.render_as_string(hide_password=False)
    pool: PoolConfig = {"min_size": 1, "max_size": CONNECTIONS}
    index: PostgresIndexConfig = {"dims": embedder.dimension, "embed": embed, "fields": ["$"]}
    async with AsyncPostgresStore.from_conn_string(url, pool_config=pool, index=index, ttl=TTL) as items:
        options: Any = {"autocommit": True, "row_factory": dict_row}
        async with await psycopg.AsyncConnection.connect(url, **options) as connection, alone(connection):
            await items.setup()
        yield items


def _widened(op: Op) -> Op:
    if isinstance(op, SearchOp) and op.query:
        return op._replace(query=None, offset=0, limit=MOST_RANKED)
    return op


def _texts(value: Mapping[str, Any], paths: Sequence[str]) -> list[str]:
    return [text for path in paths for text in get_text_at_path(value, path)]
