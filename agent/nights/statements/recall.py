"""Answers a user's question from what they stated themselves: `You said on 7 May 2023: ...`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from agent.chat.answer_from_sources import MIN_CHANCE
from agent.chat.sentence_candidates import rerank, shortlist
from agent.nights.statements.dates import spelled_date
from agent.nights.statements.utterances import THE_USER
from memory.embedding.embedder import Embedder
from memory.language.content_words import content_words, occurs, stems
from memory.records.base import Record, digest_of
from memory.records.knowledge import Citation, Evidence, Fact, Findings, Passage

MOST = 8
"""Statements that are ranked, most words in common first: as many as passages of a search."""
MIN_COVERAGE = 0.6
"""Share of the question's content words that a statement has to have. The chance is fitted on passages, which
have a topic; alone it takes statements about something else for answers."""
_FIRST_PERSON = re.compile(r"\b(?:i|me|my|mine|myself|we|us|our|ours)\b(?:'(?:m|ve|ll|d)\b)?", re.IGNORECASE)
_INSTRUCTIONS = re.compile(
    r"\bhow (?:do|can|could|should|would|to|might) (?:i|we)\b|^(?:can|should|may|could) (?:i|we)\b", re.I
)
"""Questions that ask what to do, not about who asks."""
_OWNED = re.compile(r"\b(?:my|our) (\w+)", re.IGNORECASE)
_NAME = re.compile(r"(?<!^)\b[A-Z]\w+")
_AS_USER = {"my": f"{THE_USER}'s", "our": f"{THE_USER}'s", "mine": f"{THE_USER}'s", "ours": f"{THE_USER}'s"}


class RecalledStatement(Record):
    """An answer in the user's own words."""

    text: str
    citation: Citation


def asks_about_speaker(question: str) -> bool:
    """Whether the question is about who asks it, such as `Where do I live?`."""
    first_person = _FIRST_PERSON.search(question) is not None
    return question.rstrip().endswith("?") and first_person and not _INSTRUCTIONS.search(question)


def recall(
    question: str, facts: Sequence[Fact], *, embedder: Embedder, now: datetime
) -> RecalledStatement | None:
    """The statement that answers the question, if one does and still holds. Blocks.

    `facts` are those of the unit that asks, and of no other.
    """
    if _INSTRUCTIONS.search(question):
        return None
    asked = _FIRST_PERSON.sub(lambda m: _AS_USER.get(m[0].lower(), THE_USER), question)
    wanted = [word for word in content_words(asked) if word not in ("user", "am")]
    valid = [f for f in facts if f.said_at is not None and (f.valid_until is None or f.valid_until >= now)]
    shares = {f.id: _share(wanted, f.sentence) for f in valid}
    fitting = [f for f in valid if shares.get(f.id, 0.0) >= MIN_COVERAGE and _is_about(f, question)]
    likely = sorted(fitting, key=lambda f: -shares[f.id])[:MOST]
    if not likely:
        return None
    evidence = tuple(Evidence(passage=_passage(f), score=1.0, found_by=("graph",)) for f in likely)
    candidates = rerank(asked, shortlist(asked, Findings(query=asked, evidence=evidence)), embedder)
    if not candidates or candidates[0].chance < MIN_CHANCE:
        return None
    best = candidates[0]
    text = f"{best.passage.title}: \u201c{best.passage.text}\u201d"
    return RecalledStatement(text=text[:1].upper() + text[1:], citation=best.citation)


def _share(wanted: Sequence[str], sentence: str) -> float:
    """The share of the words that the sentence has, in any form of a regular verb."""
    present = set(stems(sentence))
    present |= {
        word.removesuffix(end) for word in present for end in ("ed", "d", "ing") if len(word) > len(end) + 2
    }
    return sum(word in present for word in wanted) / len(wanted) if wanted else 0.0


def _is_about(fact: Fact, question: str) -> bool:
    """Whether a statement is about whom the question asks for: the user, or what they call theirs."""
    owned = _OWNED.findall(question)
    if owned:
        return all(occurs(noun, fact.sentence) for noun in owned)
    if _FIRST_PERSON.search(question) is not None:
        return "'s " not in fact.subject
    names = _NAME.findall(question)
    return bool(names) and all(occurs(name, fact.sentence) for name in names)


def _passage(fact: Fact) -> Passage:
    assert fact.said_at is not None
    return Passage(
        id=fact.id,
        source=fact.source,
        title=f"you said on {spelled_date(fact.said_at.date())}",
        domain=fact.domain,
        text=fact.sentence,
        start=0,
        end=len(fact.sentence),
        digest=digest_of(fact.sentence),
    )
