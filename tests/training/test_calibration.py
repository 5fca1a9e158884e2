"""How sure an adapter has to be of an answer, and what its stated confidence is worth."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engine import NEED_INFO
from agent.entropy import confidence
from memory.records import LetThrough
from tests.answers import answer
from training.calibration import (
    fit_calibration,
    fit_threshold,
    let_through,
    of_domain,
    selective_threshold,
)
from training.evaluate import Answer, calibration_error


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
    assert let_through(answers, default=0.5) == LetThrough(right=0.25, wrong=0.25)
    assert let_through([], default=0.5) == LetThrough(right=0.0, wrong=0.0)


def test_what_is_let_through_is_told_of_facts_that_the_threshold_was_not_fitted_on() -> None:
    right = [answer(right=True, entropy=0.3, fact_id="a") for _ in range(20)]
    wrong = [answer(entropy=0.3, fact_id="b") for _ in range(20)]
    assert let_through([*right, *wrong], default=0.1) == LetThrough(right=0.0, wrong=0.5)


def too_unsure(count: int, seed: int = 0) -> list[Answer]:
    """Answers to as many facts, right with 90% where the model says 60%, and with 60% where it says 30%."""
    rng = random.Random(seed)
    return [
        answer(right=rng.random() < true, probability=said, fact_id=f"fact {number}")
        for number in range(count)
        for true, said in ((0.9, 0.6), (0.6, 0.3))
    ]


def test_a_stated_confidence_is_how_often_answers_are_right() -> None:
    answers = too_unsure(400)
    fitted = fit_calibration(answers)
    assert fitted is not None
    assert confidence(0.6, fitted.slope, fitted.intercept) == pytest.approx(0.9, abs=0.04)
    assert confidence(0.3, fitted.slope, fitted.intercept) == pytest.approx(0.6, abs=0.06)
    raw = calibration_error([a.probability for a in answers], [a.right for a in answers])
    assert fitted.error < 0.08 < 0.25 < raw


def test_its_error_is_that_of_answers_which_it_was_not_fitted_on() -> None:
    """Each fact is right or wrong whatever is said: some say nothing about the others."""
    apart: list[float] = []
    for seed in range(10):
        rng = random.Random(seed)
        said = [(rng.random() < 0.5, rng.random()) for _ in range(10)]
        answers = [
            answer(right=right, probability=p, fact_id=str(i)) for i, (right, p) in enumerate(said)
        ] * 4
        if (fitted := fit_calibration(answers)) is not None:
            told = [confidence(a.probability, fitted.slope, fitted.intercept) for a in answers]
            apart.append(fitted.error - calibration_error(told, [a.right for a in answers]))
    assert apart
    assert sum(apart) / len(apart) > 0.05


def test_confidence_is_fitted_on_what_was_learned_and_on_claims_alone() -> None:
    answers = too_unsure(50)
    others = [
        *[answer(right=True, probability=0.01, group="out_of_distribution")] * 50,
        *[answer(probability=0.99, group="unknown")] * 50,
        *[answer(NEED_INFO, probability=0.99)] * 50,
    ]
    assert fit_calibration([*answers, *others]) == fit_calibration(answers)


def test_an_adapter_that_is_always_right_states_a_high_confidence_and_never_certainty() -> None:
    fitted = fit_calibration([a.model_copy(update={"right": True}) for a in too_unsure(40)])
    assert fitted is not None
    assert 0.95 < confidence(0.3, fitted.slope, fitted.intercept) < 1.0


def test_no_confidence_is_stated_where_there_is_nothing_to_fit_it_on() -> None:
    assert fit_calibration([]) is None
    assert fit_calibration([answer(right=True)] * 50) is None, "one fact has no other to be checked on"
    upside_down = [
        answer(right=said < 0.5, probability=said, fact_id=str(number))
        for number in range(30)
        for said in (0.2, 0.8)
    ]
    assert fit_calibration(upside_down) is None, "what it is surer of is wrong more often"


@given(st.floats(0, 1), st.floats(0, 50), st.floats(-50, 50))
def test_a_confidence_is_a_probability_whatever_the_model_says(
    probability: float, slope: float, intercept: float
) -> None:
    assert 0 <= confidence(probability, slope, intercept) <= 1
