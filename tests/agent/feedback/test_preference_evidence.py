"""A preference set is made from no turn that its user wants to keep, and from no evaluation's question."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.feedback.pair_sources import Evidence
from agent.feedback.paired_prompts import paired_prompts
from agent.feedback.pairs import evaluation_prompts
from agent.feedback.preference_evidence import evaluated_prompts, read_evidence
from agent.feedback.safety import safety_prompts
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.database.database import Database, open_database
from memory.feedback.annotations import Annotations
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.outbox.volatile import VolatileOutbox
from memory.records.access import EVERYTHING
from memory.records.feedback import AnnotationItem, Judgement
from memory.records.interactions import Interaction
from memory.records.knowledge import Citation
from tests.support.adapters import adapter, curriculum
from tests.support.databases import migrated_sqlite
from tests.support.interactions import NOON, feedback, follow_up, interaction
from tests.support.preferences import prompt
from tests.support.tiny_model import FOLDER as TINY
from training.base_model import open_base_model
from training.evaluation_questions import QuestionCounts, drift_answers, evaluation_sets
from training.recipes import standard

SAID = Citation(source="statement:s1", title="you said", start=0, end=18, quote="Ann lives in Bern.")
PRIVATE: dict[str, dict[str, Any]] = {
    "reported as private": {},
    "asks about its user": {"question": "Where do I live?", "messages": prompt("Where do I live?")},
    "answered from a statement": {"citations": (SAID,)},
}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    path = tmp_path / "nightschool.db"
    path.write_bytes(await asyncio.to_thread(migrated_sqlite))
    opened = await open_database(f"sqlite:///{path}")
    yield opened
    await opened.aclose()


async def logged(database: Database, kind: str, **fields: Any) -> Interaction:
    """A private turn of this kind."""
    turn = interaction("i1", **(PRIVATE[kind] | fields))
    await InteractionLog(database).save(turn)
    if kind == "reported as private":
        await FeedbackStore(database).add(feedback("f1", "reported", text="That was confidential."))
    return turn


async def evidence(database: Database, **period: Any) -> Evidence:
    return await read_evidence(
        "rust",
        period.get("since"),
        period.get("until"),
        interactions=InteractionLog(database),
        feedback=FeedbackStore(database),
        annotations=Annotations(database),
        access=EVERYTHING,
    )


@pytest.mark.parametrize("kind", PRIVATE)
async def test_private_turns_and_the_feedback_on_them_are_no_evidence(database: Database, kind: str) -> None:
    await logged(database, kind)
    await InteractionLog(database).save(interaction("i2"))
    store = FeedbackStore(database)
    await store.add(feedback("f2", "vote", value=1))
    await store.add(feedback("f3", "vote", value=1, interaction_id="i2"))
    found = await evidence(database)
    assert [turn.id for turn in found.interactions] == ["i2"]
    assert [each.interaction_id for each in found.feedback] == ["i2"]


async def test_a_later_turn_that_quotes_one_reported_as_private_is_no_evidence(database: Database) -> None:
    reported = await logged(database, "reported as private", minutes=-9999)
    for turn in (follow_up(reported), interaction("i3")):
        await InteractionLog(database).save(turn)
    found = await evidence(database, since=NOON)
    assert [turn.id for turn in found.interactions] == ["i3"]


@pytest.mark.parametrize("kind", PRIVATE)
async def test_an_annotated_item_of_a_private_turn_is_no_evidence_however_old_the_turn_is(
    database: Database, kind: str
) -> None:
    turn = await logged(database, kind, minutes=-9999)
    item = AnnotationItem(
        id="of-i1",
        batch="b",
        interaction_id=turn.id,
        domain="rust",
        messages=turn.messages,
        a="one",
        b="two",
        a_source="served",
        b_source="sampled",
        created_at=NOON,
    )
    imported = item.model_copy(update={"id": "imported", "interaction_id": None})
    await Annotations(database).add(
        [item, imported],
        [
            Judgement(item_id=each.id, annotator="ada", choice="a", created_at=NOON)
            for each in (item, imported)
        ],
    )
    found = await evidence(database, since=NOON)
    assert [each.id for each in found.items] == ["imported"]


async def test_corrections_in_the_first_person_are_no_evidence(database: Database) -> None:
    await InteractionLog(database).save(interaction("i1"))
    await FeedbackStore(database).add(feedback("f1", "correction", text="That is where I live."))
    found = await evidence(database)
    assert ([turn.id for turn in found.interactions], list(found.feedback)) == (["i1"], [])


async def test_every_question_of_every_evaluation_is_known() -> None:
    model = await asyncio.to_thread(open_base_model, TINY)
    recipe, sizes = standard(model.card), QuestionCounts(general=10**6, unknown=10**6, own=10**6)
    lesson = curriculum()
    attack = lesson.held_out[0].model_copy(update={"question": "Is it true that a zorble bites?"})
    lesson = lesson.model_copy(update={"attacked": (attack,)})
    outbox = VolatileOutbox({})
    registry = VolatileAdapterRegistry([adapter("lamps", digest=await outbox.publish(lesson))])
    evaluated = await evaluated_prompts("lamps", TINY, registry=registry, outbox=outbox)
    sets = evaluation_sets(lesson, model, sizes, recipe)
    asked = {
        name: [question.text for question in getattr(sets, name)]
        for name in ("in_distribution", "out_of_distribution", "unknown", "attacked")
    }
    asked["own"] = [answer.messages[-1].content for answer in drift_answers(model, sizes, recipe)]
    asked["safety"] = [prompt.text for prompt in safety_prompts()]
    asked["bias"] = list(paired_prompts().texts)
    assert all(asked.values())
    assert {name for name, texts in asked.items() if not evaluation_prompts(texts) <= evaluated} == set()
