"""Three searches, one ranking."""

from collections.abc import Sequence

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.base import scale_bm25
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.ingest.pipeline import ingest
from memory.records.access import EVERYTHING, Access
from memory.records.knowledge import Findings, Passage
from memory.retrieval.candidates import Candidates
from memory.retrieval.hybrid import SEEDS, relative, retrieve, terms
from memory.retrieval.signals import Signals
from memory.semantic.volatile import VolatileSemanticMemory
from tests.memory.ingest.test_pipeline import document
from tests.support.documents import fact, passage

LIBRARY = {
    "rust.md": "# Rust\n\nThe borrow checker prevents data races.\n\n## More\n\nA slice is a view of text.\n",
    "bread.md": "# Bread\n\nA banneton is a basket for dough. Scoring prevents cracks in the crust.\n",
}


async def found(query: str, **how: object) -> Findings:
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    for source, text in LIBRARY.items():
        await ingest(
            [document(text, source)], domain=source.removesuffix(".md"), episodic=episodic, semantic=semantic
        )
    how = {"access": EVERYTHING, **how}
    return await retrieve(query, episodic=episodic, semantic=semantic, **how)  # type: ignore[arg-type]


async def test_a_passage_found_three_ways_comes_first_and_says_so() -> None:
    findings = await found("What does the borrow checker prevent?")
    first = findings.evidence[0]
    assert "borrow checker" in first.passage.text
    assert first.found_by == ("vector", "text", "graph")
    assert [f.subject for f in findings.facts] == ["the borrow checker"]
    assert findings.query == "What does the borrow checker prevent?"


async def test_scores_are_in_order_within_their_bounds_and_tell_near_from_far() -> None:
    near = await found("borrow checker data races")
    far = await found("zebra quantum violin")
    scores = [hit.score for hit in near.evidence]
    assert scores == sorted(scores, reverse=True)
    assert all(0.0 <= s <= 1.0 for s in scores)
    assert near.evidence[0].score > 2 * far.evidence[0].score
    assert far.facts == ()


async def test_limit_and_domain_hold() -> None:
    assert len((await found("dough basket", limit=1)).evidence) == 1
    held = await found("borrow checker dough basket", domain="bread")
    assert {hit.passage.domain for hit in held.evidence} == {"bread"}
    assert {f.domain for f in held.facts} <= {"bread"}
    with pytest.raises(ValueError, match="limit"):
        await found("dough", limit=0)


async def test_facts_without_their_passage_do_no_harm() -> None:
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    await semantic.add([fact("borrow checker", "data races", relation="prevents", passage_id="gone")])
    findings = await retrieve("borrow checker", episodic=episodic, semantic=semantic, access=EVERYTHING)
    assert findings.evidence == ()
    assert len(findings.facts) == 1


def test_a_passage_is_listed_once_with_the_weighted_sum_of_its_signals() -> None:
    one, weights = passage("One."), Signals(meaning=0.6, words=0.25, named=1.0)
    candidates = Candidates([])
    candidates.scores |= {"meaning": {one.id: 0.5}, "words": {one.id: 0.4}}
    (ranked,) = candidates.ranked(weights)
    hit = candidates.evidence(ranked, one, weights)
    assert hit.score == pytest.approx(0.6 * 0.5 + 0.25 * 0.4)
    assert hit.found_by == ("vector", "text")
    assert hit.scores == {"meaning": 0.5, "words": 0.4}


def test_text_scores_are_shares_of_the_best_bm25() -> None:
    by_text = {id_: scale_bm25(bm25) for id_, bm25 in (("a", 8.0), ("b", 2.0))}
    assert relative(by_text) == pytest.approx({"a": 1.0, "b": 0.25})
    assert relative({}) == {}


async def hop(access: Access = EVERYTHING, *, film_owner: str | None = None) -> Findings:
    """Asks about the director of a film; nothing but the film's page says who that is."""
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    await episodic.add(
        [
            page(
                "The Amber Orchard", "The Amber Orchard is a film directed by Tomas Veel.", owner=film_owner
            ),
            page("Tomas Veel", "He grew up beside a canal and kept bees."),
            *(page(f"Orchard {n}", f"Orchard number {n} has pears, plums and the like.") for n in range(30)),
        ]
    )
    question = "Where did the director of The Amber Orchard grow up?"
    return await retrieve(question, episodic=episodic, semantic=semantic, access=access, limit=3)


def page(title: str, text: str, owner: str | None = None) -> Passage:
    return passage(text, source=title, owner=owner).model_copy(update={"title": title, "section": ""})


async def test_a_page_that_only_another_page_leads_to_is_found_and_says_how() -> None:
    first, second, _ = (await hop()).evidence
    assert (first.passage.title, second.passage.title) == ("The Amber Orchard", "Tomas Veel")
    assert first.path == "question - amber orchard - The Amber Orchard"
    assert second.path == "The Amber Orchard - tomas veel - Tomas Veel"
    assert second.scores["bridge"] == 1.0
    assert "graph" in second.found_by


class CountingMemory(VolatileEpisodicMemory):
    """Counts the passages that are read."""

    read = 0

    async def get(self, ids: Sequence[str], *, access: Access) -> tuple[Passage, ...]:
        self.read += len(ids)
        return await super().get(ids, access=access)


async def test_few_passages_are_read_however_many_are_ranked() -> None:
    episodic = CountingMemory(HashingEmbedder())
    await episodic.add([page(f"Orchard {n}", f"Orchard number {n} has pears.") for n in range(300)])
    findings = await retrieve(
        "Which orchard has pears?",
        episodic=episodic,
        semantic=VolatileSemanticMemory(),
        access=EVERYTHING,
        limit=3,
    )
    assert len(findings.evidence) == 3
    assert episodic.read <= SEEDS + 3


async def test_what_one_may_not_read_leads_nowhere() -> None:
    theirs = await hop(Access(owner="ada"), film_owner="ada")
    others = await hop(Access(owner="ben"), film_owner="ada")
    assert theirs.evidence[1].passage.title == "Tomas Veel"
    assert all("Amber" not in hit.passage.title and "bridge" not in hit.scores for hit in others.evidence)


async def test_a_fact_that_leads_to_a_passage_is_its_path() -> None:
    hit = (await found("What does the borrow checker prevent?")).evidence[0]
    assert hit.path == "the borrow checker -[prevents]-> data races"


def test_terms_are_runs_of_words_and_bounded() -> None:
    assert terms("the borrow checker") == (
        "the borrow checker",
        "the borrow",
        "borrow checker",
        "the",
        "borrow",
        "checker",
    )
    assert len(terms("word " * 10_000)) <= 200
    assert terms("") == ()


async def test_a_page_that_uses_another_name_of_the_thing_is_found() -> None:
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    sought = page("Charts", "Deep Harbour Survey drew maps of seabeds near Leeds.")
    others = [page(f"Ferry {n}", f"Ferry {n} can do ten knots.") for n in range(30)]
    await episodic.add([sought, *others])
    question = "What did the DHS do?"
    found = await retrieve(question, episodic=episodic, semantic=semantic, access=EVERYTHING, limit=1)
    assert found.evidence[0].passage.id != sought.id
    await semantic.add([fact("DHS", "the Deep Harbour Survey", relation="stands for")])
    found = await retrieve(question, episodic=episodic, semantic=semantic, access=EVERYTHING, limit=1)
    assert found.evidence[0].passage.id == sought.id
