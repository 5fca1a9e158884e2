"""The history of passages: those that a newer version of their document replaced.

With their facts and times they tell what the library held at a time. Passages of documents that were removed
or forgotten are not in it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from memory.episodic.base import SearchBy
from memory.language.text import key
from memory.records.access import Access
from memory.records.base import Record
from memory.records.knowledge import Evidence, Fact, Passage

ALWAYS = datetime.fromtimestamp(0, UTC)
"""The time of passages without one."""
KEPT = timedelta(days=365)
"""How long replaced passages are kept."""


class PastPassage(Record):
    """A passage that was replaced, with the facts that were found in it."""

    passage: Passage
    facts: tuple[Fact, ...] = ()
    until: datetime
    """When it was replaced; `passage.added_at` says when it was stored."""

    @property
    def id(self) -> str:
        """Its id in the history: a passage that comes back and goes again is there twice."""
        return f"{self.passage.id}@{self.since.timestamp()}"

    @property
    def since(self) -> datetime:
        """When the passage was stored."""
        return self.passage.added_at or ALWAYS

    def was_there(self, as_of: datetime) -> bool:
        """Whether the library held it then."""
        return self.since <= as_of < self.until


class PassageHistory(Protocol):
    """A store of past passages. Methods raise StoreUnavailable on failure."""

    async def add(self, past: Sequence[PastPassage]) -> None:
        """Adds those that are new."""
        ...

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
        """The best of the passages that were there then and have gone; see `EpisodicMemory.search`."""
        ...

    async def about(
        self, term_keys: Sequence[str], *, as_of: datetime, access: Access, domain: str | None = None
    ) -> tuple[Fact, ...]:
        """The facts of those passages with one of these keys as subject or object, by id."""
        ...

    async def remove(self, source: str, *, domain: str, owner: str | None = None) -> None:
        """Removes all past passages of one owner's document."""
        ...

    async def expire(self, before: datetime) -> None:
        """Removes the passages that were replaced before then."""
        ...


def was_added(passage: Passage, as_of: datetime) -> bool:
    """Whether the passage had been stored by then; one without a time always was."""
    return (passage.added_at or ALWAYS) <= as_of


def facts_about(past: Sequence[PastPassage], term_keys: Sequence[str]) -> tuple[Fact, ...]:
    """The facts of these passages with one of the keys as subject or object, by id."""
    wanted = set(term_keys)
    facts = {
        fact.id: fact
        for each in past
        for fact in each.facts
        if wanted & {key(fact.subject), key(fact.object)}
    }
    return tuple(facts[id_] for id_ in sorted(facts))
