"""The history of passages in a LanceDB table beside that of the passages."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.index import FTS
from lancedb.table import AsyncTable

from memory.embedding.embedder import Embedder
from memory.episodic.base import (
    SearchBy,
    best_first,
    indexed_text,
    scale_bm25,
    scaled_score,
    searchable_text,
)
from memory.episodic.history import PastPassage, facts_about
from memory.episodic.readable_words import hides_rows, readable_bm25
from memory.errors import CorruptRecord
from memory.language.normalisation import normalised
from memory.records.access import Access
from memory.records.knowledge import Evidence, Fact
from memory.vector_tables import (
    Maintenance,
    of_document,
    open_table,
    purge,
    quoted,
    readable_rows,
    store_errors,
)

TABLE = "history"
_WHAT = "the history of passages"


class LancePassageHistory:
    """Past passages, with the times between which the library held them as text that sorts by time."""

    def __init__(self, table: AsyncTable, embedder: Embedder) -> None:
        """Takes an open table; use `open` instead."""
        self._table = table
        self._embedder = embedder
        self._write_lock = asyncio.Lock()
        self._maintenance = Maintenance(table)

    @classmethod
    async def open(cls, path: Path | str, embedder: Embedder) -> "LancePassageHistory":
        """Opens the table in a folder or at a URL, and creates it if missing. Raises StoreUnavailable."""
        texts = ("id", "source", "domain", "since", "until", "searched", "body")
        table = await open_table(
            path, TABLE, texts, embedder.dimension, what=_WHAT, remedy="remove the folder and ingest again"
        )
        async with store_errors(f"{_WHAT} in {path}"):
            if not any("searched" in index.columns for index in await table.list_indices()):
                await table.create_index("searched", config=FTS())
        return cls(table, embedder)

    async def add(self, past: Sequence[PastPassage]) -> None:
        unique = {each.id: each for each in past}
        if not unique:
            return
        schema = await self._table.schema()
        rows = await asyncio.to_thread(_rows, list(unique.values()), self._embedder, schema)
        async with self._write_lock, store_errors(_WHAT):
            await self._table.merge_insert("id").when_not_matched_insert_all().execute(rows)

    async def search(
        self,
        query: str,
        *,
        by: SearchBy,
        as_of: datetime,
        limit: int,
        access: Access,
        domain: str | None = None,
    ) -> tuple[Evidence, ...]:
        async with store_errors(_WHAT):
            if limit < 1 or not query.strip() or not await self._table.count_rows():
                return ()
            hidden = by == "text" and await hides_rows(self._table, readable_rows(access, None))
        where = _there(as_of, access, domain)
        if hidden:
            return await self._readable_by_text(query, where, limit)
        if by == "vector":
            vector = (await asyncio.to_thread(self._embedder.embed, [normalised(query)]))[0]
            search: Any = self._table.query().nearest_to(vector).distance_type("cosine")
        else:
            search = self._table.query().nearest_to_text(indexed_text(query), columns="searched")
        value = "_distance" if by == "vector" else "_score"
        async with store_errors(_WHAT):
            rows = await search.where(where).select(["id", "body", value]).limit(limit).to_list()
        return _hits(((row, scaled_score(row[value], by)) for row in rows), by)

    async def _readable_by_text(self, query: str, where: str, limit: int) -> tuple[Evidence, ...]:
        async with store_errors(_WHAT):
            bm25 = await readable_bm25(self._table, query, where=where, column="searched", key="id")
            best = dict(islice(best_first(bm25.items()).items(), limit))
            listed = f"id IN ({', '.join(map(quoted, best))})"
            rows = await self._table.query().where(listed).select(["id", "body"]).to_list() if best else []
        return _hits(((row, scale_bm25(best[row["id"]])) for row in rows), "text")

    async def about(
        self, term_keys: Sequence[str], *, as_of: datetime, access: Access, domain: str | None = None
    ) -> tuple[Fact, ...]:
        async with store_errors(_WHAT):
            query = self._table.query().where(_there(as_of, access, domain))
            found = await query.select(["id", "body"]).to_arrow()
        return await asyncio.to_thread(_facts, found, term_keys)

    async def remove(self, source: str, *, domain: str, owner: str | None = None) -> None:
        await self._delete(of_document(source, domain, owner))

    async def expire(self, before: datetime) -> None:
        await self._delete(f"until < {quoted(_time(before))}")

    async def purge(self) -> None:
        """Leaves nothing of removed passages on the disk."""
        async with self._write_lock, store_errors(_WHAT):
            await purge(self._table, {"searched": FTS()})

    async def maintain(self) -> None:
        """Compacts the files and brings the index up to date."""
        async with self._write_lock, store_errors(_WHAT):
            await self._maintenance.run()

    async def _delete(self, where: str) -> None:
        async with self._write_lock, store_errors(_WHAT):
            if await self._table.count_rows(where):
                await self._table.delete(where)


def _hits(found: Iterable[tuple[dict[str, Any], float]], by: SearchBy) -> tuple[Evidence, ...]:
    """The passages of rows with their scores, best first."""
    hits = [Evidence(passage=_past(row).passage, score=score, found_by=(by,)) for row, score in found]
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.passage.id)))


def _there(as_of: datetime, access: Access, domain: str | None) -> str:
    time = quoted(_time(as_of))
    conditions = [f"since <= {time} AND until > {time}"]
    if readable := readable_rows(access, domain):
        conditions.append(readable)
    return " AND ".join(conditions)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _rows(past: Sequence[PastPassage], embedder: Embedder, schema: pa.Schema) -> pa.Table:
    """The passages as rows. Blocks for a while."""
    texts = [searchable_text(each.passage) for each in past]
    rows = [
        {
            "id": each.id,
            "source": each.passage.source,
            "domain": each.passage.domain,
            "owner": each.passage.owner,
            "since": _time(each.since),
            "until": _time(each.until),
            "searched": indexed_text(text),
            "body": each.model_dump_json(),
            "vector": vector,
        }
        for each, text, vector in zip(past, texts, embedder.embed(texts), strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _facts(found: pa.Table, term_keys: Sequence[str]) -> tuple[Fact, ...]:
    """The facts of all these past passages about the terms. Blocks for a while."""
    return facts_about([_past(row) for row in found.to_pylist()], term_keys)


def _past(row: dict[str, Any]) -> PastPassage:
    try:
        return PastPassage.model_validate_json(row["body"])
    except ValueError as error:
        raise CorruptRecord(f"the past passage {row['id']} cannot be read ({error})") from error
