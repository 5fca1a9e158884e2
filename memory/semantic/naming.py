"""Names of one thing: `DHS` and `the Deep Harbour Survey` are the same, as far as the facts say so.

A text says so by an abbreviation (`DHS stands for ...`) or a name (`is also known as ...`); a person by a
triple `DHS, is the same as, Deep Harbour Survey`. The triple `is not the same as` undoes it, also for names
that differ in case or plural alone, see `spellings`. Nothing is rewritten: facts keep the name that their
text has.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from scipy.cluster.hierarchy import DisjointSet  # type: ignore[import-untyped]

from memory.language.names import names_in
from memory.language.relations import base_relation
from memory.language.text import key, words
from memory.records.access import Access
from memory.records.knowledge import Fact
from memory.semantic.base import SemanticMemory
from memory.semantic.spellings import Spellings, tells_apart

Side = Literal["subject", "object", "both"]
_OTHER_NAME: dict[str, Side] = {
    "stand-for": "subject",
    "short-for": "subject",
    "know-as": "object",
    "call": "object",
    "nickname": "object",
    "be-the-same-as": "both",
}
"""Relations that give a thing another name, and which side of the fact is that name."""
_GIVEN = "be-the-same-as"
_EXPLICIT = ("abbreviation", "triple")
"""Rules that take no description (`The EU stands for peace`) for a name."""
_PASSING = frozenset(
    {"also", "formerly", "once", "originally", "previously", "now", "then", "later", "still"}
)
MOST_NAMES = 20
"""Other names by which a search looks things up."""


class SameNames:
    """Which names are the same thing's, by the facts of one domain.

    A short form that stands for two things, or a nickname of two, is neither's.
    """

    def __init__(self, facts: Iterable[Fact]) -> None:
        naming = sorted((fact for fact in facts if is_naming(fact)), key=lambda fact: fact.id)
        self.spellings = Spellings(naming)
        self.told_apart = tuple(fact for fact in naming if tells_apart(fact))
        """Those that tell names apart which differ in case or plural alone."""
        naming = [fact for fact in naming if not tells_apart(fact)]
        self._apart = {_pair(fact) for fact in naming if _denied(fact)}
        said = [fact for fact in naming if not _denied(fact) and _pair(fact) not in self._apart]
        mains: dict[str, set[str]] = defaultdict(set)
        for fact in said:
            other, main = _sides(fact)
            if _relation(fact) != _GIVEN:
                mains[other].add(main)
        self.facts = tuple(
            fact for fact in said if _relation(fact) == _GIVEN or len(mains[_sides(fact)[0]]) == 1
        )
        """Those by which names were joined."""
        self._written: dict[str, str] = {}
        self._sets: DisjointSet = DisjointSet()
        for fact in self.facts:
            for name in (fact.subject, fact.object):
                self._written.setdefault(self.spellings.key(name), name)
                self._sets.add(self.spellings.key(name))
            self._sets.merge(self.spellings.key(fact.subject), self.spellings.key(fact.object))

    def canonical(self, name: str) -> str:
        """The key that all names of the thing share: the longest of theirs."""
        name_key = self.spellings.key(name)
        if name_key not in self._written:
            return name_key
        return str(max(self._sets.subset(name_key), key=lambda each: (len(each), each)))

    def others(self, names: Iterable[str]) -> tuple[str, ...]:
        """Further names of the same things, as written, in alphabetical order."""
        given = {each for name in names for each in self.spellings.keys(name)}
        found = {each for name in given & self._written.keys() for each in self._sets.subset(name)}
        return tuple(sorted(self._written[each] for each in found - given))

    def decided(self, first: str, second: str) -> bool:
        """Whether the facts say that the names are the same thing's, or that they are not."""
        same = self.canonical(first) == self.canonical(second)
        return same or frozenset({key(first), key(second)}) in self._apart

    def groups(self) -> list[tuple[tuple[str, ...], tuple[Fact, ...]]]:
        """The names of each thing that has several, as written, longest first, and the facts that say so."""
        found = []
        for group in self._sets.subsets():
            names = sorted((self._written[each] for each in group), key=lambda name: (-len(name), name))
            because = tuple(fact for fact in self.facts if self.spellings.key(fact.subject) in group)
            found.append((tuple(names), because))
        return sorted(found, key=lambda each: each[0])


def is_naming(fact: Fact) -> bool:
    """Whether the fact says, or denies, that a thing has another name; never what a user said."""
    relation = _relation(fact)
    if relation not in _OTHER_NAME or fact.said_by is not None or fact.condition:
        return False
    if key(fact.subject) == key(fact.object):
        return tells_apart(fact)
    return fact.rule in _EXPLICIT or all(_is_name(side) for side in (fact.subject, fact.object))


class Known(NamedTuple):
    """What is known about some things."""

    facts: tuple[Fact, ...]
    names: tuple[str, ...]
    """Further names of the things, by which facts were found too."""


async def about_by_any_name(
    semantic: SemanticMemory,
    terms: Sequence[str],
    *,
    access: Access,
    domain: str | None = None,
    said_by: str | None = None,
    limit: int = 50,
) -> Known:
    """The facts whose subject or object is one of the terms or, after them, another name of the same thing.

    Up to half of the `limit` is kept for the other names. Raises StoreUnavailable.
    """
    facts, naming = await asyncio.gather(
        semantic.about(terms, access=access, domain=domain, said_by=said_by, limit=limit),
        semantic.naming(terms, access=access, domain=domain),
    )
    if naming:  # also what else its names may stand for
        mentioned = [name for fact in naming for name in (fact.subject, fact.object)]
        naming = (*naming, *await semantic.naming(mentioned, access=access, domain=domain))
        # In a thread, because it imports the inflector, at first.
        names, facts = await asyncio.to_thread(_others_and_meant, naming, terms, facts)
    else:
        names = ()
    if names:
        more = await semantic.about(names, access=access, domain=domain, said_by=said_by, limit=limit)
        known = {fact.id for fact in facts}
        more = tuple(fact for fact in more if fact.id not in known)[: max(limit // 2, limit - len(facts))]
        facts = (*facts[: limit - len(more)], *more)
    return Known(facts, names)


def _others_and_meant(
    naming: Sequence[Fact], terms: Sequence[str], facts: Sequence[Fact]
) -> tuple[tuple[str, ...], tuple[Fact, ...]]:
    """Other names of the things, and the facts without those of things that are only spelled like a term."""
    domains = by_domain(naming)
    found = (name for each in domains.values() for name in each.others(terms))
    meant = {
        domain: {each for term in terms for each in same.spellings.keys(term)}
        for domain, same in domains.items()
    }

    def is_meant(fact: Fact) -> bool:
        if fact.domain not in domains:
            return True
        spellings = domains[fact.domain].spellings
        return not meant[fact.domain].isdisjoint(map(spellings.key, (fact.subject, fact.object)))

    return tuple(dict.fromkeys(found))[:MOST_NAMES], tuple(filter(is_meant, facts))


def by_domain(facts: Iterable[Fact]) -> dict[str, SameNames]:
    """The names that are the same thing's in each domain."""
    naming: dict[str, dict[str, Fact]] = defaultdict(dict)
    for fact in facts:
        if is_naming(fact):
            naming[fact.domain][fact.id] = fact
    return {domain: SameNames(of_domain.values()) for domain, of_domain in sorted(naming.items())}


def _relation(fact: Fact) -> str:
    telling = [word for word in words(fact.relation) if word not in _PASSING and not word.endswith("ly")]
    return base_relation(" ".join(telling)).base


def _denied(fact: Fact) -> bool:
    return fact.negated or base_relation(fact.relation).denied


def _pair(fact: Fact) -> frozenset[str]:
    return frozenset({key(fact.subject), key(fact.object)})


def _sides(fact: Fact) -> tuple[str, str]:
    """The other name and the main one, as keys."""
    subject, object_ = key(fact.subject), key(fact.object)
    return (subject, object_) if _OTHER_NAME[_relation(fact)] == "subject" else (object_, subject)


def _is_name(text: str) -> bool:
    """Whether the text is a name with capitals, rather than a description."""
    return key(text) in names_in(text) or (
        " " not in text and text[:1].isupper() and key(text) == text.lower()
    )
