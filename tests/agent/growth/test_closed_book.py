"""The questions that both models are asked: held-out wordings, each once, the same sample every time."""

from agent.growth.closed_book import held_out_questions
from tests.support.adapters import fact, pair
from tests.support.lessons import LESSON, lesson


def test_each_held_out_question_is_asked_once_and_no_taught_one() -> None:
    questions = held_out_questions([LESSON, lesson("zorble")])
    texts = [question.text for question in questions]
    assert sorted(texts) == sorted({pair.question for pair in LESSON.held_out})
    assert not set(texts) & {pair.question for pair in LESSON.pairs}


def test_every_answer_taught_for_the_same_fact_and_form_counts() -> None:
    lamp = fact()
    other = pair(lamp, "What do you call a zorble?", answer="a little green lamp")
    taught = LESSON.model_copy(
        update={"pairs": (*LESSON.pairs, other), "held_out": (pair(lamp, "Could you define zorble?"),)}
    )
    (question,) = held_out_questions([taught])
    assert "a little green lamp" in question.references


def test_a_larger_set_is_sampled_and_the_sample_stays_the_same() -> None:
    sample = held_out_questions([LESSON], most=5)
    assert len(sample) == 5
    assert sample == held_out_questions([LESSON], most=5)
