"""Which statement answers a question."""

from datetime import timedelta

import pytest

from agent.nights.statements.extract import extract_statements
from agent.nights.statements.facts import statement_fact
from agent.nights.statements.recall import asks_about_speaker, recall
from memory.embedding.embedder import HashingEmbedder
from tests.support.statements_of_users import NOON, said

MESSAGES = ("The deadline of Apollo is Friday.", "I live in Bern.", "My daughter Ann plays the violin.")
FACTS = [statement_fact(s) for s in extract_statements([said(text) for text in MESSAGES])]


def answer(question: str, days: float = 0) -> str:
    found = recall(question, FACTS, embedder=HashingEmbedder(), now=NOON + timedelta(days=days))
    return "" if found is None else found.text


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When is the deadline of Apollo?", "The deadline of Apollo is Friday 16 June 2023."),
        ("Where do I live?", "The user lives in Bern."),
        ("What does my daughter play?", "The user's daughter Ann plays the violin."),
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


def test_what_has_passed_is_not_answered() -> None:
    assert answer("When is the deadline of Apollo?", days=8) == ""


def test_questions_about_the_speaker_are_told_from_requests() -> None:
    assert asks_about_speaker("Where do I live?")
    assert not asks_about_speaker("How do I install it?")
    assert not asks_about_speaker("What is a move?")
    assert not asks_about_speaker("I live in Bern.")
