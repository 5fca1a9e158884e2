"""The item store: LangGraph's stores (items by namespace and key, with vector search), opened by URL.

The api decides which namespaces a client may use.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

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

from memory.checkpoints.connect import setup_lock
from memory.database.database import BUSY_SECONDS
from memory.database.raw_errors import store_errors, translates_errors
from memory.embedding.embedder import Embedder
from memory.errors import QuotaReached

log = logging.getLogger(__name__)

PAGE = 1000
ITEM_BYTES = 2000
"""What an item takes besides its texts: its row, its part of the indexes, and its vector."""
MAX_RANKED = 10_000
"""Items that one vector search compares in SQLite, the latest first."""


_TRANSLATES_ERRORS = translates_errors("the item store", repeated=("abatch", "sweep_ttl", "stored_bytes"))


@_TRANSLATES_ERRORS
class SqliteItemStore(AsyncSqliteStore):
    """LangGraph's SQLite store with exhaustive vector search.

    LangGraph's own search needs the extension sqlite-vec, which many builds of Python cannot load.
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
        deleted = await super().sweep_ttl()
        await self.conn.execute(
            "DELETE FROM item_vectors WHERE NOT EXISTS"
            " (SELECT 1 FROM store WHERE store.prefix = place AND store.key = item_vectors.key)"
        )
        return deleted

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """See the base class."""
        operations = list(ops)
        results = await super().abatch([_without_query(op) for op in operations])
        for op in operations:
            if isinstance(op, PutOp):
                await self._index(op)
        return [
            await self._rank(op, result) if isinstance(op, SearchOp) and op.query else result
            for op, result in zip(operations, results, strict=True)
        ]

    async def stored_bytes(self, label: str, besides: tuple[str, str]) -> int:
        """What the items below the first label take, without the item at one place: namespace and key."""
        sizes = "+".join(f"LENGTH(CAST({column} AS BLOB))" for column in ("prefix", "key", "value"))
        rows = await self.conn.execute_fetchall(
            f"SELECT SUM({sizes} + ?) FROM store WHERE prefix >= ? AND prefix < ?"
            " AND NOT (prefix = ? AND key = ?)",
            (ITEM_BYTES, *_below(label), *besides),
        )
        return int(next(iter(rows))[0] or 0)

    async def _index(self, op: PutOp) -> None:
        """Updates the vector of one item, or deletes it if the item has no indexed text."""
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

    async def _rank(self, op: SearchOp, items: Any) -> list[SearchItem]:
        """The items with a vector, ordered by similarity to the query, cut to the requested page."""
        (query_vector,) = await asyncio.to_thread(self._embedder.embed, [op.query or ""])
        prefix = ".".join(op.namespace_prefix)
        rows = await self.conn.execute_fetchall(
            "SELECT place, key, vector FROM item_vectors WHERE substr(place, 1, ?) = ?", (len(prefix), prefix)
        )
        vectors = {(place, key): np.frombuffer(blob, dtype=np.float32) for place, key, blob in rows}
        for item in items:
            vector = vectors.get((".".join(item.namespace), item.key))
            item.score = None if vector is None else float(vector @ query_vector)
        scored = sorted((item for item in items if item.score is not None), key=lambda item: -item.score)
        return scored[op.offset : op.offset + op.limit]


@_TRANSLATES_ERRORS
class PostgresItemStore(AsyncPostgresStore):
    """LangGraph's PostgreSQL store."""

    async def stored_bytes(self, label: str, besides: tuple[str, str]) -> int:
        """See `SqliteItemStore`."""
        async with self._cursor() as cursor:
            await cursor.execute(
                "SELECT SUM(octet_length(prefix) + octet_length(key) + octet_length(value::text) + %s)"
                " AS bytes FROM store"
                " WHERE prefix ~>=~ %s AND prefix ~<~ %s AND NOT (prefix = %s AND key = %s)",
                (ITEM_BYTES, *_below(label), *besides),
            )
            row: Any = await cursor.fetchone()
        return int(row["bytes"] or 0)


@_TRANSLATES_ERRORS
class PlainPostgresItemStore(PostgresItemStore):
    """LangGraph's PostgreSQL store on a server without pgvector: everything but vector search."""

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """See the base class. Raises ValueError for a search with a query."""
        operations = list(ops)
        if any(isinstance(op, SearchOp) and op.query for op in operations):
            raise ValueError(
                "query: search by meaning is off because PostgreSQL lacks pgvector; install the extension and"
                " restart the service, or leave the query out"
            )
        return await super().abatch(operations)


NO_OWNER = "-"
"""Label of the items of callers without an owner: where authentication is off, or of admins."""


def owner_label(owner: str | None) -> str:
    """The first label of the namespaces of an owner."""
    return NO_OWNER if owner is None else f"owner {quote(owner, safe='@').replace('.', '%2E')}"


async def delete_items(store: "ItemStore", user: str, owner: str | None) -> int:
    """Deletes a user's items: all in namespaces with the user as a label, and those that they own.

    `owner` limits it to the namespaces of one owner; None looks in all. Returns how many there were.
    """
    prefix = () if owner is None else (owner_label(owner),)
    namespaces: list[tuple[str, ...]] = []
    while page := await store.alist_namespaces(prefix=prefix, limit=PAGE, offset=len(namespaces)):
        namespaces += page
    count = 0
    for namespace in namespaces:
        if namespace[0] != owner_label(user) and user not in namespace[1:]:
            continue
        while items := await store.asearch(namespace, limit=PAGE):
            for item in items:
                await store.adelete(item.namespace, item.key)
            count += len(items)
    return count


async def require_room(
    store: "ItemStore", namespace: Sequence[str], key: str, value: Mapping[str, Any], most: int
) -> None:
    """Raises QuotaReached if the item and the others below its first label take more than `most` bytes.

    Those that are stored at the same moment do not see each other.
    """
    place = ".".join(namespace)
    own = ITEM_BYTES + sum(len(text.encode()) for text in (place, key, json.dumps(value, ensure_ascii=False)))
    if own + await store.stored_bytes(namespace[0], (place, key)) > most:
        raise QuotaReached(
            f"the store items of one owner may take {most:,} bytes: delete some, store new ones with a `ttl`,"
            " or ask an admin to raise NIGHTSCHOOL_STORE_BYTES"
        )


def _below(label: str) -> tuple[str, str]:
    """The first text, and the one after the last, of namespaces that begin with the label."""
    return f"{label}.", f"{label}{chr(ord('.') + 1)}"


ItemStore = SqliteItemStore | PostgresItemStore
"""The stores of the two databases; they have the same methods."""
CONNECTIONS = 4
TTL: TTLConfig = {"refresh_on_read": False}


@asynccontextmanager
async def open_item_store(url: str, embedder: Embedder) -> AsyncIterator[ItemStore]:
    """Opens the store at a SQLAlchemy URL and creates its tables if missing. Raises StoreUnavailable."""

    parsed = make_url(url)
    with store_errors("the item store"):
        if parsed.get_backend_name() == "sqlite":
            async with aiosqlite.connect(
                str(parsed.database), timeout=BUSY_SECONDS, isolation_level=None
            ) as connection:
                store: ItemStore = SqliteItemStore(connection, embedder)
                await store.setup()
                yield store
        else:
            async with _postgresql(parsed.set(drivername="postgresql"), embedder) as postgres:
                yield postgres


@asynccontextmanager
async def _postgresql(parsed: URL, embedder: Embedder) -> AsyncIterator[PostgresItemStore]:
    async def embed(texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = (await asyncio.to_thread(embedder.embed, list(texts))).tolist()
        return vectors

    url = parsed.render_as_string(hide_password=False)
    pool: PoolConfig = {"min_size": 1, "max_size": CONNECTIONS}
    index: PostgresIndexConfig = {"dims": embedder.dimension, "embed": embed, "fields": ["$"]}
    options: Any = {"autocommit": True, "row_factory": dict_row}
    async with await psycopg.AsyncConnection.connect(url, **options) as connection:
        vectors = await _has_pgvector(connection)
        opened = (
            PostgresItemStore.from_conn_string(url, pool_config=pool, index=index, ttl=TTL)
            if vectors
            else PlainPostgresItemStore.from_conn_string(url, pool_config=pool, ttl=TTL)
        )
        if not vectors:
            log.warning("PostgreSQL lacks pgvector: the item store is not searched by meaning")
        async with opened as store:
            assert isinstance(store, PostgresItemStore), "it is opened by its class"
            async with setup_lock(connection):
                await store.setup()
            yield store


async def _has_pgvector(connection: "psycopg.AsyncConnection[Any]") -> bool:
    found = await connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
    return await found.fetchone() is not None


def _without_query(op: Op) -> Op:
    """A vector search turned into a plain one that returns all candidates; other operations unchanged."""
    if isinstance(op, SearchOp) and op.query:
        return op._replace(query=None, offset=0, limit=MAX_RANKED)
    return op


def _texts(value: Mapping[str, Any], paths: Sequence[str]) -> list[str]:
    return [text for path in paths for text in get_text_at_path(value, path)]
