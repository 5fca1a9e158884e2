"""Answers a user's question from what they stated themselves: `You said on 7 May 2023: ...`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from agent.chat.sentence_candidates import form_match
from agent.nights.statements.dates import date_phrases, spelled_date
from agent.nights.statements.facts import statement_source
from agent.nights.statements.mentions import PRONOUNS
from agent.nights.statements.utterances import THE_USER, unnamed
from agent.nights.statements.words import OWN_PEOPLE
from memory.embedding.embedder import Embedder
from memory.language.content_words import SHAPE_NOUNS, content_words, occurs, stems
from memory.language.lexicon import AUXILIARIES
from memory.language.text import words
from memory.records.base import Record
from memory.records.knowledge import Citation
from memory.records.nights import Statement

MAX_RECALLED = 6
"""Statements that are embedded, which takes 10 to 50 ms each; the best by their words alone."""
MIN_SCORE = 0.48
"""Fitted with WORDS on 40 questions that one of ten statements answers and 42 that none does, in three units:
34 and 1 are answered with it. On 40 others, written before they were run: 15 of 20 and 2 of 20, one of them
only before _TARGET was added."""
WORDS = 0.2
"""Weight of the share of the question's words that the statement has; cosines have weight 1."""
MIN_KIND = 0.3
"""Cosine of `database` and `PostgreSQL 15`, above which one may be the other. Of pairs like it the right ones
had .34 to .69, all but two of the wrong ones .11 to .29."""
LONGEST_QUOTE = 25
"""In words; of longer sentences the statement is shown that was made of them."""
_FIRST_PERSON = re.compile(r"\b(?:i|me|my|mine|myself|we|us|our|ours)\b(?:'(?:m|ve|ll|d)\b)?", re.IGNORECASE)
_ALONE = re.compile(r"\b(?:i|me|my|mine|myself)\b", re.IGNORECASE)
_INSTRUCTIONS = re.compile(
    r"\bhow (?:do|can|could|should|would|to|might) (?:i|we)\b|^(?:can|should|may|could) (?:i|we)\b", re.I
)
"""Questions that ask what to do, not about who asks."""
_OWNED = re.compile(r"\b(?:my|our) (\w+)", re.IGNORECASE)
_TARGET = re.compile(r"\b(?:with|of|for|about|to|from) (?:(?:the|a|an|my|our) )?([a-z]\w+)\b")
_NAME = re.compile(r"(?<!^)\b[A-Z]\w+")
_PERSONS = re.compile(r"(?:who|where)\b", re.IGNORECASE)
"""Questions whose answer may as well be a common noun: `mostly dentists`, `at home`."""
_AUXILIARY = "do|does|did|am|is|are|was|were|have|has|had|can|will"
_POLAR = re.compile(rf"(?:{_AUXILIARY})\b", re.IGNORECASE)
_KIND = re.compile(
    rf"\b(?:which|what|how many|how much) ([\w-]+(?: [\w-]+)?) (?:{_AUXILIARY})\b", re.IGNORECASE
)
_AS_USER = {"my": f"{THE_USER}'s", "our": f"{THE_USER}'s", "mine": f"{THE_USER}'s", "ours": f"{THE_USER}'s"}


class RecalledStatement(Record):
    """An answer in the user's own words."""

    text: str
    citation: Citation


class _Candidate(NamedTuple):
    statement: Statement
    share: float
    """Of the question's words that it has."""
    passed: bool
    """Whether what it announced is over."""


def asks_about_speaker(question: str) -> bool:
    """Whether the question is about who asks it, such as `Where do I live?`."""
    first_person = _FIRST_PERSON.search(question) is not None
    return question.rstrip().endswith("?") and first_person and not _INSTRUCTIONS.search(question)


def recall(
    question: str, statements: Sequence[Statement], *, embedder: Embedder, now: datetime
) -> RecalledStatement | None:
    """The statement that answers the question, if one does; if it is over, the text says so. Blocks.

    `statements` are those of the unit that asks, and of no other; what others of them replaced is not given.
    """
    if _INSTRUCTIONS.search(question):
        return None
    asked = _FIRST_PERSON.sub(lambda m: _AS_USER.get(m[0].lower(), THE_USER), question)
    wanted = [word for word in content_words(asked) if word not in ("user", "am")]
    candidates = [
        _Candidate(s, share, s.valid_until is not None and s.valid_until < now)
        for s in _standing(statements, now)
        if _fits(question, s, share := _share(wanted, s.text))
    ]
    scores = _scores(question, asked, candidates, embedder)
    likely = [(c.passed, -score, c) for c, score in scores if score >= MIN_SCORE]
    for _, _, candidate in sorted(likely, key=lambda each: each[:2]):
        if _may_be_kind(question, candidate.statement, embedder):
            return _recalled(candidate)
    return None


def _standing(statements: Sequence[Statement], now: datetime) -> list[Statement]:
    """The statements that hold, and those that held until their end."""
    replaced = {id for statement in statements for id in statement.contradicts}
    return [
        s
        for s in statements
        if s.status == "current"
        or (
            s.status == "stale" and s.valid_until is not None and s.valid_until < now and s.id not in replaced
        )
    ]


def _fits(question: str, statement: Statement, share: float) -> bool:
    """Whether the statement is about whom and what the question names, and has what its form asks for."""
    owned = _OWNED.findall(question)
    first_person = _FIRST_PERSON.search(question) is not None
    names = _NAME.findall(question)
    needed = (*owned, *names, *_TARGET.findall(question))
    if not all(occurs(word, statement.text) for word in needed) or not (first_person or names):
        return False
    if first_person and not owned and set(stems(statement.subject)) & (OWN_PEOPLE - {"team"}):
        return False
    together = first_person and _ALONE.search(question) is None
    if together and statement.subject == statement.speaker:
        return False
    if _POLAR.match(question) and share < 1:
        return False
    return form_match(question, statement.text) > 0 or _PERSONS.match(question) is not None


def _share(wanted: Sequence[str], sentence: str) -> float:
    """The share of the words that the sentence has, in any form of a regular verb."""
    present = set(stems(sentence))
    present |= {
        word.removesuffix(end) for word in present for end in ("ed", "d", "ing") if len(word) > len(end) + 2
    }
    return sum(word in present for word in wanted) / len(wanted) if wanted else 0.0


def _scores(
    question: str, asked: str, candidates: Sequence[_Candidate], embedder: Embedder
) -> list[tuple[_Candidate, float]]:
    """The best candidates with their scores: the mean cosine in the first and third person, and shared words.

    Texts are embedded one by one, because the embedder remembers those.
    """
    if not candidates:
        return []
    texts = [unnamed(c.statement.text, c.statement.speaker) for c in candidates]
    query, *rough = embedder.embed_words([asked, *texts])
    ranked = sorted(
        zip(candidates, texts, rough, strict=True), key=lambda c: -(float(query @ c[2]) + c[0].share)
    )
    first, third = embedder.embed([question])[0], embedder.embed([asked])[0]
    found = []
    for candidate, text, _ in ranked[:MAX_RECALLED]:
        own = candidate.statement.quote or text
        cosine = float(third @ embedder.embed([text])[0] + first @ embedder.embed([own])[0]) / 2
        found.append((candidate, cosine + WORDS * candidate.share))
    return found


def _may_be_kind(question: str, statement: Statement, embedder: Embedder) -> bool:
    """Whether the statement has what kind of thing the question asks for: `which database`, `what colour`."""
    match = _KIND.search(question)
    if match is None:
        return True
    kind = [w for w in words(match[1]) if w not in AUXILIARIES["en"] and not _FIRST_PERSON.fullmatch(w)]
    if len(kind) < len(match[1].split()) or kind[-1] in SHAPE_NOUNS or occurs(match[1], statement.text):
        return True
    one, other = embedder.embed([match[1], statement.object])
    return float(one @ other) >= MIN_KIND


def _recalled(candidate: _Candidate) -> RecalledStatement:
    statement = candidate.statement
    title = f"you said on {spelled_date(statement.said_at.date())}"
    text = f"{title}: \u201c{_shown(statement)}\u201d"
    if candidate.passed and statement.valid_until is not None:
        text += f" That was until {spelled_date(statement.valid_until.date())}, which has passed."
    citation = Citation(
        source=statement_source(statement.id),
        title=title,
        start=0,
        end=len(statement.text),
        quote=statement.text,
    )
    return RecalledStatement(text=text[:1].upper() + text[1:], citation=citation)


def _shown(statement: Statement) -> str:
    """The user's own words, if they are short and can be understood without their day and their message."""
    quote = statement.quote.strip().rstrip(",;")
    relative = any(d.relative for d in date_phrases(quote, statement.said_at.date(), past=False))
    pointing = set(words(quote)) & (PRONOUNS | {"this", "that", "these", "those", "there", "here"})
    if not quote or len(quote.split()) > LONGEST_QUOTE or relative or pointing:
        return statement.text
    return quote[:1].upper() + quote[1:] + ("" if quote[-1] in ".!?" else ".")
