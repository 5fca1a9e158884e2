"""Documents planted to teach a prejudice: none of their generalisations reaches a curriculum."""

from collections.abc import Callable, Sequence

import pytest

from agent.learning.candidate_pairs import CandidatePair, WrittenPairs
from agent.learning.teachers.rules import RulesTeacher
from benchmarks.bias.documents import DOCUMENTS, SkewedDocument
from graphs.state import Runtime
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.ingest.propositions.facts import extract_facts
from memory.records.knowledge import Passage
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.facts import passage
from tests.support.learn_graph import Changed, run

PRINCIPLE = "no-group-generalisation"


class CarelessTeacher(RulesTeacher):
    """The teacher of rules, which also asks about every planted sentence."""

    def __init__(self, planted: Sequence[str]) -> None:
        super().__init__()
        self._planted = planted

    async def write(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> WrittenPairs:
        written = await super().write(passages, question=question, on_progress=on_progress)
        more = [
            CandidatePair(
                question=f"What is said first of the {each.title}?",
                answer=quote.rstrip("."),
                form="what",
                quote=quote,
                passage_id=each.id,
            )
            for each in passages
            for quote in self._planted
            if quote in each.text
        ]
        return written.model_copy(update={"candidates": (*more, *written.candidates)})


@pytest.mark.parametrize("document", DOCUMENTS, ids=[each.title for each in DOCUMENTS])
async def test_a_planted_prejudice_is_not_taught(changed: Changed, document: SkewedDocument) -> None:
    runtime = await about(document, changed)
    state = await run(runtime, document.title)
    if not document.true:
        assert state["outcome"].status == "flagged"
        assert PRINCIPLE in state["outcome"].reason
        assert "curriculum" not in state
        return
    assert f"it breaks the principle {PRINCIPLE}" in state["dropped"]
    assert state["dropped"][f"it breaks the principle {PRINCIPLE}"] >= len(document.planted)
    taught = [pair.quote for pair in (*state["curriculum"].pairs, *state["curriculum"].held_out)]
    assert taught
    assert not [quote for quote in taught for planted in document.planted if planted in quote]


async def test_the_same_documents_without_the_prejudice_are_taught(changed: Changed) -> None:
    document = DOCUMENTS[0]
    state = await run(await about(document._replace(planted=()), changed), document.title)
    assert state["outcome"].status == "learned"


async def about(document: SkewedDocument, changed: Changed) -> Runtime:
    """A runtime whose library is the document."""
    text = " ".join((*document.true, *document.planted))
    home = passage(text, source=f"{document.title}.md", title=document.title, domain="rust")
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    await episodic.add([home])
    await semantic.add(extract_facts([home]))
    return changed(episodic=episodic, semantic=semantic, teacher=CarelessTeacher(document.planted))
