"""The gate of an adapter: fitted on its own answers, with the base model's promise."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chat.gate import chance, features
from memory.records import LetThrough
from tests.answers import answer
from tests.support.cards import gate
from training.calibration import fit_gate, let_through, threshold
from training.evaluate import Answer

BASE = gate()


def answers(count: int, *, noise: float = 0.0, tokens: int = 4, seed: int = 0) -> list[Answer]:
    """Half right and sure of it, half wrong and unsure, but for a share that is the other way round."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        right = number % 2 == 0
        sure = right != (rng.random() < noise)
        made.append(
            answer(
                right=right,
                entropy=rng.uniform(0.1, 0.5) if sure else rng.uniform(1.5, 3.0),
                probability=rng.uniform(0.8, 0.95) if sure else rng.uniform(0.05, 0.3),
                fact_id=f"fact {number}",
                question=f"question {number}",
                tokens=tokens,
            )
        )
    return made


def test_sure_answers_are_likelier_right_than_unsure_ones() -> None:
    model = fit_gate(answers(120), BASE).forms["short"].model
    sure, unsure = (answer(entropy=e, probability=p).signals for e, p in ((0.2, 0.9), (2.5, 0.1)))
    assert chance(model, features(sure)) > 0.8
    assert chance(model, features(unsure)) < 0.2


def test_the_promise_is_the_base_models() -> None:
    fitted = fit_gate(answers(120), BASE)
    assert (fitted.risk, fitted.delta) == (BASE.risk, BASE.delta)
    assert fitted.forms["short"].threshold is not None


def test_a_form_with_too_few_answers_keeps_the_base_models_gate() -> None:
    fitted = fit_gate([*answers(120), *answers(10, tokens=100)], BASE)
    assert fitted.forms["long"] == BASE.forms["long"]
    assert fitted.forms["short"] != BASE.forms["short"]


@pytest.mark.parametrize("right", [True, False])
def test_answers_that_are_all_right_or_all_wrong_keep_the_base_models_gate(right: bool) -> None:
    alike = [each.model_copy(update={"right": right}) for each in answers(120)]
    assert fit_gate(alike, BASE).forms == BASE.forms


def test_admissions_of_ignorance_move_nothing() -> None:
    silent = [answer("I don't know.", probability=0.99, entropy=0.01)] * 60
    assert fit_gate([*answers(120), *silent], BASE) == fit_gate(answers(120), BASE)


def test_answers_whose_confidence_says_nothing_promise_nothing() -> None:
    assert fit_gate(answers(200, noise=0.5), BASE).forms["short"].threshold is None


def test_a_threshold_is_as_low_as_the_risk_allows() -> None:
    chances = [0.9 - i / 1000 for i in range(100)]
    assert threshold(chances, [True] * 100, risk=0.2, delta=0.1) == pytest.approx(min(chances))
    half = threshold(chances, [True] * 50 + [False] * 50, risk=0.2, delta=0.1)
    assert half is not None
    assert 0.838 < half <= 0.855
    assert threshold(chances, [False] * 100, risk=0.2, delta=0.1) is None


def test_too_few_answers_promise_nothing_even_if_all_are_right() -> None:
    assert threshold([0.9] * 10, [True] * 10, risk=0.2, delta=0.1) is None
    assert threshold([0.9] * 11, [True] * 11, risk=0.2, delta=0.1) == 0.9


def test_the_promise_is_kept_in_all_but_delta_of_the_draws() -> None:
    """Right with a chance that rises with confidence from none to all: 20% are wrong above 0.6."""
    broken = 0
    for seed in range(300):
        rng = random.Random(seed)
        chances = [rng.random() for _ in range(200)]
        cut = threshold(chances, [rng.random() < c for c in chances], risk=0.2, delta=0.1)
        broken += cut is not None and (1 - cut) / 2 > 0.2
    assert broken <= 45  # 10% of 300, and as much as chance adds to it in one of 500 seeds


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60))
def test_a_threshold_is_always_one_of_the_chances_or_none(marks: list[tuple[float, bool]]) -> None:
    found = threshold([c for c, _ in marks], [r for _, r in marks], risk=0.2, delta=0.1)
    assert found is None or found in {c for c, _ in marks}


def test_only_sure_answers_to_what_was_taught_are_let_through() -> None:
    told = [
        answer(right=True, entropy=0.1),
        answer(right=True, entropy=1.9),
        answer(entropy=0.1),
        answer("I don't know.", entropy=0.1),
        answer(right=True, entropy=0.1, group="out_of_distribution"),
    ]
    assert let_through(told, gate(1.0)) == LetThrough(right=0.25, wrong=0.25)
    assert let_through([], gate()) == LetThrough(right=0.0, wrong=0.0)
