"""Retrieval as of a time: the passages and facts that the library held then.

By meaning and by words alone. What was stored is that of the time; what else the named things are called is
what the facts say today.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from memory.episodic.base import EpisodicMemory, SearchBy
from memory.episodic.history import was_added
from memory.language.text import key
from memory.records.access import Access
from memory.records.knowledge import Evidence, Findings
from memory.retrieval.hybrid import MAX_FACTS, terms, with_names
from memory.semantic.base import SemanticMemory
from memory.semantic.naming import Known, about_by_any_name

WEIGHT = 0.5
"""Of the score by meaning and of the score by words, in a passage's score."""
MORE = 4
"""By how much a search is widened whose passages are mostly newer than the time."""
DEEPEST = 64
"""Most passages that are looked at for each that is asked for: a time before everything would look at all."""


async def retrieve_as_of(
    query: str,
    *,
    as_of: datetime,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    access: Access,
    domain: str | None = None,
    limit: int = 8,
) -> Findings:
    """The best passages that were stored then, best first, and the facts about what the query names.

    Raises StoreUnavailable, and ValueError for a limit below 1 or a time without time zone.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    if as_of.tzinfo is None:
        raise ValueError("the time has no time zone: write it as 2026-11-29T12:00:00Z")
    names = terms(query)
    known = await _known_then(
        names, as_of, episodic=episodic, semantic=semantic, access=access, domain=domain
    )
    found: dict[str, Evidence] = {}
    ways: tuple[tuple[SearchBy, str, str], ...] = (
        ("vector", "meaning", query),
        ("text", "words", with_names(query, known.names)),
    )
    for by, signal, asked in ways:
        past, present = await asyncio.gather(
            episodic.history.search(asked, by=by, as_of=as_of, limit=limit, access=access, domain=domain),
            _present(asked, by, as_of, episodic=episodic, access=access, domain=domain, limit=limit),
        )
        for hit in (*past, *present):
            before = found.get(hit.passage.id) or Evidence(passage=hit.passage, score=0.0, found_by=())
            found[hit.passage.id] = Evidence(
                passage=hit.passage,
                score=before.score + WEIGHT * hit.score,
                found_by=(*before.found_by, by),
                scores=before.scores | {signal: round(hit.score, 4)},
            )
    best = sorted(found.values(), key=lambda hit: (-hit.score, hit.passage.id))[:limit]
    were_there = await episodic.history.about(
        [key(name) for name in (*names, *known.names)], as_of=as_of, access=access, domain=domain
    )
    about = {fact.id: fact for fact in (*filter(known.meant, were_there), *known.facts)}
    return Findings(query=query, evidence=tuple(best), facts=tuple(about.values())[:MAX_FACTS])


async def _present(
    query: str,
    by: SearchBy,
    as_of: datetime,
    *,
    episodic: EpisodicMemory,
    access: Access,
    domain: str | None,
    limit: int,
) -> list[Evidence]:
    """Passages that are still there, and were already: the search is widened until there are enough, or
    DEEPEST is reached."""
    depth = MORE * limit
    while True:
        hits = await episodic.search(query, by=by, limit=depth, access=access, domain=domain)
        there = [hit for hit in hits if was_added(hit.passage, as_of)]
        if len(there) >= limit or len(hits) < depth or depth >= DEEPEST * limit:
            return there[:limit]
        depth = min(MORE * depth, DEEPEST * limit)


async def _known_then(
    names: Sequence[str],
    as_of: datetime,
    *,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    access: Access,
    domain: str | None,
) -> Known:
    """What is stored about the names, and was then: a fact was known while the passage that states it was
    stored. Widened like `_present`."""
    depth = MORE * MAX_FACTS
    while True:
        known = await about_by_any_name(semantic, names, access=access, domain=domain, limit=depth)
        sources = await episodic.get([fact.passage_id for fact in known.facts], access=access)
        there = {passage.id for passage in sources if was_added(passage, as_of)}
        facts = tuple(fact for fact in known.facts if fact.passage_id in there)
        if len(facts) >= MAX_FACTS or len(known.facts) < depth or depth >= DEEPEST * MAX_FACTS:
            return known._replace(facts=facts)
        depth = min(MORE * depth, DEEPEST * MAX_FACTS)
