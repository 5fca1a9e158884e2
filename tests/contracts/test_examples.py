"""The demo's questions are fair: answered by the library, asked again in wordings that are never taught."""

from pathlib import Path

import pytest

from agent.grading import correct, normalise
from examples.demo import DOMAIN, LIBRARY, QUESTIONS
from examples.demo_report import Json, Question, checks
from memory.library import Failure, read, read_target
from tests.contracts.test_imports import ROOT
from tests.grammar import is_wording

ASKED = [Question.model_validate_json(line) for line in QUESTIONS.read_text().splitlines()]
TOPIC = [question for question in ASKED if question.kind == "topic"]


def without_placeholders(text: str) -> str:
    """A wording's words alone."""
    return normalise(text.format(subject="", object=""))


def without_names(text: str, names: list[str]) -> str:
    """A question's words without the thing it asks about."""
    plain = normalise(text)
    for name in sorted(map(normalise, names), key=len, reverse=True):
        plain = f" {plain} ".replace(f" {name} ", " ")
    return " ".join(plain.split())


@pytest.fixture(scope="module")
def subjects() -> dict[str, list[str]]:
    """What the library's facts are about, with what they say of it."""
    found: dict[str, list[str]] = {}
    for document in read_target(str(LIBRARY / DOMAIN)):
        assert not isinstance(document, Failure)
        for fact in read(document, DOMAIN)[1]:
            found.setdefault(fact.subject, []).append(fact.object)
    return found


@pytest.mark.parametrize("question", TOPIC, ids=lambda q: q.question)
def test_the_library_holds_the_answer(question: Question, subjects: dict[str, list[str]]) -> None:
    objects = [
        o for s, found in subjects.items() if normalise(s) in normalise(question.question) for o in found
    ]
    assert any(correct(object, question.answers) for object in objects)


@pytest.mark.parametrize("question", TOPIC, ids=lambda q: q.again)
def test_it_is_asked_again_in_a_wording_that_no_curriculum_uses(
    question: Question, subjects: dict[str, list[str]]
) -> None:
    bare = without_names(question.again, list(subjects))
    assert is_wording(bare, "held_out", without_placeholders)
    assert not is_wording(bare, "taught", without_placeholders)


def test_there_are_topic_questions_and_unrelated_known_ones() -> None:
    assert len(TOPIC) >= 5
    assert len(ASKED) - len(TOPIC) >= 3
    assert len(list(LIBRARY.iterdir())) >= 3
    assert Path(ROOT / "Makefile").read_text().count("examples.demo") == 1


# What counts as a closed loop


LEARNED = "topic questions newly answered right, in new wordings, without sources"
STAND = "unrelated known questions still stand, asked of the adapter itself"


def asked(kind: str, *, before: bool, after: bool, adapter: str | None, outcome: str = "answered") -> Json:
    return {
        "kind": kind,
        "before": {"right": before, "text": "q", "adapter": None, "outcome": "answered"},
        "after": {"right": after, "text": "q", "adapter": adapter, "outcome": outcome},
    }


def result(**changes: object) -> Json:
    learned = {"status": "learned", "reason": "it passed every gate"}
    questions = [asked("topic", before=False, after=True, adapter="rust-v1") for _ in range(4)]
    questions.append(asked("known", before=True, after=True, adapter=None))
    adapted = [{"right": True, "text": "q"}]
    return {
        "outcome": learned,
        "adapter": "rust-v1",
        "questions": questions,
        "known_asked_of_the_adapter": adapted,
    } | changes


def failed(given: Json) -> list[str]:
    return [check["check"] for check in checks(given) if not check["passed"]]


def test_a_loop_that_taught_the_topic_and_kept_the_rest_is_closed() -> None:
    assert failed(result()) == []


def test_what_auto_answers_for_the_base_model_says_nothing_of_the_adapter() -> None:
    questions = [*result()["questions"][:4], asked("known", before=True, after=False, adapter=None)]
    assert failed(result(questions=questions)) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outcome": {"status": "rejected", "reason": "gates"}}, "the run learned"),
        ({"questions": [asked("topic", before=True, after=True, adapter="rust-v1")] * 4}, LEARNED),
        (
            {
                "questions": [
                    asked(
                        "topic", before=False, after=True, adapter="rust-v1", outcome="answered_from_sources"
                    )
                ]
                * 4
            },
            LEARNED,
        ),
        (
            {"questions": [asked("topic", before=False, after=True, adapter=None)] * 4},
            "the new adapter serves the topic",
        ),
        ({"known_asked_of_the_adapter": [{"right": False, "text": "q"}]}, STAND),
        ({"known_asked_of_the_adapter": []}, STAND),
        ({"questions": [asked("known", before=False, after=False, adapter=None)]}, STAND),
    ],
)
def test_a_loop_that_fails_in_one_respect_is_not(changes: Json, reason: str) -> None:
    assert reason in failed(result(**changes))
