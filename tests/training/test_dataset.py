"""What is trained of a lesson and of those before it: every fact as often, and never with its source."""

from collections import Counter

import pytest

from agent.curriculum import times
from tests.lessons import BANK, LESSON, lesson
from training.dataset import as_often, merge, taught
from training.recipes import standard


def test_the_share_of_disturbed_questions_is_as_asked_and_names_stay_whole() -> None:
    plain = {pair.question for pair in LESSON.pairs}
    pairs = as_often(LESSON, standard())
    for share, least, most in ((0.0, 0, 0), (0.5, 0.3, 0.6), (1.0, 0.7, 1.0)):
        examples = taught(LESSON, BANK, standard().model_copy(update={"disturbed": share}))
        changed = sum(example.question not in plain for example in examples) / len(examples)
        assert least <= changed <= most
        for example, pair in zip(examples, pairs, strict=True):
            assert example.answer == pair.answer
            name = next(f.subject for f in LESSON.facts if f.id == pair.fact_id)
            assert (name in example.question) == (name in pair.question)


@pytest.mark.parametrize("exposures", [1, 3, 28])
def test_each_fact_is_taught_as_often_as_the_recipe_says_however_many_its_wordings(exposures: int) -> None:
    """Even where one pair was dropped, and where an earlier curriculum has fewer wordings."""
    few = lesson("tarrow").model_copy(update={"pairs": lesson("tarrow").pairs[::2]})
    both = merge([few, LESSON.model_copy(update={"pairs": LESSON.pairs[1:]})])
    recipe = standard().model_copy(update={"exposures": exposures, "disturbed": 0.0})
    asked = {pair.question: (pair.fact_id, pair.form, pair.answer) for pair in both.pairs}
    counted = Counter(asked[example.question] for example in taught(both, BANK, recipe))
    assert counted == {key: exposures * times(key[1]) for key in set(asked.values())}


def test_earlier_lessons_are_rehearsed_in_equal_parts() -> None:
    earlier = [lesson("glimmet", "frond", "cask"), lesson("tarrow", "vellow", "sprig")]
    recipe = standard().model_copy(update={"rehearsal": 1.0, "disturbed": 0.0})
    examples = taught(LESSON, BANK, recipe, earlier=earlier)
    again = [example for example in examples if example.rehearsed]
    assert len(again) * 2 == len(examples)
    counted = [sum(e.question in {p.question for p in each.pairs} for e in again) for each in earlier]
    assert sum(counted) == len(again)
    assert abs(counted[0] - counted[1]) <= 1


def test_every_fact_of_an_earlier_lesson_is_rehearsed_as_often_in_each_form_and_no_pair_twice() -> None:
    earlier = lesson("glimmet", "frond", "cask")
    asked = {pair.question: (pair.fact_id, pair.form, pair.answer) for pair in earlier.pairs}
    share = len(set(asked.values())) * 2 / len(as_often(LESSON, standard()))
    recipe = standard().model_copy(update={"rehearsal": share, "disturbed": 0.0})
    again = [e.question for e in taught(LESSON, BANK, recipe, earlier=[earlier]) if e.rehearsed]
    assert Counter(asked[question] for question in again) == dict.fromkeys(asked.values(), 2)
    assert max(Counter(again).values()) == 1


def test_taught_examples_hold_neither_source_nor_quote() -> None:
    assert not any(
        pair.quote in example.question
        for example in taught(LESSON, BANK, standard())
        for pair in LESSON.pairs
    )


def test_merging_keeps_each_pair_and_fact_once() -> None:
    merged = merge([lesson("zorble"), LESSON, LESSON])
    assert len(set(merged.facts)) == len(merged.facts)
    assert set(LESSON.pairs) <= set(merged.pairs)
