"""Why the sources do not answer a question, and what in them comes nearest to an answer."""

from agent.chat.abstention import AbstentionReason
from agent.chat.answer_from_sources import quotation
from agent.chat.sentence_candidates import rerank, shortlist
from memory.embedding.embedder import Embedder
from memory.language.content_words import content_words, coverage
from memory.records.base import Record
from memory.records.knowledge import Citation, Findings

TOPICAL_COVERAGE = 0.5
"""Share of a question's content words in a passage, from which on the passage counts as about it."""
MIN_CLOSEST = 0.02
"""Minimum chance of a sentence that is shown beside an abstention. Of the demo's sixteen questions five are
declined, and the closest sentence answers each of them."""


class Closest(Record):
    """What comes nearest to an answer."""

    text: str
    """Quoted, with the title of its document."""
    citation: Citation


def no_answer(
    question: str, findings: Findings, embedder: Embedder, language: str
) -> tuple[AbstentionReason, Closest | None]:
    """Whether any source is about the question at all, and what comes nearest to an answer.

    Search by meaning finds passages for any question. Blocks, because it computes embeddings.
    """
    ranked = rerank(question, shortlist(question, findings), embedder)
    if ranked and ranked[0].chance >= MIN_CLOSEST:
        return "sources_silent", Closest(text=quotation(ranked[0], language), citation=ranked[0].citation)
    words = content_words(question)
    passages = (hit.passage for hit in findings.evidence)
    on_topic = any(coverage(words, f"{p.title} {p.section} {p.text}") >= TOPICAL_COVERAGE for p in passages)
    return "sources_silent" if on_topic else "no_sources", None
