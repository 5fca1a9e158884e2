"""Things whose names differ in case or plural alone, such as `Windows` and `window`, `Mercury` and `mercury`.

They have one key and count as one thing, until a person's triple `Windows, is not the same as, window` tells
them apart. Each name that a text writes is then of the spelling that it is closest to.
"""

from collections import defaultdict
from collections.abc import Iterable

from memory.language.relations import base_relation
from memory.language.text import ARTICLES, key, written_words
from memory.records.knowledge import Fact


def tells_apart(fact: Fact) -> bool:
    """Whether the fact is a triple which says that two spellings of one key are not the same."""
    if fact.rule != "triple" or key(fact.subject) != key(fact.object):
        return False
    relation = base_relation(fact.relation)
    denied = fact.negated or relation.denied
    return denied and relation.base == "be-the-same-as" and spelled(fact.subject) != spelled(fact.object)


def spelled(name: str) -> str:
    """The name without article and marks, in its case and number."""
    parts = list(written_words(name))
    while len(parts) > 1 and parts[0].lower() in ARTICLES:
        del parts[0]
    return " ".join(parts) or name


class Spellings:
    """The spellings that triples tell apart, by key."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        spellings: dict[str, set[str]] = defaultdict(set)
        for fact in filter(tells_apart, facts):
            spellings[key(fact.subject)] |= {spelled(fact.subject), spelled(fact.object)}
        self._spellings = {each: sorted(found) for each, found in spellings.items()}

    def __bool__(self) -> bool:
        return bool(self._spellings)

    def key(self, name: str) -> str:
        """The key of the thing that a text calls by the name; the plain key if that cannot be told."""
        name_key, written = key(name), spelled(name)
        found = self._spellings.get(name_key, [])
        closeness = {each: _distance(each, written) for each in found}
        closest = [each for each in found if closeness[each] == min(closeness.values())]
        return _key_of(name_key, closest[0]) if len(closest) == 1 else name_key

    def keys(self, term: str) -> set[str]:
        """The keys of the things that somebody may mean who asks for the term: in lower case, all of them."""
        name_key = key(term)
        if spelled(term).islower():
            return {name_key, *(_key_of(name_key, each) for each in self._spellings.get(name_key, []))}
        return {name_key, self.key(term)}


def _key_of(name_key: str, spelling: str) -> str:
    return f"{name_key} ({spelling})"


def _distance(spelling: str, written: str) -> tuple[bool, bool]:
    """By whether it is a proper name, then by its letters; an exact match is closer than any other."""
    if spelling == written:
        return False, False
    return spelling[:1].isupper() != written[:1].isupper(), spelling.lower() != written.lower()
