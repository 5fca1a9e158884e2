"""Exploring brings a topic's documents whole, and a question's own document."""

import pytest

from agent.learning.exploration import explore, look_up, main_domain, refined_query
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.records.access import EVERYTHING, Access
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


@pytest.mark.parametrize("domain", [None, "rust"])
async def test_others_private_documents_and_other_closed_domains_are_not_learned_from(
    episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory, domain: str | None
) -> None:
    places = {"ann": "rust", "ben": "rust", None: "secret"}
    for owner, place in places.items():
        said = f"A move of {owner} is a step in a dance of {place}."
        page = passage(said, source=f"{owner}.md").model_copy(update={"owner": owner, "domain": place})
        claim = fact("move", "definition", f"a step of {owner}", said, within=page)
        await episodic.add([page])
        await semantic.add([claim.model_copy(update={"owner": owner, "domain": place})])
    closed = frozenset({"secret"})
    ann = Access(owner="ann", closed=closed, readable=closed)
    admin = Access(everything=True, closed=closed)
    learned = {}
    for name, access in (("ann", ann), ("admin", admin)):
        found = await explore(
            "What is a move?", episodic=episodic, semantic=semantic, access=access, domain=domain, whole=True
        )
        learned[name] = {hit.passage.source for hit in found.evidence} | {f.source for f in found.facts}
    if domain is None and "None.md" in learned["admin"]:  # it is the main domain of the first passages
        assert learned["admin"] == {"None.md"}
    else:
        assert learned["admin"] == {"rust.md"}
    if domain is None and "None.md" in learned["ann"]:
        assert learned["ann"] == {"None.md"}
    else:
        assert "ann.md" in learned["ann"] <= {"rust.md", "ann.md"}


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
