"""Three searches, one ranking."""

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.ingest.pipeline import ingest
from memory.records.access import EVERYTHING
from memory.records.knowledge import Evidence, Findings
from memory.retrieval.hybrid import fuse, retrieve, terms
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


def test_a_passage_is_listed_once_with_the_weighted_sum_of_its_scores() -> None:
    one = passage("One.")
    hits = [
        Evidence(passage=one, score=0.5, found_by=("vector",)),
        Evidence(passage=one, score=0.4, found_by=("text",)),
        Evidence(passage=one, score=1.0, found_by=("graph",)),
    ]
    (hit,) = fuse(hits, limit=5)
    assert hit.score == pytest.approx(0.6 * 0.5 + 0.25 * 0.4 + 0.15 * 1.0)


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
