"""The protocol of semantic memory: a graph of facts with provenance, looked up by subject or object."""

from collections.abc import Collection, Sequence
from typing import Protocol

from memory.language.text import key
from memory.records.access import Access
from memory.records.knowledge import Fact

MAX_FACTS = 100_000
"""Default limit for reading all facts; more would need gigabytes."""


class SemanticMemory(Protocol):
    """A graph of facts. Methods raise StoreUnavailable on failure.

    What `access` does not let read is not found, as if it were not stored. Facts that users stated
    (`Fact.said_by`) are found only by searches for the same `said_by`.
    """

    async def add(self, facts: Sequence[Fact]) -> int:
        """Adds the facts whose id is new and returns how many."""
        ...

    async def redate(self, facts: Sequence[Fact]) -> None:
        """Stores these in place of the facts with their ids, of which they differ in `dated` alone; ids that
        are not stored are left out."""
        ...

    async def remove(
        self, source: str, *, domain: str, owner: str | None = None, keep: Collection[str] = ()
    ) -> int:
        """Removes the facts of one owner's document, except the ids in `keep`; returns how many."""
        ...

    async def about(
        self,
        terms: Sequence[str],
        *,
        access: Access,
        domain: str | None = None,
        said_by: str | None = None,
        limit: int = 50,
    ) -> tuple[Fact, ...]:
        """Facts whose subject or object is one of the terms, ignoring case, plural and article.

        Facts with the term as subject come before those with it as object; ties are ordered by id.
        """
        ...

    async def naming(
        self, terms: Sequence[str], *, access: Access, domain: str | None = None, limit: int = 200
    ) -> tuple[Fact, ...]:
        """Facts that say whether a term and another name are the same thing's (`naming.is_naming`), by id."""
        ...

    async def near(
        self,
        subjects: Sequence[str],
        *,
        access: Access,
        hops: int = 1,
        said_by: str | None = None,
        limit: int = 50,
    ) -> tuple[Fact, ...]:
        """Facts within `hops` (1 to 4) steps of the subjects in either direction, nearest first."""
        ...

    async def of_documents(
        self, sources: Collection[str], *, access: Access, limit: int = 50
    ) -> tuple[Fact, ...]:
        """Facts that documents with these names state, ordered by id; nothing that users said."""
        ...

    async def said(self, said_by: str, *, limit: int = 200) -> tuple[Fact, ...]:
        """What one user or conversation stated, latest first; ties are ordered by id."""
        ...

    async def facts(self, source: str, *, domain: str, owner: str | None = None) -> tuple[Fact, ...]:
        """The facts of one owner's document, in its order."""
        ...

    async def all(
        self, *, access: Access, domain: str | None = None, limit: int = 100_000
    ) -> tuple[Fact, ...]:
        """All facts from documents that may be read, of one domain or of all, by id; at most `limit`."""
        ...

    async def count(self) -> int:
        """How many facts are stored, also those that users stated."""
        ...

    async def purge(self) -> None:
        """Leaves nothing of removed facts on the disk of the graph's server."""
        ...

    async def aclose(self) -> None:
        """Closes the store's connections; it must not be used afterwards."""
        ...


MAX_HOPS = 4


def keys(names: Sequence[str]) -> list[str]:
    """The distinct keys of the names, in order; blank names are left out."""
    return list(dict.fromkeys(k for k in map(key, names) if k))


def checked_hops(hops: int) -> int:
    """Returns `hops`. Raises ValueError unless it is in 1..4; more would return most of the graph."""
    if not 1 <= hops <= MAX_HOPS:
        raise ValueError(f"hops must be in 1..{MAX_HOPS}, not {hops}")
    return hops
