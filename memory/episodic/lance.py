"""Episodic memory on LanceDB: passages with vectors and a full-text index, in one folder.

One process writes, others may read. `memory.retrieval.hybrid` combines the two searches.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.index import FTS, BTree, IvfFlat
from lancedb.table import AsyncTable

from memory.embedding.embedder import Embedder
from memory.episodic.base import (
    SearchBy,
    StoredDocument,
    best_first,
    documents_of,
    evidence,
    indexed_text,
    scale_bm25,
    scaled_score,
    searchable_text,
)
from memory.episodic.history import KEPT
from memory.episodic.lance_history import LancePassageHistory
from memory.episodic.name_graph import NAME_COLUMNS, ReadableNames, passage_names, passage_titles
from memory.episodic.name_graph_cache import NameGraphCache
from memory.episodic.readable_words import hides_rows, readable_bm25
from memory.errors import CorruptRecord
from memory.language.normalisation import normalised
from memory.records.access import Access
from memory.records.knowledge import Evidence, Passage
from memory.vector_tables import (
    MAX_IDS,
    IndexConfigs,
    Maintenance,
    of_document,
    open_table,
    purge,
    quoted,
    readable_rows,
    store_errors,
)

TABLE = "passages"
ROWS_PER_COMPACTION = 1000
VECTOR_INDEX_ROWS = 20_000
"""Passages from which the vectors are indexed; comparing with all of fewer takes ten milliseconds."""
INDICES: IndexConfigs = {"searched": FTS(), "id": BTree(), "vector": IvfFlat(distance_type="cosine")}
PROBES = 40
"""Cells of the vector index that are searched, of about the square root of the number of passages."""


class LanceEpisodicMemory:
    """Passages in a LanceDB table; writes run one at a time: `merge_insert` enforces no unique key."""

    def __init__(
        self,
        table: AsyncTable,
        embedder: Embedder,
        history: LancePassageHistory,
        clock: Callable[[], datetime],
    ) -> None:
        """Takes an open table; use `open` instead."""
        self._table = table
        self.history = history
        self._embedder = embedder
        self._clock = clock
        self._write_lock = asyncio.Lock()
        self._writes = 0
        self._changed_rows = 0
        """Since the last compaction."""
        self._names = NameGraphCache(table)
        self._maintenance = Maintenance(table)

    @classmethod
    async def open(
        cls,
        path: Path | str,
        embedder: Embedder,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> "LanceEpisodicMemory":
        """Opens a folder or an s3:// URL, and creates the table and index if missing.

        By the clock, `maintain` forgets replaced versions that were kept long enough.

        Raises StoreUnavailable, also if the stored vectors do not have the embedder's dimension.
        """
        texts = ("id", "source", "domain", "searched", "body")
        what, remedy = "the passages", "remove the folder and ingest again"
        table = await open_table(
            path, TABLE, texts, embedder.dimension, what=what, remedy=remedy, others=NAME_COLUMNS
        )
        async with store_errors(f"{what} in {path}"):
            indexed = {column for index in await table.list_indices() for column in index.columns}
            for column in ("searched", "id"):
                if column not in indexed:
                    await table.create_index(column, config=INDICES[column])
        return cls(table, embedder, await LancePassageHistory.open(path, embedder), clock)

    async def add(self, passages: Sequence[Passage]) -> int:
        unique = {p.id: p for p in passages}
        if not unique:
            return 0
        schema = await self._table.schema()
        rows = await asyncio.to_thread(_rows, list(unique.values()), self._embedder, schema)
        async with self._write_lock, store_errors("the passages"):
            # With the index LanceDB would not see the conflict of two writers of one new id.
            insert = self._table.merge_insert("id").when_not_matched_insert_all().use_index(False)
            result = await insert.execute(rows)
            await self._compact_if_due(rows=result.num_inserted_rows)
        return int(result.num_inserted_rows)

    async def remove(
        self, source: str, *, domain: str, owner: str | None = None, keep: Collection[str] = ()
    ) -> int:
        where = of_document(source, domain, owner)
        if keep:
            where += f" AND id NOT IN ({', '.join(map(quoted, keep))})"
        async with self._write_lock, store_errors("the passages"):
            count = await self._table.count_rows(where)
            if count:
                await self._table.delete(where)
                await self._compact_if_due(rows=count)
        if not keep:
            await self.history.remove(source, domain=domain, owner=owner)
        return count

    async def scores(
        self,
        query: str,
        *,
        by: SearchBy,
        limit: int,
        access: Access,
        domain: str | None = None,
        among: Collection[str] | None = None,
    ) -> dict[str, float]:
        if limit < 1 or not query.strip() or (among is not None and not among):
            return {}
        where = readable_rows(access, domain)
        if among is not None:
            listed = f"id IN ({', '.join(map(quoted, among))})"
            where = f"{where} AND {listed}" if where else listed
        async with store_errors("the passages"):
            if by == "text" and await hides_rows(self._table, readable_rows(access, None)):
                bm25 = await readable_bm25(self._table, query, where=where, column="searched", key="id")
                found = best_first((id_, scale_bm25(score)) for id_, score in bm25.items())
                return dict(islice(found.items(), limit))
        if by == "vector":
            vector = (await asyncio.to_thread(self._embedder.embed, [normalised(query)]))[0]
            search: Any = self._table.query().nearest_to(vector).distance_type("cosine").nprobes(PROBES)
            if among is not None:  # the index would look only near the question
                search = search.bypass_vector_index()
        else:
            search = self._table.query().nearest_to_text(indexed_text(query), columns="searched")
        if where:
            search = search.where(where)
        column = "_distance" if by == "vector" else "_score"
        async with store_errors("the passages"):
            rows = await search.select(["id", column]).limit(limit).to_arrow()
        values = (scaled_score(value, by) for value in rows[column].to_pylist())
        return best_first(zip(rows["id"].to_pylist(), values, strict=True))

    async def search(
        self, query: str, *, by: SearchBy, limit: int, access: Access, domain: str | None = None
    ) -> tuple[Evidence, ...]:
        scores = await self.scores(query, by=by, limit=limit, access=access, domain=domain)
        return evidence(await self.get(list(scores), access=access), scores, by)

    async def names(self, *, access: Access, domain: str | None = None) -> ReadableNames:
        return (await self._names.current()).readable(access, domain)

    async def get(self, ids: Sequence[str], *, access: Access) -> tuple[Passage, ...]:
        readable = readable_rows(access)
        unique = list(dict.fromkeys(ids))
        found: dict[str, Passage] = {}
        for first in range(0, len(unique), MAX_IDS):
            listed = ", ".join(quoted(i) for i in unique[first : first + MAX_IDS])
            async with store_errors("the passages"):
                where = f"id IN ({listed})" + (f" AND {readable}" if readable else "")
                rows = await self._table.query().where(where).select(["id", "body"]).to_list()
            found.update((row["id"], _passage(row)) for row in rows)
        return tuple(found[i] for i in unique if i in found)

    async def documents(
        self, *, access: Access, domain: str | None = None, sources: Collection[str] | None = None
    ) -> tuple[StoredDocument, ...]:
        if sources is not None and not sources:
            return ()
        query = self._table.query().select(["id", "source", "domain", "owner"])
        where = readable_rows(access, domain)
        if sources is not None:
            listed = f"source IN ({', '.join(map(quoted, sorted(sources)))})"
            where = f"{where} AND {listed}" if where else listed
        if where:
            query = query.where(where)
        async with store_errors("the passages"):
            rows = await query.to_list()
        return documents_of((row["source"], row["domain"], row["owner"], row["id"]) for row in rows)

    async def passages(self, source: str, *, domain: str, owner: str | None = None) -> tuple[Passage, ...]:
        async with store_errors("the passages"):
            query = self._table.query().where(of_document(source, domain, owner))
            rows = await query.select(["id", "body"]).to_list()
        return tuple(sorted(map(_passage, rows), key=lambda each: (each.start, each.id)))

    async def count(self) -> int:
        async with store_errors("the passages"):
            return await self._table.count_rows()

    async def maintain(self) -> None:
        async with self._write_lock, store_errors("the passages"):
            await self._maintenance.run()
        await self.history.expire(self._clock() - KEPT)
        await self.history.maintain()

    async def purge(self) -> None:
        await asyncio.gather(self._purge_passages(), self.history.purge())

    async def _purge_passages(self) -> None:
        async with self._write_lock, store_errors("the passages"):
            await purge(self._table, INDICES)

    async def _compact_if_due(self, *, rows: int) -> None:
        """Compacts after many writes, or many rows: a search by text reads all that are not indexed yet."""
        self._writes += 1
        self._changed_rows += rows
        if self._changed_rows >= ROWS_PER_COMPACTION:
            self._writes = 0
        if await self._maintenance.after_write(self._writes):
            self._changed_rows = 0
            await self._index_vectors()

    async def _index_vectors(self) -> None:
        """Indexes the vectors once there are many; compaction then keeps the index up to date."""
        if await self._table.count_rows() >= VECTOR_INDEX_ROWS and not any(
            "vector" in index.columns for index in await self._table.list_indices()
        ):
            await self._table.create_index("vector", config=INDICES["vector"])


def _rows(passages: Sequence[Passage], embedder: Embedder, schema: pa.Schema) -> pa.Table:
    """The passages as rows. Blocks for a while: LanceDB would convert a list on the event loop."""
    texts = [searchable_text(p) for p in passages]
    vectors = embedder.embed(texts)
    rows = [
        {
            "id": p.id,
            "source": p.source,
            "domain": p.domain,
            "owner": p.owner,
            "searched": indexed_text(text),
            "body": p.model_dump_json(),
            "titles": passage_titles(p),
            "names": passage_names(p),
            "vector": vector,
        }
        for p, text, vector in zip(passages, texts, vectors, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _passage(row: dict[str, Any]) -> Passage:
    try:
        return Passage.model_validate_json(row["body"])
    except ValueError as error:
        raise CorruptRecord(
            f"the stored passage {row['id']} cannot be read: ingest its document again ({error})"
        ) from error
