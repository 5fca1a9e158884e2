"""Questions about what stands inside a sentence's phrases: told in the sentence's words, with a gap."""

import pytest

from agent.grading import normalise
from agent.learning.questions.nested_questions import MAX_SPAN_WORDS, MIN_CONTEXT, sentence_span_questions
from agent.learning.questions.question_items import QuestionItem
from memory.ingest.propositions.sentences import sentences
from tests.support.statements import at

TEXT = "The workshop of Nina Falk printed nine maps of northern Lapland for the Bank of Lower Saxony."


def items(text: str, asked: tuple[str, ...] = ()) -> list[QuestionItem]:
    return [
        item
        for sentence in sentences([at(text, title="Harbour notes")])
        for item in sentence_span_questions(
            sentence.span, {normalise(each) for each in asked}, sentence.resolver
        )
    ]


def test_a_number_inside_a_phrase_is_asked_for_where_it_stands() -> None:
    found = {item.answer: [w.text for w in item.wordings] for item in items(TEXT)}
    assert found["nine"] == [
        "The workshop of Nina Falk printed how many maps of northern Lapland for the Bank of Lower Saxony?",
        "The workshop of Nina Falk printed ____ maps of northern Lapland for the Bank of Lower Saxony.",
    ]


def test_the_blank_filled_in_is_what_the_sentence_says() -> None:
    for item in items(TEXT):
        cloze = next(w.text for w in item.wordings if w.style == "cloze")
        assert normalise(cloze.replace("____", item.answer)) == normalise(TEXT)


def test_every_answer_stands_where_its_item_says() -> None:
    (sentence,) = sentences([at(TEXT)])
    for item in sentence_span_questions(sentence.span, set(), sentence.resolver):
        assert normalise(sentence.span.doc.text[item.start : item.end]) == normalise(item.answer)


def test_what_was_asked_already_is_not_asked_again() -> None:
    answers = {item.answer for item in items(TEXT, asked=("nine maps of northern Lapland",))}
    assert answers
    assert not {"nine", "Lapland", "northern Lapland"} & answers


def test_no_answer_is_asked_for_twice_or_goes_on_for_long() -> None:
    answers = [normalise(item.answer) for item in items(TEXT)]
    assert len(set(answers)) == len(answers)
    assert all(len(answer.split()) <= MAX_SPAN_WORDS for answer in answers)


def test_a_word_that_comes_twice_is_not_asked_for() -> None:
    answers = {item.answer for item in items("The nine old boats carried nine heavy barrels over to Bergen.")}
    assert "nine" not in answers


@pytest.mark.parametrize(
    "text", ["Nina Falk left.", "Here it was printed for her by them in that same old town.", "9 9 9.", ""]
)
def test_too_little_around_it_and_pronouns_that_nobody_can_place_give_nothing(text: str) -> None:
    assert len(text.split()) < MIN_CONTEXT or "that" in text
    assert items(text) == []
