"""The passages that may answer a question, what speaks for each, and their ranking."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from memory.language.text import key
from memory.records.knowledge import Evidence, Fact, Passage
from memory.retrieval.bridges import Link, Links
from memory.retrieval.signals import Signals, weighted_sum

SearchMethod = Literal["vector", "text", "graph"]
FOUND_BY: Mapping[str, SearchMethod] = {
    "meaning": "vector", "words": "text",
    "named": "graph", "bridge": "graph", "shared": "graph", "fact": "graph",
}  # fmt: skip
"""The search that each signal comes from."""


class Ranked(NamedTuple):
    """A passage's id, its score, and the signals that the score is the weighted sum of."""

    id: str
    score: float
    signals: Signals


class Candidates:
    """What all searches found for one question."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.facts = tuple(facts)
        """About the things that the question names."""
        self.scores: dict[str, dict[str, float]] = {signal: {} for signal in Signals._fields}
        """For each signal, the passages that have it. All candidates have a score for `meaning`."""
        self.passages: dict[str, Passage] = {}
        """Those that were read already."""
        self.links: dict[str, Links] = {}
        """The links behind the signals `named`, `bridge` and `shared`."""

    def ranked(self, weights: Signals) -> list[Ranked]:
        """All candidates, best first."""
        rows = []
        for id_ in self.scores["meaning"]:
            signals = Signals(*(self.scores[signal].get(id_, 0.0) for signal in Signals._fields))
            rows.append(Ranked(id_, weighted_sum(signals, weights), signals))
        return sorted(rows, key=lambda row: (-row.score, row.id))

    def evidence(self, ranked: Ranked, passage: Passage, weights: Signals) -> Evidence:
        """A candidate as evidence, with the reasons."""
        signals = {name: value for name, value in ranked.signals._asdict().items() if value > 0}
        reasons = [name for name in signals if name != "shared" or self.links[name][ranked.id].name]
        return Evidence(
            passage=passage,
            score=min(1.0, ranked.score),
            found_by=tuple(dict.fromkeys(FOUND_BY[name] for name in reasons)),
            scores={name: round(value, 4) for name, value in signals.items()},
            path=self._path(ranked, passage, weights),
        )

    def _path(self, ranked: Ranked, passage: Passage, weights: Signals) -> str:
        """The way through the graph that counts most for this passage; empty if there is none."""
        shares = {
            name: getattr(weights, name) * getattr(ranked.signals, name)
            for name, links in self.links.items()
            if getattr(ranked.signals, name) > 0 and links[ranked.id].name
        }
        if shares:
            best = max(shares, key=lambda name: shares[name])
            return _path(self.links[best][ranked.id], passage, self.facts)
        if ranked.signals.fact > 0:
            return next(_fact_path(fact) for fact in self.facts if fact.passage_id == ranked.id)
        return ""


def _path(link: Link, passage: Passage, facts: Sequence[Fact]) -> str:
    """How a link leads to a passage, by the fact that says so if there is one."""
    if link.seed is None:
        return f"question - {link.name} - {passage.title}"
    for fact in facts:
        if fact.passage_id == link.seed.id and link.name in (key(fact.subject), key(fact.object)):
            return _fact_path(fact)
    return f"{link.seed.title} - {link.name} - {passage.title}"


def _fact_path(fact: Fact) -> str:
    return f"{fact.subject} -[{fact.relation}]-> {fact.object}"
