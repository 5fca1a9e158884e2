"""Dates of birth and death in brackets after a person's name: `Ada Quist (4 May 1947 - 11 June 2016)`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from memory.ingest.propositions.coreference import kind
from memory.language.dates import MONTH_NAMES

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_MONTH = rf"(?:{'|'.join(MONTH_NAMES)})"
_DATE = rf"(?:\d{{1,2}} {_MONTH} \d{{3,4}}|{_MONTH} \d{{1,2}}, \d{{3,4}}|{_MONTH} \d{{4}}|\d{{4}})"
_LIFESPAN = re.compile(
    rf"\(\s*(?:[^()]{{0,60}};\s*)?(?:born (?P<only>{_DATE})|(?:born )?(?P<born>{_DATE})\s*[-\u2013\u2014]\s*"
    rf"(?:died )?(?P<died>{_DATE}))\s*(?:in [^()]{{0,60}})?\)",
    re.IGNORECASE,
)
_OCCUPATION = re.compile(r"(?:er|or|ist|ian|man|woman|eer|ess)$")
"""Endings of nouns for people. Some things have them too (`newspaper`), but no birthday."""
_COPULAS = ("is", "was")


class LifeEvent(NamedTuple):
    """A birth or death: `Ada Quist`, `was born on`, `4 May 1947`."""

    subject: str
    relation: str
    date: str


def life_events(sentence: Span) -> Iterator[LifeEvent]:
    """The births and deaths that brackets after the sentence's subject state, if that is a person.

    A span of years after another name may be a reign or a war; a person needs a day or the word `born`.
    """
    found = _LIFESPAN.search(sentence.text)
    subject = next((t for t in sentence if t.dep_ == "nsubj" and t.head.lower_ in _COPULAS), None)
    if found is None or subject is None:
        return
    exact = found["only"] is not None or all(_preposition(found[side]) == "on" for side in ("born", "died"))
    if not _is_person(subject, by_ending=exact):
        return
    name = sentence.text[: found.start()].strip(" ,\"'\u201c\u201d")
    before_verb = sentence.start_char + found.end() <= subject.head.idx
    if not before_verb or subject.text not in name or "(" in name or not name[:1].isupper():
        return
    if (born := found["only"] or found["born"]) is not None:
        yield LifeEvent(name, f"was born {_preposition(born)}", born)
    if found["died"] is not None:
        yield LifeEvent(name, f"died {_preposition(found['died'])}", found["died"])


def _is_person(subject: Token, *, by_ending: bool) -> bool:
    predicates = [t for t in subject.head.children if t.dep_ == "attr"]
    nouns = [subject, *predicates, *(other for t in predicates for other in t.conjuncts)]
    if any(noun.ent_type_ == "PERSON" or kind(noun) == "person" for noun in nouns):
        return True
    return by_ending and any(_OCCUPATION.search(noun.lemma_) for noun in nouns[1:])


def _preposition(date: str) -> str:
    return "in" if date.isdigit() or not re.search(r"\b\d{1,2}\b", date) else "on"
