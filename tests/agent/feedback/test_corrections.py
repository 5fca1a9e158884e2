"""A correction opens a gap for its question, or goes to the gap that is there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.feedback.corrections import open_corrected_gap
from memory.database.database import Database, open_database
from memory.records.interactions import Gap, Interaction, LoggedMessage
from tests.support.interactions import NOON, feedback, interaction

ASKED = interaction("i1", question="What is a move?", messages=())


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path / 'nightschool.db'}", clock=lambda: NOON)
    yield opened
    await opened.aclose()


async def correct(database: Database, turn: Interaction, text: str, id: str = "f1") -> Gap:
    given = feedback(id, "correction", text=text)
    return await open_corrected_gap(turn, given, database=database, id=f"gap-{id}", now=NOON)


async def test_a_correction_opens_a_gap_and_is_its_unverified_answer(database: Database) -> None:
    gap = await correct(database, ASKED, "a change of owner")
    assert (gap.id, gap.question, gap.domain, gap.status) == ("gap-f1", "What is a move?", "rust", "open")
    assert [(each.interaction_id, each.text) for each in gap.corrections] == [("i1", "a change of owner")]
    assert gap.keywords == ("move",)
    assert await correct(database, ASKED, "a change of owner") == gap


async def test_a_correction_goes_to_the_gap_that_the_turn_opened(database: Database) -> None:
    opened = Gap(id="g1", question="Moves?", domain="rust", keywords=(), uncertainty=None, opened_at=NOON)
    await database.open_gap(opened)
    asked = ASKED.model_copy(update={"gap_id": "g1"})
    assert (await correct(database, asked, "a change of owner")).id == "g1"
    await database.delete_gap("g1")
    assert (await correct(database, asked, "a change of owner")).id == "gap-f1"


async def test_a_correction_of_a_closed_gap_opens_it_anew(database: Database) -> None:
    gap = await correct(database, ASKED, "a change of owner")
    await database.set_gap(gap.id, "closed")
    again = await correct(database, ASKED.model_copy(update={"gap_id": gap.id}), "no, a swap", "f2")
    assert (again.id, again.status) == ("gap-f2", "open")


async def test_the_gap_of_a_follow_up_question_stands_alone(database: Database) -> None:
    messages = (
        LoggedMessage(role="user", content="What is the Mariana trench?"),
        LoggedMessage(role="assistant", content="A trench in the Pacific."),
        LoggedMessage(role="user", content="How deep is it?"),
    )
    asked = interaction("i1", question="How deep is it?", messages=messages)
    assert "Mariana" in (await correct(database, asked, "11 km")).question
