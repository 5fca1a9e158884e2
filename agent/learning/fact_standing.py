"""How well a fact stands: by how many sources state it, how sure the rule is, and how old it may be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from memory.language.relations import base_relation
from memory.language.text import key
from memory.records.base import Record
from memory.records.knowledge import Fact

STATE_LASTS = timedelta(days=365)
"""After this time, what a text says is so (`is the president`) should be looked up again."""
ANNOUNCED_LASTS = timedelta(days=180)
"""The same for what is planned (`will open`)."""


ALL_DATES = datetime.max.replace(tzinfo=UTC)
"""When every date has come, for who does not ask which fact is current."""


class Standing(Record):
    """A fact's support, age and reliability."""

    support: int
    """Distinct documents, users or conversations that state it."""
    confidence: float
    as_of: datetime | None
    """The latest time of which it is stated, see `Fact.as_of`."""
    to_come: bool = False
    """Whether all who state it date it in the future: until then, nothing gives way to it."""
    changes: bool
    """Whether it describes a state, which may end; an event of the past stays."""

    def newer_than(self, other: Standing) -> bool:
        """Whether it is stated of a later time; False if that is unknown."""
        if self.as_of is None or other.as_of is None:
            return False
        return self.as_of > other.as_of


def compared(first: Standing, second: Standing) -> tuple[bool, str]:
    """Whether the first of two conflicting facts is the better one, and why.

    What is dated in the future is not. Of states, which may end, the newer is better; of events the one that
    more sources state.
    """
    if first.to_come != second.to_come:
        return second.to_come, "the other is dated in the future"
    newer = int(first.newer_than(second)) - int(second.newer_than(first)), "newer"
    counts = sorted((first.support, second.support), reverse=True)
    supported = first.support - second.support, "stated by {} sources against {}".format(*counts)
    surer = first.confidence - second.confidence, "read by the more reliable rule"
    criteria = (newer, supported) if first.changes and second.changes else (supported, newer)
    for difference, reason in (*criteria, surer):
        if difference:
            return difference > 0, reason
    return True, "neither is newer or better supported"


def standings(facts: Sequence[Fact], now: datetime = ALL_DATES) -> dict[str, Standing]:
    """The standing of each fact by then, by its id: facts with equal words support each other."""
    groups: dict[tuple[object, ...], list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[_statement(fact)].append(fact)
    return {
        fact.id: standing
        for group in groups.values()
        for fact, standing in zip(group, _standings(group, now), strict=True)
    }


def is_stale(fact: Fact, now: datetime) -> bool:
    """Whether the fact should be looked up again: it has ended, or describes a state and is old."""
    if fact.valid_until is not None and fact.valid_until < now:
        return True
    as_of = fact.as_of(now)
    if as_of is None or not _changes(fact):
        return False
    planned = {"will", "shall"} & set(fact.relation.split())
    return now - as_of > (ANNOUNCED_LASTS if planned else STATE_LASTS)


def _standings(same: Sequence[Fact], now: datetime) -> list[Standing]:
    """The standings of facts with equal words; they differ in tense alone."""
    to_come = all(each.is_to_come(now) for each in same)
    believed = [each for each in same if to_come or not each.is_to_come(now)]
    times = [as_of for each in believed if (as_of := each.as_of(now)) is not None]
    support = len({(each.source, each.said_by) for each in same})
    confidence, latest = max(each.confidence for each in same), max(times, default=None)
    return [
        Standing(
            support=support, confidence=confidence, as_of=latest, to_come=to_come, changes=_changes(fact)
        )
        for fact in same
    ]


def _changes(fact: Fact) -> bool:
    return not base_relation(fact.relation).past


def _statement(fact: Fact) -> tuple[object, ...]:
    base = base_relation(fact.relation)
    return (
        key(fact.subject), base.base, key(fact.object), key(fact.condition), fact.negated or base.denied,
    )  # fmt: skip
