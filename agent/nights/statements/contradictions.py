"""Finds statements that cannot both hold: another object of a relation that has one, or a denial.

What has been (`lived in Bern`) contradicts nothing that is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from agent.learning.contradictions import conflicts
from agent.nights.statements.facts import statement_fact
from agent.nights.statements.utterances import THE_USER, unnamed
from agent.nights.statements.words import OWN_PEOPLE, words_of
from memory.language.relations import Relation, base_relation
from memory.language.text import key, singular, words
from memory.records.nights import Statement

_OWNED = re.compile(r"(?:'s|s') |\bof\b", re.IGNORECASE)
_NAMES_OR_NUMBERS = re.compile(r"[A-Z0-9]")


def contradicts(one: Statement, other: Statement) -> bool:
    """Whether two statements of the same unit exclude each other."""
    if one.unit != other.unit or one.id == other.id or not _same(one.subject, other.subject, one, other):
        return False
    first, second = base_relation(one.relation), base_relation(other.relation)
    if first.base != second.base or first.past or second.past:
        return False
    same = _same(one.object, other.object, one, other)
    if first.denied != second.denied:
        return same
    return not same and not first.denied and _has_one_object(one, first) and _has_one_object(other, second)


def _same(first: str, second: str, one: Statement, other: Statement) -> bool:
    """Whether the texts mean the same; a speaker without a name is the unit's user, whatever their name."""
    anonymous = THE_USER in (one.speaker, other.speaker)
    renamed = anonymous and key(unnamed(first, one.speaker)) == key(unnamed(second, other.speaker))
    return renamed or key(first) == key(second)


def contradicted_by(later: Statement, earlier: Sequence[Statement]) -> tuple[str, ...]:
    """The ids of the statements that `later` contradicts."""
    return tuple(sorted(each.id for each in earlier if contradicts(later, each)))


def disputes(statements: Sequence[Statement]) -> tuple[tuple[Statement, ...], ...]:
    """The current `statements` that other users contradict: together those about one subject and relation.

    They exclude each other as those of one user do, or as facts of documents do. A user's own statements
    contradict none of their own that is current.
    """
    slots: dict[tuple[str, str], list[Statement]] = defaultdict(list)
    for statement in statements:
        relation = base_relation(statement.relation)
        if not relation.past:
            slots[key(statement.subject), relation.base].append(statement)
    return tuple(found for slot in slots.values() if len(slot) > 1 and (found := _disputed(slot)))


def _disputed(slot: Sequence[Statement]) -> tuple[Statement, ...]:
    """Those of the statements about one subject and relation that another one of them excludes."""
    read = [(each, key(each.object), base_relation(each.relation)) for each in slot]
    told = {(object_, relation.denied) for _, object_, relation in read}
    single = {s.id: o for s, o, relation in read if not relation.denied and _has_one_object(s, relation)}
    disputed = set(single) if len(set(single.values())) > 1 else set()
    disputed |= {s.id for s, object_, relation in read if (object_, not relation.denied) in told}
    facts = [statement_fact(each).model_copy(update={"said_by": None}) for each in slot]
    disputed |= {fact.id for conflict in conflicts(facts) for fact in (conflict.current, conflict.other)}
    return tuple(each for each in slot if each.id in disputed)


def _has_one_object(statement: Statement, relation: Relation) -> bool:
    """Whether the relation holds of one object at a time, for this subject."""
    if relation.base.partition("-")[0] != "be":
        return relation.base in words_of("functional")
    subject = statement.subject
    if "favourite" in subject or "favorite" in subject:
        return True
    people = {singular(word) for word in words(subject)} & OWN_PEOPLE
    owned = _OWNED.search(subject) is not None and not people
    return owned and _NAMES_OR_NUMBERS.search(statement.object) is not None
