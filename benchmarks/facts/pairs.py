"""Pairs of sentences of two documents, with and without a contradiction, and which of them are found."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent.learning.contradictions import Kind, conflicts
from memory.ingest.passages import passages
from memory.ingest.propositions.facts import extract_facts
from memory.records.base import Record
from memory.records.knowledge import Fact

PAIRS = Path(__file__).parent / "pairs.jsonl"
KINDS: tuple[Kind, ...] = ("number", "date", "denial", "value")


class Pair(Record):
    """Two sentences, each of a document of its own, and how they contradict each other."""

    title: str
    first: str
    second: str
    kind: Kind | None


class Found(NamedTuple):
    """What was found in the memory that holds all pairs."""

    pair: Pair
    kind: Kind | None
    """The kind of conflict that was reported for the pair."""
    read: bool
    """Whether memory has a fact of each sentence; what it has not, it cannot compare."""


def load_pairs(path: Path = PAIRS) -> tuple[Pair, ...]:
    """All pairs."""
    return tuple(
        Pair.model_validate(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()
    )


def find(pairs: Sequence[Pair]) -> list[Found]:
    """Which pairs conflict, in a memory of all consistent pairs and one contradicting pair at a time."""
    facts = extract_facts(
        [
            passage
            for n, pair in enumerate(pairs)
            for side, text in (("a", pair.first), ("b", pair.second))
            for passage in passages(
                text, source=f"{side}/{n}", title=pair.title, domain="general", language="en"
            )
        ]
    )
    by_pair: dict[int, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_pair[_number(fact)].append(fact)
    consistent = [fact for n, pair in enumerate(pairs) if pair.kind is None for fact in by_pair[n]]
    alarms = _reported(consistent)
    sources = {fact.source for fact in facts}
    return [
        Found(
            pair,
            (alarms if pair.kind is None else _reported([*consistent, *by_pair[n]])).get(n),
            {f"a/{n}", f"b/{n}"} <= sources,
        )
        for n, pair in enumerate(pairs)
    ]


def _reported(facts: Sequence[Fact]) -> dict[int, Kind]:
    """The kinds of the reported conflicts, by each pair that takes part."""
    return {
        _number(fact): conflict.kind
        for conflict in conflicts(facts)
        for fact in (conflict.current, conflict.other)
    }


def _number(fact: Fact) -> int:
    return int(fact.source.partition("/")[2])
