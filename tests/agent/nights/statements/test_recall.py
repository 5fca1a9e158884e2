"""Which statement answers a question."""

from datetime import timedelta

import pytest

from agent.nights.statements.consolidate import merge
from agent.nights.statements.extract import extract_statements
from agent.nights.statements.recall import asks_about_speaker, recall
from memory.embedding.embedder import SentenceEmbedder
from tests.support.statements_of_users import NOON, said

MESSAGES = ("The deadline of Apollo is Friday.", "I live in Bern.", "My daughter Ann plays the violin.")
EMBEDDER = SentenceEmbedder()
STATEMENTS = extract_statements([said(text) for text in MESSAGES])


def said_by_user(question: str, *messages: str) -> str:
    statements = extract_statements([said(text) for text in messages])
    found = recall(question, statements, embedder=EMBEDDER, now=NOON)
    return "" if found is None else found.text


def answer(question: str, days: float = 0) -> str:
    found = recall(question, STATEMENTS, embedder=EMBEDDER, now=NOON + timedelta(days=days))
    return "" if found is None else found.text


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When is the deadline of Apollo?", "The deadline of Apollo is Friday 16 June 2023."),
        ("Where do I live?", "I live in Bern."),
        ("What does my daughter play?", "My daughter Ann plays the violin."),
    ],
)
def test_the_answer_is_quoted_with_its_date(question: str, expected: str) -> None:
    assert answer(question) == f"You said on 9 June 2023: \u201c{expected}\u201d"


@pytest.mark.parametrize(
    "question",
    [
        "Where does my brother live?",
        "What does my son play?",
        "How do I play the violin?",
        "Who lives in houses?",
    ],
)
def test_a_question_about_something_else_is_not_answered(question: str) -> None:
    assert answer(question) == ""


@pytest.mark.parametrize(
    "question",
    ["Which database do we use?", "Which version of PostgreSQL do we use?", "What database do we have?"],
)
def test_a_question_in_other_words_is_answered(question: str) -> None:
    assert "We use PostgreSQL 15 for our shop." in said_by_user(
        question, "We use PostgreSQL 15 for our shop."
    )


@pytest.mark.parametrize(
    "question", ["Which editor do we use?", "Which cloud provider do we use?", "Which wine do we like?"]
)
def test_a_thing_of_another_kind_is_no_answer(question: str) -> None:
    assert said_by_user(question, "We use PostgreSQL 15 for our shop.") == ""


def test_the_name_is_recalled_and_used() -> None:
    messages = ("My name is Ann.", "I moved to Bern yesterday.")
    assert "My name is Ann." in said_by_user("What is my name?", *messages)
    assert "Ann moved to Bern on 8 June 2023." in said_by_user("When did I move to Bern?", *messages)


def test_own_words_that_point_to_their_day_are_not_shown() -> None:
    found = said_by_user("When is the deadline of Apollo?", "The deadline of Apollo is next Friday.")
    assert "on Friday 16 June 2023" in found


def test_what_was_replaced_is_not_given() -> None:
    (bern,), (graz,) = (extract_statements([said(f"I live in {town}.")]) for town in ("Bern", "Graz"))
    both = merge([bern], [graz.model_copy(update={"said_at": NOON + timedelta(days=1)})], NOON).changed
    found = recall("Where do I live?", both, embedder=EMBEDDER, now=NOON)
    assert found is not None
    assert "Graz" in found.text


def test_what_has_passed_says_so() -> None:
    assert answer("When is the deadline of Apollo?", days=8).endswith(
        "That was until 16 June 2023, which has passed."
    )


def test_questions_about_the_speaker_are_told_from_requests() -> None:
    assert asks_about_speaker("Where do I live?")
    assert not asks_about_speaker("How do I install it?")
    assert not asks_about_speaker("What is a move?")
    assert not asks_about_speaker("I live in Bern.")
