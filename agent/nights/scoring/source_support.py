"""Which source sentence says what a statement of an answer says, and how much of it."""

import re
from collections.abc import Sequence

from agent.chat.answer_from_sources import supported_statements
from agent.chat.sentence_candidates import SentenceCandidate
from agent.chat.support import is_negated, supports
from memory.embedding.embedder import Embedder
from memory.language.lexicon import AUXILIARIES
from memory.language.text import words
from memory.records.base import Record, Share

FEWEST_CLAUSE_WORDS = 3
"""Words of a clause that is read as a sentence."""

_CLAUSE = re.compile(r"[,;:]\s+|\s+(?:and|but)\s+")
_YES_OR_NO = re.compile(r"^\W*(?:yes|no)\b[\s,.:;!\u2013\u2014-]*(?=\w)", re.IGNORECASE)


class Support(Record):
    """How much of a statement a source sentence supports."""

    share: Share
    """Share of the statement's words, from its beginning."""
    chance: Share | None = None
    """Probability that the sentence answers the question; None if it was not measured."""


def find_support(
    question: str,
    statement: str,
    *,
    candidates: Sequence[SentenceCandidate],
    cited: Sequence[SentenceCandidate],
    embedder: Embedder,
) -> Support:
    """The support of the statement by the cited sentences or the likeliest ones. May compute embeddings."""
    spaced = " ".join(statement.split())
    chances = {(each.passage.id, each.start): each.chance for each in candidates}
    for each in cited:
        if each.reading and each.reading in spaced:
            return Support(share=1.0, chance=chances.get((each.passage.id, each.start)))
    claim = claim_of(question, statement)
    context = "" if is_polar(question) or is_negated(question) else question
    for sentences in (candidates, cited):
        found = sentences and supported_statements(context, claim, (), sentences, embedder, ())
        if found and found[1]:
            share = min(1.0, len(words(found[0])) / max(1, len(words(claim))))
            source = next(each for each in sentences if each.citation in found[1])
            return Support(share=share, chance=chances.get((source.passage.id, source.start)))
        for each in sentences:
            if _in_a_clause(each, claim, context):
                return Support(share=1.0, chance=chances.get((each.passage.id, each.start)))
    return Support(share=0.0)


def claim_of(question: str, statement: str) -> str:
    """The statement without a leading yes or no; after a negated question a fragment takes its "not"."""
    claim = _YES_OR_NO.sub("", statement)
    return f"{question} {claim}" if is_negated(question) and not is_negated(claim) else claim


def is_polar(question: str) -> bool:
    """Whether the question asks for yes or no, so that its answer repeats it."""
    return words(question)[:1] != () and words(question)[0] in AUXILIARIES["en"]


def _in_a_clause(candidate: SentenceCandidate, claim: str, question: str) -> bool:
    """Whether a clause alone says it: "valid for a year and cannot be extended" denies only its end."""
    nearby = f"{candidate.passage.title} {candidate.passage.section} {candidate.reading}"
    clauses = [part for part in _CLAUSE.split(candidate.reading) if len(part.split()) >= FEWEST_CLAUSE_WORDS]
    return len(clauses) > 1 and any(
        supports(clause, claim, question=question, nearby=nearby) for clause in clauses
    )
