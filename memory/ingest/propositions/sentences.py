"""Parses the prose of passages into sentences with their clauses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from memory.ingest.propositions.clauses import clauses
from memory.ingest.propositions.coreference import CoreferenceResolver
from memory.ingest.propositions.parser import parse
from memory.ingest.propositions.prose import Prose, prose
from memory.ingest.propositions.structure.names import contexts_of, heading_name
from memory.language.clauses import Apposition, Clause
from memory.records.knowledge import Passage

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span


MIN_TO_TELL = 12
"""Minimum number of words for detecting the language."""
SMALL_WORDS = 0.15
"""Minimum share of English function words in an English text."""


class Sentence(NamedTuple):
    """One parsed sentence of a passage."""

    passage: Passage
    prose: Prose
    span: Span
    clauses: tuple[Clause | Apposition, ...]
    resolver: CoreferenceResolver
    """Resolves its pronouns; valid until the next sentence is yielded."""

    @property
    def start(self) -> int:
        """Start in the passage's text."""
        return self.prose.offset_of(self.span.start_char)

    @property
    def end(self) -> int:
        """End in the passage's text, after any Markdown mark that closes the last word."""
        end = self.prose.offset_of(self.span.end_char - 1) + 1
        return (
            end + len(self.passage.text[end : end + 3]) - len(self.passage.text[end : end + 3].lstrip("`*_)"))
        )

    @property
    def quote(self) -> str:
        """The sentence, verbatim from the passage."""
        return self.passage.text[self.start : self.end]


def sentences(passages: Sequence[Passage]) -> Iterator[Sentence]:
    """The sentences of the passages' prose, in order."""
    stretches = ((each, passage) for passage in passages for each in prose(passage.text))
    current: Passage | None = None
    resolver = CoreferenceResolver("")
    for doc, text, passage in parse(stretches):
        if passage is not current:
            current, resolver = passage, CoreferenceResolver(topic(passage), passage.title, setting(passage))
        if not is_english(doc):
            continue
        for span, found in clauses(doc, resolver):
            if span.text.strip():
                yield Sentence(passage, text, span, found, resolver)


def setting(passage: Passage) -> str:
    """The option or function that the innermost heading names in code; '' if none."""
    heading = passage.section.rpartition(" > ")[2]
    return heading_name(heading, contexts_of(passage, heading)) if "`" in heading else ""


def is_english(doc: Doc) -> bool:
    """Whether a text is English, judged by its share of function words such as `the` and `of`.

    They are a third to a half of English words, and rare in other languages. Short texts count as English.
    """
    words = [token for token in doc if token.is_alpha]
    return len(words) < MIN_TO_TELL or sum(t.is_stop for t in words) >= SMALL_WORDS * len(words)


def topic(passage: Passage) -> str:
    """The passage's topic: its innermost heading, or its document's title."""
    return passage.section.rpartition(" > ")[2].strip("`*_# ") or passage.title
