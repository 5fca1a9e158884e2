"""The protocol of episodic memory, and the fingerprint that tells whether a document is stored whole."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, Protocol

from memory.records.base import Digest, digest_of
from memory.records.knowledge import Evidence, Passage

By = Literal["vector", "text"]

HALF_BM25 = 5.0
"""BM25 of about two rare words in agreement; a text score of this size counts as 0.5."""


class EpisodicMemory(Protocol):
    """Passages by meaning and by words. Every method raises StoreUnavailable if the store is out of reach."""

    async def add(self, passages: Sequence[Passage]) -> int:
        """Stores those whose id is new, all or none, and returns how many; others are left as they are."""
        ...

    async def remove(self, source: str, *, keep: Collection[str] = ()) -> int:
        """Forgets a document's passages, but not those whose ids are to be kept; returns how many."""
        ...

    async def search(
        self, query: str, *, by: By, limit: int, domain: str | None = None
    ) -> tuple[Evidence, ...]:
        """The best passages, best first, with scores in [0, 1].

        By vector: cosine similarity (negative counts as 0). By text: BM25, squashed as s / (s + 5).
        """
        ...

    async def get(self, ids: Sequence[str]) -> tuple[Passage, ...]:
        """The passages of these ids in this order; unknown ids are left out."""
        ...

    async def sources(self, domain: str | None = None) -> dict[str, str]:
        """Every document's source and the fingerprint of its passages."""
        ...


def fingerprint(ids: Iterable[str]) -> Digest:
    """A digest of a document's passage ids: equal only if the very same passages are stored."""
    return digest_of(sorted(ids))


def squashed(bm25: float) -> float:
    """A BM25 score, which has no upper end, as a value in [0, 1)."""
    return max(0.0, bm25) / (max(0.0, bm25) + HALF_BM25)


def embedded_text(passage: Passage) -> str:
    """What stands for a passage in search: its headings count, because a passage seldom repeats them."""
    heading = passage.section if passage.section.startswith(passage.title) else passage.title
    return f"{heading}\n{passage.text}"
