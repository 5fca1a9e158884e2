"""Evidence: what the library says about the question, the cited passages, and the feedback that counts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.nights.scoring.evidence import gather_evidence, stands
from memory.database.database import Database, open_database
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.records.access import EVERYTHING
from memory.records.interactions import LoggedMessage
from memory.records.knowledge import Citation
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.facts import passage
from tests.support.interactions import NOON, feedback, interaction

FERRY = passage("The last ferry leaves at 18:40. Bicycles travel free.", source="ferry.md", title="Ferry")
QUOTE = Citation(source="ferry.md", title="Ferry", start=32, end=53, quote="Bicycles travel free.")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path / 'nightschool.db'}", clock=lambda: NOON)
    yield opened
    await opened.aclose()


def test_a_citation_stands_only_as_it_was_cited() -> None:
    assert stands(QUOTE, [FERRY])
    assert not stands(QUOTE.model_copy(update={"start": 31}), [FERRY])
    assert not stands(QUOTE.model_copy(update={"quote": "Bicycles cost extra. "}), [FERRY])
    assert not stands(QUOTE.model_copy(update={"source": "other.md"}), [FERRY])
    assert not stands(QUOTE, [])


async def test_evidence_is_gathered_for_each_turn(database: Database) -> None:
    log, store = InteractionLog(database), FeedbackStore(database)
    messages = (
        LoggedMessage(role="user", content="Tell me about the Ulvarsund ferry."),
        LoggedMessage(role="assistant", content="It runs daily."),
        LoggedMessage(role="user", content="When does it leave?"),
    )
    turn = interaction("i1", question="When does it leave?", messages=messages, citations=(QUOTE,))
    await log.save(turn)
    await store.add(feedback("f1", "vote", value=1))
    await store.add(feedback("f2", "vote", minutes=1, value=-1))
    episodic = VolatileEpisodicMemory(HashingEmbedder())
    await episodic.add([FERRY, passage("Dogs are welcome.", source="dogs.md")])
    gathered = await gather_evidence(
        [turn, interaction("i2", question=" ", messages=(), citations=())],
        episodic=episodic,
        semantic=VolatileSemanticMemory(),
        feedback=store,
        access=EVERYTHING,
    )
    found = gathered.turns["i1"]
    assert "ferry" in found.question.lower()
    assert stands(QUOTE, found.passages)
    assert [each.value for each in found.feedback] == [-1]
    assert gathered.turns["i2"].findings.evidence == ()


async def test_a_cited_passage_is_found_though_the_question_is_about_something_else(
    database: Database,
) -> None:
    episodic = VolatileEpisodicMemory(HashingEmbedder())
    others = [
        passage(f"Dogs of kind {number} bark at night.", source=f"dogs{number}.md") for number in range(20)
    ]
    await episodic.add([FERRY, *others])
    turn = interaction("i1", question="Which dogs bark at night?", messages=(), citations=(QUOTE,))
    gathered = await gather_evidence(
        [turn],
        episodic=episodic,
        semantic=VolatileSemanticMemory(),
        feedback=FeedbackStore(database),
        access=EVERYTHING,
    )
    assert stands(QUOTE, gathered.turns["i1"].passages)
