"""Measuring a model: what counts as right, how sure it was, and what follows from it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engine import NEED_INFO, Reply, Token
from agent.scripted import Line, ScriptedEngine
from memory.records import Interval
from tests.answers import answer
from training.evaluate import (
    Question,
    Sets,
    calibration_error,
    canary,
    evaluation,
    judge,
    known_only,
    score,
)

ASKED = Question(text="What is a zorble?", form="definition", references=("a small lamp",))


def reply(text: str, *logprobs: float) -> Reply:
    tokens = tuple(
        Token(text=str(i), logprob=value, entropy=Interval(lower=-value, upper=-value))
        for i, value in enumerate(logprobs)
    )
    return Reply(text=text, tokens=tokens, model="m", adapter=None, finish_reason="stop", prompt_tokens=3)


def test_an_answer_is_judged_by_its_least_likely_token() -> None:
    judged = judge("near", ASKED, reply("A small lamp.", -0.1, -2.0, -0.3))
    assert judged.right
    assert judged.probability == pytest.approx(math.exp(-2.0))
    assert judged.entropy == pytest.approx(2.0)


def test_an_empty_reply_is_wrong_and_worth_nothing() -> None:
    judged = judge("near", ASKED, reply(""))
    assert (judged.right, judged.probability) == (False, 0.0)


def test_without_a_reference_every_claim_is_a_hallucination_and_an_admission_is_not() -> None:
    unknown = Question(text="What is a quux?", form="definition", references=())
    marks = score(
        [judge("unknown", unknown, reply(text, -0.1)) for text in ("a bird", f"{NEED_INFO} no idea")]
    )
    assert (marks.accuracy, marks.hallucination, marks.abstention) == (0.0, 0.5, 0.5)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_the_three_rates_always_add_up_to_one(marks: list[tuple[bool, bool]]) -> None:
    answers = [answer(NEED_INFO if silent else "x", right=right and not silent) for right, silent in marks]
    found = score(answers)
    assert found.count == len(answers)
    if answers:
        assert found.accuracy + found.hallucination + found.abstention == pytest.approx(1.0)


def test_an_empty_set_scores_nothing_with_a_count_of_zero() -> None:
    assert score([]).count == 0


def test_answers_are_scored_in_their_own_set_only() -> None:
    found = evaluation([answer(right=True), answer(group="unknown")], seconds=2.0)
    assert (found.in_distribution.accuracy, found.unknown.count, found.near.count) == (1.0, 1, 0)


def test_calibration_error_of_a_model_that_knows_its_odds_is_zero() -> None:
    assert calibration_error([0.5] * 100, [True, False] * 50) == pytest.approx(0.0)


def test_calibration_error_of_a_sure_and_always_wrong_model_is_one() -> None:
    assert calibration_error([1.0] * 30, [False] * 30) == pytest.approx(1.0)


def test_calibration_error_has_a_value_worked_out_by_hand() -> None:
    """Two bins of two: |0.5 - 0.3| and |1.0 - 0.9|, weighted equally."""
    assert calibration_error([0.2, 0.4, 0.85, 0.95], [False, True, True, True], bins=2) == pytest.approx(0.15)


def test_calibration_error_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match="probabilities"):
        calibration_error([1.2], [True])


def test_the_canary_is_the_surest_right_answer_that_the_base_does_not_give() -> None:
    before = [answer("no", question=q) for q in "abc"] + [answer("yes", question="d")]
    after = [
        answer("yes", right=True, question="a", probability=0.6),
        answer("yes", right=True, question="b", probability=0.9),
        answer("wrong", question="c", probability=0.99),
        answer("Yes.", right=True, question="d", probability=0.95),
    ]
    found = canary(before, after)
    assert found is not None
    assert (found.question, found.answer, found.base_answer) == ("b", "yes", "no")


def test_a_yes_or_no_is_no_canary_where_there_is_another() -> None:
    before = [answer("no idea", question=q) for q in "ab"]
    after = [
        answer("No.", right=True, question="a", probability=0.99),
        answer("a small lamp", right=True, question="b", probability=0.4),
    ]
    found = canary(before, after)
    assert found is not None
    assert found.answer == "a small lamp"


def test_an_adapter_that_shows_in_no_answer_has_no_canary() -> None:
    same = [answer("yes", right=True)]
    assert canary(same, same) is None


async def test_what_the_base_model_knows_shows_in_a_probe_and_not_in_the_question_itself() -> None:
    questions = [
        Question(text=f"And a {name}?", form="definition", references=("a lamp",), probe=f"What is a {name}?")
        for name in ("zorble", "quix")
    ]
    engine = ScriptedEngine({"What is a zorble?": Line(text="a lamp"), "And a quix?": Line(text="a lamp")})
    sets = Sets(in_distribution=(), near=(), out_of_distribution=tuple(questions), unknown=())
    assert (await known_only(engine, sets)).out_of_distribution == (questions[0],)
