"""Decides whether a clause is about the speaker: themselves, their people, things, plans and work.

What is said of the world in general (`Paris is the capital of Spain`) is not, whoever says it. Names become
the speaker's by what they say of them: `my daughter Ann`, `our project Apollo`, `I work on Apollo`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from agent.nights.statements.stated_clauses import speaks
from agent.nights.statements.third_person import names_in
from agent.nights.statements.words import OWN_PEOPLE, words_of
from memory.ingest.propositions.predicates import SUBJECTS, is_definite

if TYPE_CHECKING:
    from spacy.tokens import Token

_WORLD = frozenset({"GPE", "LOC", "NORP", "LANGUAGE", "EVENT", "LAW", "WORK_OF_ART"})
_WORKED_ON = frozenset({"work", "run", "manage", "lead", "build", "start", "own", "adopt", "develop",
                        "maintain",
                        "marry", "date", "launch", "ship", "found"})  # fmt: skip


def is_theirs(
    subject: Token | None, tokens: Sequence[Token], *, known: Collection[str], announced: bool
) -> bool:
    """Whether the subject is the speaker's. `tokens` are its words, `known` the names that are already
    theirs; `announced` says that the clause gives a plan a date. Without a subject the speaker is meant."""
    if subject is None or any(speaks(t) for t in tokens):
        return True
    if any(_of_the_world(t) for t in tokens):
        return False
    names = [t.text for t in names_in(tokens)]
    if any(name in known for name in names):
        return True
    plan = subject.lemma_.lower() in words_of("plans")
    if subject.lemma_.lower() in OWN_PEOPLE:
        return any(c.lower_ == "the" for c in subject.children)
    if plan and is_definite(subject):
        return announced or bool(names)
    return subject.pos_ == "PROPN" and announced and subject.ent_type_ not in ("PERSON",)


def _of_the_world(token: Token) -> bool:
    """Whether the word makes the subject public: `the deadline for tax returns in Germany`, but not the place
    that one goes to, as in `the flight to Oslo`."""
    going = token.dep_ == "pobj" and token.head.lower_ in ("to", "from")
    return token.ent_type_ in _WORLD and not going


def concerns_speaker(subject: Token | None, verb: Token) -> bool:
    """Whether a named person does something with the speaker or their things: `Bob takes over my tickets`."""
    if subject is None or subject.pos_ != "PROPN" or subject.ent_type_ in _WORLD or verb.lemma_ == "be":
        return False
    objects = [c for c in verb.children if c.dep_ in ("dobj", "dative")]
    objects += [c for p in verb.children if p.dep_ == "prep" and p.lower_ == "with" for c in p.children]
    return any(speaks(t) for o in objects for t in (o, *o.children))


def names_made_known(verb: Token, subject: Token | None, tokens: Sequence[Token]) -> frozenset[str]:
    """The names in a clause of the speaker that are theirs from now on."""
    found: set[str] = set()
    first_person = subject is None or speaks(subject)
    owned = subject is not None and any(speaks(c) for c in subject.children)
    for token in names_in(tokens):
        holder = token.head if token.dep_ in ("appos", "compound") else token
        if any(speaks(c) and c.dep_ == "poss" for each in (token, holder) for c in each.children):
            found.add(token.text)
        naming = verb.lemma_ in ("be", "call", "name") and token.dep_ in ("attr", "oprd", "dobj", "acomp")
        if owned and naming and token.head == verb:
            found.add(token.text)
        if first_person and verb.lemma_ in _WORKED_ON and verb.is_ancestor(token):
            on = token.dep_ == "pobj" and token.head.lower_ in ("on", "to") and token.head.head == verb
            if on or (token.dep_ == "dobj" and token.head == verb):
                found.add(token.text)
    return frozenset(found)


def claims_about_others(verb: Token, known: Collection[str]) -> bool:
    """Whether the clause reports something of the world, as in `I learned that Paris is in Spain`."""
    for clause in verb.children:
        if clause.dep_ != "ccomp" or clause.i < verb.i:
            continue
        subject = next((c for c in clause.children if c.dep_ in SUBJECTS), None)
        words = list(subject.subtree) if subject is not None else []
        if subject is None or not is_theirs(subject, words, known=known, announced=False):
            return True
    return False
