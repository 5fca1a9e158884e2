"""Exploring brings a topic's documents whole, and a question's own document."""

import pytest

from agent.learning.exploration import explore, look_up, main_domain, refined_query
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.records.access import EVERYTHING
from memory.records.knowledge import Findings
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.facts import fact, findings, passage, rust

HOME, FACTS = rust()
BREAD = passage("A levain is a portion of starter prepared for one dough.", source="bread.md", domain="bread")


@pytest.fixture
async def episodic() -> VolatileEpisodicMemory:
    memory = VolatileEpisodicMemory(HashingEmbedder())
    await memory.add([HOME, BREAD])
    return memory


@pytest.fixture
async def semantic() -> VolatileSemanticMemory:
    memory = VolatileSemanticMemory()
    await memory.add(FACTS)
    return memory


async def test_a_topic_brings_all_facts_of_its_document_and_none_of_others(
    episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    found = await explore(
        "Rust ownership", episodic=episodic, semantic=semantic, whole=True, access=EVERYTHING
    )
    assert {f.subject for f in found.facts} >= {"move", "string slice", "borrow checker"}
    assert "bread.md" not in {f.source for f in found.facts}


async def test_a_rival_statement_in_another_document_of_the_domain_is_brought_along(
    episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    other = passage("A move is a step in a dance.", source="dance.md")
    await semantic.add([fact("move", "definition", "a step in a dance", other.text, within=other)])
    found = await explore(
        "Rust ownership", episodic=episodic, semantic=semantic, whole=True, access=EVERYTHING
    )
    assert {f.source for f in found.facts if f.subject == "move"} == {"rust.md", "dance.md"}


async def test_a_named_domain_keeps_others_out(
    episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    found = await look_up(
        "What is a move?", episodic=episodic, semantic=semantic, domain="bread", access=EVERYTHING
    )
    assert {hit.passage.domain for hit in found.evidence} <= {"bread"}


def test_the_main_domain_is_the_one_with_the_most_evidence() -> None:
    assert main_domain(findings(passages=(HOME, BREAD), score=0.5).evidence) == "bread"
    assert main_domain(findings(passages=(HOME, HOME, BREAD), score=0.5).evidence) == "rust"
    with pytest.raises(ValueError, match="passage of evidence"):
        main_domain(())


def test_each_refinement_asks_differently() -> None:
    found: Findings = findings(passages=(HOME,))
    queries = [
        refined_query("What is a borrow checker?", ("borrow", "checker", "linker"), found, n)
        for n in (1, 2, 3)
    ]
    assert queries[0] == "borrow checker"
    assert "ownership" in queries[1]
    assert queries[2] == "checker"
