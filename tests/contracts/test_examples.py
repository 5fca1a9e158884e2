"""The demo's questions are fair: answered by the library, asked again in wordings that are never taught."""

from pathlib import Path

import pytest

from agent.grading import is_correct, normalise
from agent.learning.teachers.rules import write_pairs
from agent.models.card import GeneralQuestion
from examples.demo import KNOWN, LIBRARY, QUESTIONS, known_questions
from examples.demo_report import SMALL_TALK, Json, Question, checks, own_answer
from memory.ingest.folders import Failure, read_target
from memory.ingest.pipeline import read
from memory.language.text import quotable
from memory.records.knowledge import Passage
from tests.contracts.test_imports import ROOT

TOPIC = [Question.model_validate_json(line) for line in QUESTIONS.read_text().splitlines()]


@pytest.fixture(scope="module")
def library() -> tuple[Passage, ...]:
    """The passages of all documents."""
    found: list[Passage] = []
    for folder in sorted(LIBRARY.iterdir()):
        for document in read_target(str(folder)):
            assert not isinstance(document, Failure)
            found += read(document, folder.name)[0]
    return tuple(found)


@pytest.fixture(scope="module")
def taught(library: tuple[Passage, ...]) -> frozenset[str]:
    """Every question that the rules write about the library, verified or not."""
    return frozenset(f" {normalise(each.question)} " for each in write_pairs(library))


@pytest.mark.parametrize("question", TOPIC, ids=lambda q: q.question)
def test_the_library_holds_the_answer(question: Question, library: tuple[Passage, ...]) -> None:
    said = [passage.text[start:end] for passage in library for start, end in quotable(passage.text)]
    assert any(is_correct(sentence, question.answers) for sentence in said)


@pytest.mark.parametrize("wording", [w for q in TOPIC for w in (q.question, q.again)])
def test_it_is_asked_in_wordings_that_no_curriculum_uses(wording: str, taught: frozenset[str]) -> None:
    """Not even with something said before or after it."""
    asked = f" {normalise(wording)} "
    assert not [each for each in taught if each in asked or asked in each]


def test_there_is_enough_to_ask_and_to_read() -> None:
    assert len(TOPIC) >= 10
    assert len(list(LIBRARY.iterdir())) >= 3
    assert Path(ROOT / "Makefile").read_text().count("examples.demo") == 1


def test_known_questions_are_spread_over_the_card_and_asked_again_in_another_wording() -> None:
    card = [
        GeneralQuestion(
            id=f"q{n}",
            domain="factual",
            wordings=(f"What is {n}?", f"Name {n}."),
            answers=(f"{n}",),
            known=n % 3 == 0,
        )
        for n in range(200)
    ]
    chosen = known_questions(card)
    assert len(chosen) == KNOWN
    assert (chosen[0].question, chosen[0].again) == ("What is 0?", "Name 0.")
    numbers = [int(each.answers[0]) for each in chosen]
    assert all(number % 3 == 0 for number in numbers)
    assert numbers[-1] > 150


# What counts as a closed loop


LEARNED = "topic questions newly answered right by the adapter, in two wordings, without sources"
STAND = "what the model knew still stands, asked of the adapter itself"
TALK = "small talk is answered, opens no gap, and repeats itself no more than before"
CIRCLES = "I am a helpful AI. " * 3


def asked(*, before: bool, after: bool, adapter: str | None = "rust-v1") -> Json:
    return {
        "before": {"own_right": before, "adapter": None},
        "after": {"adapter": adapter},
        "by_adapter": [{"own_right": after}, {"own_right": False}],
    }


def evaluation(before: float, after: float) -> Json:
    return {
        when: {"out_of_distribution": {"accuracy": share, "count": 200}}
        for when, share in (("before", before), ("after", after))
    }


def talk(text: str, **changes: object) -> Json:
    return {
        "text": text,
        "before": "Hello!",
        "answer": "Hello!",
        "by_adapter": "Hi",
        "gap_id": None,
    } | changes


def result(**changes: object) -> Json:
    return {
        "outcome": {"status": "learned", "reason": "it passed every gate"},
        "adapter": "rust-v1",
        "questions": [asked(before=False, after=n > 0) for n in range(4)],
        "evaluation": evaluation(1.0, 0.96),
        "small_talk": [talk(text) for text in SMALL_TALK],
    } | changes


def failed(given: Json) -> list[str]:
    return [check["check"] for check in checks(given) if not check["passed"]]


def test_a_loop_that_taught_the_topic_and_kept_the_rest_is_closed() -> None:
    assert failed(result()) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outcome": {"status": "rejected", "reason": "gates"}}, "the run learned"),
        ({"questions": [asked(before=True, after=True)] * 4}, LEARNED),
        ({"questions": [asked(before=False, after=False)] * 4}, LEARNED),
        ({"questions": [asked(before=False, after=True) | {"by_adapter": []}] * 4}, LEARNED),
        (
            {"questions": [asked(before=False, after=True, adapter=None)] * 4},
            "the new adapter serves the topic",
        ),
        ({"evaluation": evaluation(1.0, 0.94)}, STAND),
        ({"evaluation": evaluation(0.4, 0.37)}, STAND),
        ({"evaluation": evaluation(0.0, 0.1)}, STAND),
        ({"evaluation": None}, STAND),
        ({"small_talk": []}, TALK),
        ({"small_talk": [talk("Hello!", answer=" ")]}, TALK),
        ({"small_talk": [talk("Hello!", gap_id="g1")]}, TALK),
        ({"small_talk": [talk("Hello!", answer=CIRCLES)]}, TALK),
    ],
)
def test_a_loop_that_fails_in_one_respect_is_not(changes: Json, reason: str) -> None:
    assert reason in failed(result(**changes))


def test_what_the_model_said_itself_is_its_draft_where_something_else_went_out() -> None:
    reply = {"choices": [{"message": {"content": "I don't know."}}], "nightschool": {"draft": "a fish"}}
    assert own_answer(reply) == "a fish"
    assert own_answer(reply | {"nightschool": {"draft": None}}) == "I don't know."


def test_circles_that_the_base_model_went_in_as_well_are_not_the_lessons() -> None:
    assert failed(result(small_talk=[talk("Hello!", before=CIRCLES, answer=CIRCLES)])) == []
