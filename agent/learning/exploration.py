"""Explores a gap: retrieves passages for its question, widens to their documents, refines queries."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence

from memory.episodic.base import EpisodicMemory
from memory.ingest.propositions.facts import extract_facts
from memory.language.content_words import content_words
from memory.language.text import key
from memory.records.access import Access
from memory.records.knowledge import Evidence, Fact, Findings, Passage
from memory.records.perspectives import NO_VIEWPOINTS, Viewpoints
from memory.retrieval.hybrid import retrieve
from memory.semantic.base import SemanticMemory
from memory.semantic.naming import about_by_any_name, is_naming

FIRST_PASSAGES = 8
"""Passages of the first search: enough to find the relevant documents."""
MAX_PASSAGES = 400
"""Most passages per topic. The Rust book's first 200 passages give 1030 verified facts, so 400 are enough for
eight lessons of 240 facts."""
MAX_FACTS = 2000
MAX_DOCUMENT_FACTS = 20_000
"""Most facts of the documents whose passages are judged again."""
MIN_RELATIVE_SCORE = 0.3
"""A document belongs to the topic if its best passage scores at least this share of the top score. With 0.25,
documents that only share words with the question belong too."""


async def look_up(
    question: str,
    *,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    access: Access,
    domain: str | None = None,
    said_by: str | None = None,
) -> Findings:
    """The best passages for one question, and the facts about its subjects; see `retrieve` for `said_by`."""
    return await retrieve(
        question,
        episodic=episodic,
        semantic=semantic,
        access=access,
        domain=domain,
        said_by=said_by,
        limit=FIRST_PASSAGES,
    )


async def explore(
    query: str,
    *,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    access: Access,
    domain: str | None = None,
    whole: bool,
    only: Collection[str] = frozenset(),
    viewpoints: Viewpoints = NO_VIEWPOINTS,
    first: Findings | None = None,
) -> Findings:
    """Searches, then widens to the document of the best passage, or with `whole` to all close documents.

    If that document speaks from a perspective, the best ones of the other perspectives are read too.

    Finds only what `access.to_teach` lets the domain's adapter be taught; without a domain, the main one of
    the first passages. `only` restricts the documents; empty means all. Learning whole documents helps
    because a fact trained alone is remembered worse than together with its neighbours. `first` is what was
    found otherwise, in place of the first search.
    """
    if first is None:
        first = await look_up(
            query, episodic=episodic, semantic=semantic, access=access.to_teach(domain), domain=domain
        )
    if not first.evidence:
        return first
    best_domain = domain or main_domain(first.evidence)
    teachable = access.to_teach(best_domain)
    hits = [
        hit
        for hit in first.evidence
        if teachable.may_read(hit.passage.owner, hit.passage.domain)
        # A closed domain is learned from alone, so that what is found has no other main domain.
        and (best_domain not in access.closed or hit.passage.domain == best_domain)
    ]
    sources = frozenset(only) or _sources(hits, viewpoints, whole=whole)
    near = await episodic.search(query, by="vector", limit=MAX_PASSAGES, access=teachable, domain=best_domain)
    known = {hit.passage.id for hit in hits}
    evidence = [hit for hit in hits if hit.passage.source in sources]
    evidence += [hit for hit in near if hit.passage.source in sources and hit.passage.id not in known]
    facts = await related_facts([hit.passage for hit in evidence], semantic=semantic, access=teachable)
    return Findings(query=query, evidence=tuple(evidence), facts=facts)


async def related_facts(
    passages: Sequence[Passage], *, semantic: SemanticMemory, access: Access
) -> tuple[Fact, ...]:
    """The graph's facts about the passages' subjects, from any document of their domains.

    Facts of other documents are included because only they can contradict.
    """
    stated = await asyncio.to_thread(extract_facts, passages)
    return await _facts_about(stated, {passage.domain for passage in passages}, semantic, access)


async def stored_findings(
    earlier: Findings, passages: Sequence[Passage], *, semantic: SemanticMemory, access: Access
) -> Findings:
    """The findings as the stores have them now: these passages, and the graph's facts about what they state.

    Of the `earlier` ones only the scores are used, because a client may have written them. What the passages
    state is read from the graph: parsing 100 passages again would take 10 s.
    """
    scores = {hit.passage.id: hit.score for hit in earlier.evidence}
    sources, ids = {passage.source for passage in passages}, {passage.id for passage in passages}
    stated = await semantic.of_documents(sources, access=access, limit=MAX_DOCUMENT_FACTS)
    stated = tuple(fact for fact in stated if fact.passage_id in ids)
    facts = await _facts_about(stated, {passage.domain for passage in passages}, semantic, access)
    evidence = tuple(
        Evidence(passage=passage, score=scores.get(passage.id, 0.0), found_by=()) for passage in passages
    )
    return Findings(query=earlier.query, evidence=evidence, facts=facts)


async def _facts_about(
    stated: Sequence[Fact], domains: Collection[str], semantic: SemanticMemory, access: Access
) -> tuple[Fact, ...]:
    """The graph's facts about the subjects of what was stated, from any document of the domains."""
    subjects = tuple(dict.fromkeys(fact.subject for fact in stated))
    if not subjects:
        return ()
    known = await about_by_any_name(semantic, subjects, access=access, limit=MAX_FACTS)
    keys = {key(name) for name in (*subjects, *known.names)}
    return tuple(f for f in known.facts if f.domain in domains and (key(f.subject) in keys or is_naming(f)))


def main_domain(evidence: Sequence[Evidence]) -> str:
    """The domain with the highest sum of scores. Raises ValueError without evidence."""
    if not evidence:
        raise ValueError("a domain needs at least one passage of evidence")
    totals: dict[str, float] = defaultdict(float)
    for hit in evidence:
        totals[hit.passage.domain] += hit.score
    return max(sorted(totals), key=lambda name: totals[name])


def refined_query(question: str, keywords: Sequence[str], findings: Findings, attempt: int) -> str:
    """The query of refinement `attempt` (from 1): keywords; with headings found; the longest word."""
    own = content_words(question) or tuple(keywords)
    if attempt == 1:
        return " ".join(own)
    if attempt == 2:
        headings = " ".join(f"{hit.passage.title} {hit.passage.section}" for hit in findings.evidence[:2])
        return " ".join(dict.fromkeys([*own, *content_words(headings), *keywords]))
    return max([*own, *keywords], key=len, default=question)


def _sources(evidence: Sequence[Evidence], viewpoints: Viewpoints, *, whole: bool) -> set[str]:
    best: dict[str, float] = {}
    speaking: dict[str, str] = {}
    for hit in evidence:
        best[hit.passage.source] = max(hit.score, best.get(hit.passage.source, 0.0))
        speaking[hit.passage.source] = viewpoints.of(hit.passage)
    ranked = sorted(best, key=lambda source: (-best[source], source))
    close = [source for source in ranked if best[source] >= MIN_RELATIVE_SCORE * best[ranked[0]]]
    if whole:
        return {*close}
    if not speaking[ranked[0]]:
        return {ranked[0]}
    first_of = {speaking[source]: source for source in reversed(close) if speaking[source]}
    return {*first_of.values()}
