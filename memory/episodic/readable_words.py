"""BM25 of a LanceDB table over the rows that a caller may read, as if no others were stored.

LanceDB counts over all rows in how many a word occurs. With a few documents of their own, callers could see
in the scores which words are in others' documents, and in how many.
"""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

from lancedb.table import AsyncTable

from memory.language.content_words import CLOSED_CLASS
from memory.language.text import singular, words

MOST_WORDS = 32
"""Words of a query that are looked up, each by a search of its own."""
MOST_ROWS = 5_000
"""Rows that are read for a word. One that is in more of them counts as if it were in half of all rows."""
SCORE = "_score"


async def hides_rows(table: AsyncTable, where: str) -> bool:
    """Whether the table has rows that its reader's filter (empty for none) leaves out.

    Otherwise LanceDB's own BM25 tells nothing, and is one search in place of one a word.
    """
    return bool(where) and await table.count_rows(where) < await table.count_rows()


async def readable_bm25(
    table: AsyncTable, query: str, *, where: str, column: str, key: str
) -> Mapping[str, float]:
    """The BM25 score of the rows of the filter that have words of the query, by their `key`.

    How often a word is in a row counts relative to the row that has it most.
    """
    total = await table.count_rows(where)
    found = await asyncio.gather(*(_rows(table, word, where, column, key) for word in query_words(query)))
    scores: dict[str, float] = {}
    for rows in found:
        count = len(rows) if len(rows) < MOST_ROWS else max(MOST_ROWS, total // 2)
        rarity = math.log(1 + max(0.0, total - count + 0.5) / (count + 0.5))
        most = max(rows.values(), default=0.0)
        for id_, score in rows.items():
            scores[id_] = scores.get(id_, 0.0) + rarity * score / most
    return scores


def query_words(query: str) -> tuple[str, ...]:
    """The distinct words of a query that are looked up; those that every text has are left out."""
    by_stem = {singular(word): word for word in words(query) if word not in CLOSED_CLASS}
    return tuple(by_stem.values())[:MOST_WORDS]


async def _rows(table: AsyncTable, word: str, where: str, column: str, key: str) -> dict[str, float]:
    """LanceDB's scores of the readable rows with this word, at most MOST_ROWS."""
    search: Any = table.query().nearest_to_text(word, columns=column).where(where)
    rows = await search.select([key, SCORE]).limit(MOST_ROWS).to_arrow()
    pairs = zip(rows[key].to_pylist(), rows[SCORE].to_pylist(), strict=True)
    return {id_: score for id_, score in pairs if score > 0}
