"""Finds statements of one unit that cannot both hold: another object of a relation that has one, or a denial.

What has been (`lived in Bern`) contradicts nothing that is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
