"""The protocol of semantic memory: facts with provenance, found through the things they name."""

from collections.abc import Collection, Sequence
from typing import Protocol

from memory.language.text import key
from memory.records.knowledge import Fact


class SemanticMemory(Protocol):
    """A graph of facts. Every method raises StoreUnavailable if the store is out of reach."""

    async def add(self, facts: Sequence[Fact]) -> int:
        """Stores those whose id is new and returns how many; others are left as they are."""
        ...

    async def remove(self, source: str, *, keep: Collection[str] = ()) -> int:
        """Forgets a document's facts, but not those whose ids are to be kept; returns how many."""
        ...

    async def about(
        self, terms: Sequence[str], *, domain: str | None = None, limit: int = 50
    ) -> tuple[Fact, ...]:
        """Facts whose subject or object is one of the terms, in any case, number or article.

        Facts about a subject come before those that end in it; equal ones by id.
        """
        ...

    async def near(self, subjects: Sequence[str], *, hops: int = 1, limit: int = 50) -> tuple[Fact, ...]:
        """Facts within `hops` (1 to 4) steps of the subjects, in either direction, nearest first."""
        ...

    async def aclose(self) -> None:
        """Lets go of the store's connections; further calls are not allowed."""
        ...


MOST_HOPS = 4


def keys(names: Sequence[str]) -> list[str]:
    """The names' keys without repetition, in order; blank names are left out."""
    return list(dict.fromkeys(k for k in map(key, names) if k))


def checked_hops(hops: int) -> int:
    """`hops` itself. Raises ValueError unless it is in 1..4: beyond that a graph returns everything."""
    if not 1 <= hops <= MOST_HOPS:
        raise ValueError(f"hops must be in 1..{MOST_HOPS}, not {hops}")
    return hops
