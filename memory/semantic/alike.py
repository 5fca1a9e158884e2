"""Names that are spelled alike, and may be the same thing's: for a person to decide."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from memory.language.names import names_in
from memory.language.text import key
from memory.records.knowledge import Fact
from memory.semantic.naming import by_domain

if TYPE_CHECKING:
    from datasketch import MinHash  # type: ignore[import-untyped]

LETTERS = 3
"""Length of the runs of letters that are compared."""
THRESHOLD = 0.6
"""Least share of common runs (Jaccard), estimated by MinHash (Broder 1997)."""
PERMUTATIONS = 64
SHORTEST = 6
"""In characters; shorter names have too few runs."""
MOST_COMPARED = 100_000
"""Pairs of names that share a bucket; comparing them takes some seconds."""
_NUMBER = re.compile(r"\d+")


class Alike(NamedTuple):
    """Two names that are spelled alike, in alphabetical order."""

    domain: str
    first: str
    second: str
    similarity: float


class AlikePairs(NamedTuple):
    """Pairs of names that are spelled alike."""

    pairs: list[Alike]
    more: bool
    """Whether not all names were compared."""


def alike_names(facts: Iterable[Fact]) -> AlikePairs:
    """The pairs of capitalised names of one domain that are spelled alike, the most alike first.

    Left out are names with different numbers, those that the facts join, and those that a triple keeps apart.
    After MOST_COMPARED pairs it ends: of names that are all alike there are as many as their square.
    """
    from datasketch import MinHashLSH  # takes seconds to import

    facts = list(facts)
    written: dict[str, dict[str, str]] = {}
    for fact in facts:
        if fact.said_by is None:
            for name in (fact.subject, fact.object):
                if len(name_key := key(name)) >= SHORTEST and name_key in names_in(name):
                    written.setdefault(fact.domain, {}).setdefault(name_key, name)
    joined = by_domain(facts)
    found: list[Alike] = []
    compared = 0
    for domain, names in written.items():
        same = joined.get(domain)
        index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
        sketches = {each: _sketch(each) for each in sorted(names)}
        for each, sketch in sketches.items():
            for other in sorted(index.query(sketch)):
                if compared == MOST_COMPARED:
                    return AlikePairs(_most_alike_first(found), more=True)
                compared += 1
                similarity = float(sketch.jaccard(sketches[other]))
                if _NUMBER.findall(each) != _NUMBER.findall(other) or similarity < THRESHOLD:
                    continue
                if same is not None and same.decided(each, other):
                    continue
                found.append(Alike(domain, names[other], names[each], similarity))
            index.insert(each, sketch)
    return AlikePairs(_most_alike_first(found), more=False)


def _most_alike_first(found: list[Alike]) -> list[Alike]:
    return sorted(found, key=lambda pair: (-pair.similarity, pair))


def _sketch(name: str) -> "MinHash":
    from datasketch import MinHash

    padded = f" {name} "
    sketch = MinHash(num_perm=PERMUTATIONS)
    sketch.update_batch([padded[at : at + LETTERS].encode() for at in range(len(padded) - LETTERS + 1)])
    return sketch
