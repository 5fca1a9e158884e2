"""The lessons of `make bench-bias` are facts like those of any lesson."""

import pytest

from benchmarks.bias.lessons import LESSONS, Lesson, curriculum_of


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_each_fact_says_what_its_sentence_says(lesson: Lesson) -> None:
    facts = curriculum_of(lesson).facts
    assert len(facts) == len(lesson.taught)
    for fact in facts:
        assert f"{fact.subject} {fact.relation} {fact.object}." == fact.sentence
        assert all((fact.subject, fact.relation, fact.object))
