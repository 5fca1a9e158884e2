"""Finds the clauses of a message that state something, and leaves out what only looks like it.

Left out are questions, requests, conditions, wishes, quotations, what is only thought or reported, and small
talk. Whether a clause is about the speaker is decided in `ownership`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.nights.statements.words import words_of
from memory.ingest.propositions.coreference import SPEAKERS
from memory.ingest.propositions.parser import is_code
from memory.ingest.propositions.phrases import is_quoted
from memory.ingest.propositions.predicates import (
    SUBJECTS,
    governor,
    is_limited,
    marker_of,
    shared_auxiliaries,
)

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_MODALS = frozenset({"would", "could", "might", "may", "should", "shall", "'d", "ought", "d"})
_CONDITIONS = frozenset({"if", "unless", "whether", "until", "provided", "suppose", "supposing", "assuming"})
_OTHER_CLAUSES = ("conj", "ccomp", "advcl", "intj", "parataxis")
LONGEST_CLAUSE = 60
"""In tokens. Longer ones are rarely parsed right."""
_LISTENERS = frozenset({"you", "your", "yours", "yourself", "u", "ur", "ya"})


def stated_verbs(sentence: Span) -> Iterator[Token]:
    """The verbs of the sentence whose clauses state something; that of the main clause first."""
    if _is_question(sentence):
        return
    for verb in clause_verbs(sentence):
        if _is_stated(verb):
            yield verb


def clause_verbs(sentence: Span) -> tuple[Token, ...]:
    """The verbs of the main clauses: the root, and what is coordinated with it or put beside it."""
    found: list[Token] = []
    waiting = [sentence.root]
    while waiting:
        verb = waiting.pop(0)
        if verb.pos_ in ("VERB", "AUX"):
            found.append(verb)
        for child in verb.children:
            if child.pos_ not in ("VERB", "AUX"):
                continue
            beside = child.dep_ in ("ccomp", "parataxis") and is_beside(child)
            if child.dep_ == "conj" or beside:
                waiting.append(child)
    return tuple(found)


def is_beside(verb: Token) -> bool:
    """Whether the parser took a sentence for a part of the next one, because only a comma is between them."""
    if verb.dep_ not in ("ccomp", "parataxis") or verb.i > verb.head.i or marker_of(verb):
        return False
    after = verb.doc[verb.right_edge.i + 1] if verb.right_edge.i + 1 < len(verb.doc) else None
    has_subject = any(c.dep_ in SUBJECTS for c in verb.children)
    return has_subject and after is not None and after.is_punct and after.text not in ('"', "\u201d", "'")


def has_dropped_subject(verb: Token) -> bool:
    """Whether the verb begins the sentence in the past tense without a subject: `Moved to Bern in May`."""
    begin = verb.sent.start
    before = [t for t in verb.doc[begin : verb.i] if not t.is_punct]
    casual = all(t.dep_ in ("intj", "advmod", "cc", "neg") or t.lower_ in words_of("fillers") for t in before)
    own = any(c.dep_ in (*SUBJECTS, "expl", "aux", "auxpass") for c in verb.children if c.i < verb.i)
    return verb.dep_ == "ROOT" and verb.tag_ == "VBD" and casual and not own


def listens(token: Token) -> bool:
    """Whether the word stands for the listener."""
    return token.lower_ in _LISTENERS and token.pos_ in ("PRON", "DET", "PROPN", "NOUN", "ADJ")


def speaks(token: Token) -> bool:
    """Whether the word stands for the speaker."""
    return token.lower_ in SPEAKERS | {"myself", "ourselves"} and token.pos_ in ("PRON", "DET")


def _is_question(sentence: Span) -> bool:
    text = sentence.text.rstrip("\"'\u201d) ")
    first = next((t for t in sentence if t.is_alpha), None)
    if text.endswith("?") or "?!" in text or first is None:
        return True
    if first.tag_ in ("WP", "WRB", "WDT", "WP$") and first.head == sentence.root:
        return True
    inverted = first.pos_ == "AUX" and any(
        c.dep_ in SUBJECTS and c.i > first.i and c.i < sentence.root.i + 3 for c in sentence.root.children
    )
    return inverted and (first == sentence.root or first.head == sentence.root)


def _is_stated(verb: Token) -> bool:
    if is_quoted(verb) or is_code(verb) or is_limited(verb) or len(list(verb.subtree)) > LONGEST_CLAUSE:
        return False
    leader = governor(verb)
    if leader is not None and leader.tag_ == "VB" and leader.lemma_.lower() in words_of("attitudes"):
        return False  # `suppose that ... and that ...`
    auxiliaries = shared_auxiliaries(verb, leader)
    if any(t.lower_.replace("\u2019", "'") in _MODALS and t.tag_ == "MD" for t in auxiliaries):
        return False
    for each in (verb, governor(verb)):
        if each is not None and any(c.dep_ == "advcl" and _marks(c) & _CONDITIONS for c in each.children):
            return False
    if any(c.dep_ == "mark" for c in verb.children):
        return False  # a part of a sentence, or a condition
    together = any(t.lower_ == "can" for t in auxiliaries) and any(c.lower_ == "we" for c in verb.children)
    if together:
        return False  # a suggestion
    if any(c.lower_ in words_of("doubts") for c in verb.children):
        return False
    reported = [c for c in verb.children if c.dep_ == "ccomp" and not is_beside(c)]
    if verb.lemma_.lower() in words_of("attitudes") and reported:
        return False
    if any(t.tag_ in ("WP", "WRB", "WDT") and t.dep_ in (*SUBJECTS, "advmod", "attr") for t in verb.children):
        return False
    return says_something(verb)


def _marks(clause: Token) -> set[str]:
    return {c.lower_ for c in clause.children if c.dep_ in ("mark", "advmod")}


def says_something(verb: Token) -> bool:
    """Whether the clause has content beyond feelings and small talk."""
    lemma = verb.lemma_.lower()
    own = [t for c in verb.children if c.dep_ not in (*SUBJECTS, *_OTHER_CLAUSES)
           for t in c.subtree]  # fmt: skip
    vague, feelings = words_of("vague"), words_of("feelings")
    nouns = [
        t
        for t in own
        if t.pos_ in ("NOUN", "PROPN", "NUM")
        and t.lemma_.lower() not in vague
        and t.lower_ not in feelings
        and t.dep_ not in ("intj", "npadvmod")
    ]
    dated = [t for t in own if t.pos_ in ("NOUN", "PROPN") and t.dep_ == "npadvmod"]
    adjectives = [t for t in own if t.pos_ == "ADJ" and t.dep_ in ("acomp", "oprd")]
    if adjectives and all(t.lower_ in feelings for t in adjectives):
        return False  # also with its reason: it does not hold tomorrow
    felt = verb.tag_ == "VBN" and verb.lower_ in feelings - words_of("events")
    if felt and any(c.dep_ == "nsubjpass" and speaks(c) for c in verb.children):
        return False  # `I'm swamped with work`
    if lemma in words_of("small_talk"):
        objects = [t for t in nouns if t.dep_ in ("dobj", "attr")]
        return bool(objects) and lemma in ("know", "see", "hear") and not any(map(listens, own))
    if lemma in words_of("light"):
        plain = [t for t in adjectives if t.lower_ not in feelings]
        empty = words_of("light") | words_of("small_talk")
        doing = any(
            c.dep_ == "xcomp" and c.pos_ == "VERB" and c.lemma_.lower() not in empty for c in verb.children
        )
        return bool(nouns or plain or doing or (lemma == "be" and dated))
    return bool(nouns or dated or any(c.dep_ == "xcomp" for c in verb.children))
