"""Measuring a model: what counts as right, how sure it was, and what follows from it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engine import NEED_INFO, Reply, Token
from memory.records import Interval, LetThrough
from training.evaluate import (
    Answer,
    Question,
    SetName,
    calibration_error,
    canary,
    evaluation,
    fit_threshold,
    judge,
    let_through,
    of_domain,
    score,
    selective_threshold,
)

ASKED = Question(text="What is a zorble?", form="definition", references=("a small lamp",))


def reply(text: str, *logprobs: float) -> Reply:
    tokens = tuple(
        Token(text=str(i), logprob=value, entropy=Interval(lower=-value, upper=-value))
        for i, value in enumerate(logprobs)
    )
    return Reply(text=text, tokens=tokens, model="m", adapter=None, finish_reason="stop", prompt_tokens=3)


def answer(
    text: str = "x",
    *,
    right: bool = False,
    entropy: float = 0.5,
    group: SetName = "in_distribution",
    question: str = "q",
    probability: float = 0.5,
) -> Answer:
    return Answer(
        group=group,
        question=question,
        references=(),
        text=text,
        right=right,
        abstained=NEED_INFO in text,
        probability=probability,
        entropy=entropy,
    )


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


def test_the_threshold_lies_between_right_and_wrong_answers() -> None:
    answers = [answer(right=True, entropy=e) for e in (0.1, 0.2)] + [answer(entropy=e) for e in (0.6, 0.9)]
    assert fit_threshold(answers, default=9.0) == pytest.approx(0.4)


def test_admissions_of_ignorance_do_not_move_the_threshold() -> None:
    answers = [answer(right=True, entropy=0.2), answer(entropy=0.6), answer(NEED_INFO, entropy=0.01)]
    assert fit_threshold(answers, default=9.0) == pytest.approx(0.4)


def test_what_the_base_model_knew_or_is_to_forget_does_not_move_the_threshold() -> None:
    learned = [answer(right=True, entropy=0.4), answer(entropy=0.8)]
    known = [answer(right=True, entropy=0.01, group="out_of_distribution")] * 50
    untrue = [answer(entropy=0.3, group="forgotten")] * 50
    assert fit_threshold(of_domain([*learned, *known, *untrue]), default=9.0) == pytest.approx(0.6)


def test_a_selective_threshold_lets_through_as_much_as_the_risk_allows() -> None:
    right = [answer(right=True, entropy=e / 100) for e in range(1, 19)]
    answers = [*right, answer(entropy=0.2), answer(entropy=0.3), answer(entropy=0.5)]
    found = selective_threshold([*answers, answer(NEED_INFO, entropy=0.01)], default=9.0)
    assert found == pytest.approx(0.4), "two wrong ones of twenty are a tenth, three of 21 are more"
    assert selective_threshold([answer(), answer(right=True)], default=9.0) == 9.0
    assert selective_threshold([], default=9.0) == 9.0
    assert selective_threshold(right, default=9.0) > 0.18


@pytest.mark.parametrize("right", [True, False])
def test_answers_of_one_kind_leave_the_default_threshold(right: bool) -> None:
    assert fit_threshold([answer(right=right), answer(right=right)], default=0.7) == 0.7


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 8)), min_size=1))
def test_every_fitted_threshold_is_positive_and_finite(marks: list[tuple[bool, float]]) -> None:
    answers = [answer(right=right, entropy=e) for right, e in marks]
    for fit in (fit_threshold, selective_threshold):
        assert 0 < fit(answers, default=1.0) < math.inf


def test_only_sure_answers_to_what_was_taught_are_let_through() -> None:
    answers = [
        answer(right=True, entropy=0.1),
        answer(right=True, entropy=0.9),
        answer(entropy=0.1),
        answer(NEED_INFO, entropy=0.1),
        answer(right=True, entropy=0.1, group="out_of_distribution"),
    ]
    assert let_through(answers, 0.5) == LetThrough(right=0.25, wrong=0.25)
    assert let_through([], 0.5) == LetThrough(right=0.0, wrong=0.0)


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
