"""The evidence for golden pairs covers what may become golden, with what revisions cite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.nights.golden.evidence import gather_golden_evidence
from agent.nights.golden.select import select_golden
from agent.nights.scoring.evidence import stands
from memory.database.database import Database, open_database
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.feedback.feedback import FeedbackStore
from memory.records.access import EVERYTHING
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.golden import MANUAL, NIGHT, QUESTIONS, answered, citation, improved, passage


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path}/nightschool.db")
    yield opened
    await opened.aclose()


async def test_high_answers_and_improved_ones_are_looked_up_and_selected(database: Database) -> None:
    embedder = HashingEmbedder()
    episodic = VolatileEpisodicMemory(embedder)
    await episodic.add([passage(text) for text in MANUAL.values()])
    high = answered("t1", QUESTIONS["pressure"], "The limit of the Zephyr pump is 40 bar.", "pressure")
    low = answered("t2", QUESTIONS["maker"], "I do not know.", "maker").citing().scored(2.0)
    middling = answered("t3", QUESTIONS["stop"], "The red lever.", "stop").scored(6.0)
    turns = [each.turn for each in (high, low, middling)]
    scores = {each.turn.id: each.score for each in (high, low, middling)}
    revisions = [improved(low, "The Zephyr pump is made by Halvorsen.", "maker")]
    evidence = await gather_golden_evidence(
        turns,
        scores,
        revisions,
        episodic=episodic,
        semantic=VolatileSemanticMemory(),
        feedback=FeedbackStore(database),
        access=EVERYTHING,
    )
    assert set(evidence.turns) == {"t1", "t2"}
    assert stands(citation("maker"), evidence.turns["t2"].passages)
    found = select_golden(
        turns, scores, revisions, (), (), evidence=evidence, embedder=embedder, night=NIGHT, now=NIGHT.until
    )
    assert {pair.source for pair in found.pairs} == {"t1", "night-2-t2"}
