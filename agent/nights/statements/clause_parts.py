"""Divides a clause into subject, verb group, object and optional parts, without fillers and other clauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.nights.statements.stated_clauses import has_dropped_subject, speaks
from agent.nights.statements.third_person import finite_verb
from agent.nights.statements.words import words_of
from memory.ingest.propositions.phrases import in_brackets
from memory.ingest.propositions.predicates import (
    AUXILIARIES,
    SUBJECTS,
    governor,
    is_finite,
    is_impersonal,
    shared_auxiliaries,
)

if TYPE_CHECKING:
    from spacy.tokens import Token

_CENTRAL = (
    "dobj",
    "attr",
    "acomp",
    "oprd",
    "xcomp",
    "ccomp",
    "prep",
    "agent",
    "npadvmod",
    "dative",
    "advmod",
)
"""What can be the object of a relation, best first."""

_REMARKS = frozenset({"by the way", "in fact", "of course", "for example", "to be honest", "on a side note",
                      "at least", "for sure", "like that", "in general", "for now"})  # fmt: skip


@dataclass(frozen=True)
class ClauseParts:
    """A clause in parts, each in the order of the text."""

    verb: Token
    subject: Token | None
    """None if the speaker is meant without a word."""
    subject_tokens: tuple[Token, ...]
    own_subject: bool
    """Whether the subject is this verb's own, not that of a verb before it."""
    predicate: tuple[Token, ...]
    """All but the subject."""
    group: tuple[Token, ...]
    """Auxiliaries, negation, verb and particle, and the preposition before the object."""
    object_tokens: tuple[Token, ...]
    optional: tuple[Token, ...]
    """Heads of parts without which the clause is still true."""
    finite: Token
    agrees: bool
    """Whether its verb agrees with the speaker, and so may change in the third person."""
    past: bool

    @property
    def dropped(self) -> bool:
        """Whether it has no subject."""
        return self.subject is None


def clause_parts(verb: Token, heads: Sequence[Token], *, listener: str | None) -> ClauseParts | None:
    """The parts of the clause of `verb`, one of the `heads` of its sentence; None if it lacks one."""
    holders = [verb, *_auxiliaries(verb)]  # in `we went hiking` the parser gives it to `went`
    own = next((c for v in holders for c in v.children if c.dep_ in (*SUBJECTS, "expl", "csubj")), None)
    subject = own or _shared_subject(verb)
    dropped = subject is None and has_dropped_subject(_leader(verb))
    if (subject is None and not dropped) or (subject is not None and subject.dep_ in ("expl", "csubj")):
        return None
    auxiliaries = shared_auxiliaries(verb, governor(verb)) if own is None else _auxiliaries(verb)
    if subject is not None and (not is_finite(verb, auxiliaries) or is_impersonal(subject, verb)):
        return None
    left_out = _left_out(verb, heads, listener)
    subject_tokens = tuple(_without_commas(_kept(subject, left_out))) if subject is not None else ()
    if subject is not None and not subject_tokens:
        return None
    inside = [t for t in _kept(verb, left_out) if t not in subject_tokens]
    predicate = sorted({*inside, *(t for t in auxiliaries if t not in left_out)}, key=lambda t: t.i)
    core = _core(verb, left_out)
    if core is None:
        return None
    object_tokens = _kept(core, left_out)
    number = (
        verb.doc[object_tokens[-1].i + 1]
        if object_tokens and object_tokens[-1].i + 1 < verb.sent.end
        else None
    )
    if number is not None and number.pos_ == "NUM" and number.head in (verb, core) and number not in left_out:
        object_tokens.append(number)  # a version, which the parser takes for a measure
    group = [
        t for t in predicate if t in (verb, *auxiliaries) or (t.head == verb and t.dep_ in ("neg", "prt"))
    ]
    group += [
        t for t in predicate if t.head == verb and t.dep_ == "advmod" and t.i < verb.i and t not in group
    ]
    if core.dep_ in ("prep", "agent"):
        group.append(core)
        object_tokens = [t for t in object_tokens if t != core]
    finite = auxiliaries[0] if auxiliaries else finite_verb(verb)
    perfect = finite.lemma_ == "have" and verb.tag_ == "VBN"
    return ClauseParts(
        verb=verb,
        subject=subject,
        subject_tokens=subject_tokens,
        own_subject=own is not None,
        predicate=tuple(predicate),
        group=tuple(sorted(group, key=lambda t: t.i)),
        object_tokens=tuple(object_tokens),
        optional=tuple(
            c
            for c in verb.children
            if c != core and c.dep_ in ("advcl", "prep", "npadvmod", "advmod", "dative")
        ),
        finite=finite,
        agrees=subject is None or speaks(subject),
        past=perfect or finite.tag_ == "VBD" or finite.lower_ in ("was", "were", "did", "had"),
    )


def _leader(verb: Token) -> Token:
    """The first verb of a coordination."""
    while (leader := governor(verb)) is not None:
        verb = leader
    return verb


def _shared_subject(verb: Token) -> Token | None:
    leader = governor(verb)
    while leader is not None:
        subject = next((c for c in leader.children if c.dep_ in (*SUBJECTS, "expl")), None)
        if subject is not None:
            return subject
        leader = governor(leader)
    return None


def _auxiliaries(verb: Token) -> list[Token]:
    return [c for c in verb.children if c.dep_ in AUXILIARIES and c.i < verb.i]


def _left_out(verb: Token, heads: Sequence[Token], listener: str | None) -> set[Token]:
    """What does not belong to the clause: other clauses, fillers, forms of address and asides."""
    aside = in_brackets(verb.sent)
    others = [h for h in heads if h != verb and verb.is_ancestor(h)]
    found = {t for h in others for t in h.subtree}
    found |= {t for t in verb.subtree if t.i in aside}
    joined = any(h.head == verb and h.dep_ == "conj" for h in others)
    for child in verb.children:
        filler = child.lower_ in words_of("fillers") and child.dep_ in ("advmod", "intj", "cc", "dep")
        addressed = listener is not None and child.text == listener and child.dep_ not in SUBJECTS
        aside_of_speech = child.dep_ in ("intj", "parataxis", "meta", "vocative")
        words = " ".join(t.lower_ for t in child.subtree if not t.is_punct)
        aside_of_speech |= child.dep_ == "prep" and words in _REMARKS
        if aside_of_speech or (filler and child.i < verb.i) or (addressed and _is_set_off(child)):
            found |= set(child.subtree)
        elif child.dep_ == "cc" and joined:
            found.add(child)
        elif child.lower_ in ("too", "also", "though", "haha", "lol", "btw"):
            found |= set(child.subtree)
    for token in verb.subtree:
        remark = (
            token.dep_ in ("relcl", "intj") and token.left_edge.i > 0 and token.left_edge.nbor(-1).text == ","
        )
        if remark:
            found |= set(token.subtree)
    return found


def _is_set_off(token: Token) -> bool:
    """Whether the word stands between commas, as a form of address does."""
    before = token.i == token.sent.start or token.nbor(-1).is_punct
    after = token.i + 1 >= token.sent.end or token.nbor().is_punct
    return before and after


def _kept(head: Token, left_out: set[Token]) -> list[Token]:
    tokens = [t for t in head.subtree if t not in left_out]
    while tokens and (tokens[-1].is_punct or (tokens[-1].dep_ == "cc" and tokens[-1].head == head)):
        tokens.pop()
    while tokens and (tokens[0].is_punct or (tokens[0].dep_ == "cc" and tokens[0].head == head)):
        tokens.pop(0)
    return tokens


def _without_commas(subject: list[Token]) -> list[Token]:
    """The subject without the comma before a name that is put beside it: `my boss, Karin`."""
    return [
        t
        for t in subject
        if not (
            t.text == ","
            and t.nbor().dep_ == "appos"
            and t.nbor().pos_ == "PROPN"
            and t.nbor() == subject[-1]
        )
    ]


def _core(verb: Token, left_out: set[Token]) -> Token | None:
    """The head of what the clause says of its subject."""
    after = [c for c in verb.children if c.i > verb.i and c not in left_out]
    for dep in _CENTRAL:
        if (found := next((c for c in after if c.dep_ == dep), None)) is not None:
            return found
    return next((c for c in verb.children if c.dep_ == "npadvmod" and c not in left_out), None)
