"""Finds facts that cannot both be true: other numbers, other dates, a denial, or another value of a relation
that has one value at a time.

That a relation has several objects is no conflict by itself. Numbers and dates exclude each other if all else
is the same; other objects do so only where the facts themselves show that the relation has one value.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain, combinations, islice
from typing import Literal, NamedTuple

from agent.chat.support import Quantity, contradicts, is_negated, quantities
from agent.learning.fact_standing import ALL_DATES, Standing, compared, standings
from memory.language.content_words import CLOSED_CLASS, stems
from memory.language.dates import Date, dates, without_dates
from memory.language.relations import base_relation
from memory.language.text import key, words
from memory.records.base import Record
from memory.records.knowledge import Fact
from memory.records.perspectives import NO_VIEWPOINTS, Viewpoints
from memory.semantic.naming import by_domain

Kind = Literal["number", "date", "denial", "value", "view"]
"""`view`: declared perspectives hold different things of it, and no date or number tells who is right."""

AGREEING = 0.9
"""A relation has one value if this share of the subjects that are described more than once agrees."""
MIN_REPEATED = 4
"""Minimum number of such subjects; with fewer, the facts do not tell."""
MIN_REPEATING = 2
"""Subjects that their own source gives several dates or numbers, for the relation to be one that repeats; a
single one may be a source that contradicts itself."""
MOST_COMPARED = 300
MOST_PAIRS = 2_000_000
"""Pairs of facts that `first_conflicts` compares: some ten seconds."""
MOST_FOUND = 10_000
"""Conflicts that `first_conflicts` finds; each holds two facts."""
APPROXIMATE = 0.1
"""Numbers that differ by less are the same where one is `about` so many."""

_COPULAS = frozenset({"be", "definition"})
_ONCE_VERBS = """
    bear die found co-found establish incorporate form create build construct complete invent discover open
    inaugurate launch release publish premiere air deploy introduce sign ratify adopt become graduate succeed
    crown elect appoint retire dissolve abolish disband close demolish destroy sink crash begin start end
    commission consecrate dedicate finish transfer merge rename marry bury assassinate execute kill arrive
    debut write compose record"""
_ONCE = frozenset(_ONCE_VERBS.split())
"""Verbs of what a thing or person does or undergoes once, so that two dates exclude each other."""
_MODALS = frozenset(
    {"can", "could", "may", "might", "must", "shall", "should", "would", "will", "need", "ought"}
)
_PREPOSITION_WORDS = """
    in on at by to of from for as with into during until since before after under near between"""
_PREPOSITIONS = frozenset(_PREPOSITION_WORDS.split())
_LIMITING = frozenset({"until", "since", "before", "after", "by", "from", "till", "starting", "between"})
"""Prepositions that make a date the bound of a period."""
_ABOUT = re.compile(
    r"\b(?:about|around|approximately|nearly|almost|roughly|circa|close to|some|over|more than|at least|up to"
    r"|less than|under|at most|fewer than)\b",
    re.IGNORECASE,
)
_TELLING_ADVERBS = """
    first last usually mostly mainly partly largely rarely nearly only often sometimes always again"""
_TELLING = frozenset(_TELLING_ADVERBS.split())
_PASSING = frozenset({"also", "now", "still", "then", "later", "today", "soon"})
_ORDINAL_WORDS = """
    zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"""
_ORDINALS = tuple(_ORDINAL_WORDS.split())
_ORDINAL = re.compile(rf"\b(?:(\d+)(?:st|nd|rd|th)|({'|'.join(_ORDINALS)}))\b(?! cent)", re.IGNORECASE)
_NORMATIVE = frozenset({"must", "shall", "should", "ought"})
"""Words of what somebody wants to be so."""
_ARTICLE = re.compile(r"(?:an?|the)\s", re.IGNORECASE)
_NO = frozenset({"no", "not", "never", "neither", "nor", "without"})
_SPELLED = re.compile(r"[a-z]+")


class Conflict(Record):
    """Two facts that cannot both be true, or that two perspectives hold. Both stay in memory."""

    kind: Kind
    current: Fact
    """The one that is better supported or, of what may change, newer; of views, that of more weight."""
    other: Fact
    reason: str
    held_by: tuple[str, str] | None = None
    """Of views: the perspective that holds each."""


class _Reading(NamedTuple):
    """A fact in comparable parts."""

    fact: Fact
    verb: str
    """The relation's base form without its last preposition."""
    relation: str
    modals: frozenset[str]
    denied: bool
    dates: tuple[Date, ...]
    date_bounds: tuple[str, ...]
    """The limiting preposition before each date, or ''."""
    numbers: frozenset[Quantity]
    ordinals: frozenset[int]
    about: bool
    rest: frozenset[str]
    """The object's content words without dates and numbers."""
    condition: frozenset[str]
    """The condition's content words without dates."""

    @property
    def event(self) -> str:
        """The verb alone."""
        return next((w for w in self.verb.split("-") if w not in _TELLING), self.verb)


_Groups = dict[tuple[str, str, str | None, str], list[_Reading]]
"""Readings by subject, domain, user and verb."""


class FirstConflicts(NamedTuple):
    """The first conflicts among many facts."""

    conflicts: tuple[Conflict, ...]
    more: bool
    """Whether not all facts were compared."""


def first_conflicts(
    facts: Sequence[Fact], viewpoints: Viewpoints = NO_VIEWPOINTS, *, now: datetime = ALL_DATES
) -> FirstConflicts:
    """The first MOST_FOUND of the `conflicts` among the first MOST_PAIRS pairs, for people to look at."""
    return _conflicts(facts, viewpoints, now, MOST_PAIRS, MOST_FOUND)


def conflicts(
    facts: Sequence[Fact], viewpoints: Viewpoints = NO_VIEWPOINTS, *, now: datetime = ALL_DATES
) -> tuple[Conflict, ...]:
    """The conflicts among facts, in the order in which their first fact is given.

    Facts are compared within a domain, also under other names of the same thing that they give it, and what
    users said only with what the same user said. Of facts with one subject and verb, the first MOST_COMPARED
    are compared: a text of such sentences would take minutes. What is dated after `now` is not current.

    Facts of two perspectives that no number or date decides between are a conflict of views. Between them two
    definitions are one too; otherwise they are not, because a thing may be both a fruit and a vegetable.
    """
    return _conflicts(facts, viewpoints, now, None, None).conflicts


def _conflicts(
    facts: Sequence[Fact],
    viewpoints: Viewpoints,
    now: datetime,
    most_pairs: int | None,
    most_found: int | None,
) -> FirstConflicts:
    groups: _Groups = defaultdict(list)
    names = by_domain(facts)
    for fact in {fact.id: fact for fact in facts}.values():
        reading = _read(fact)
        same = names.get(fact.domain)
        subject = same.canonical(fact.subject) if same else key(fact.subject)
        groups[subject, fact.domain, fact.said_by, reading.verb].append(reading)
    one_valued, repeating = _OneValued(facts), _repeating(groups)
    pairs = chain.from_iterable(combinations(group[:MOST_COMPARED], 2) for group in groups.values())
    excluding = (
        (first, second, kind)
        for first, second in islice(pairs, most_pairs)
        if (kind := _kind(first, second, one_valued, repeating, viewpoints)) is not None
    )
    found = list(islice(excluding, most_found))
    more = next(pairs, None) is not None
    standing = standings(facts, now) if found else {}
    told = tuple(
        _views(first.fact, second.fact, viewpoints)
        if kind == "view"
        else _conflict(first.fact, second.fact, kind, standing)
        for first, second, kind in found
    )
    return FirstConflicts(told, more)


def _views(first: Fact, second: Fact, viewpoints: Viewpoints) -> Conflict:
    current, other = sorted((first, second), key=lambda fact: (-viewpoints.weight(fact), viewpoints.of(fact)))
    names = viewpoints.of(current), viewpoints.of(other)
    reason = f"{names[0]} holds this, {names[1]} the other: both are views, and taught as such"
    return Conflict(kind="view", current=current, other=other, reason=reason, held_by=names)


def _conflict(first: Fact, second: Fact, kind: Kind, standing: Mapping[str, Standing]) -> Conflict:
    first_is_better, reason = compared(standing[first.id], standing[second.id])
    current, other = (first, second) if first_is_better else (second, first)
    return Conflict(kind=kind, current=current, other=other, reason=reason)


def _kind(
    first: _Reading,
    second: _Reading,
    one_valued: _OneValued,
    repeating: frozenset[str],
    viewpoints: Viewpoints,
) -> Kind | None:
    """How two facts exclude each other; None if they do not. See `_excluded_by` and `conflicts`."""
    kind = _excluded_by(first, second, one_valued, repeating)
    if not viewpoints.names:
        return kind
    names = {viewpoints.of(first.fact), viewpoints.of(second.fact)}
    if len(names) < 2 or "" in names or kind in {"number", "date"}:
        return kind
    return "view" if kind is not None or _other_view(first, second) else None


def _other_view(first: _Reading, second: _Reading) -> bool:
    """Whether two perspectives define a thing differently, or want something else of it."""
    if first.relation != second.relation or first.modals != second.modals or first.denied or second.denied:
        return False
    if (
        first.condition != second.condition
        or not _same_time(first, second)
        or not _other_value(first, second)
    ):
        return False
    if first.modals & _NORMATIVE:
        return True
    return first.verb in _COPULAS and all(_ARTICLE.match(each.fact.object) for each in (first, second))


def _excluded_by(
    first: _Reading, second: _Reading, one_valued: _OneValued, repeating: frozenset[str]
) -> Kind | None:
    """How two facts with one subject and verb exclude each other; None if they do not.

    Anything that sets them apart, such as another condition, unit or time, lets both stand.
    """
    if first.modals != second.modals or (first.denied and second.denied):
        return None
    if first.fact.sentence == second.fact.sentence and first.fact.source == second.fact.source:
        return None  # one sentence does not contradict itself
    same_time = _same_time(first, second)
    if first.denied != second.denied:
        whole = first.relation == second.relation and first.rest == second.rest
        same = whole and first.numbers == second.numbers and first.ordinals == second.ordinals
        return "denial" if same and first.condition == second.condition and same_time else None
    if _other_date(first, second, repeating):
        return "date"
    if not same_time or first.relation != second.relation or first.condition != second.condition:
        return None
    if _other_number(first, second) and f"{first.relation} number" not in repeating:
        return "number"
    if _other_value(first, second) and one_valued.holds(first.relation, besides=key(first.fact.subject)):
        return "value"
    return None


def _other_date(first: _Reading, second: _Reading, repeating: frozenset[str]) -> bool:
    """Whether the same event is given two dates."""
    once = first.event in _ONCE
    if not once or f"{first.verb} date" in repeating or not first.dates:
        return False
    if len(first.dates) != len(second.dates) or first.date_bounds != second.date_bounds:
        return False
    if first.numbers != second.numbers or first.ordinals != second.ordinals:
        return False
    objects = (first.rest, second.rest)
    if first.rest != second.rest and all(objects) and not _mentions(first, second):
        return False
    if first.condition and second.condition and not first.condition & second.condition and all(objects):
        return False
    return any(not one.agrees(two) for one, two in zip(first.dates, second.dates, strict=True))


def _mentions(first: _Reading, second: _Reading) -> bool:
    """Whether what one fact has as its object the other has as a part of its own or of its condition."""
    return first.rest <= second.rest | second.condition or second.rest <= first.rest | first.condition


def _same_time(first: _Reading, second: _Reading) -> bool:
    """Whether both facts can be about the same time."""
    if not first.dates or not second.dates:
        return not (first.dates or second.dates) or first.event in _ONCE
    return len(first.dates) == len(second.dates) and all(
        one.agrees(two) for one, two in zip(first.dates, second.dates, strict=True)
    )


def _other_number(first: _Reading, second: _Reading) -> bool:
    if first.rest == second.rest and len(first.ordinals) == len(second.ordinals) == 1:
        return first.ordinals != second.ordinals and first.numbers == second.numbers
    if first.rest != second.rest:
        # Of what a thing is, one may say more than the other.
        exact = not (first.about or second.about) and first.verb in _COPULAS
        return exact and contradicts(
            f"{first.fact.subject} {first.fact.object}", f"{second.fact.subject} {second.fact.object}"
        )
    if not first.numbers or len(first.numbers) != len(second.numbers) or first.numbers == second.numbers:
        return False
    if {unit for _, unit in first.numbers} != {unit for _, unit in second.numbers}:
        return False
    return not (first.about or second.about) or not _close(first.numbers, second.numbers)


def _close(first: frozenset[Quantity], second: frozenset[Quantity]) -> bool:
    try:
        ours, theirs = (sorted(float(value) for value, _ in each) for each in (first, second))
    except ValueError:
        return False
    return all(abs(a - b) <= APPROXIMATE * max(abs(a), abs(b)) for a, b in zip(ours, theirs, strict=True))


def _other_value(first: _Reading, second: _Reading) -> bool:
    """Whether the objects are two things, and not one a part of the other's name."""
    if first.numbers or second.numbers or first.dates or second.dates:
        return False
    return bool(first.rest and second.rest) and not (first.rest <= second.rest or second.rest <= first.rest)


class _OneValued:
    """Which relations have one value at a time, as far as the facts show it."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        objects: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for fact in facts:
            if not fact.negated and not fact.condition:
                objects[_base(fact.relation)[0]][key(fact.subject)].append(key(fact.object))
        self._agreeing = {
            relation: {subject: len(set(values)) == 1 for subject, values in found.items() if len(values) > 1}
            for relation, found in objects.items()
        }
        """For each relation the subjects with repeated statements, and whether these agree."""
        self._agreed = {relation: sum(found.values()) for relation, found in self._agreeing.items()}

    def holds(self, relation: str, *, besides: str) -> bool:
        """Whether nearly all other subjects with repeated statements have one value."""
        repeated = self._agreeing.get(relation, {})
        others = len(repeated) - (besides in repeated)
        agreed = self._agreed.get(relation, 0) - repeated.get(besides, False)
        return others >= MIN_REPEATED and agreed >= AGREEING * others


def _repeating(groups: _Groups) -> frozenset[str]:
    """The relations of which one source itself gives a subject several dates or numbers (`won in 2001 and
    2004`), each with its kind."""
    values: dict[tuple[str, str, str, frozenset[str]], set[object]] = defaultdict(set)
    for (subject, *_), group in groups.items():
        for each in group:
            if each.denied:
                continue
            for kind, value in ((f"{each.verb} date", each.dates), (f"{each.relation} number", each.numbers)):
                if value:
                    exact = tuple(d[:3] for d in each.dates) if kind.endswith(" date") else value
                    values[subject, each.fact.source, kind, each.rest].add(exact)
    several = Counter(kind for (_, _, kind, _), given in values.items() if len(given) > 1)
    return frozenset(kind for kind, count in several.items() if count >= MIN_REPEATING)


def _read(fact: Fact) -> _Reading:
    base, denied = _base(fact.relation)
    object_dates, condition_dates = dates(fact.object), dates(fact.condition)
    plain = without_dates(fact.object)
    bounds = [_bound(fact.object, d, fact.relation) for d in object_dates]
    bounds += [_bound(fact.condition, d, "") for d in condition_dates]
    verb = base
    while verb.rpartition("-")[2] in _PREPOSITIONS and "-" in verb:
        verb = verb.rpartition("-")[0]
    found = _ORDINAL.findall(plain)
    ordinals = frozenset(int(digits) if digits else _ORDINALS.index(word.lower()) for digits, word in found)
    counted = _ORDINAL.sub(" ", plain)
    return _Reading(
        fact=fact,
        verb=verb,
        relation=base,
        modals=frozenset(words(fact.relation)) & _MODALS,
        denied=fact.negated or denied or is_negated(fact.object),
        dates=(*object_dates, *condition_dates),
        date_bounds=tuple(bounds),
        numbers=quantities(counted),
        ordinals=ordinals,
        about=_ABOUT.search(plain) is not None,
        rest=_content(_ABOUT.sub(" ", counted)),
        condition=frozenset(w for w in stems(without_dates(fact.condition)) if w not in CLOSED_CLASS),
    )


@lru_cache(maxsize=4096)
def _base(relation: str) -> tuple[str, bool]:
    """The relation's base form, and whether it is denied.

    Adverbs that change what is claimed (`usually`) come last; others (`officially`, `now`) are left out.
    """
    every = words(relation)
    plain = [w for w in every if w not in _TELLING and w not in _PASSING and not w.endswith("ly")]
    found = base_relation(" ".join(plain) or relation)
    telling = [w for w in every if w in _TELLING]
    return "-".join([*telling, found.base]), found.denied


def _bound(text: str, date: Date, relation: str) -> str:
    """The preposition before the date, if it bounds a period; at the start of an object, the relation's."""
    before = text[: date.start].split() or relation.split()
    return before[-1].lower() if before and before[-1].lower() in _LIMITING else ""


def _content(text: str) -> frozenset[str]:
    """Content words without numbers and negations."""
    numbers = {w for value in _SPELLED.findall(text.lower()) for w in (value,) if quantities(value)}
    return frozenset(
        w
        for w in stems(text)
        if w not in CLOSED_CLASS and w not in _NO and not w[0].isdigit() and w not in numbers
    )
