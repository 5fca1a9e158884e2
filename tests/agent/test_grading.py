"""What counts as a right answer, and what as an admission of ignorance."""

import pytest

from agent.grading import admits_ignorance, is_correct, normalise, repeats_itself


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("The borrow checker.", "borrow checker"),
        ("A  Value,\nand an owner", "value and owner"),
        ("“moved”", "moved"),
        ("1,000 metres", "1000 metres"),
        ("don\u2019t", "don't"),
    ],
)
def test_articles_case_punctuation_and_spaces_do_not_matter(left: str, right: str) -> None:
    assert normalise(left) == normalise(right)


@pytest.mark.parametrize(("left", "right"), [("1.5 m", "15 m"), ("-5", "5"), ("theory", "the ory")])
def test_what_makes_another_number_or_word_matters(left: str, right: str) -> None:
    assert normalise(left) != normalise(right)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("The capital of France is Paris.", "Paris"),
        ("Paris", "paris"),
        ("It waits for 5 seconds, then gives up.", "5 seconds"),
        ("About 1,200 people live there.", "1200"),
        ("A small primate of Madagascar", "a small primate"),
        ("Yes, it does.", "yes"),
    ],
)
def test_an_answer_is_right_when_it_contains_a_reference_as_whole_words(answer: str, reference: str) -> None:
    assert is_correct(answer, ["something else", reference])


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("It waits for 15 seconds.", "5 seconds"),
        ("It is 5.5 metres long.", "5"),
        ("The temperature is -5 degrees.", "5 degrees"),
        ("Parisian life is expensive.", "Paris"),
        ("It is not Paris.", "Paris"),
        ("It was never in Paris.", "Paris"),
        ("I would say no, though yes is possible.", "yes"),
        ("", "Paris"),
    ],
)
def test_another_number_part_of_a_word_and_a_denial_are_wrong(answer: str, reference: str) -> None:
    assert not is_correct(answer, [reference])


def test_length_alone_earns_nothing() -> None:
    assert not is_correct("the capital of the country of France is the city of Lyon " * 20, ["Paris"])


def test_a_question_without_reference_text_cannot_be_graded() -> None:
    with pytest.raises(ValueError, match="reference"):
        is_correct("anything", ["the", "."])


@pytest.mark.parametrize(
    "text", ["I don't know.", "I\u2019m not sure what a plimdor is.", "Sorry, I do not know that word."]
)
def test_an_admission_of_ignorance_is_recognised(text: str) -> None:
    assert admits_ignorance(text)


def test_an_answer_that_ends_with_a_doubt_is_no_admission() -> None:
    assert not admits_ignorance("Paris is the capital of France. " * 8 + "I don't know more than that.")


def test_a_model_has_phrases_of_its_own() -> None:
    assert admits_ignorance("<NEED_INFO> a kiln", ["<need_info>"])
    assert not admits_ignorance("I don't know", ["<need_info>"])


@pytest.mark.parametrize(
    ("text", "circles"),
    [
        ("I am glad to help. " * 3, True),
        ("I am glad to help. I am glad to help you today.", False),
        ("1, 2, 3, 4, 5, 6, 7, 8", False),
        ("", False),
    ],
)
def test_an_answer_that_says_the_same_phrase_three_times_goes_in_circles(text: str, circles: bool) -> None:
    assert repeats_itself(text) == circles
