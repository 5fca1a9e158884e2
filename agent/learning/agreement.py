"""Agreement of the web's pages: a claim counts if independent sites that are no copies make it.

One page can say anything, and so can ten that one site serves or that copied each other.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

from agent.chat.support import supports
from agent.learning.candidate_pairs import CandidatePair
from agent.learning.corpus_index import CorpusIndex
from agent.learning.gap_wording import names_all
from agent.learning.verification import unsupported_reason
from memory.language.text import quotable, words
from memory.records.knowledge import Passage
from memory.web.sites import site_of

MIN_SOURCES = 2
"""Sites that have to make a claim before it is taught."""
MIN_CREDIBILITY = 0.7
"""Of all sites that make the claim together: two of a trust of 0.5 reach 0.75, two of 0.3 only 0.51."""
COPIED = 0.5
"""Share of the smaller text's shingles in the other one, above which one of two texts is a copy. Texts of two
authors about one thing share a few per cent."""
SHINGLE = 4
"""Words of a shingle."""
PERMUTATIONS = 512
"""Of a MinHash: so many that chance does not make a short text the copy of a part of a long one."""

Trust = Callable[[Passage], float]
"""The trust in a passage of the web, between 0 and 1."""


@dataclass(frozen=True)
class Page:
    """What was found of one page."""

    site: str
    trust: float
    passages: tuple[Passage, ...]

    @cached_property
    def text(self) -> str:
        """Its passages in order."""
        return "\n".join(p.text for p in sorted(self.passages, key=lambda p: p.start))


@dataclass(frozen=True)
class Agreement:
    """Which pairs of the web sites agree on."""

    kept: tuple[CandidatePair, ...]
    dropped: dict[str, int]
    """Pairs that were dropped, by reason."""
    sites: frozenset[str]
    """The sites that make the claims which were kept."""


async def agreed(
    pairs: Sequence[CandidatePair], sources: Mapping[str, Passage], explored: Sequence[Passage], trust: Trust
) -> Agreement:
    """The pairs from people's documents, and of those from the web the ones that sites agree on.

    `sources` are the pairs' passages by id, `explored` all passages of the web that are near.
    """
    return await asyncio.to_thread(_agreed, pairs, sources, explored, trust)


def _agreed(
    pairs: Sequence[CandidatePair], sources: Mapping[str, Passage], explored: Sequence[Passage], trust: Trust
) -> Agreement:
    found = {p.id: p for p in (*explored, *sources.values()) if p.web is not None}
    pages = _pages(list(found.values()), trust)
    corpus = CorpusIndex(list(found.values()))
    kept: list[CandidatePair] = []
    dropped: dict[str, int] = defaultdict(int)
    sites: set[str] = set()
    for pair in pairs:
        passage = sources[pair.passage_id]
        if passage.web is None:
            kept.append(pair)
            continue
        own = next(page for page in pages if passage in page.passages)
        witnesses = _witnesses(pair, passage, own, pages, corpus)
        if (reason := _doubt(own, witnesses)) is not None:
            dropped[reason] += 1
            continue
        kept.append(pair)
        sites |= {page.site for page in (own, *witnesses)}
    return Agreement(tuple(kept), dict(dropped), frozenset(sites))


def _doubt(own: Page, witnesses: Sequence[Page]) -> str | None:
    """Why the claim is not taught; None if it is."""
    if 1 + len(witnesses) < MIN_SOURCES:
        return "only one independent source on the web says so"
    doubt = 1.0
    for page in (own, *witnesses):
        doubt *= 1 - page.trust
    return (
        None
        if own.trust and 1 - doubt >= MIN_CREDIBILITY
        else "the sources on the web are not trusted enough"
    )


def _witnesses(
    pair: CandidatePair, passage: Passage, own: Page, pages: Sequence[Page], corpus: CorpusIndex
) -> list[Page]:
    """Pages of other sites, one each, that make the same claim in words of their own."""
    found: dict[str, tuple[Page, Passage]] = {own.site: (own, passage)}
    for page in sorted(pages, key=lambda page: -page.trust):
        if page.site in found or not page.trust:
            continue
        stated = next((each for each in page.passages if _states(each, pair, corpus)), None)
        if stated is not None and not any(_copied(page, stated, *other) for other in found.values()):
            found[page.site] = (page, stated)
    return [page for page, _ in list(found.values())[1:]]


def _states(passage: Passage, pair: CandidatePair, corpus: CorpusIndex) -> bool:
    """Whether the passage alone would support the pair, by the rules for what is taught.

    It has to name all that the question does: a question may hold claims of its own.
    """
    if not names_all(pair.question, passage):
        return False
    heading = f"{passage.title} {passage.section}"
    for start, end in quotable(passage.text):
        sentence = passage.text[start:end]
        if pair.form != "yes_no" and not supports(
            sentence, pair.answer, question=pair.question, nearby=heading
        ):
            continue
        moved = pair.model_copy(update={"passage_id": passage.id, "quote": sentence})
        if unsupported_reason(moved, passage, corpus) is None:
            return True
    return False


def _copied(page: Page, passage: Passage, other: Page, others: Passage) -> bool:
    """Whether one of two pages is a copy of the other, or at least the passages are that make the claim."""
    return is_copy(page.text, other.text) or is_copy(passage.text, others.text)


def is_copy(first: str, second: str) -> bool:
    """Whether most of the shorter text is in the other one, perhaps with some words changed."""
    (size, one), (other_size, two) = _signature(first), _signature(second)
    similarity = one.jaccard(two)
    shared = similarity / (1 + similarity) * (size + other_size)
    return bool(shared / min(size, other_size) >= COPIED)


@lru_cache(maxsize=1000)
def _signature(text: str) -> tuple[int, Any]:
    """The number of the text's shingles, and their MinHash."""
    from datasketch import MinHash  # type: ignore[import-untyped]  # takes seconds to import

    found = words(text)
    shingles = {" ".join(found[i : i + SHINGLE]) for i in range(max(1, len(found) - SHINGLE + 1))}
    made = MinHash(num_perm=PERMUTATIONS)
    made.update_batch([shingle.encode() for shingle in shingles])
    return len(shingles), made


def _pages(passages: Sequence[Passage], trust: Trust) -> list[Page]:
    by_url: dict[str, list[Passage]] = defaultdict(list)
    for passage in passages:
        assert passage.web is not None, "only passages of the web are grouped"
        by_url[passage.web.url].append(passage)
    return [
        Page(site_of(urlsplit(url).hostname or ""), min(map(trust, parts)), tuple(parts))
        for url, parts in by_url.items()
    ]
