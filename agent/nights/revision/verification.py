"""Verifies a draft: what remains of it is supported by source sentences, statement by statement."""

from collections.abc import Sequence

from langchain_core.messages import HumanMessage

from agent.chat.abstention import quotation_text
from agent.chat.answer_from_sources import MIN_CHANCE, supported_statements
from agent.chat.sentence_candidates import SentenceCandidate
from agent.principles.constitution import Statement, broken_principles
from memory.embedding.embedder import Embedder
from memory.records.base import Record
from memory.records.knowledge import Citation


class Verified(Record):
    """The supported part of a draft, with the sentences that support it."""

    text: str
    citations: tuple[Citation, ...]


def verify(
    question: str,
    text: str,
    ranked: Sequence[SentenceCandidate],
    *,
    language: str,
    embedder: Embedder,
    declines: Sequence[str],
) -> Verified | None:
    """The supported part of the text; None without one, if it breaks a principle that stops
    an answer, or if it rests on no sentence likely to answer.

    Blocks, because it may compute embeddings.
    """
    if not text.strip() or not ranked:
        return None
    statement = Statement(text, question, [candidate.reading for candidate in ranked], declines)
    if broken_principles(statement, stopping="answer"):
        return None
    verified = _quotation(text, ranked, language)
    if verified is None:
        messages = [HumanMessage(question)]
        supported = supported_statements(question, text, messages, ranked, embedder, declines)
        verified = Verified(text=supported[0], citations=supported[1]) if supported else None
    if verified is None:
        return None
    likely = [candidate.citation for candidate in ranked if candidate.chance >= MIN_CHANCE]
    return verified if any(citation in likely for citation in verified.citations) else None


def is_whole(verified: Verified, text: str) -> bool:
    """Whether nothing of the text had to be cut."""
    return "".join(verified.text.split()) == "".join(text.split())


def _quotation(text: str, ranked: Sequence[SentenceCandidate], language: str) -> Verified | None:
    """The text itself if each of its lines quotes a source sentence."""
    quotes = {candidate.reading: candidate for candidate in ranked}
    quotes |= {quotation_text(c.reading, c.passage.title, language): c for c in ranked}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or any(line not in quotes for line in lines):
        return None
    citations = tuple(dict.fromkeys(quotes[line].citation for line in lines))
    return Verified(text=text, citations=citations)
