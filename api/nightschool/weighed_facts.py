"""Facts as replies show them: with the confidence of their rule and the documents that support them."""

import asyncio
from collections.abc import Sequence

from pydantic import computed_field

from agent.learning.fact_standing import standings
from memory.ingest.exchange import ExportedDocument
from memory.records.access import Access
from memory.records.knowledge import Fact
from memory.semantic.base import SemanticMemory

MOST_RELATED = 10_000
"""Facts about the same subjects that are read to count support."""


class WeighedFact(Fact):
    """A fact, and how far it may be trusted."""

    support: int
    """Documents that state it, of those that the caller may read: at least its own."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def confidence(self) -> float:
        """How far the rule that read it is trusted, from 0 to 1."""
        return super().confidence


class StoredDocument(ExportedDocument):
    """What is stored of a document."""

    facts: tuple[WeighedFact, ...] = ()


async def weighed(
    facts: Sequence[Fact], semantic: SemanticMemory, *, access: Access, most: int = MOST_RELATED
) -> list[WeighedFact]:
    """The facts with their support among the `most` nearest facts. Raises StoreUnavailable."""
    subjects = list(dict.fromkeys(fact.subject for fact in facts))
    related = await semantic.about(subjects, access=access, limit=most) if subjects else ()
    together = {fact.id: fact for fact in (*related, *facts)}
    standing = await asyncio.to_thread(standings, list(together.values()))
    return [WeighedFact(**fact.model_dump(), support=standing[fact.id].support) for fact in facts]
