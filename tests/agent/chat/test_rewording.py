"""A question that was worded badly is put plainly; answers that say the same are recognised."""

import pytest

from agent.chat.rewording import is_steady, rewordings


@pytest.mark.parametrize(
    "question",
    [
        "whats the capital of france",
        "hey can you tell me what the capital of france is pls",
        "Do you know what the capital of france is?",
        "i was wondering what the capital of france is, thanks",
        "What is the capital of france",
    ],
)
def test_padding_contractions_and_indirect_speech_go(question: str) -> None:
    assert rewordings(question, 2)[0] == "What is the capital of france?"


def test_a_plain_question_gets_other_forms_only() -> None:
    assert rewordings("What is a lemur?", 2) == ("Tell me what a lemur is.",)
    (other,) = rewordings("How deep is the Mariana trench?", 1)
    assert other != "How deep is the Mariana trench?"


def test_there_are_never_more_than_were_asked_for() -> None:
    assert len(rewordings("whats a lemur", 1)) == 1
    assert rewordings("whats a lemur", 0) == ()


def test_a_question_in_another_language_is_not_wrapped_in_english() -> None:
    assert rewordings("Was ist ein Lemur?", 2) == ()


@pytest.mark.parametrize(
    ("answer", "other", "same"),
    [
        ("Paris", "The capital of France is Paris.", True),
        ("The capital of France is Paris.", "paris", True),
        ("a small primate of Madagascar", "a small primate from Madagascar", True),
        ("Paris", "London", False),
        ("1912", "1913", False),
        ("It is safe", "It is not safe", False),
        ("Paris", "", False),
    ],
)
def test_answers_are_compared_by_what_they_say(answer: str, other: str, same: bool) -> None:
    assert is_steady(answer, [other]) is same


def test_an_answer_without_another_one_is_not_steady() -> None:
    assert not is_steady("Paris", [])
