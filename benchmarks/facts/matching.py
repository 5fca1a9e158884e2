"""Compares extracted facts with labelled propositions: by content words, verbs, numbers, sign and condition.

An extraction is right if the sentence states all that it says. It may say less than a label, but must not
lose what would change its truth: a number, a negation, a modal verb or a condition.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lemminflect import getLemma  # type: ignore[import-untyped]

from benchmarks.facts.labels import Proposition
from memory.language.content_words import CLOSED_CLASS, stems
from memory.records.knowledge import Fact

STATED = 0.8
"""Minimum share of an extraction's words that its label has; the rest are connecting words."""
SAME_SUBJECT = 0.5
"""Minimum F1 of two subjects' words."""
COVERED = 0.5
"""Minimum share of a label's words in the extractions that count as having found it."""
KINDS = ("denied", "modal or conditional", "date", "number", "is", "other verb")

_MODALS = frozenset({"can", "could", "may", "might", "must", "shall", "should", "will", "would", "need"})
_SMALL_WORDS = """
    the a an been become upon into onto also both either neither during against between among through per
    before after while until since via off down away back along across around about than then s"""
_SMALL = CLOSED_CLASS | frozenset(_SMALL_WORDS.split())
_BE = frozenset({"is", "are", "was", "were", "be", "been", "being", "am"})
_HAVE = frozenset({"has", "have", "had", "having"})
_NOT = re.compile(r"\b(?:not|never|no|none|cannot|nobody|nothing|neither|nor|without)\b|n't\b", re.I)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_DATE = re.compile(
    r"\b(?:1[0-9]|20)\d\ds?\b|\b\d{1,2}(?:st|nd|rd|th) century"
    r"|\b(?:january|february|march|april|may|june|july|august|september|october|november|december) \d",
    re.I,
)
_POSSESSIVE = re.compile(r"\b(?:his|her|its|their)\b", re.I)
_OWNER = re.compile(r"\b[A-Z][\w.-]*'s?\s")
_PHRASE_END = re.compile(
    r"[,;(]|\s(?:in|on|by|from|for|with|at|to|that|which|who|during|as|located|based|starring)\s"
)
_IF = re.compile(r"\b(?:if|when|whenever|once|unless|until|provided)\b", re.I)


class Match(NamedTuple):
    """Which extractions are right, and which labels were found, by position."""

    right: tuple[bool, ...]
    found: tuple[bool, ...]


def match(facts: Sequence[Fact], labels: Sequence[Proposition]) -> Match:
    """Compares the facts extracted from one sentence with its labels."""
    covered: dict[int, set[str]] = {}
    right: list[bool] = []
    for fact in facts:
        rows = [i for i, label in enumerate(labels) if _states(fact, label, labels)]
        for i in rows:
            covered.setdefault(i, set()).update(_words(_said(fact)))
        right.append(bool(rows))
    return Match(
        tuple(right),
        tuple(
            i in covered and _share(_essence(label), covered[i]) >= COVERED for i, label in enumerate(labels)
        ),
    )


def kind_of_fact(fact: Fact) -> str:
    """The kind of relation of an extraction."""
    return _kind(fact.relation, f"{fact.object} {fact.condition}", fact.negated)


def kind_of_label(label: Proposition) -> str:
    """The kind of relation of a label."""
    text = f"{label.object} {label.date} {label.number} {label.condition}"
    return _kind(f"{label.modality} {label.relation}", text, label.negated)


def _kind(relation: str, rest: str, negated: bool) -> str:
    words = set(relation.lower().split())
    if negated or _NOT.search(relation):
        return "denied"
    if words & _MODALS or _IF.search(rest):
        return "modal or conditional"
    if _DATE.search(rest):
        return "date"
    if _NUMBER.search(rest):
        return "number"
    return "is" if _verbs(relation) == {"be"} else "other verb"


def _states(fact: Fact, label: Proposition, labels: Sequence[Proposition]) -> bool:
    same = [other for other in labels if _same_subject(fact.subject, other.subject)]
    if label not in same or not _verbs(fact.relation) & _verbs(f"{label.relation} {label.modality}"):
        return False
    said = _said(fact)
    in_object = bool(_NOT.search(said))  # of a subordinate clause, or `shows no remorse`
    if label.negated != (fact.negated or (label.negated and in_object)):
        return False
    if in_object and not label.negated and not _NOT.search(label.object):
        return False
    if _modals(fact.relation) != _modals(f"{label.relation} {label.modality}"):
        return False
    if label.condition and _share(_words(label.condition), _words(said)) < COVERED:
        return False
    known = _words(" ".join(_text(other) for other in same))
    if _POSSESSIVE.search(label.object):
        said = _OWNER.sub("", said)  # `his father` may be given as `Jack's father`
    numbers = set(_NUMBER.findall(" ".join(_text(other) for other in same)))
    if not set(_NUMBER.findall(said)) <= numbers:
        return False
    heads = [_head(label.object), label.date, label.number]
    words = _words(said)
    named = any(_share(_words(head), words) >= COVERED for head in heads if _words(head))
    return (named or not any(map(_words, heads))) and _share(words, known) >= STATED


def _same_subject(first: str, second: str) -> bool:
    one, two = _words(first), _words(second)
    if set(_NUMBER.findall(first)) - set(_NUMBER.findall(second)):
        return False
    common = len(one & two)
    return common > 0 and (2 * common / (len(one) + len(two)) >= SAME_SUBJECT or one <= two or two <= one)


def _verbs(relation: str) -> frozenset[str]:
    """The lemmas of the relation's verbs; `be` or `have` if it has no other."""
    words = [w for w in re.findall(r"[a-z'-]+", relation.lower()) if w not in _MODALS]
    others = [w for w in words if w not in _BE | _HAVE and w not in _SMALL and not _NOT.fullmatch(w)]
    if others:
        return frozenset(lemma for w in others for lemma in (*getLemma(w, "VERB"), w))
    return frozenset({"have"} if set(words) & _HAVE and not set(words) & _BE else {"be"})


def _modals(relation: str) -> frozenset[str]:
    return frozenset(relation.lower().split()) & _MODALS


def _said(fact: Fact) -> str:
    """All of a fact but its subject and verb."""
    return f"{fact.object} {fact.condition}"


def _text(label: Proposition) -> str:
    return " ".join((label.subject, label.relation, label.object, label.date, label.number, label.condition))


def _essence(label: Proposition) -> frozenset[str]:
    """What an extraction must mention to have found the label."""
    return _words(f"{label.object} {label.date} {label.number}")


def _head(phrase: str) -> str:
    """The first phrase of an object, or all of it if that has no content word."""
    first = _PHRASE_END.split(phrase)[0]
    return first if _words(first) else phrase


def _words(text: str) -> frozenset[str]:
    return frozenset(w for w in stems(text) if w not in _SMALL)


def _share(part: Iterable[str], whole: Iterable[str]) -> float:
    part = set(part)
    return len(part & set(whole)) / len(part) if part else 1.0
