"""Clauses beyond those that a text plainly asserts: what somebody reports, and what is left of a clause when
an aside that nobody could understand elsewhere is dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from memory.ingest.propositions.arguments import arguments, is_light, phrase_of
from memory.ingest.propositions.parser import is_code
from memory.ingest.propositions.phrases import in_brackets, noun_phrase
from memory.ingest.propositions.predicates import (
    AUXILIARIES,
    CONDITIONS,
    LIMITS,
    adverbs_of,
    governor,
    is_asserted,
    is_finite,
    is_impersonal,
    is_past,
    is_plural,
    negation_of,
    spelled_out,
    subject_of,
)
from memory.ingest.propositions.referents import Referents
from memory.language.clauses import Argument, Clause

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_REPORTING_WORDS = """
    say state report claim argue suggest believe indicate estimate note hold maintain conclude declare write
    announce assert contend observe explain propose find show reveal"""
_REPORTING = frozenset(_REPORTING_WORDS.split())
_OPTIONAL = frozenset({"prep", "advcl", "advmod", "npadvmod", "agent"})
"""What a clause can do without, by its dependency."""
_COMPARED = frozenset({"JJR", "RBR"})


class ReportedClause(NamedTuple):
    """A clause, and whose words it is; `source` is "" where the text says it itself."""

    clause: Clause
    source: str


def further_clauses(sentence: Span, known: Collection[int], referents: Referents) -> Iterator[ReportedClause]:
    """Clauses of the verbs that are not `known` by their places in the text."""
    hidden = in_brackets(sentence)
    for token in sentence:
        if token.i in hidden or token.i in known or is_code(token):
            continue
        if token.pos_ not in ("VERB", "AUX") or token.dep_ in AUXILIARIES:
            continue
        source = _source(token, referents)
        if source is None or (not source and not is_asserted(token)):
            continue
        clause = _clause(token, sentence, referents)
        if clause is not None:
            yield ReportedClause(clause, source)


def _source(verb: Token, referents: Referents) -> str | None:
    """Who says it, of a clause that is reported; "" for one that is not, None where nobody can tell."""
    if verb.dep_ != "ccomp":
        return ""
    teller = verb.head
    if teller.lemma_ not in _REPORTING or not is_asserted(teller) or negation_of(teller):
        return None
    if any(t.tag_ == "MD" or t.dep_ == "auxpass" for t in teller.children):
        return None
    head = subject_of(teller, governor(teller))
    if head is None or head.pos_ not in ("NOUN", "PROPN", "PRON") or head.tag_ in ("WDT", "WP"):
        return None
    phrase = phrase_of(head, referents, subject=True)
    return phrase.text if phrase is not None and 0 < len(phrase.text.split()) <= 8 else None


def _clause(verb: Token, sentence: Span, referents: Referents) -> Clause | None:
    leader = governor(verb)
    auxiliaries = [t for t in verb.children if t.dep_ in AUXILIARIES and t.i < verb.i]
    if not auxiliaries and leader is not None and verb.tag_ in ("VBN", "VBG", "VB"):
        auxiliaries = [t for t in leader.children if t.dep_ in AUXILIARIES and t.i < leader.i]
    head = subject_of(verb, leader)
    if head is None or (head.pos_ == "PRON" and head.tag_ in ("NN", "DT")):
        return None
    if head.dep_ == "expl" or not is_finite(verb, auxiliaries):
        return None
    if head.i > verb.i or is_impersonal(head, verb) or verb.dep_ == "relcl":
        return None
    if any(t.tag_ in ("WDT", "WP") for t in noun_phrase(head, drop=verb)):
        return None
    subject = phrase_of(head, referents, subject=True)
    found = _arguments(verb, referents)
    if subject is None or not found or any(a.phrase.text == subject.text for a in found):
        return None
    condition = next((a for a in found if a.role == "adverbial" and a.marker in CONDITIONS), None)
    words = [spelled_out(t) for t in auxiliaries]
    clause = Clause(
        sentence=sentence,
        verb=verb,
        subject=subject,
        auxiliaries=tuple(words),
        particle=" ".join(t.text for t in verb.children if t.dep_ == "prt" or is_light(t)),
        adverbs=" ".join(adverbs_of(verb)),
        negation=negation_of(verb),
        passive=any(t.dep_ == "auxpass" for t in auxiliaries),
        past=is_past(verb, words),
        plural=is_plural(head),
        arguments=tuple(a for a in found if a is not condition),
        condition=condition,
    )
    return None if _limited(clause) else clause


def _arguments(verb: Token, referents: Referents) -> tuple[Argument, ...]:
    """The arguments that can be told; none where one that the verb cannot do without cannot."""
    told: list[Argument] = []
    for child in verb.children:
        made = list(arguments(child, verb, referents))
        if None in made:
            if child.dep_ not in _OPTIONAL:
                return ()
            continue
        if child.dep_ in _OPTIONAL and any(t.lower_ in LIMITS for t in child.subtree):
            continue
        told += [each for each in made if each is not None]
    return tuple(told)


def _limited(clause: Clause) -> bool:
    """Whether a word turns or compares what is said, so that it is not true as it stands."""
    verb = clause.verb
    own = [t for c in verb.children if c.dep_ in ("advmod", "neg", "cc", "preconj", "det") for t in c.subtree]
    told = " ".join([clause.subject.text if clause.subject else "", *(a.text for a in clause.arguments)])
    words = set(told.lower().split()) | {t.lower_ for t in own}
    if words & LIMITS or "rather" in words:
        return True
    compared = any(t.tag_ in _COMPARED and t.lower_ not in ("more", "later", "earlier") for t in own)
    return compared and "than" not in words
