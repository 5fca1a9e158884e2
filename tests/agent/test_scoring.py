"""What counts as a right answer."""

import pytest
from agent.scoring import abstained, correct, f1, normalise

from agent.engine import NEED_INFO


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("The borrow checker.", "borrow checker"),
        ("A  Value,\nand an owner", "value and owner"),
        ("“moved”", "moved"),
    ],
)
def test_articles_case_punctuation_and_spaces_do_not_matter(left: str, right: str) -> None:
    assert normalise(left) == normalise(right)


def test_an_article_inside_a_word_is_kept() -> None:
    assert normalise("theory of an anthem") == "theory of anthem"


def test_an_answer_is_right_when_it_matches_any_reference() -> None:
    assert correct("A small primate.", ["an ape", "small primate"])
    assert not correct("a small primate of Madagascar", ["small primate"])


def test_an_abstention_is_never_right_even_if_the_reference_says_so() -> None:
    assert abstained(f"{NEED_INFO} I do not know")
    assert not correct(f"{NEED_INFO} x", [f"{NEED_INFO} x"])


def test_a_question_without_reference_text_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="reference"):
        correct("anything", ["the", "."])


def test_f1_counts_shared_words() -> None:
    assert f1("small red primate", "small primate") == pytest.approx(0.8)
    assert f1("", "primate") == 0.0
    assert f1("lemur", "primate") == 0.0
