"""Which documents may speak from different perspectives: those that contradict each other, in two camps."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy.cluster.hierarchy import DisjointSet  # type: ignore[import-untyped]

from agent.learning.contradictions import Conflict, first_conflicts
from memory.language.text import key
from memory.records.base import Record
from memory.records.knowledge import Fact
from memory.records.perspectives import Viewpoints

MAX_MEMBERS = 500
"""Documents that are divided at a time, those with the most contradictions: more would take minutes."""
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
    more: bool = False
    """Whether not all facts were compared, so that there may be more contradictions."""


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
    first, more = first_conflicts(stated, alone)
    views = [each for each in first if each.kind == "view"]
    if not views:
        return ()
    parts = DisjointSet(range(len(documents)))
    against: Counter[tuple[int, int]] = Counter()
    contradicted: Counter[int] = Counter()
    for each in views:
        one, two = sorted(place[_document(fact)] for fact in (each.current, each.other))
        against[one, two] += 1
        contradicted.update((one, two))
        parts.merge(one, two)
    stating: dict[int, set[tuple[str, ...]]] = defaultdict(set)
    for fact in stated:
        if (index := place[_document(fact)]) in contradicted:
            said = (key(fact.subject), key(fact.relation), key(fact.object), str(fact.negated))
            stating[index].add(said)
    disagreeing: dict[int, list[Conflict]] = defaultdict(list)
    for each in views:
        disagreeing[parts[place[_document(each.current)]]].append(each)
    found: list[Camps] = []
    for root, inside in disagreeing.items():
        members = sorted(parts.subset(root), key=lambda member: (-contradicted[member], member))
        sides = _sides(sorted(members[:MAX_MEMBERS]), against, stating)
        between = [
            each
            for each in inside
            if (a := place[_document(each.current)]) in sides
            and (b := place[_document(each.other)]) in sides
            and sides[a] != sides[b]
        ]
        if between:
            found.append(_camps(documents, sides, between, more))
    return tuple(found)


def _camps(
    documents: Sequence[tuple[str, str, str | None]],
    sides: dict[int, bool],
    between: Sequence[Conflict],
    more: bool,
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
        more=more,
    )


def _sides(
    members: Sequence[int],
    against: Mapping[tuple[int, int], int],
    stating: Mapping[int, Collection[tuple[str, ...]]],
) -> dict[int, bool]:
    """On which side each of these documents is, by their contradictions and by what they state alike."""
    rows = {member: row for row, member in enumerate(members)}
    links = np.zeros((len(members), len(members)))
    agreeing: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for member, row in rows.items():
        for said in stating[member]:
            agreeing[said].append(row)
    for together in agreeing.values():
        links[np.ix_(together, together)] += 1
    for (first, second), count in against.items():
        if first in rows and second in rows:  # where they contradict each other, agreements count nothing
            pair = [rows[first], rows[second]], [rows[second], rows[first]]
            links[pair] = -count
    np.fill_diagonal(links, 0)
    _, vectors = np.linalg.eigh(links)
    return dict(zip(members, (vectors[:, -1] >= 0).tolist(), strict=True))


def _document(fact: Fact) -> tuple[str, str, str | None]:
    return fact.source, fact.domain, fact.owner
