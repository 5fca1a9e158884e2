"""The protocol of episodic memory (the store of passages), and what its implementations share."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, Protocol

from memory.records.base import Digest, digest_of
from memory.records.knowledge import Evidence, Passage

SearchBy = Literal["vector", "text"]

HALF_BM25 = 5.0
"""The BM25 score that maps to 0.5: about two rare words in common."""


class EpisodicMemory(Protocol):
    """A store of passages, searched by vector or full text. Methods raise StoreUnavailable on failure."""

    async def add(self, passages: Sequence[Passage]) -> int:
        """Adds the passages whose id is new, all or none, and returns how many."""
        ...

    async def remove(self, source: str, *, keep: Collection[str] = ()) -> int:
        """Removes a document's passages, except the ids in `keep`; returns how many."""
        ...

    async def search(
        self, query: str, *, by: SearchBy, limit: int, domain: str | None = None
    ) -> tuple[Evidence, ...]:
        """The best passages, best first, with scores in [0, 1].

        The score by vector is the cosine similarity (negative values count as 0); by text it is BM25, scaled
        as s / (s + 5).
        """
        ...

    async def get(self, ids: Sequence[str]) -> tuple[Passage, ...]:
        """The passages with these ids, in this order; unknown ids are left out."""
        ...

    async def sources(self, domain: str | None = None) -> dict[str, str]:
        """The fingerprint of each stored document's passages, by source."""
        ...


def fingerprint(ids: Iterable[str]) -> Digest:
    """A digest of a document's passage ids; tells whether exactly these passages are stored."""
    return digest_of(sorted(ids))


def scale_bm25(bm25: float) -> float:
    """Maps a BM25 score, which has no upper bound, to [0, 1)."""
    return max(0.0, bm25) / (max(0.0, bm25) + HALF_BM25)


def searchable_text(passage: Passage) -> str:
    """The text that is embedded and indexed: the passage below its heading, which it seldom repeats."""
    heading = passage.section if passage.section.startswith(passage.title) else passage.title
    return f"{heading}\n{passage.text}"
