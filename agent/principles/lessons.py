"""The principles in a learn run: items that must not be taught, and sources that consist of such ones."""

from collections.abc import Sequence
from typing import NamedTuple

from agent.learning.candidate_pairs import CandidatePair
from agent.principles.constitution import Statement, broken_principles
from agent.principles.generalisation import generalisations
from memory.language.text import sentences, words
from memory.records.knowledge import Passage

GENERALISING = "no-group-generalisation"
CONSISTS = 0.5
"""Share of its sentences from which a source consists of generalisations. Chosen, not measured."""
FULL_SENTENCE_WORDS = 3


class SkewedSource(NamedTuple):
    """A source whose sentences generalise about groups of people."""

    source: str
    sentences: int
    of: int
    """All sentences of its passages that were found."""
    example: str

    @property
    def consists_of_them(self) -> bool:
        """Whether so many of its sentences generalise that it is no source to learn from."""
        return self.sentences >= CONSISTS * self.of

    @property
    def reason(self) -> str:
        """Why it is flagged, with the principle's id."""
        share = f"{self.sentences} of {self.of} sentences break the principle {GENERALISING}"
        return f"{share} in {self.source}, such as {self.example!r}"


def breach_reason(candidate: CandidatePair, passage: Passage) -> str | None:
    """Why the pair must not be taught, with the principle's id; None if it may.

    The quote is read in its passage, where a sentence before it may say who `they` are. Raises ValueError if
    the quote is not in the passage.
    """
    start = passage.text.index(candidate.quote)
    end = start + len(candidate.quote)
    if any(each.start < end and start < each.end for each in generalisations(passage.text)):
        return f"it breaks the principle {GENERALISING}"
    for text in (candidate.quote, candidate.question, candidate.answer):
        if broken := broken_principles(Statement(text), stopping="lesson"):
            return f"it breaks the principle {broken[0].id}"
    return None


def skewed_sources(passages: Sequence[Passage]) -> tuple[SkewedSource, ...]:
    """The sources of the passages that have generalisations, by name."""
    counts: dict[str, tuple[int, int, str]] = {}
    for passage in passages:
        hits = generalisations(passage.text)
        total = sum(
            len(words(passage.text[start:end])) >= FULL_SENTENCE_WORDS
            for start, end in sentences(passage.text)
        )
        bad, every, example = counts.get(passage.source, (0, 0, ""))
        if hits and not example:
            example = passage.text[hits[0].start : hits[0].end]
        counts[passage.source] = (bad + len(hits), every + max(total, len(hits)), example)
    return tuple(
        SkewedSource(source, bad, every, example)
        for source, (bad, every, example) in sorted(counts.items())
        if bad
    )
