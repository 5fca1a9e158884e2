"""Who, what or which: the question word follows what a name stands for."""

import pytest

from agent.learning.questions.clause_questions import clause_questions
from memory.ingest.propositions.sentences import sentences
from memory.language.clauses import Clause
from tests.support.statements import at


def asked(text: str) -> list[tuple[str, str]]:
    """Every question about the text with its answer."""
    return [
        (wording.text, item.answer)
        for sentence in sentences([at(text, title="Harbour notes")])
        for clause in sentence.clauses
        if isinstance(clause, Clause)
        for item in clause_questions(clause)
        for wording in item.wordings
    ]


@pytest.mark.parametrize(
    ("text", "question", "answer"),
    [
        (
            "Merchants from Lund founded the old harbour market in 1740.",
            "Who founded the old harbour market in 1740?",
            "merchants from Lund",
        ),
        (
            "The fleet crossed the Danube River in 1802.",
            "Which river did the fleet cross in 1802?",
            "the Danube River",
        ),
        ("Oskar Hahn was born in Norway.", "In which country was Oskar Hahn born?", "Norway"),
        (
            "The new lighthouse was built before 1912 by the harbour board.",
            "When was the new lighthouse built by the harbour board?",
            "before 1912",
        ),
        (
            "Mara Ellwood painted the north wall of the chapel.",
            "Mara Ellwood painted the north wall of what?",
            "the chapel",
        ),
        (
            "The southern mole has a wall of seven arches.",
            "The southern mole has a wall of how many arches?",
            "seven",
        ),
    ],
)  # fmt: skip
def test_the_question_word_suits_the_answer(text: str, question: str, answer: str) -> None:
    assert (question, answer) in asked(text)


@pytest.mark.parametrize(
    "text",
    [
        "Another harbour opened in Lund in 1931.",
        "Similar towers stand in the northern villages.",
        "Nina Falk saw himself in the mirror.",
        "The pilot lent the keeper his boat.",
    ],
)
def test_what_only_its_own_text_explains_is_no_answer(text: str) -> None:
    answers = {answer.lower() for _, answer in asked(text)}
    assert not {a for a in answers if a.startswith(("another ", "similar ", "himself", "his "))}


def test_a_question_that_anything_could_answer_is_left_out() -> None:
    assert not [q for q, answer in asked("The board announced a plan.") if answer == "a plan"]


def test_a_preposition_is_not_left_in_the_middle_of_a_question() -> None:
    found = asked("Nina Falk shipped the printing press to a workshop in the spring of 1925.")
    assert not [q for q, _ in found if " to in the spring" in q]
