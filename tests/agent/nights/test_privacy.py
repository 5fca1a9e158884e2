"""What one user says about themselves reaches no archive, golden pair, source or preference pair."""

from typing import Any

import pytest

from agent.feedback.pair_sources import Evidence
from agent.nights.privacy import is_about_user, is_personal, private_turns, without_private
from agent.nights.reported import ReportedTurns
from agent.nights.revision.archive import archive_answers, archive_golden
from agent.nights.revision.sources import find_sources
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.nights.volatile_answers import VolatileAnswerArchive
from memory.records.access import EVERYTHING
from memory.records.interactions import LoggedMessage
from memory.records.knowledge import Citation
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.facts import fact, passage
from tests.support.interactions import NOON, feedback, interaction
from tests.support.nights import golden, revision

EMBEDDER = HashingEmbedder()
SAID = Citation(source="statement:s1", title="you said", start=0, end=18, quote="Ann lives in Bern.")
OF_ANN = "Where do I live?"


def turn(id: str, question: str, unit: str, **fields: Any) -> Any:
    asked = (LoggedMessage(role="user", content=question),)
    return interaction(id, question=question, messages=asked, unit=unit, **fields)


@pytest.mark.parametrize(
    ("question", "personal"),
    [
        (OF_ANN, True),
        ("I moved last week. Where do I live?", True),
        ("When is our deadline?", True),
        ("I use nginx. What does 502 mean?", False),
        ("How do I restart nginx?", False),
        ("What is a move?", False),
    ],
)
def test_a_question_is_personal_if_it_asks_about_who_asks(question: str, personal: bool) -> None:
    assert is_about_user(question) == personal
    assert is_personal(turn("i1", question, "ann", citations=())) == personal


def test_what_was_answered_from_a_statement_is_personal_whatever_was_asked() -> None:
    assert is_personal(turn("i1", "When is the deadline of Apollo?", "ann", citations=(SAID,)))


@pytest.mark.parametrize("private", [{"question": OF_ANN}, {"citations": (SAID,)}])
async def test_answers_about_one_user_are_not_archived_for_another(private: dict[str, Any]) -> None:
    archive = VolatileAnswerArchive(EMBEDDER)
    assert await archive_answers([revision(**private)], archive=archive, now=NOON) == 0
    assert await archive_golden([golden(**private)], archive=archive, now=NOON) == 0
    assert await archive.search(OF_ANN, domain=None, limit=9, access=EVERYTHING) == ()


async def test_a_revision_reads_no_statement_of_anybody() -> None:
    episodic, semantic = VolatileEpisodicMemory(EMBEDDER), VolatileSemanticMemory()
    said = passage("The deadline of Apollo is Friday.", source="statement:s1")
    await episodic.add([said, passage("The deadline of Apollo is in the plan.", source="plan.md")])
    await semantic.add(
        [fact("deadline", "is", "Friday", said.text, within=said).model_copy(update={"said_by": "ann"})]
    )
    found = await find_sources(
        "What is the deadline of Apollo?",
        episodic=episodic,
        semantic=semantic,
        embedder=EMBEDDER,
        access=EVERYTHING,
    )
    assert {candidate.passage.source for candidate in found.ranked} == {"plan.md"}


def test_corrections_about_a_user_become_no_preference_pair() -> None:
    turns = [turn("i1", OF_ANN, "ann"), turn("i2", "Where is Bern?", "bob"), turn("i3", "What is A?", "bob")]
    given = [
        feedback("f1", "correction", text="Bern"),
        feedback("f2", "correction", interaction_id="i2", text="That is where I live."),
        feedback("f3", "correction", interaction_id="i3", text="A letter."),
    ]
    left = without_private(Evidence(turns, given), private_turns(turns, ReportedTurns(())))
    assert [each.id for each in left.interactions] == ["i2", "i3"]
    assert [each.interaction_id for each in left.feedback] == ["i3"]
