"""An answer archive in RAM, for tests: exact search over all questions."""

import asyncio
from collections.abc import Sequence

from memory.embedding.embedder import Embedder, Vectors
from memory.language.text import words
from memory.records.access import Access
from memory.records.nights import ArchivedAnswer


class VolatileAnswerArchive:
    """Archived answers in a dict, searched exhaustively."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._answers: dict[str, ArchivedAnswer] = {}
        self._vectors: dict[str, Vectors] = {}

    async def add(self, answers: Sequence[ArchivedAnswer]) -> int:
        unique = {answer.id: answer for answer in answers}
        if not unique:
            return 0
        questions = [answer.question for answer in unique.values()]
        vectors = await asyncio.to_thread(self._embedder.embed, questions)
        new = len(unique.keys() - self._answers.keys())
        self._answers |= unique
        self._vectors |= dict(zip(unique, vectors, strict=True))
        return new

    async def search(
        self, question: str, *, domain: str | None, limit: int, access: Access
    ) -> tuple[tuple[ArchivedAnswer, float], ...]:
        candidates = [
            a
            for a in self._answers.values()
            if (domain is None or a.domain == domain) and access.may_read(a.owner, a.domain)
        ]
        if limit < 1 or not question.strip() or not candidates:
            return ()
        vector = (await asyncio.to_thread(self._embedder.embed, [question]))[0]
        cosines = [(a, min(1.0, max(0.0, float(self._vectors[a.id] @ vector)))) for a in candidates]
        return tuple(sorted(cosines, key=lambda hit: (-hit[1], hit[0].id))[:limit])

    async def holds(self, question: str, *, access: Access) -> bool:
        wording = words(question)
        return any(
            words(a.question) == wording and access.may_read(a.owner, a.domain)
            for a in self._answers.values()
        )

    async def remove(self, ids: Sequence[str]) -> int:
        known = [id_ for id_ in dict.fromkeys(ids) if id_ in self._answers]
        for id_ in known:
            del self._answers[id_], self._vectors[id_]
        return len(known)

    async def list(self) -> tuple[ArchivedAnswer, ...]:
        return tuple(self._answers[id_] for id_ in sorted(self._answers))

    async def maintain(self) -> None:
        """Does nothing; there is no disk."""

    async def purge(self) -> None:
        """Does nothing; there is no disk."""
