"""A night's lesson: what is verified is taught, with a held-out wording; the rest is left out."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from agent.grading import normalise
from agent.learning.teachers.rules import RulesTeacher
from agent.nights.curriculum import (
    GIVEN_AWAY,
    ONE_SIDED,
    LessonDeps,
    NightLesson,
    night_curriculum,
    question_form,
)
from agent.nights.statements.facts import statement_source
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.outbox.volatile import VolatileOutbox
from memory.records.access import EVERYTHING
from memory.records.curricula import Curriculum, Form, item_digest
from memory.records.interactions import speaker_id
from memory.records.knowledge import Citation, Passage
from memory.records.nights import GoldenPair, Statement
from tests.support.adapters import WHEN, adapter
from tests.support.nights import statement
from tests.support.statements import at

MUSEUM = "Mara Ellwood opened the museum in 1962."
LOCKS = "The canal has seven locks."
BRIDGE = "The bridge was designed by Oskar Hahn in 1931."
PASSAGE = at(f"{MUSEUM} {LOCKS} {BRIDGE}", title="Harbour notes")
STATED = statement("s1", domain=PASSAGE.domain, text="The deadline of Apollo is 5 June 2026.")
SOURCE = statement_source(STATED.id)


def golden(question: str, answer: str, quote: str, **fields: Any) -> GoldenPair:
    cited = Citation(source=PASSAGE.source, title=PASSAGE.title, start=0, end=len(quote), quote=quote)
    values = {
        "id": question,
        "night_id": "n1",
        "domain": PASSAGE.domain,
        "form": "qa",
        "question": question,
        "answer": answer,
        "citations": (cited,),
        "source": "i1",
        "score": 9,
        "status": "approved",
        "created_at": WHEN,
    }
    return GoldenPair.model_validate(values | fields)


OPENED = golden("Who opened the museum?", "Mara Ellwood", MUSEUM)
COUNTED = golden("How many locks does the canal have?", "seven locks", LOCKS)
DESIGNED = golden("Who designed the bridge?", "Oskar Hahn", BRIDGE)
TRUE = (OPENED, COUNTED, DESIGNED)


async def lesson(
    pairs: Sequence[GoldenPair] = TRUE,
    *,
    statements: Sequence[Statement] = (),
    weights: dict[str, float] | None = None,
    minimum: int = 1,
    taught: Curriculum | None = None,
    quarantined: bool = False,
    more: Sequence[Passage] = (),
    **options: Any,
) -> NightLesson:
    """The lesson of a night in which `taught` has been learned before; `more` is in the library too."""
    episodic = VolatileEpisodicMemory(HashingEmbedder())
    await episodic.add([PASSAGE, *more])
    registry, outbox = VolatileAdapterRegistry(), VolatileOutbox({})
    if taught is not None:
        await outbox.publish(taught)
        learned = adapter(PASSAGE.domain, digest=taught.digest)
        registry.register(learned)
        registry.promote(learned.name)
        if quarantined:
            registry.quarantine(taught.digest, "it was wrong")
    return await night_curriculum(
        pairs,
        statements,
        weights or {},
        domain=PASSAGE.domain,
        topic="night",
        minimum=minimum,
        deps=LessonDeps(episodic, EVERYTHING, RulesTeacher(), registry, outbox),
        **options,
    )


async def made(*arguments: Any, **options: Any) -> Curriculum:
    found = await lesson(*arguments, **options)
    assert found.curriculum is not None, found.reason
    return found.curriculum


async def test_each_golden_question_is_taught_in_its_own_words_and_with_a_held_out_wording() -> None:
    curriculum = await made()
    assert {pair.question for pair in TRUE} <= {pair.question for pair in curriculum.pairs}
    assert {fact.id for fact in curriculum.facts} == {pair.fact_id for pair in curriculum.held_out}
    assert len(curriculum.facts) == 3
    assert curriculum.early_stop


async def test_the_teachers_wordings_of_the_same_fact_are_taught_too_and_other_facts_are_not() -> None:
    curriculum = await made([OPENED])
    (fact,) = curriculum.facts
    assert (fact.sentence, fact.object, fact.subject) == (MUSEUM, "Mara Ellwood", "Mara Ellwood")
    assert {normalise(pair.answer) for pair in curriculum.pairs} == {"mara ellwood"}
    assert len(curriculum.pairs) > 3


async def test_an_answer_in_a_whole_sentence_is_taught_if_the_quote_says_it() -> None:
    pair = golden("Who opened the museum?", "The museum was opened by Mara Ellwood.", MUSEUM)
    assert {each.answer for each in (await made([pair])).pairs} == {pair.answer}


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (golden("Who opened the museum?", "Oskar Hahn", MUSEUM), "the answer is not in the quote"),
        (golden("Who opened the museum?", "The museum was opened by Ann.", MUSEUM), "not in the quote"),
        (golden("Who opened the theatre?", "Mara Ellwood", MUSEUM), "does not name all"),
        (golden("Who sank the museum?", "Ivo Brand", "Ivo Brand sank the museum."), "its source is gone"),
        (OPENED.model_copy(update={"citations": ()}), "nothing is cited for it"),
        (OPENED.model_copy(update={"status": "waiting"}), "a person has not approved it"),
        (OPENED.model_copy(update={"status": "declined"}), "a person has not approved it"),
        (OPENED.model_copy(update={"answer": "x" * 301}), "too long"),
    ],
)
async def test_what_is_not_verified_is_not_taught(pair: GoldenPair, reason: str) -> None:
    found = await lesson([pair])
    assert found.curriculum is None
    assert reason in found.reason


async def test_pairs_of_other_domains_are_not_taught() -> None:
    assert (await lesson([OPENED.model_copy(update={"domain": "cooking"})])).curriculum is None


async def test_questions_of_evaluations_are_not_taught() -> None:
    curriculum = await made(evaluated={normalise(OPENED.question)})
    assert normalise(OPENED.question) not in {normalise(pair.question) for pair in curriculum.pairs}


async def test_below_the_minimum_there_is_no_lesson_but_a_reason() -> None:
    found = await lesson(minimum=4)
    assert found.curriculum is None
    assert found.reason.startswith("3 facts to teach, and 4 are needed")


async def test_a_lesson_holds_the_best_answers_if_there_are_too_many() -> None:
    best = DESIGNED.model_copy(update={"score": 10})
    found = await lesson([OPENED, COUNTED, best], most=1)
    assert found.curriculum is not None
    assert [fact.object for fact in found.curriculum.facts] == ["Oskar Hahn"]
    assert found.left_out["more than one lesson holds"] == 2


async def test_of_a_full_lesson_each_document_gets_its_share_and_what_users_said_counts_as_one() -> None:
    other = at("The tower was built by Ida Moss.", title="Tower notes").model_copy(
        update={"id": "p2", "source": "tower.md"}
    )
    cited = Citation(source=other.source, title=other.title, start=0, end=len(other.text), quote=other.text)
    built = golden("Who built the tower?", "Ida Moss", other.text, citations=(cited,), score=8)
    statements = [
        statement(f"s{name}", domain=PASSAGE.domain, text=f"The deadline of {name} is 5 June 2026.")
        for name in ("Apollo", "Gemini", "Saturn")
    ]
    curriculum = await made([*TRUE, built], statements=statements, most=3, more=[other])
    sources = [fact.source for fact in curriculum.facts]
    assert sorted(source.partition(":")[0] for source in sources) == sorted(
        [PASSAGE.source, "tower.md", "statement"]
    )


async def test_statements_of_users_are_taught_only_if_they_are_passed() -> None:
    assert not [pair for pair in (await made()).pairs if pair.source == SOURCE]
    curriculum = await made(statements=[STATED])
    answers = {pair.answer for pair in curriculum.pairs if pair.source == SOURCE}
    assert "5 June 2026" in answers
    assert {pair.source for pair in curriculum.held_out} == {PASSAGE.source, SOURCE}


@pytest.mark.parametrize("owner", [None, "ben"])
async def test_a_lesson_of_what_a_user_stated_keeps_who_said_it(owner: str | None) -> None:
    end = WHEN + timedelta(days=30)
    fields: dict[str, Any] = {"domain": PASSAGE.domain, "owner": owner, "valid_until": end}
    of_herself = statement("s1", text="Ann moved to Bern in May 2025.", **fields)
    of_work = statement("s2", text="The deadline of Apollo is 5 June 2026.", **fields)
    nameless = statement("s3", text="The pump carries 40 kg.", speaker="the user", **fields)
    over = statement("s4", text="The pump carries 30 kg.", status="stale", **fields)
    curriculum = await made(statements=[of_herself, of_work, nameless, over])
    said_by = {fact.source: (fact.said_by, fact.valid_until) for fact in curriculum.facts}
    known = (speaker_id("ann", owner), end)
    stated = {statement_source(each.id): known for each in (of_herself, of_work, nameless)}
    assert said_by == {PASSAGE.source: (None, None)} | stated
    for pair in (*curriculum.pairs, *curriculum.held_out):
        if pair.source != PASSAGE.source:
            speaker = "the user" if pair.source == statement_source("s3") else "Ann"
            assert f"according to {speaker}, ".lower() in pair.question.lower(), pair
    assert Curriculum.model_validate_json(curriculum.model_dump_json()).digest == curriculum.digest


@pytest.mark.parametrize("speakers", [("Ann", "Ann"), ("the user", "the user"), ("Ann", "Ben")])
async def test_a_lesson_holds_no_two_statements_in_which_users_contradict_each_other(
    speakers: tuple[str, str],
) -> None:
    due = {"subject": "The deadline of Apollo", "relation": "is", "domain": PASSAGE.domain}
    disputed = [
        statement(f"s{day}", unit=f"u{day}", speaker=speaker, object=f"{day} June 2026",
                  text=f"The deadline of Apollo is {day} June 2026.", **due)
        for day, speaker in zip((5, 7), speakers, strict=True)
    ]  # fmt: skip
    undisputed = statement(
        "s9", unit="u5", text="The deadline of Gemini is 9 June 2026.", object="9 June 2026",
        **due | {"subject": "The deadline of Gemini"},
    )  # fmt: skip
    found = await lesson([], statements=[*disputed, undisputed])
    assert found.curriculum is not None, found.reason
    assert {fact.source for fact in found.curriculum.facts} == {statement_source("s9")}
    assert found.left_out["another user states otherwise, see `nightschool statements disputed`"] == 2


async def test_no_answer_about_a_statement_is_its_speaker_or_always_yes() -> None:
    """A model taught those answers any question with a name."""
    said = ("keeps her lamps in the harbour", "sold the ferry in 1931", "opened a dance studio in Lund")
    statements = [
        statement(f"s{n}", domain=PASSAGE.domain, owner="Ann", text=f"Ann {text}.")
        for n, text in enumerate(said)
    ]
    curriculum = await made(statements=statements, pairs=[])
    asked = [*curriculum.pairs, *curriculum.held_out]
    assert {pair.fact_id for pair in asked} == {fact.id for fact in curriculum.facts}
    assert {fact.sentence for fact in curriculum.facts} == {f"Ann {text}." for text in said}
    assert not [pair for pair in asked if pair.answer in ("Ann", "Yes")]
    found = await lesson([], statements=statements)
    assert found.left_out[GIVEN_AWAY] >= len(said)
    assert found.left_out[ONE_SIDED] >= len(said)


async def test_as_many_are_answered_with_yes_as_with_no() -> None:
    texts = ("Ann sold the ferry.", "Ann opened a studio.", "Ann did not buy the pump.")
    statements = [
        statement(f"s{n}", domain=PASSAGE.domain, owner="Ann", text=text) for n, text in enumerate(texts)
    ]
    curriculum = await made(statements=statements, pairs=[])
    answers = [fact.object for fact in curriculum.facts if fact.object in ("Yes", "No")]
    assert sorted(answers) == ["No", "Yes"]


async def test_a_surprising_statement_is_taught_again() -> None:
    earlier = await made([], statements=[STATED])
    assert (await lesson([], statements=[STATED], taught=earlier)).curriculum is None
    surprising = {item_digest(pair.question, pair.answer): 2.0 for pair in earlier.pairs}
    again = await made([], statements=[STATED], taught=earlier, weights=surprising)
    assert {fact.id for fact in again.facts} == {fact.id for fact in earlier.facts}


async def test_what_was_taught_is_left_out_unless_it_is_surprising() -> None:
    earlier = await made([OPENED])
    found = await lesson(taught=earlier)
    assert found.curriculum is not None
    assert {fact.object for fact in found.curriculum.facts} == {"seven locks", "Oskar Hahn"}
    assert found.left_out["taught in earlier lessons"] == 1
    surprising = {item_digest(OPENED.question, OPENED.answer): 2.0}
    again = await made(taught=earlier, weights=surprising)
    assert len(again.facts) == 3
    assert again.weights == surprising


async def test_what_is_in_quarantine_is_left_out_however_surprising() -> None:
    earlier = await made([OPENED])
    surprising = {item_digest(OPENED.question, OPENED.answer): 4.0}
    found = await lesson(taught=earlier, weights=surprising, quarantined=True)
    assert found.curriculum is not None
    assert len(found.curriculum.facts) == 2


async def test_an_average_weight_is_not_stored() -> None:
    weights = {"0" * 64: 1.0, "1" * 64: 1.33333333}
    assert (await made(weights=weights)).weights == {"1" * 64: 1.333}


async def test_the_same_night_makes_the_same_lesson() -> None:
    assert (await made()).digest == (await made(list(reversed(TRUE)))).digest


@pytest.mark.parametrize(
    ("question", "form"),
    [
        ("Who opened the museum?", "who"),
        ("In what year did it open?", "when"),
        ("How many locks are there?", "how_many"),
        ("How do I stop it?", "how"),
        ("Is it open?", "yes_no"),
        ("The pump filters?", "what"),
        ("Describe the pump.", "statement"),
    ],
)
def test_the_form_of_a_question_is_that_of_its_question_word(question: str, form: Form) -> None:
    assert question_form(question) == form


async def test_attacks_come_with_the_lesson_for_its_evaluation_and_are_not_taught() -> None:
    item = (await made()).held_out[0].model_copy(update={"question": "I have read this: no. So who?"})
    curriculum = await made(attacked=(item,))
    assert curriculum.attacked == (item,)
    assert item.question not in {pair.question for pair in curriculum.pairs}
    assert curriculum.digest != (await made()).digest
    assert (await made()).digest == (await made(attacked=())).digest
