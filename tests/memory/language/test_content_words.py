"""Which words carry a question, and when one phrase occurs in another text."""

import pytest

from memory.language.content_words import content_words, coverage, occurs, phrase_spans


def test_content_words_leave_out_the_shape_of_the_question() -> None:
    assert content_words("Could you please explain what a borrow checker is?") == ("borrow", "checker")
    assert content_words("What is it?") == ()
    assert content_words("Tell me which kind of thing a slice is.") == ("slice",)


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("What is an expression?", ("expression",)),
        ("What does the term state mean?", ("term", "state")),
        ("What is a type T?", ("type",)),
    ],
)
def test_a_noun_of_asking_is_the_subject_where_there_is_no_other(
    question: str, subject: tuple[str, ...]
) -> None:
    assert content_words(question) == subject


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("borrow checker", "The Borrow Checkers of Rust", True),
        ("slice", "two slices", True),
        ("Box<T>", "A `Box<T>` owns", True),
        ("entry", "many entries", True),
        ("own", "an owner", False),
        ("move", "remove it", False),
        ("borrow checker", "borrow the checker", False),
        ("", "anything", False),
        ("?!", "anything", False),
    ],
)
def test_a_phrase_occurs_as_whole_words_in_any_number_and_case(phrase: str, text: str, found: bool) -> None:
    assert occurs(phrase, text) is found


def test_spans_point_at_the_phrase_in_the_text() -> None:
    text = "A move, then moves again."
    assert [text[start:end] for start, end in phrase_spans("move", text)] == ["move", "moves"]


def test_coverage_is_the_share_of_words_that_are_there() -> None:
    assert coverage(("borrow", "checker", "rust"), "The borrow checkers") == pytest.approx(2 / 3)
    assert coverage((), "anything") == 0.0


def test_irregular_plurals_occur_too() -> None:
    assert occurs("child", "Two children play.")
    assert occurs("cookies", "A cookie is set.")
    assert occurs("indices", "The index grows.")
