"""Names of one thing: `DHS` and `the Deep Harbour Survey` are the same, as far as the facts say so.

A text says so by an abbreviation (`DHS stands for ...`) or a name (`is also known as ...`); a person by a
triple `DHS, is the same as, Deep Harbour Survey`. The triple `is not the same as` undoes it, also for names
that differ in case or plural alone, see `spellings`. Nothing is rewritten: facts keep the name that their
text has.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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
WIDENED = 4
"""By how much a search is widened that found facts about things that are only spelled alike."""


class SameNames:
    """Which names are the same thing's, by the facts of one domain.

    A short form that stands for two things, or a nickname of two, is neither's; neither are names by which
    several facts together join what a triple tells apart.
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
            if _relation(fact) != _GIVEN:
                other, main = self._sides(fact)
                mains[other].add(main)
        unique = [f for f in said if _relation(f) == _GIVEN or len(mains[self._sides(f)[0]]) == 1]
        denials = (*self.told_apart, *(fact for fact in naming if _denied(fact)))
        self.facts, self._sets = self._joined(unique, [self._sides(fact) for fact in denials])
        self._written: dict[str, str] = {}
        for fact in self.facts:
            for name in (fact.subject, fact.object):
                self._written.setdefault(self.spellings.key(name), name)

    def _joined(
        self, facts: Sequence[Fact], apart: Iterable[tuple[str, str]]
    ) -> tuple[tuple[Fact, ...], DisjointSet]:
        """The facts by which names are joined, and the sets of joined names; none has two that are `apart`.

        Of facts that join such two, what texts say gives way first, then what persons say too.
        """
        sets = DisjointSet()
        for fact in facts:
            for name in self._sides(fact):
                sets.add(name)
            sets.merge(*self._sides(fact))
        mixed = {
            sets[one] for one, other in apart if one in sets and other in sets and sets.connected(one, other)
        }
        if not mixed:
            return tuple(facts), sets
        joining = [fact for fact in facts if sets[self._sides(fact)[0]] in mixed]
        given_way = {fact.id for fact in joining if _relation(fact) != _GIVEN} or {f.id for f in joining}
        return self._joined([fact for fact in facts if fact.id not in given_way], apart)

    def _sides(self, fact: Fact) -> tuple[str, str]:
        """The keys of the other name and of the main one."""
        subject, object_ = self.spellings.key(fact.subject), self.spellings.key(fact.object)
        return (subject, object_) if _OTHER_NAME[_relation(fact)] == "subject" else (object_, subject)

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


class Meant:
    """Tells facts about what some terms mean from those about things that are only spelled alike."""

    def __init__(self, names: Mapping[str, SameNames], terms: Sequence[str], others: Sequence[str]) -> None:
        """Takes the names of each domain, and `others`, which are further names of the terms' things."""
        self._spellings = {domain: same.spellings for domain, same in names.items() if same.spellings}
        self._keys = {
            domain: {each for term in terms for each in spellings.keys(term)} | {*map(spellings.key, others)}
            for domain, spellings in self._spellings.items()
        }

    def __call__(self, fact: Fact) -> bool:
        spellings = self._spellings.get(fact.domain)
        if spellings is None:
            return True
        return not self._keys[fact.domain].isdisjoint(map(spellings.key, (fact.subject, fact.object)))


class Known(NamedTuple):
    """What is known about some things."""

    facts: tuple[Fact, ...]
    names: tuple[str, ...]
    """Further names of the things, by which facts were found too."""
    meant: Meant
    """Whether a fact under one of the names is about the things."""


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
    naming = await semantic.naming(terms, access=access, domain=domain)
    names: tuple[str, ...] = ()
    meant = Meant({}, terms, ())
    if naming:  # also what else its names may stand for
        mentioned = [name for fact in naming for name in (fact.subject, fact.object)]
        naming = (*naming, *await semantic.naming(mentioned, access=access, domain=domain))
        # In a thread, because it imports the inflector, at first.
        names, meant = await asyncio.to_thread(_others_and_meant, naming, terms)

    async def about(names: Sequence[str], known: Collection[str]) -> tuple[Fact, ...]:
        """At most `limit` facts that are meant, and not `known`: the search is widened until there are."""
        depth = limit
        while True:
            found = await semantic.about(names, access=access, domain=domain, said_by=said_by, limit=depth)
            wanted = [fact for fact in found if fact.id not in known and meant(fact)]
            if len(wanted) >= limit or len(found) < depth:
                return tuple(wanted[:limit])
            depth *= WIDENED

    facts = await about(terms, ())
    if names:
        more = (await about(names, {fact.id for fact in facts}))[: max(limit // 2, limit - len(facts))]
        facts = (*facts[: limit - len(more)], *more)
    return Known(facts, names, meant)


def _others_and_meant(naming: Sequence[Fact], terms: Sequence[str]) -> tuple[tuple[str, ...], Meant]:
    """Other names of the things, and which facts are about them."""
    domains = by_domain(naming)
    found = (name for each in domains.values() for name in each.others(terms))
    names = tuple(dict.fromkeys(found))[:MOST_NAMES]
    return names, Meant(domains, terms, names)


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


def _is_name(text: str) -> bool:
    """Whether the text is a name with capitals, rather than a description."""
    return key(text) in names_in(text) or (
        " " not in text and text[:1].isupper() and key(text) == text.lower()
    )
