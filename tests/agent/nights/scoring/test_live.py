"""A live answer is worth a second attempt if it is plainly bad, which costs next to nothing to see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.nights.scoring.live import worth_a_second_attempt

QUESTION = "How many metres tall is the tower of Almsee?"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "The tower is the tower is the tower is the tower is the tower is the tower",
        "The tower is 100 + 50 = 200 metres tall.",
        "Our shop sells many kinds of fresh bread and cakes, and it opens early every morning of the week.",
    ],
)
def test_a_plainly_bad_answer_is_worth_a_second_attempt(answer: str) -> None:
    assert worth_a_second_attempt(QUESTION, answer)


@pytest.mark.parametrize("answer", ["300", "The tower is 300 metres tall.", "I don't know how tall it is."])
def test_other_answers_are_not(answer: str) -> None:
    assert not worth_a_second_attempt(QUESTION, answer, declines=("i don't know",))


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_breaks_it(question: str, answer: str) -> None:
    worth_a_second_attempt(question, answer)
