"""The answer archive on LanceDB: answers with the vectors of their questions, in one folder.

One process writes, others may read.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.table import AsyncTable

from memory.embedding.embedder import Embedder
from memory.errors import CorruptRecord
from memory.language.text import words
from memory.records.access import Access
from memory.records.nights import ArchivedAnswer
from memory.vector_tables import (
    MAX_IDS,
    Maintenance,
    open_table,
    purge,
    quoted,
    readable_rows,
    store_errors,
)

TABLE = "answers"
_WHAT = "the archived answers"


class LanceAnswerArchive:
    """Archived answers in a LanceDB table; writes run one at a time, since no key is enforced."""

    def __init__(self, table: AsyncTable, embedder: Embedder) -> None:
        """Takes an open table; use `open` instead."""
        self._table = table
        self._embedder = embedder
        self._write_lock = asyncio.Lock()
        self._writes = 0
        self._maintenance = Maintenance(table)

    @classmethod
    async def open(cls, path: Path | str, embedder: Embedder) -> "LanceAnswerArchive":
        """Opens a folder or an s3:// URL, and creates the table if missing.

        Raises StoreUnavailable, also if the stored vectors do not have the embedder's dimension.
        """
        table = await open_table(
            path,
            TABLE,
            ("id", "domain", "body"),
            embedder.dimension,
            what=_WHAT,
            remedy="remove the folder; the next nights fill it again",
            others=(pa.field("wording", pa.string()),),
        )
        return cls(table, embedder)

    async def add(self, answers: Sequence[ArchivedAnswer]) -> int:
        unique = {answer.id: answer for answer in answers}
        if not unique:
            return 0
        questions = [answer.question for answer in unique.values()]
        vectors = await asyncio.to_thread(self._embedder.embed, questions)
        rows = [
            {
                "id": a.id,
                "domain": a.domain,
                "owner": a.owner,
                "body": a.model_dump_json(),
                "wording": " ".join(words(a.question)),
                "vector": vector,
            }
            for a, vector in zip(unique.values(), vectors, strict=True)
        ]
        async with self._write_lock, store_errors(_WHAT):
            table = pa.Table.from_pylist(rows, schema=await self._table.schema())
            merge = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            result = await merge.execute(table)
            await self._compact_if_due()
        return int(result.num_inserted_rows)

    async def search(
        self, question: str, *, domain: str | None, limit: int, access: Access
    ) -> tuple[tuple[ArchivedAnswer, float], ...]:
        if limit < 1 or not question.strip():
            return ()
        async with store_errors(_WHAT):
            if not await self._table.count_rows():
                return ()
        vector = (await asyncio.to_thread(self._embedder.embed, [question]))[0]
        query: Any = self._table.query().nearest_to(vector).distance_type("cosine")
        if where := readable_rows(access, domain):
            query = query.where(where)
        async with store_errors(_WHAT):
            rows = await query.select(["id", "body", "_distance"]).limit(limit).to_list()
        hits = [(_answer(row), min(1.0, max(0.0, 1.0 - row["_distance"]))) for row in rows]
        return tuple(sorted(hits, key=lambda hit: (-hit[1], hit[0].id)))

    async def holds(self, question: str, *, access: Access) -> bool:
        where = f"wording = {quoted(' '.join(words(question)))}"
        if readable := readable_rows(access, None):
            where = f"{where} AND ({readable})"
        async with store_errors(_WHAT):
            return bool(await self._table.count_rows(where))

    async def remove(self, ids: Sequence[str]) -> int:
        unique = list(dict.fromkeys(ids))
        removed = 0
        async with self._write_lock, store_errors(_WHAT):
            for first in range(0, len(unique), MAX_IDS):
                where = f"id IN ({', '.join(map(quoted, unique[first : first + MAX_IDS]))})"
                count = await self._table.count_rows(where)
                if count:
                    await self._table.delete(where)
                    await self._compact_if_due()
                removed += count
        return removed

    async def list(self) -> tuple[ArchivedAnswer, ...]:
        async with store_errors(_WHAT):
            rows = await self._table.query().select(["id", "body"]).to_list()
        return tuple(sorted((_answer(row) for row in rows), key=lambda answer: answer.id))

    async def maintain(self) -> None:
        async with self._write_lock, store_errors(_WHAT):
            await self._maintenance.run()

    async def purge(self) -> None:
        async with self._write_lock, store_errors(_WHAT):
            await purge(self._table)

    async def _compact_if_due(self) -> None:
        self._writes += 1
        await self._maintenance.after_write(self._writes)


def _answer(row: dict[str, Any]) -> ArchivedAnswer:
    try:
        return ArchivedAnswer.model_validate_json(row["body"])
    except ValueError as error:
        raise CorruptRecord(f"the archived answer {row['id']} cannot be read ({error})") from error
