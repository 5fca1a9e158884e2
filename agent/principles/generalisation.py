"""Finds sentences that ascribe an evaluative trait to people by the group that they belong to.

`People from X are lazy`, `Women cannot lead`, `Never hire Y`. The spaCy parse says who is spoken of and what
is said of them; `words.toml` says which groups and which traits. What a text only reports (`The report claims
that ...`), denies, counts, or tells of the past or of a law is no such sentence. English only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from agent.principles.groups import group_of, is_generic
from agent.principles.lexicon import group_words
from agent.principles.traits import trait_of, trait_words
from memory.ingest.propositions.parser import parse
from memory.ingest.propositions.predicates import AUXILIARIES, SUBJECTS, governor, is_asserted, subject_of
from memory.ingest.propositions.prose import prose
from memory.language.text import sentences as spans

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

LOOK_BACK = 2
"""Sentences back in which `they` may find whom it speaks of."""


class Generalisation(NamedTuple):
    """A sentence at `[start:end]` of a text, the kind of group it is about, and the word that judges it."""

    start: int
    end: int
    kind: str
    trait: str


@lru_cache(maxsize=4096)
def generalisations(text: str) -> tuple[Generalisation, ...]:
    """The sentences of a text that generalise about a group; parses only texts that may have one."""
    if not any(_may_judge(text[start:end]) for start, end in spans(text)):
        return ()
    found: list[Generalisation] = []
    for doc, stretch, _ in parse((each, None) for each in prose(text)):
        spoken_of: list[str | None] = []
        for sentence in doc.sents:
            recent = next((kind for kind in reversed(spoken_of[-LOOK_BACK:]) if kind), None)
            hit = _judged(sentence, recent)
            if hit is not None:
                start = stretch.offset_of(sentence.start_char)
                end = stretch.offset_of(sentence.end_char - 1) + 1
                found.append(Generalisation(start, end, *hit))
            spoken_of.append(_subject_kind(sentence) or (recent if _is_continued(sentence) else None))
    return tuple(found)


def _may_judge(sentence: str) -> bool:
    """Whether a sentence names people and a trait at all, by its words."""
    words = group_words()
    return bool(words.names_group.search(sentence) and words.names_trait.search(sentence))


def _judged(sentence: Span, recent: str | None) -> tuple[str, str] | None:
    """The kind of group and the trait that the sentence ascribes to it, if it does."""
    if _is_attributed(sentence):
        return None
    verbs = [
        t
        for t in sentence
        if t.pos_ in ("VERB", "AUX") and t.dep_ not in AUXILIARIES and t.dep_ not in ("relcl", "acl")
    ]
    for verb in filter(_is_stated, verbs):
        for subject in _subjects(verb):
            kind = recent if subject.lower_ == "they" else group_of(subject)
            if kind and (trait := trait_of(verb, subject, sentence)):
                return kind, trait
        if (hit := _of_object(verb)) or (hit := _of_nature(verb)):
            return hit
    return None if verbs else _without_verb(sentence)


def _without_verb(sentence: Span) -> tuple[str, str] | None:
    """A full sentence whose verb the tagger took for a noun: a group, and a word that judges after it."""
    if not sentence.text.rstrip().endswith((".", "!")) or any(t.text in '"\u201c\u201d' for t in sentence):
        return None
    for token in sentence:
        kind = group_of(token) if token.dep_ in (*SUBJECTS, "ROOT") else None
        if kind and token.tag_ in ("NNS", "NNPS") and is_generic(token, past=False):
            judged = next((t for t in sentence if t.i > token.i and trait_words(t)), None)
            return None if judged is None else (kind, judged.lower_)
    return None


def _is_stated(verb: Token) -> bool:
    """Whether the text asserts the clause; `it is true that ...` and a question word assert it as well."""
    if is_asserted(verb):
        return True
    if verb.dep_ in ("ccomp", "csubj") and verb.head.lemma_ == "be":
        complements = {c.lemma_.lower() for c in verb.head.children if c.dep_ in ("acomp", "attr")}
        negated = any(c.dep_ == "neg" for c in verb.head.children)
        return bool(complements & group_words().frames["true"]) and not negated
    return False


def _subjects(verb: Token) -> Iterator[Token]:
    """The subject of a verb and those joined to it; the parse of a question may give it another name."""
    subject = subject_of(verb, governor(verb))
    if subject is None and verb.sent.text.rstrip().endswith("?"):
        subject = next(
            (t for t in verb.subtree if t.i > verb.i and t.dep_ in (*SUBJECTS, "npadvmod", "attr")), None
        )
    if subject is not None:
        yield subject
        yield from (c for c in subject.children if c.dep_ == "conj")


def _is_attributed(sentence: Span) -> bool:
    """Whether the sentence reports a view: `according to ...`, `the idea that ...`, or a yes-no question."""
    frames = group_words().frames
    if any(t.lower_ in frames["attribution"] or t.lemma_.lower() in frames["attribution"] for t in sentence):
        return True
    first = next((t for t in sentence if t.is_alpha), None)
    return first is not None and sentence.text.rstrip().endswith("?") and first.pos_ in ("AUX", "VERB")


def _of_object(verb: Token) -> tuple[str, str] | None:
    """`Never trust ...`, `You cannot hire ...`, `Beware of ...`."""
    words = group_words().traits
    negated = any(c.dep_ == "neg" for c in verb.children)
    shunned = verb.lemma_ in words["shunning_verbs"] and not any(c.dep_ in SUBJECTS for c in verb.children)
    if not ((verb.lemma_ in words["exclusion_verbs"] and negated) or (shunned and not negated)):
        return None
    if any(c.tag_ in ("VBD", "VBN") or c.lower_ in ("did", "had") for c in (verb, *verb.children)):
        return None
    objects = [c for c in verb.children if c.dep_ in ("dobj", "pobj")]
    objects += [c for p in verb.children if p.dep_ == "prep" and p.lower_ == "of" for c in p.children]
    for noun in objects:
        if (kind := group_of(noun)) and is_generic(noun, past=False):
            return kind, verb.lower_
    return None


def _of_nature(verb: Token) -> tuple[str, str] | None:
    """`Laziness is typical of ...`, `It is in the nature of ... to steal`."""
    words = group_words()
    if verb.lemma_ not in ("be", "lie", "run"):
        return None
    inside = [t for t in verb.subtree if t != verb]
    bearers = [
        t
        for t in inside
        if t.lemma_.lower() in words.frames["typical"] | words.frames["nature"]
        or t.lower_ in words.frames["nature"]
    ]
    for bearer in bearers:
        people = [c for p in bearer.children if p.dep_ == "prep" for c in p.children if c.dep_ == "pobj"]
        people += [c for c in bearer.children if c.dep_ == "poss"]
        for noun in people:
            kind = group_of(noun)
            judged = next((t for t in inside if t not in noun.subtree and trait_words(t)), None)
            if kind and judged is not None and is_generic(noun, past=False):
                return kind, judged.lower_
    return None


def _subject_kind(sentence: Span) -> str | None:
    """The kind of group that the main clause speaks of as such."""
    for token in sentence:
        if token.dep_ in SUBJECTS and (kind := group_of(token)) and is_generic(token, past=False):
            return kind
    return None


def _is_continued(sentence: Span) -> bool:
    return any(t.lower_ == "they" and t.dep_ in SUBJECTS for t in sentence)
