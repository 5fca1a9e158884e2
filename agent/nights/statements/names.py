"""Finds the name by which a speaker introduces themselves: `my name is Ann`, `I'm Peter`, `call me Bob`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.nights.statements.stated_clauses import speaks
from memory.ingest.propositions.phrases import is_quoted
from memory.ingest.propositions.predicates import negation_of

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

LONGEST_NAME = 4
"""In words."""
_NAMED = ("attr", "oprd", "npadvmod", "acomp", "dobj", "ccomp")


def given_name(sentence: Span) -> tuple[Token, str] | None:
    """The name that the speaker gives as their own, with the verb; None if the sentence gives none."""
    if sentence.text.rstrip("\"') ").endswith("?"):
        return None
    for verb in sentence:
        if verb.lemma_.lower() in ("be", "call") and not negation_of(verb) and not is_quoted(verb):
            named = next(
                (c for c in verb.children if c.dep_ in _NAMED and c.pos_ == "PROPN" and c.i > verb.i), None
            )
            if named is not None and _introduces(verb, named):
                name = _name(named)
                return None if name is None else (verb, name)
    return None


def _introduces(verb: Token, named: Token) -> bool:
    """Whether the clause says what the speaker is called."""
    subject = next((c for c in verb.children if c.dep_ in ("nsubj", "nsubjpass")), None)
    conditional = verb.dep_ != "ROOT" and verb.dep_ != "conj"
    if conditional:
        return False
    if verb.lemma_.lower() == "call" and subject is None:
        return any(c.dep_ in ("dobj", "nsubj") and c.lower_ == "me" for c in verb.children)
    if subject is None:
        return False
    own_name = subject.lemma_.lower() == "name" and any(c.lower_ == "my" for c in subject.children)
    if own_name:
        return verb.lemma_ == "be"
    me = speaks(subject) and subject.lower_ == "i" and not any(c.dep_ == "conj" for c in subject.children)
    called = verb.lemma_.lower() == "call" and any(c.dep_ == "auxpass" for c in verb.children)
    return me and (called or (verb.lemma_ == "be" and named.ent_type_ == "PERSON"))


def _name(named: Token) -> str | None:
    """The name in full, of words that are names too."""
    parts = [t for t in named.lefts if t.dep_ == "compound"] + [named]
    if any(t.dep_ in ("det", "poss", "amod", "nummod") for t in named.children):
        return None  # `I'm the Peter of ...`, or a title
    name = " ".join(t.text for t in parts)
    proper = all(t.pos_ == "PROPN" and t.text[:1].isupper() for t in parts)
    return name if proper and len(parts) <= LONGEST_NAME else None
