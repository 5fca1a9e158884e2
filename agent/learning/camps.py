"""Which documents may speak from different perspectives: those that contradict each other, in two camps."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import DisjointSet  # type: ignore[import-untyped]

from agent.learning.contradictions import Conflict, conflicts
from memory.language.text import key
from memory.records.base import Record
from memory.records.knowledge import Fact
from memory.records.perspectives import Viewpoints

SHOWN = 5
"""Conflicts that are shown as the reason."""


class Camps(Record):
    """Two groups of documents of one domain that hold different things."""

    domain: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    """Sources, in order."""
    conflicts: int
    """How often a document of one contradicts one of the other."""
    because: tuple[Conflict, ...]
    """The first of these."""


def camps(facts: Sequence[Fact]) -> tuple[Camps, ...]:
    """The camps of documents that are connected by contradictions, for people to name or to ignore.

    Documents that state the same belong together, and those that contradict each other apart: the signs of
    the leading eigenvector of the signed graph of agreements and contradictions tell the two camps (Kunegis
    et al. 2010, Spectral analysis of signed graphs). Statements of users are left out.
    """
    stated = [fact for fact in facts if fact.said_by is None]
    documents = sorted({_document(fact) for fact in stated}, key=str)
    place = {document: index for index, document in enumerate(documents)}
    alone = Viewpoints(names={document: str(index) for document, index in place.items()})
    views = [each for each in conflicts(stated, alone) if each.kind == "view"]
    if not views:
        return ()
    links, parts = np.zeros((len(documents), len(documents))), DisjointSet(range(len(documents)))
    for each in views:
        first, second = (place[_document(fact)] for fact in (each.current, each.other))
        links[[first, second], [second, first]] -= 1
        parts.merge(first, second)
    for first, second in _agreements(stated, place):
        links[[first, second], [second, first]] += 1
    found: list[Camps] = []
    for part in parts.subsets():
        members = sorted(part)
        if len(members) < 2:
            continue
        _, vectors = np.linalg.eigh(links[np.ix_(members, members)])
        sides = dict(zip(members, (vectors[:, -1] >= 0).tolist(), strict=True))
        between = [
            each
            for each in views
            if (a := place[_document(each.current)]) in sides
            and sides[a] != sides[place[_document(each.other)]]
        ]
        if between:
            found.append(_camps(documents, sides, between))
    return tuple(found)


def _camps(
    documents: Sequence[tuple[str, str, str | None]], sides: dict[int, bool], between: Sequence[Conflict]
) -> Camps:
    groups: dict[bool, list[str]] = {True: [], False: []}
    for index, side in sorted(sides.items()):
        groups[side].append(documents[index][0])
    first, second = sorted(map(tuple, groups.values()))
    domain = documents[next(iter(sides))][1]
    return Camps(
        domain=domain,
        first=first,
        second=second,
        conflicts=len(between),
        because=tuple(
            each.model_copy(update={"held_by": None, "reason": "they hold different things"})
            for each in between[:SHOWN]
        ),
    )


def _agreements(facts: Sequence[Fact], place: dict[tuple[str, str, str | None], int]) -> set[tuple[int, int]]:
    """Pairs of documents, by index, that state the same fact."""
    stating: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for fact in facts:
        said = (fact.domain, key(fact.subject), key(fact.relation), key(fact.object), str(fact.negated))
        stating[said].add(place[_document(fact)])
    return {(a, b) for same in stating.values() for a in same for b in same if a < b}


def _document(fact: Fact) -> tuple[str, str, str | None]:
    return fact.source, fact.domain, fact.owner
