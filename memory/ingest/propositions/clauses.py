"""Extracts clauses from parsed prose: subject, verb, arguments and condition.

Uses the ClearNLP dependencies of spaCy's English models. Pronouns are resolved; a clause whose subject cannot
be resolved is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from memory.ingest.propositions.arguments import (
    arguments,
    arguments_of,
    is_light,
    is_stranded,
    phrase_of,
    shared_conditions,
)
from memory.ingest.propositions.coreference import CoreferenceResolver, kind
from memory.ingest.propositions.parser import is_code
from memory.ingest.propositions.phrases import in_brackets, noun_phrase
from memory.ingest.propositions.predicates import (
    AUXILIARIES,
    CONDITIONS,
    EVENTS,
    SUBJECTS,
    adverbs_of,
    governor,
    is_asserted,
    is_definite,
    is_finite,
    is_impersonal,
    is_joined,
    is_limited,
    is_past,
    is_plural,
    is_verb,
    marker_of,
    negation_of,
    participle,
    shared_auxiliaries,
    spelled_out,
    subject_of,
)
from memory.language.clauses import Apposition, Clause, Phrase

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token


def clauses(
    doc: Doc, resolver: CoreferenceResolver
) -> Iterator[tuple[Span, tuple[Clause | Apposition, ...]]]:
    """Each sentence with its clauses and appositions, in order; questions and fragments have none.

    `resolver` tracks the mentions of the text, up to the sentence that was yielded last.
    """
    resolver.read(doc)
    for sentence in doc.sents:
        resolver.enter(sentence)
        yield sentence, tuple(_clauses(sentence, resolver)) if _is_prose(sentence) else ()
        resolver.leave()


def _clauses(sentence: Span, resolver: CoreferenceResolver) -> Iterator[Clause | Apposition]:
    hidden = in_brackets(sentence)
    for token in sentence:
        if token.i in hidden or is_code(token):
            continue
        if token.pos_ in ("VERB", "AUX") and token.dep_ not in AUXILIARIES:
            if (clause := _clause(token, sentence, resolver)) is not None:
                yield clause
        elif token.dep_ == "appos" and (apposition := _apposition(token, sentence, resolver)) is not None:
            yield apposition


def _is_prose(sentence: Span) -> bool:
    """Whether the sentence looks like a statement: it has a verb, mostly words, and no question mark."""
    letters = sum(token.is_alpha for token in sentence)
    verbs = any(token.pos_ in ("VERB", "AUX") for token in sentence)
    if sentence.text.count("|") > 1:
        return False  # a row of a table
    return verbs and letters >= 3 and letters * 2 > len(sentence) and not sentence.text.rstrip().endswith("?")


def _clause(verb: Token, sentence: Span, resolver: CoreferenceResolver) -> Clause | None:
    if not is_asserted(verb) or is_limited(verb):
        return None
    leader = governor(verb)
    auxiliaries = shared_auxiliaries(verb, leader)
    head = subject_of(verb, leader)
    if leader is not None and not is_joined(verb, leader):
        return None
    words = [spelled_out(t) for t in auxiliaries]
    passive = any(t.dep_ == "auxpass" for t in auxiliaries)
    if not is_finite(verb, auxiliaries):
        reduced = participle(verb)
        if reduced is None:
            return _imperative(verb, sentence, resolver) if head is None else None
        head, words = reduced
        passive = verb.tag_ == "VBN"
    if sum(c.dep_ in SUBJECTS for c in verb.children) > 1:
        return None  # a name that the parse cuts in two
    if head is None or not is_verb(verb, head, auxiliaries) or _is_misparsed(verb, auxiliaries):
        return None
    if head.dep_ == "expl":
        return _existential(verb, sentence, words, resolver) if head.lower_ == "there" else None
    if any(t.tag_ in ("WDT", "WP") for t in noun_phrase(head, drop=verb)):
        return None
    subject = None if is_impersonal(head, verb) else _subject(head, verb, resolver)
    if subject is None:
        return None
    arguments = arguments_of(verb, resolver)
    if arguments is None or any(a.text == subject.text for a in arguments if a.role == "object"):
        return None
    condition = next((a for a in arguments if a.role == "adverbial" and a.marker in CONDITIONS), None)
    if condition is None and leader is not None:
        shared = shared_conditions(leader, resolver)
        if None in shared:
            return None
        condition = next(iter(shared), None)
    return Clause(
        sentence=sentence,
        verb=verb,
        subject=subject,
        auxiliaries=tuple(words),
        particle=" ".join(t.text for t in verb.children if t.dep_ == "prt" or is_light(t) or is_stranded(t)),
        adverbs=" ".join(adverbs_of(verb)),
        negation=negation_of(verb),
        passive=passive,
        past=is_past(verb, words),
        plural=is_plural(head),
        arguments=tuple(a for a in arguments if a is not condition),
        condition=condition,
    )


def _is_misparsed(verb: Token, auxiliaries: Sequence[Token]) -> bool:
    """Whether the parse cannot be right: a verb coordinated with a noun, which then belongs to its subject
    (`Anna and Ben's version was sung`), an auxiliary with a subject of its own (`if you have it enabled`), or
    a second sentence that the parser took for a part of the first (`Ann is his wife and his son is a smith`).
    """
    run_on = verb.lemma_ == "be" and any(c.dep_ == "attr" for c in verb.children)
    if run_on and any(c.dep_ == "ccomp" and c.i > verb.i and not marker_of(c) for c in verb.children):
        return True
    stray = verb.dep_ == "conj" and verb.head.pos_ not in ("VERB", "AUX")
    return stray or any(c.dep_ in SUBJECTS for t in auxiliaries for c in t.children)


def _existential(
    verb: Token, sentence: Span, words: Sequence[str], resolver: CoreferenceResolver
) -> Clause | None:
    thing = next((c for c in verb.children if c.dep_ in ("attr", "nsubj", "dobj")), None)
    if thing is None or verb.lemma_ != "be":
        return None
    subject = phrase_of(thing, resolver)
    found = [each for c in verb.children if c != thing for each in arguments(c, verb, resolver)]
    if subject is None or None in found:
        return None
    return Clause(
        sentence=sentence,
        verb=verb,
        subject=subject,
        auxiliaries=tuple(words),
        particle="",
        adverbs="",
        negation=negation_of(verb),
        passive=False,
        past=is_past(verb, words),
        plural=is_plural(thing),
        arguments=tuple(each for each in found if each is not None),
        existential=True,
    )


def _imperative(verb: Token, sentence: Span, resolver: CoreferenceResolver) -> Clause | None:
    """An imperative clause, such as `Use X to do Y`; it has no subject."""
    if (
        verb.tag_ not in ("VB", "VBP")
        or verb.dep_ != "ROOT"
        or any(c.dep_ in SUBJECTS for c in verb.children)
    ):
        return None
    if any(t.dep_ in AUXILIARIES for t in verb.children) or verb.i - sentence.start > 12:
        return None
    if any(t.tag_ == "VBD" for t in sentence.doc[sentence.start : verb.i]):
        return None  # a past tense before it: it is a noun that the parser took for a verb
    arguments = arguments_of(verb, resolver)
    if arguments is None or not any(a.role == "object" for a in arguments):
        return None
    condition = next((a for a in arguments if a.role == "adverbial" and a.marker in CONDITIONS), None)
    return Clause(
        sentence=sentence,
        verb=verb,
        subject=None,
        auxiliaries=(),
        particle=" ".join(t.text for t in verb.children if t.dep_ == "prt" or is_light(t) or is_stranded(t)),
        adverbs="",
        negation=negation_of(verb),
        passive=False,
        past=False,
        plural=True,
        arguments=tuple(a for a in arguments if a is not condition),
        condition=condition,
    )


def _subject(head: Token, verb: Token, resolver: CoreferenceResolver) -> Phrase | None:
    """The resolved subject; for a relative clause after `X is a Y that ...`, the subject is X."""
    noun = head
    first = verb
    while first.dep_ == "conj" and (leader := governor(first)) is not None:
        first = leader
    if first.dep_ in ("relcl", "acl") and first.head == head:
        if any(c.dep_ == "conj" for c in head.children):
            return None  # of several, it may speak of the last
        if head.dep_ == "attr":
            real = next((c for c in head.head.children if c.dep_ in SUBJECTS), None)
            if real is None or head.head.lemma_ != "be":
                return None
            noun = real
        elif head.dep_ == "appos":
            noun = head.head
        elif (head.pos_ != "PROPN" and not _is_remark(first, head)) or _is_remark_on_either(first, head):
            return None
    return phrase_of(noun, resolver, drop=first if noun == head else None, subject=True)


def _is_remark(relative: Token, noun: Token) -> bool:
    """Whether a relative clause is non-restrictive and describes only its noun: `a valve, which stops it`."""
    preposition = noun.head if noun.dep_ == "pobj" else None
    return (
        relative.dep_ == "relcl"
        and relative.lemma_ not in EVENTS
        and noun.i + 2 == relative.left_edge.i
        and noun.nbor().text == ","
        and (preposition is None or preposition.head.pos_ in ("VERB", "AUX"))
    )


def _is_remark_on_either(relative: Token, noun: Token) -> bool:
    """Whether it may as well describe the noun before the preposition: `a client for Python, which ...`."""
    preposition = noun.head if noun.dep_ == "pobj" else None
    return (
        preposition is not None
        and preposition.lower_ != "of"
        and preposition.head.pos_ in ("NOUN", "PROPN")
        and relative.left_edge.nbor(-1).text == ","
    )


def _apposition(token: Token, sentence: Span, resolver: CoreferenceResolver) -> Apposition | None:
    """The apposition at the token, if one part is a name and the other a description; else None."""
    head = token.head
    if head.pos_ not in ("NOUN", "PROPN") or token.pos_ not in ("NOUN", "PROPN") or token.i < head.i:
        return None
    if (
        token.left_edge.dep_ == "advmod"
        or head.dep_ == "conj"
        or any(c.dep_ == "conj" for c in head.children)
    ):
        return None  # a list
    if head.dep_ == "pobj" and head.head.head.pos_ in ("NOUN", "PROPN"):
        return None  # it may as well describe the noun before the preposition
    between = sentence.doc[head.i : token.left_edge.i].text
    if not between.rstrip().endswith((",", "-", "\u2013", "\u2014")) or any(
        c.dep_ == "conj" for c in token.children
    ):
        return None
    first = phrase_of(head, resolver, drop=token, subject=True)
    second = phrase_of(token, resolver, subject=True)
    if kind(head) == "person" and kind(token) != "person" and any(c.dep_ == "poss" for c in token.children):
        return None  # `under her nephew, Oskar Hahn, the firm's ships were sold`
    if first is None or second is None or len(second.text.split()) > 16:
        return None
    if head.pos_ == "PROPN" and token.pos_ == "NOUN" and token.ent_type_ != "PERSON":
        return Apposition(sentence, first, second)
    if token.pos_ == "PROPN" and head.pos_ == "NOUN" and is_definite(head):
        return Apposition(sentence, second, first)
    return None
