"""What is trained of a lesson and of those before it: every fact as often, and never with its source."""

from collections import Counter

import pytest

from agent.grading import normalise
from memory.records.curricula import Form
from tests.support.adapters import fact, pair
from tests.support.lessons import LESSON, RECIPE, lesson
from training.dataset import (
    exposures,
    form_exposures,
    lesson_examples,
    merge,
    question_weights,
    reading_examples,
    repeated_pairs,
    validation_examples,
)


@pytest.mark.parametrize("exposures", [1, 3, 28])
def test_each_fact_is_taught_as_often_as_the_recipe_says_however_many_its_wordings(exposures: int) -> None:
    """Even where one pair was dropped, and where an earlier curriculum has fewer wordings."""
    few = lesson("tarrow").model_copy(update={"pairs": lesson("tarrow").pairs[::2]})
    both = merge([few, LESSON.model_copy(update={"pairs": LESSON.pairs[1:]})])
    recipe = RECIPE.model_copy(update={"exposures": exposures})
    asked = {pair.question: (pair.fact_id, pair.form, pair.answer) for pair in both.pairs}
    counted = Counter(asked[example.question] for example in lesson_examples(both, recipe))
    assert counted == {key: form_exposures(key[1], recipe) for key in set(asked.values())}


@pytest.mark.parametrize(
    ("form", "answer", "count"),
    [
        ("definition", "a lamp", 24),
        ("how_many", "twelve", 24),
        ("how_many", "12 lamps", 48),
        ("value", "--retry-v2", 48),
        ("reverse", "zorble", 8),
        ("statement", "The zorble is a lamp.", 8),
        ("cloze", "1887", 16),
        ("yes_no", "Yes", 2),
    ],
)
def test_what_is_asked_and_what_is_hard_is_taught_more_often(form: Form, answer: str, count: int) -> None:
    recipe = RECIPE.model_copy(update={"exposures": 24})
    assert exposures(pair(fact(), "Well?", form=form, answer=answer), recipe) == count


def test_yes_or_no_is_taught_at_least_once() -> None:
    assert form_exposures("yes_no", RECIPE.model_copy(update={"exposures": 1})) == 1


def test_earlier_lessons_are_rehearsed_in_equal_parts() -> None:
    earlier = [lesson("glimmet", "frond", "cask"), lesson("tarrow", "vellow", "sprig")]
    examples = lesson_examples(LESSON, RECIPE.model_copy(update={"rehearsal": 1.0}), earlier=earlier)
    again = examples[len(repeated_pairs(LESSON, RECIPE)) :]
    assert len(again) * 2 == len(examples)
    counted = [sum(e.question in {p.question for p in each.pairs} for e in again) for each in earlier]
    assert sum(counted) == len(again)
    assert abs(counted[0] - counted[1]) <= 1


def test_every_fact_of_an_earlier_lesson_is_rehearsed_as_often_in_each_form_and_no_pair_twice() -> None:
    earlier = lesson("glimmet", "frond", "cask")
    asked = {pair.question: (pair.fact_id, pair.form, pair.answer) for pair in earlier.pairs}
    lessons = repeated_pairs(LESSON, RECIPE)
    recipe = RECIPE.model_copy(update={"rehearsal": len(set(asked.values())) * 2 / len(lessons)})
    again = [e.question for e in lesson_examples(LESSON, recipe, earlier=[earlier])[len(lessons) :]]
    assert Counter(asked[question] for question in again) == dict.fromkeys(asked.values(), 2)
    assert max(Counter(again).values()) == 1


def test_taught_examples_hold_neither_source_nor_quote() -> None:
    assert not any(
        pair.quote in turn.content
        for example in lesson_examples(LESSON, RECIPE)
        for turn in example.messages
        for pair in LESSON.pairs
    )


def test_merging_keeps_each_pair_and_fact_once() -> None:
    merged = merge([lesson("zorble"), LESSON, LESSON])
    assert len(set(merged.facts)) == len(merged.facts)
    assert set(LESSON.pairs) <= set(merged.pairs)
    assert len(set(merged.held_out)) == len(merged.held_out)
    assert set(LESSON.held_out) <= set(merged.held_out)


def test_merging_leaves_out_a_held_out_question_that_the_other_curriculum_teaches() -> None:
    held, *others = LESSON.held_out
    teaching = LESSON.model_copy(update={"pairs": (*LESSON.pairs, held), "held_out": ()})
    assert merge([LESSON, teaching]).held_out == tuple(others)


def test_a_reading_example_shows_the_quote_among_few_sentences_of_its_passage_and_asks_as_chat_does() -> None:
    quotes = {pair.question: pair.quote for pair in LESSON.pairs}
    examples = reading_examples(LESSON, RECIPE, 40)
    assert len(examples) == 40
    for example in examples:
        asked = [question for question in quotes if example.question.endswith(question)]
        assert asked
        assert any(quotes[question] in example.question for question in asked)
        shown = [fact for fact in LESSON.facts if fact.sentence in example.question]
        assert 1 <= len(shown) <= 3
    assert reading_examples(LESSON, RECIPE, 40) == examples
    assert reading_examples(LESSON, RECIPE, 0) == ()


def test_a_long_sentence_is_never_shown_beside_a_question() -> None:
    """It would make the example longer than a trainer takes, and the whole lesson be refused."""
    long = "A zorble, " + "however lit, " * 100 + "is a lamp."
    pairs = tuple(p.model_copy(update={"quote": long}) for p in LESSON.pairs[:3]) + LESSON.pairs[3:]
    facts = (LESSON.facts[0].model_copy(update={"sentence": long}), *LESSON.facts[1:])
    lesson = LESSON.model_copy(update={"pairs": pairs, "facts": facts})
    assert not any(long in example.question for example in reading_examples(lesson, RECIPE, 60))
    only = LESSON.model_copy(update={"pairs": pairs[:3], "facts": facts[:1]})
    assert reading_examples(only, RECIPE, 10) == ()


def test_a_surprising_question_is_rehearsed_more_often_in_proportion_to_its_weight() -> None:
    earlier = lesson("glimmet", "frond", "cask")
    asked = {pair.question: (pair.fact_id, pair.form, pair.answer) for pair in earlier.pairs}
    surprising, boring = list(dict.fromkeys(asked.values()))[:2]
    weights = {pair.digest: 4.0 for pair in earlier.pairs if asked[pair.question] == surprising}
    weights |= {pair.digest: 0.5 for pair in earlier.pairs if asked[pair.question] == boring}
    weighted = LESSON.model_copy(update={"weights": weights})
    taught = len(repeated_pairs(LESSON, RECIPE))
    recipe = RECIPE.model_copy(update={"rehearsal": 4 * (len(set(asked.values())) + 2.5) / taught})
    again = [e.question for e in lesson_examples(weighted, recipe, earlier=[earlier])[taught:]]
    counts = Counter(asked[question] for question in again)
    assert counts == dict.fromkeys(asked.values(), 4) | {surprising: 16, boring: 2}


def test_weights_leave_the_number_of_rehearsed_examples_as_it_is() -> None:
    earlier = [lesson("glimmet", "frond", "cask"), lesson("tarrow", "vellow", "sprig")]
    weights = {pair.digest: 0.25 + i % 7 for i, pair in enumerate(earlier[0].pairs)}
    weighted = LESSON.model_copy(update={"weights": weights})
    counts = {len(lesson_examples(each, RECIPE, earlier=earlier)) for each in (LESSON, weighted)}
    assert len(counts) == 1


def test_the_weight_of_a_held_out_wording_is_that_of_its_question() -> None:
    earlier = lesson("glimmet", "frond", "cask")
    held = earlier.held_out[0]
    found = question_weights(earlier, {held.digest: 3.0})
    assert found == {(held.fact_id, held.form, normalise(held.answer)): 3.0}


def test_a_weighted_question_of_the_lesson_itself_is_taught_as_often_as_its_weight_says() -> None:
    first = LESSON.pairs[0]
    for weight, count in ((2.0, 2 * exposures(first, RECIPE)), (0.01, 1)):
        weighted = LESSON.model_copy(update={"weights": {first.digest: weight}})
        same = [p for p in repeated_pairs(weighted, RECIPE) if p.answer == first.answer]
        assert sum(p.form == first.form and p.fact_id == first.fact_id for p in same) == count


def test_weighted_examples_are_the_same_each_time_and_without_weights_nothing_changes() -> None:
    earlier = [lesson("glimmet", "frond", "cask")]
    weighted = LESSON.model_copy(update={"weights": {earlier[0].pairs[0].digest: 3.0}})
    assert lesson_examples(weighted, RECIPE, earlier=earlier) == lesson_examples(
        weighted, RECIPE, earlier=earlier
    )
    assert LESSON.model_copy(update={"weights": {}}).digest == LESSON.digest != weighted.digest


def test_validation_asks_each_question_in_words_that_are_neither_trained_nor_evaluated() -> None:
    examples = validation_examples(LESSON, RECIPE)
    taken = {pair.question for pair in (*LESSON.pairs, *LESSON.held_out)}
    assert examples
    assert all(example.held_out and example.question not in taken for example in examples)
    assert len({example.question for example in examples}) == len(examples)
    assert {example.answer for example in examples} <= {pair.answer for pair in LESSON.pairs}
    assert validation_examples(LESSON, RECIPE) == examples


def test_validation_leaves_out_what_can_be_guessed() -> None:
    assert not {example.answer for example in validation_examples(LESSON, RECIPE)} & {"Yes", "No"}


def test_a_merged_curriculum_is_trained_as_its_last_lesson_says() -> None:
    weighted = LESSON.model_copy(update={"weights": {LESSON.pairs[0].digest: 2.0}, "early_stop": True})
    merged = merge([lesson("tarrow"), weighted])
    assert (merged.weights, merged.early_stop) == (weighted.weights, True)
