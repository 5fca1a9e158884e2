"""Answers from sources: the prompt with what the sources say, and the sentences that support an answer."""

import re
from collections.abc import Sequence

from langchain_core.messages import BaseMessage, HumanMessage

from agent.grading import declined, normalise
from agent.terms import content, coverage, occurs
from agent.wordings import with_context
from memory.language import key, sentences, words
from memory.records import Citation, Fact, Findings, Passage

CONTEXT_WORDS = 110
"""The shipped model was taught to read up to about 120 words, and a larger one loses nothing by few."""
SUPPORTING_SHARE = 0.5
"""Share of the question's content words that a cited sentence, with its headings, has to hold."""

_CHOICE = re.compile(r"^(yes|no)\b", re.IGNORECASE)


def from_sources(question: str, findings: Findings) -> list[BaseMessage]:
    """The prompt with the sentences that bear on the question, at most 110 words of them."""
    return [HumanMessage(with_context(question, excerpts(question, findings)))]


def excerpts(question: str, findings: Findings) -> tuple[str, ...]:
    """The most telling sentences of the passages, in document order, one text per passage.

    A sentence ranks by the share of the question's content words it holds; one that states a fact about
    something the question names ranks above all others.
    """
    wanted = content(question)
    stated = {f.sentence for f in findings.facts if occurs(f.subject, question)}
    ranked = sorted(
        (
            (-coverage(wanted, text) - (text in stated), rank, start, text)
            for rank, hit in enumerate(findings.evidence)
            for start, end in sentences(hit.passage.text)
            for text in [hit.passage.text[start:end]]
            if not text.startswith("#")
        ),
    )
    chosen: list[tuple[int, int, str]] = []
    spent = 0
    for _, rank, start, text in ranked:
        size = len(text.split())
        if chosen and spent + size > CONTEXT_WORDS:
            continue
        chosen.append((rank, start, " ".join(text.split()[:CONTEXT_WORDS])))
        spent += size
    by_passage: dict[int, list[str]] = {}
    for rank, _, text in sorted(chosen):
        by_passage.setdefault(rank, []).append(text)
    return tuple(" ".join(texts) for texts in by_passage.values())


def citations(question: str, answer: str, findings: Findings) -> tuple[Citation, ...]:
    """The sentences that support the answer, with their spans; none means that nothing supports it.

    A sentence supports an answer whose words it holds in order, if it also speaks of what was asked: of that
    very thing where the question names one that memory has facts about. A plain "Yes" is supported by a
    sentence that holds all content words of the question; a "No" never is.
    """
    if declined(answer) or not normalise(answer):
        return ()
    wanted = content(question)
    choice = _CHOICE.match(answer)
    named = _named(question, findings.facts)
    found: list[Citation] = []
    for hit in findings.evidence:
        for start, end in sentences(hit.passage.text):
            quote = hit.passage.text[start:end]
            if choice:
                holds = choice.group(1).lower() == "yes" and coverage(wanted, quote) == 1.0
            else:
                holds = (
                    _states(answer, quote)
                    and _speaks_of(wanted, quote, hit.passage)
                    and (not named or any(_is_about(fact, quote) for fact in named))
                )
            if holds:
                found.append(_citation(hit.passage, start, end))
    return tuple(found)


def _states(answer: str, quote: str) -> bool:
    return f" {normalise(answer)} " in f" {normalise(quote)} " and len(words(answer)) > 0


def _speaks_of(wanted: tuple[str, ...], quote: str, passage: Passage) -> bool:
    named = coverage(wanted, f"{passage.title} {passage.section} {quote}")
    return coverage(wanted, quote) > 0 and named >= SUPPORTING_SHARE


def _named(question: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts about what the question names; a name within another one that it names does not count."""
    named = [fact for fact in facts if occurs(fact.subject, question)]
    names = {key(fact.subject): fact.subject for fact in named}
    within = {a for a in names for b in names if a != b and occurs(names[a], names[b])}
    return [fact for fact in named if key(fact.subject) not in within]


def _is_about(fact: Fact, quote: str) -> bool:
    """Whether the sentence names the fact's subject, or is the `It ...` of the fact's own quote."""
    return occurs(fact.subject, quote) or quote in fact.sentence


def _citation(passage: Passage, start: int, end: int) -> Citation:
    return Citation(
        source=passage.source,
        title=passage.title,
        start=passage.start + start,
        end=passage.start + end,
        quote=passage.text[start:end],
    )
