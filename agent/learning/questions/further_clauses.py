"""Extracts reported clauses ("X said that ..."), and clauses that are usable without an unclear aside."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from memory.ingest.propositions.arguments import arguments, is_light, phrase_of
from memory.ingest.propositions.coreference import CoreferenceResolver
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
from memory.language.clauses import Argument, Clause

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_REPORTING_WORDS = """
    say state report claim argue suggest believe indicate estimate note hold maintain conclude declare write
    announce assert contend observe explain propose find show reveal"""
_REPORTING = frozenset(_REPORTING_WORDS.split())
_OPTIONAL = frozenset({"prep", "advcl", "advmod", "npadvmod", "agent"})
"""Dependencies of a verb that a clause does not need."""
_COMPARED = frozenset({"JJR", "RBR"})


class ReportedClause(NamedTuple):
    """A clause and its source, "" if the text asserts it itself."""

    clause: Clause
    source: str


def further_clauses(
    sentence: Span, known: Collection[int], referents: CoreferenceResolver
) -> Iterator[ReportedClause]:
    """Clauses of the verbs whose token index is not in `known`."""
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


def _source(verb: Token, referents: CoreferenceResolver) -> str | None:
    """Who reports the clause; "" if it is not reported, None if the source is unclear."""
    if verb.dep_ != "ccomp":
        return ""
    reporting_verb = verb.head
    if (
        reporting_verb.lemma_ not in _REPORTING
        or not is_asserted(reporting_verb)
        or negation_of(reporting_verb)
    ):
        return None
    if any(t.tag_ == "MD" or t.dep_ == "auxpass" for t in reporting_verb.children):
        return None
    head = subject_of(reporting_verb, governor(reporting_verb))
    if head is None or head.pos_ not in ("NOUN", "PROPN", "PRON") or head.tag_ in ("WDT", "WP"):
        return None
    phrase = phrase_of(head, referents, subject=True)
    return phrase.text if phrase is not None and 0 < len(phrase.text.split()) <= 8 else None


def _clause(verb: Token, sentence: Span, referents: CoreferenceResolver) -> Clause | None:
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
    clause_arguments = _arguments(verb, referents)
    if (
        subject is None
        or not clause_arguments
        or any(a.phrase.text == subject.text for a in clause_arguments)
    ):
        return None
    condition = next((a for a in clause_arguments if a.role == "adverbial" and a.marker in CONDITIONS), None)
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
        arguments=tuple(a for a in clause_arguments if a is not condition),
        condition=condition,
    )
    return None if _limited(clause) else clause


def _arguments(verb: Token, referents: CoreferenceResolver) -> tuple[Argument, ...]:
    """The self-contained arguments; empty if a required argument is not self-contained."""
    usable: list[Argument] = []
    for child in verb.children:
        parsed = list(arguments(child, verb, referents))
        if None in parsed:
            if child.dep_ not in _OPTIONAL:
                return ()
            continue
        if child.dep_ in _OPTIONAL and any(t.lower_ in LIMITS for t in child.subtree):
            continue
        usable += [argument for argument in parsed if argument is not None]
    return tuple(usable)


def _limited(clause: Clause) -> bool:
    """Whether a word restricts or compares the statement, so that it is not true by itself."""
    verb = clause.verb
    own = [t for c in verb.children if c.dep_ in ("advmod", "neg", "cc", "preconj", "det") for t in c.subtree]
    statement = " ".join([clause.subject.text if clause.subject else "", *(a.text for a in clause.arguments)])
    words = set(statement.lower().split()) | {t.lower_ for t in own}
    if words & LIMITS or "rather" in words:
        return True
    compared = any(t.tag_ in _COMPARED and t.lower_ not in ("more", "later", "earlier") for t in own)
    return compared and "than" not in words
