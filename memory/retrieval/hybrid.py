"""Hybrid retrieval: vector, full text and graph, fused into one ranking of passages.

Judges nothing: a low score is still returned, and what to do about it is for the critique.
"""

import asyncio
from collections.abc import Sequence
from typing import Literal

from memory.episodic.base import EpisodicMemory
from memory.language.text import key, words
from memory.records.knowledge import Evidence, Fact, Findings, Passage
from memory.semantic.base import SemanticMemory

Way = Literal["vector", "text", "graph"]

WEIGHTS: dict[Way, float] = {"vector": 0.6, "text": 0.25, "graph": 0.15}
"""A convex combination of scores in [0, 1]: it ranks better than reciprocal ranks (Bruch et al. 2023,
"An Analysis of Fusion Functions for Hybrid Retrieval") and, unlike them, tells a near miss from a far one.
Cosine weighs most because it alone has an absolute meaning; these weights are not fitted."""
CANDIDATES = 4
"""Times the limit that each search contributes, so that fusion has something to choose from."""
LONGEST_TERM = 4
"""Words of a query that are looked up together as the name of one thing."""
MOST_TERMS = 200
MOST_FACTS = 50
IN_BODY = 0.5
"""Graph score of a passage whose fact has the term as its object; as its subject it counts 1."""


async def retrieve(
    query: str,
    *,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    domain: str | None = None,
    limit: int = 8,
) -> Findings:
    """The best passages for `query`, best first, and the facts about the things that it names.

    An evidence's score is the weighted sum of its scores by vector, text and graph, in [0, 1].
    Raises StoreUnavailable if either store is out of reach, ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    named = terms(query)
    by_vector, by_text, facts = await asyncio.gather(
        episodic.search(query, by="vector", limit=CANDIDATES * limit, domain=domain),
        episodic.search(query, by="text", limit=CANDIDATES * limit, domain=domain),
        semantic.about(named, domain=domain, limit=MOST_FACTS),
    )
    by_graph = await _graph_hits(facts, named, episodic)
    return Findings(query=query, evidence=fuse([*by_vector, *by_text, *by_graph], limit), facts=facts)


def terms(query: str) -> tuple[str, ...]:
    """Every run of up to four words of the query: the names that the graph may know, longest first."""
    tokens = words(query)[:MOST_TERMS]
    runs = [
        " ".join(tokens[start : start + length])
        for length in range(LONGEST_TERM, 0, -1)
        for start in range(len(tokens) - length + 1)
    ]
    return tuple(dict.fromkeys(runs))[:MOST_TERMS]


def fuse(hits: Sequence[Evidence], limit: int) -> tuple[Evidence, ...]:
    """Merges hits that each were found one way into at most `limit`, by weighted sum, best first."""
    passages: dict[str, Passage] = {}
    scores: dict[str, dict[Way, float]] = {}
    for hit in hits:
        passages[hit.passage.id] = hit.passage
        found = scores.setdefault(hit.passage.id, {})
        for way in hit.found_by:
            found[way] = max(found.get(way, 0.0), hit.score)
    fused = [
        Evidence(
            passage=passages[id_],
            score=min(1.0, sum(WEIGHTS[way] * score for way, score in found.items())),
            found_by=tuple(way for way in WEIGHTS if way in found),
        )
        for id_, found in scores.items()
    ]
    return tuple(sorted(fused, key=lambda hit: (-hit.score, hit.passage.id))[:limit])


async def _graph_hits(
    facts: Sequence[Fact], named: Sequence[str], episodic: EpisodicMemory
) -> list[Evidence]:
    subjects = {key(term) for term in named}
    scores: dict[str, float] = {}
    for fact in facts:
        score = 1.0 if key(fact.subject) in subjects else IN_BODY
        scores[fact.passage_id] = max(score, scores.get(fact.passage_id, 0.0))
    return [
        Evidence(passage=passage, score=scores[passage.id], found_by=("graph",))
        for passage in await episodic.get(list(scores))
    ]
