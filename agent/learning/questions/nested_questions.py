"""Questions about spans that are no argument of a verb: names, numbers, dates and nouns inside phrases.

The smallest finite clause around the span is told, with the question word or a blank in the span's place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from agent.grading import normalise
from agent.learning.questions.interrogatives import ENTITIES
from agent.learning.questions.items import Item, Wording
from memory.ingest.propositions.phrases import in_brackets, written
from memory.ingest.propositions.referents import HUMAN, Referents

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

MOST_SPAN_WORDS = 8
LEAST_CONTEXT, MOST_CONTEXT = 6, 36
"""Words of the clause around the span."""


def nested(sentence: Span, asked: Collection[str], referents: Referents) -> Iterator[Item]:
    """Items for the sentence's spans whose normalised text is not part of one of the answers `asked`."""
    if sentence.text.rstrip().endswith(":"):
        return
    covered = {f" {answer} " for answer in asked}
    contexts: dict[int, str | None] = {}
    for span, word in _spans(sentence):
        answer = written(list(span))
        key = normalise(answer)
        if not key or any(f" {key} " in known for known in covered) or len(answer.split()) > MOST_SPAN_WORDS:
            continue
        context = next(
            (
                text
                for verb in _clauses_around(span)
                if (text := _context(verb, contexts, referents)) and answer in text
            ),
            None,
        )
        if context is None or context.count(answer) != 1:
            continue
        before, _, after = context.partition(answer)
        if (before and before[-1].isalnum()) or (after and (after[0].isalnum() or after[0] in "'\u2019")):
            continue
        covered.add(f" {key} ")
        stem = before.rstrip()
        if stem.lower().endswith((" a", " an", " the")) or stem.lower() in ("a", "an", "the"):
            stem = stem.rpartition(" ")[0]
        echo, cloze = f"{stem} {word}{after}?".strip(), f"{before}____{after}."
        yield Item(
            "cloze",
            answer,
            span.start_char,
            span.end_char,
            (Wording("echo", _capitalised(echo)), Wording("cloze", _capitalised(cloze))),
        )


def _clauses_around(span: Span) -> Iterator[Token]:
    """The main verbs above the span, the nearest first; those with a subject of their own."""
    node = span.root
    while True:
        if node.pos_ in ("VERB", "AUX") and node.i not in range(span.start, span.end):
            main = node.dep_ == "ROOT" or (node.dep_ == "conj" and node.head.dep_ == "ROOT")
            if main and any(c.dep_ in ("nsubj", "nsubjpass") for c in node.children):
                yield node
        if node.head == node:
            return
        node = node.head


def _context(verb: Token, known: dict[int, str | None], referents: Referents) -> str | None:
    if verb.i not in known:
        hidden = in_brackets(verb.sent)
        tokens = [t for t in verb.subtree if t.i not in hidden]
        while tokens and (tokens[-1].is_punct or tokens[-1].dep_ == "cc"):
            tokens.pop()
        while tokens and (tokens[0].is_punct or tokens[0].dep_ in ("cc", "mark") or tokens[0].tag_ == "WRB"):
            tokens.pop(0)
        text = referents.resolved(tokens, subject=True) if tokens else None
        whole = text is not None and LEAST_CONTEXT <= len(text.split()) <= MOST_CONTEXT
        relative = any(t.tag_ in ("WDT", "WP") and t.head == verb for t in tokens)
        known[verb.i] = text if whole and not relative else None
    return known[verb.i]


def _spans(sentence: Span) -> Iterator[tuple[Span, str]]:
    """Names, numbers and longer noun phrases, each with its question word; single common nouns say little."""
    doc = sentence.doc
    for entity in sentence.ents:
        yield entity, ENTITIES.get(entity.label_, ("what", "what"))[0]
    for token in sentence:
        if token.dep_ == "nummod" and token.head.i > token.i and token.like_num:
            yield doc[token.i : token.i + 1], "how many"
    for chunk in sentence.noun_chunks:
        first = chunk.start
        while first < chunk.end - 1 and doc[first].dep_ in ("det", "poss", "case", "punct"):
            first += 1
        telling = chunk.end - first > 1 or chunk.root.pos_ == "PROPN"
        if telling and chunk.root.pos_ != "PRON":
            human = chunk.root.ent_type_ == "PERSON" or chunk.root.lemma_.lower() in HUMAN
            yield doc[first : chunk.end], "who" if human else "what"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
