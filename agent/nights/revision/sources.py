"""The sentences of the library that may answer a question, without those that give orders to a model."""

import asyncio
from collections.abc import Sequence

from agent.chat.answer_from_sources import MIN_CHANCE, find_contradiction
from agent.chat.sentence_candidates import SentenceCandidate, rerank, shortlist
from agent.learning.exploration import look_up
from agent.nights.injections import dictates_an_answer, orders_a_model
from agent.nights.privacy import without_statements
from memory.embedding.embedder import Embedder
from memory.episodic.base import EpisodicMemory
from memory.records.access import Access
from memory.records.base import Record
from memory.records.knowledge import Findings
from memory.semantic.base import SemanticMemory


class Sources(Record):
    """What the library says to a question."""

    ranked: tuple[SentenceCandidate, ...] = ()
    """Likeliest to answer first."""

    @property
    def likely(self) -> tuple[SentenceCandidate, ...]:
        """Those likely enough to answer."""
        return tuple(candidate for candidate in self.ranked if candidate.chance >= MIN_CHANCE)

    @property
    def disputed(self) -> tuple[SentenceCandidate, SentenceCandidate] | None:
        """The likeliest sentence and one that contradicts it, if any."""
        return find_contradiction(self.ranked) if self.likely else None


async def find_sources(
    question: str,
    *,
    query: str | None = None,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    access: Access,
    embedder: Embedder,
) -> Sources:
    """Looks the question up, or `query` for it; what users stated is no source. Raises StoreUnavailable."""
    findings = without_statements(
        await look_up(query or question, episodic=episodic, semantic=semantic, access=access)
    )
    candidates = trustworthy(shortlist(question, without_orders(findings)))
    return Sources(ranked=await asyncio.to_thread(rerank, question, candidates, embedder))


def without_orders(findings: Findings) -> Findings:
    """The findings without passages that give orders to a model: nothing in them can be trusted."""
    evidence = tuple(hit for hit in findings.evidence if not orders_a_model(hit.passage.text))
    return findings.model_copy(update={"evidence": evidence})


def trustworthy(candidates: Sequence[SentenceCandidate]) -> tuple[SentenceCandidate, ...]:
    """The sentences that do not tell the reader what to say."""
    return tuple(candidate for candidate in candidates if not dictates_an_answer(candidate.reading))
