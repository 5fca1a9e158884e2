"""Episodic memory in RAM, for tests: exact search over all passages."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import islice

from memory.embedding.embedder import Embedder, Vectors
from memory.episodic.base import (
    SearchBy,
    StoredDocument,
    best_first,
    documents_of,
    evidence,
    scale_bm25,
    searchable_text,
)
from memory.episodic.history import PastPassage, facts_about
from memory.episodic.name_graph import NameGraph, ReadableNames
from memory.language.normalisation import normalised
from memory.language.text import singular, words
from memory.records.access import Access
from memory.records.knowledge import Evidence, Fact, Passage

K1, B = 1.2, 0.75
"""BM25 parameters of Robertson and Zaragoza (2009), as in LanceDB."""


class VolatileEpisodicMemory:
    """Passages in a dict, searched exhaustively."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.history = VolatilePassageHistory(embedder)
        self._passages: dict[str, Passage] = {}
        self._vectors: dict[str, Vectors] = {}

    async def add(self, passages: Sequence[Passage]) -> int:
        new = {p.id: p for p in passages if p.id not in self._passages}
        for passage, vector in zip(
            new.values(), self._embedder.embed([searchable_text(p) for p in new.values()]), strict=True
        ):
            self._passages[passage.id] = passage
            self._vectors[passage.id] = vector
        return len(new)

    async def remove(
        self, source: str, *, domain: str, owner: str | None = None, keep: Collection[str] = ()
    ) -> int:
        document = (source, domain, owner)
        removed = [
            p.id
            for p in self._passages.values()
            if (p.source, p.domain, p.owner) == document and p.id not in keep
        ]
        for id_ in removed:
            del self._passages[id_], self._vectors[id_]
        if not keep:
            await self.history.remove(source, domain=domain, owner=owner)
        return len(removed)

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
        if limit < 1 or not query.strip():
            return {}
        candidates = [p for p in self._readable(access, domain) if among is None or p.id in among]
        scores = self._cosines(query, candidates) if by == "vector" else _bm25(query, candidates)
        ranked = best_first(
            (p.id, s) for p, s in zip(candidates, scores, strict=True) if by == "vector" or s > 0
        )
        return dict(islice(ranked.items(), limit))

    async def search(
        self, query: str, *, by: SearchBy, limit: int, access: Access, domain: str | None = None
    ) -> tuple[Evidence, ...]:
        scores = await self.scores(query, by=by, limit=limit, access=access, domain=domain)
        return evidence(await self.get(list(scores), access=access), scores, by)

    async def names(self, *, access: Access, domain: str | None = None) -> ReadableNames:
        return NameGraph.of(self._passages.values()).readable(access, domain)

    async def get(self, ids: Sequence[str], *, access: Access) -> tuple[Passage, ...]:
        readable = {p.id: p for p in self._readable(access, None)}
        return tuple(readable[i] for i in dict.fromkeys(ids) if i in readable)

    async def documents(
        self, *, access: Access, domain: str | None = None, sources: Collection[str] | None = None
    ) -> tuple[StoredDocument, ...]:
        passages = self._readable(access, domain)
        return documents_of(
            (p.source, p.domain, p.owner, p.id) for p in passages if sources is None or p.source in sources
        )

    async def passages(self, source: str, *, domain: str, owner: str | None = None) -> tuple[Passage, ...]:
        document = (source, domain, owner)
        theirs = [p for p in self._passages.values() if (p.source, p.domain, p.owner) == document]
        return tuple(sorted(theirs, key=lambda each: (each.start, each.id)))

    async def count(self) -> int:
        return len(self._passages)

    async def maintain(self) -> None:
        """Does nothing; there is no disk."""

    async def purge(self) -> None:
        """Does nothing; there is no disk."""

    def _readable(self, access: Access, domain: str | None) -> list[Passage]:
        return [
            p
            for p in self._passages.values()
            if (domain is None or p.domain == domain) and access.may_read(p.owner, p.domain)
        ]

    def _cosines(self, query: str, passages: Sequence[Passage]) -> list[float]:
        query_vector = self._embedder.embed([normalised(query)])[0]
        return [min(1.0, max(0.0, float(self._vectors[p.id] @ query_vector))) for p in passages]


class VolatilePassageHistory:
    """Past passages in a dict."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._past: dict[str, PastPassage] = {}

    async def add(self, past: Sequence[PastPassage]) -> None:
        for each in past:
            self._past.setdefault(each.id, each)

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
        there = VolatileEpisodicMemory(self._embedder)
        await there.add([each.passage for each in self._past.values() if each.was_there(as_of)])
        return await there.search(query, by=by, limit=limit, access=access, domain=domain)

    async def about(
        self, term_keys: Sequence[str], *, as_of: datetime, access: Access, domain: str | None = None
    ) -> tuple[Fact, ...]:
        there = [
            each
            for each in self._past.values()
            if each.was_there(as_of)
            and access.may_read(each.passage.owner, each.passage.domain)
            and domain in (None, each.passage.domain)
        ]
        return facts_about(there, term_keys)

    async def remove(self, source: str, *, domain: str, owner: str | None = None) -> None:
        document = (source, domain, owner)
        self._past = {
            id_: each
            for id_, each in self._past.items()
            if (each.passage.source, each.passage.domain, each.passage.owner) != document
        }

    async def expire(self, before: datetime) -> None:
        self._past = {id_: each for id_, each in self._past.items() if each.until >= before}


def _bm25(query: str, passages: Sequence[Passage]) -> list[float]:
    documents = [Counter(singular(w) for w in words(searchable_text(p))) for p in passages]
    lengths = [sum(d.values()) for d in documents]
    average = sum(lengths) / len(lengths) if lengths else 1.0
    scores = [0.0] * len(passages)
    for term in {singular(w) for w in words(query)}:
        frequency_in_documents = sum(term in d for d in documents)
        idf = math.log(1 + (len(passages) - frequency_in_documents + 0.5) / (frequency_in_documents + 0.5))
        for i, document in enumerate(documents):
            frequency = document[term]
            norm = frequency + K1 * (1 - B + B * lengths[i] / average)
            scores[i] += idf * frequency * (K1 + 1) / norm if frequency else 0.0
    return [scale_bm25(s) for s in scores]
