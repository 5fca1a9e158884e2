"""Hybrid retrieval: search by meaning, by words and through the graph, fused into one ranking.

Passages with low scores are returned too; the critique decides what to do with them. The graph finds names by
their capitals and, in scripts without them, titles alone; the other two searches know all languages.
"""

import asyncio
from collections.abc import Mapping, Sequence

from memory.episodic.base import EpisodicMemory, unscaled_bm25
from memory.language.text import key, written_words
from memory.records.access import Access
from memory.records.knowledge import Fact, Findings
from memory.retrieval.bridges import Links, bridges, named_in
from memory.retrieval.candidates import Candidates
from memory.retrieval.signals import fitted_weights
from memory.semantic.base import SemanticMemory
from memory.semantic.naming import about_by_any_name

DEPTH = 100
"""Passages that each of the searches by meaning and by words contributes, so that fusion has a choice."""
SEEDS = 10
"""Closest passages whose names are followed."""
LINKED = 50
"""Passages that each way through the graph contributes."""
LONGEST_TERM = 4
"""Longest run of query words that is looked up in the graph as one name."""
MAX_TERMS = 200
MAX_FACTS = 50
OBJECT_SCORE = 0.5
"""Score of a passage whose fact has the term as its object; with the term as its subject it is 1."""


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

    What `access` does not let read is not found, and changes no score. What users stated is left out, except
    by the user or conversation `said_by`. Each passage's score is the weighted sum of its signals, at most 1.
    Raises StoreUnavailable if a store cannot be reached, ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    candidates = await find_candidates(
        query,
        episodic=episodic,
        semantic=semantic,
        access=access,
        domain=domain,
        said_by=said_by,
        depth=max(DEPTH, limit),
    )
    weights = fitted_weights()
    best = candidates.ranked(weights)[:limit]
    unread = [each.id for each in best if each.id not in candidates.passages]
    passages = candidates.passages | {each.id: each for each in await episodic.get(unread, access=access)}
    evidence = [candidates.evidence(each, passages[each.id], weights) for each in best if each.id in passages]
    return Findings(query=query, evidence=tuple(evidence), facts=candidates.facts)


async def find_candidates(
    query: str,
    *,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    access: Access,
    domain: str | None = None,
    said_by: str | None = None,
    depth: int = DEPTH,
) -> Candidates:
    """What all searches find, not ranked yet; see `retrieve`."""
    by_vector, by_text, names, known = await asyncio.gather(
        episodic.scores(query, by="vector", limit=depth, access=access, domain=domain),
        episodic.scores(query, by="text", limit=depth, access=access, domain=domain),
        episodic.names(access=access, domain=domain),
        about_by_any_name(
            semantic, terms(query), access=access, domain=domain, said_by=said_by, limit=MAX_FACTS
        ),
    )
    if known.names:
        query = with_names(query, known.names)
        by_text = await episodic.scores(query, by="text", limit=depth, access=access, domain=domain)
    candidates = Candidates(known.facts)
    scores = candidates.scores
    scores["words"] = relative(by_text)
    scores["fact"] = _fact_scores(known.facts, (*terms(query), *known.names))
    candidates.links["named"] = named = await asyncio.to_thread(named_in, query, names)
    scores["named"] = _strongest(named)
    others = dict.fromkeys([*by_text, *scores["fact"], *scores["named"]])
    farthest = min(by_vector.values(), default=0.0)
    scores["meaning"] = dict.fromkeys(others, farthest) | by_vector  # at most that, until it is looked up
    closest = {each.id: each.score for each in candidates.ranked(fitted_weights())[:SEEDS]}
    seeds = await episodic.get(list(closest), access=access)
    candidates.passages = {each.id: each for each in seeds}
    titled, mentioning = await asyncio.to_thread(
        bridges, query, [(each, closest[each.id]) for each in seeds], names, named
    )
    candidates.links |= {"bridge": titled, "shared": mentioning}
    scores["bridge"], scores["shared"] = _strongest(titled), _strongest(mentioning)
    missing = {*others, *scores["bridge"], *scores["shared"]} - by_vector.keys()
    scores["meaning"] = by_vector | await episodic.scores(
        query, by="vector", limit=len(missing), access=access, domain=domain, among=missing
    )
    return candidates


def relative(by_text: Mapping[str, float]) -> dict[str, float]:
    """Scores by text as shares of the best one's BM25."""
    bm25 = {id_: unscaled_bm25(score) for id_, score in by_text.items()}
    best = max(bm25.values(), default=0.0)
    return {id_: score / best for id_, score in bm25.items() if best}


def with_names(query: str, names: Sequence[str]) -> str:
    """The query and what else the things that it names are called, as passages may call them."""
    return f"{query} ({', '.join(names)})" if names else query


def terms(query: str) -> tuple[str, ...]:
    """All runs of up to four consecutive words of the query, longest first: candidate names in the graph.

    They are in the case of the query, except for its first word, which may be a capital for its place alone.
    """
    tokens = written_words(query)[:MAX_TERMS]
    tokens = (*(token.lower() for token in tokens[:1]), *tokens[1:])
    runs = [
        " ".join(tokens[start : start + length])
        for length in range(LONGEST_TERM, 0, -1)
        for start in range(len(tokens) - length + 1)
    ]
    return tuple(dict.fromkeys(runs))[:MAX_TERMS]


def _fact_scores(facts: Sequence[Fact], names: Sequence[str]) -> dict[str, float]:
    """The passages that the facts come from, scored by whether a name is the fact's subject or object."""
    subjects = {key(name) for name in names}
    scores: dict[str, float] = {}
    for fact in facts:
        score = 1.0 if key(fact.subject) in subjects else OBJECT_SCORE
        scores[fact.passage_id] = max(score, scores.get(fact.passage_id, 0.0))
    return scores


def _strongest(links: Links) -> dict[str, float]:
    """The strength of the strongest links, by passage."""
    strongest = sorted(links.items(), key=lambda item: (-item[1].strength, item[0]))[:LINKED]
    return {id_: link.strength for id_, link in strongest}
