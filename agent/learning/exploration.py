"""Exploration of a gap: the question's own passages, their documents, and refined queries."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence

from memory.episodic.base import EpisodicMemory
from memory.ingest.propositions.facts import facts as read_facts
from memory.language.terms import content
from memory.language.text import key
from memory.records.knowledge import Evidence, Fact, Findings, Passage
from memory.retrieval.hybrid import retrieve
from memory.semantic.base import SemanticMemory

FIRST_LOOK = 8
"""Passages of the first search: enough to tell which documents are meant."""
MOST_PASSAGES = 400
"""Passages of one topic, the closest ones. Of the Rust book's first 200 passages, 1030 facts are verified: so
these hold what eight lessons of 240 facts can teach."""
MOST_FACTS = 2000
CLOSE = 0.5
"""Documents whose best passage scores at least this share of the top score belong to the topic."""


async def look_up(
    question: str, *, episodic: EpisodicMemory, semantic: SemanticMemory, domain: str | None = None
) -> Findings:
    """What one question needs: the best passages and the facts that name its subjects."""
    return await retrieve(question, episodic=episodic, semantic=semantic, domain=domain, limit=FIRST_LOOK)


async def explore(
    query: str,
    *,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    domain: str | None = None,
    whole: bool,
    only: Collection[str] = frozenset(),
) -> Findings:
    """The first look, widened to the documents that it hit; `whole` takes every close document.

    `only` names the documents to learn from; none stand for all.

    A question learns from the document of its best passage, a topic from all documents close to it: a
    single fact trained alone is remembered worse than among its neighbours.
    """
    first = await look_up(query, episodic=episodic, semantic=semantic, domain=domain)
    if not first.evidence:
        return first
    home = main_domain(first.evidence)
    sources = frozenset(only) or _sources(first.evidence, whole=whole)
    near = await episodic.search(query, by="vector", limit=MOST_PASSAGES, domain=domain or home)
    known = {hit.passage.id for hit in first.evidence}
    kept = [hit for hit in first.evidence if hit.passage.source in sources]
    kept += [hit for hit in near if hit.passage.source in sources and hit.passage.id not in known]
    facts = await related_facts([hit.passage for hit in kept], semantic=semantic)
    return Findings(query=query, evidence=tuple(kept), facts=facts)


async def related_facts(passages: Sequence[Passage], *, semantic: SemanticMemory) -> tuple[Fact, ...]:
    """The graph's facts about everything that the passages speak of, whichever document states them.

    Other documents' facts are wanted, for only they can contradict.
    """
    stated = await asyncio.to_thread(read_facts, passages)
    subjects = tuple(dict.fromkeys(fact.subject for fact in stated))
    if not subjects:
        return ()
    domains = {passage.domain for passage in passages}
    wanted = {key(subject) for subject in subjects}
    found = await semantic.about(subjects, limit=MOST_FACTS)
    return tuple(f for f in found if f.domain in domains and key(f.subject) in wanted)


def main_domain(evidence: Sequence[Evidence]) -> str:
    """The domain with the highest sum of scores. Raises ValueError without evidence."""
    if not evidence:
        raise ValueError("no evidence, so no domain")
    totals: dict[str, float] = defaultdict(float)
    for hit in evidence:
        totals[hit.passage.domain] += hit.score
    return max(sorted(totals), key=lambda name: totals[name])


def refined_query(question: str, keywords: Sequence[str], found: Findings, attempt: int) -> str:
    """Query of refinement `attempt` (from 1): keywords, then also the headings found, then the longest."""
    own = content(question) or tuple(keywords)
    if attempt == 1:
        return " ".join(own)
    if attempt == 2:
        headings = " ".join(f"{hit.passage.title} {hit.passage.section}" for hit in found.evidence[:2])
        return " ".join(dict.fromkeys([*own, *content(headings), *keywords]))
    return max([*own, *keywords], key=len, default=question)


def _sources(evidence: Sequence[Evidence], *, whole: bool) -> set[str]:
    best: dict[str, float] = {}
    for hit in evidence:
        best[hit.passage.source] = max(hit.score, best.get(hit.passage.source, 0.0))
    top = max(best.values())
    if whole:
        return {source for source, score in best.items() if score >= CLOSE * top}
    return {min(source for source, score in best.items() if score == top)}
