"""The protocol of episodic memory (the store of passages), and what its implementations share."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from memory.episodic.name_graph import ReadableNames
from memory.language.normalisation import normalised, segmented
from memory.records.access import Access
from memory.records.base import Digest, Domain, Record, digest_of
from memory.records.knowledge import Evidence, Passage

if TYPE_CHECKING:
    from memory.episodic.history import PassageHistory

SearchBy = Literal["vector", "text"]

EXPLORED = "web-"
"""Begins the ids of passages that exploration fetched, so that no document of a person has them too."""
HALF_BM25 = 5.0
"""The BM25 score that maps to 0.5: about two rare words in common."""


class StoredDocument(Record):
    """A document in the store. Two of one name differ in their owners or domains."""

    source: str
    domain: Domain
    owner: str | None = None
    """Owner of the key that added it; None if it is shared."""
    fingerprint: Digest
    """See `fingerprint`."""
    explored: bool = False
    """Whether exploration fetched it from the web; False if a person put it into the library."""


class EpisodicMemory(Protocol):
    """A store of passages, searched by vector or full text. Methods raise StoreUnavailable on failure.

    What `access` does not let read is not found, as if it were not stored.
    """

    @property
    def history(self) -> "PassageHistory":
        """What earlier versions of the stored documents held."""
        ...

    async def add(self, passages: Sequence[Passage]) -> int:
        """Adds the passages whose id is new, all or none, and returns how many."""
        ...

    async def remove(
        self, source: str, *, domain: str, owner: str | None = None, keep: Collection[str] = ()
    ) -> int:
        """Removes the passages of one owner's document, except the ids in `keep`; returns how many.

        If none is kept, its history goes too.
        """
        ...

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
        """The ids of the best passages, of all or `among` these, best first, with scores in [0, 1].

        The score by vector is the cosine similarity (negative values count as 0); by text it is BM25, scaled
        as s / (s + 5).
        """
        ...

    async def search(
        self, query: str, *, by: SearchBy, limit: int, access: Access, domain: str | None = None
    ) -> tuple[Evidence, ...]:
        """The best passages themselves, see `scores`."""
        ...

    async def names(self, *, access: Access, domain: str | None = None) -> ReadableNames:
        """Which passages mention a name or are titled by it. What other processes wrote in the last seconds
        may be missing, and what was removed may still be there: `get` and `search` tell."""
        ...

    async def get(self, ids: Sequence[str], *, access: Access) -> tuple[Passage, ...]:
        """The passages with these ids, in this order; unknown ids are left out."""
        ...

    async def documents(
        self, *, access: Access, domain: str | None = None, sources: Collection[str] | None = None
    ) -> tuple[StoredDocument, ...]:
        """The stored documents, of these sources or all, by source, domain and owner."""
        ...

    async def passages(self, source: str, *, domain: str, owner: str | None = None) -> tuple[Passage, ...]:
        """The passages of one owner's document, in its order."""
        ...

    async def count(self) -> int:
        """How many passages are stored."""
        ...

    async def maintain(self) -> None:
        """Compacts the files, brings the indices up to date and removes old versions, if it is time to.

        Searches go on meanwhile.
        """
        ...

    async def purge(self) -> None:
        """Leaves nothing of removed passages on the disk, also of the history."""
        ...


def explored_id(id_: str) -> str:
    """The id of a passage of the web that would have this id in the library."""
    return f"{EXPLORED}{id_[len(EXPLORED) :]}"


def evidence(passages: Sequence[Passage], scores: Mapping[str, float], by: SearchBy) -> tuple[Evidence, ...]:
    """Passages with their scores in a search."""
    return tuple(Evidence(passage=each, score=scores[each.id], found_by=(by,)) for each in passages)


def best_first(scores: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Scores by id, the best first; ties by id."""
    return dict(sorted(scores, key=lambda item: (-item[1], item[0])))


def fingerprint(ids: Iterable[str]) -> Digest:
    """A digest of a document's passage ids; tells whether exactly these passages are stored."""
    return digest_of(sorted(ids))


def documents_of(rows: Iterable[tuple[str, str, str | None, str]]) -> tuple[StoredDocument, ...]:
    """The documents that passages belong to, sorted; a row has a passage's source, domain, owner and id."""
    ids: dict[tuple[str, str, str | None], list[str]] = defaultdict(list)
    for source, domain, owner, id_ in rows:
        ids[source, domain, owner].append(id_)
    return tuple(
        StoredDocument(
            source=source,
            domain=domain,
            owner=owner,
            fingerprint=fingerprint(ids[key]),
            explored=all(id_.startswith(EXPLORED) for id_ in ids[key]),
        )
        for key in sorted(ids, key=lambda each: (each[0], each[1], each[2] or ""))
        for source, domain, owner in (key,)
    )


def scale_bm25(bm25: float) -> float:
    """Maps a BM25 score, which has no upper bound, to [0, 1)."""
    return max(0.0, bm25) / (max(0.0, bm25) + HALF_BM25)


def scaled_score(value: float, by: SearchBy) -> float:
    """The score of a stored passage, from LanceDB's cosine distance or BM25 score."""
    return min(1.0, max(0.0, 1.0 - value)) if by == "vector" else scale_bm25(value)


def unscaled_bm25(score: float) -> float:
    """The BM25 score that `scale_bm25` mapped to this."""
    return HALF_BM25 * score / (1.0 - score)


def searchable_text(passage: Passage) -> str:
    """The text that is embedded, in one spelling: the passage below its heading, which it seldom repeats."""
    heading = passage.section if passage.section.startswith(passage.title) else passage.title
    return normalised(f"{heading}\n{passage.text}")


def indexed_text(text: str) -> str:
    """A text or query for the full-text index, which splits it into words at spaces."""
    return segmented(normalised(text))
