"""Hybrid retrieval: vector, full-text and graph search, fused into one ranking by a weighted sum of scores.

Passages with low scores are returned too; the critique decides what to do with them.
"""

import asyncio
from collections.abc import Sequence
from typing import Literal

from memory.episodic.base import EpisodicMemory
from memory.language.text import key, words
from memory.records.access import Access
from memory.records.knowledge import Evidence, Fact, Findings, Passage
from memory.semantic.base import SemanticMemory

SearchMethod = Literal["vector", "text", "graph"]

WEIGHTS: dict[SearchMethod, float] = {"vector": 0.6, "text": 0.25, "graph": 0.15}
"""Weights of a convex combination of scores in [0, 1]. It ranks better than reciprocal rank fusion (Bruch et
al. 2023, "An Analysis of Fusion Functions for Hybrid Retrieval") and keeps the distance between scores.
Cosine similarity weighs most because only it has an absolute meaning; the weights are not fitted."""
CANDIDATES = 4
"""Each search contributes this many times the limit, so that fusion has a choice."""
LONGEST_TERM = 4
"""Longest run of query words that is looked up in the graph as one name."""
MAX_TERMS = 200
MAX_FACTS = 50
OBJECT_SCORE = 0.5
"""Graph score of a passage whose fact has the term as its object; with the term as its subject it is 1."""


async def retrieve(
    query: str,
    *,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    access: Access,
    domain: str | None = None,
    said_by: str | None = None,
    limit: int = 8,
) -> Findings:
    """The best passages for `query`, best first, and the facts about the things named in it.

    What `access` does not let read is not found. What users stated is left out, except by the user or
    conversation `said_by`.
    Each passage's score is the weighted sum of its vector, text and graph scores, in [0, 1].
    Raises StoreUnavailable if a store cannot be reached, ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    names = terms(query)
    by_vector, by_text, facts = await asyncio.gather(
        episodic.search(query, by="vector", limit=CANDIDATES * limit, access=access, domain=domain),
        episodic.search(query, by="text", limit=CANDIDATES * limit, access=access, domain=domain),
        semantic.about(names, access=access, domain=domain, said_by=said_by, limit=MAX_FACTS),
    )
    by_graph = await _graph_hits(facts, names, episodic, access)
    return Findings(query=query, evidence=fuse([*by_vector, *by_text, *by_graph], limit), facts=facts)


def terms(query: str) -> tuple[str, ...]:
    """All runs of up to four consecutive words of the query, longest first: candidate names in the graph."""
    tokens = words(query)[:MAX_TERMS]
    runs = [
        " ".join(tokens[start : start + length])
        for length in range(LONGEST_TERM, 0, -1)
        for start in range(len(tokens) - length + 1)
    ]
    return tuple(dict.fromkeys(runs))[:MAX_TERMS]


def fuse(hits: Sequence[Evidence], limit: int) -> tuple[Evidence, ...]:
    """Merges the hits of all searches into at most `limit` passages by weighted sum of scores, best first."""
    passages: dict[str, Passage] = {}
    scores: dict[str, dict[SearchMethod, float]] = {}
    for hit in hits:
        passages[hit.passage.id] = hit.passage
        by_method = scores.setdefault(hit.passage.id, {})
        for method in hit.found_by:
            by_method[method] = max(by_method.get(method, 0.0), hit.score)
    fused = [
        Evidence(
            passage=passages[id_],
            score=min(1.0, sum(WEIGHTS[method] * score for method, score in by_method.items())),
            found_by=tuple(method for method in WEIGHTS if method in by_method),
        )
        for id_, by_method in scores.items()
    ]
    return tuple(sorted(fused, key=lambda hit: (-hit.score, hit.passage.id))[:limit])


async def _graph_hits(
    facts: Sequence[Fact], names: Sequence[str], episodic: EpisodicMemory, access: Access
) -> list[Evidence]:
    """The passages that the facts come from, scored by whether a name is the fact's subject or object."""
    subjects = {key(name) for name in names}
    scores: dict[str, float] = {}
    for fact in facts:
        score = 1.0 if key(fact.subject) in subjects else OBJECT_SCORE
        scores[fact.passage_id] = max(score, scores.get(fact.passage_id, 0.0))
    return [
        Evidence(passage=passage, score=scores[passage.id], found_by=("graph",))
        for passage in await episodic.get(list(scores), access=access)
    ]
