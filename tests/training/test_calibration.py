"""The gate of an adapter: fitted on its own answers, with the best promise that they allow."""

import random

import pytest

from agent.chat.calibration import RISKS
from agent.chat.gate import gate_features, right_probability
from memory.records.adapters import GatePassRates
from tests.support.answers import answer
from tests.support.cards import gate
from training.calibration import fit_gate, gate_pass_rates
from training.evaluate import GradedAnswer

BASE = gate()


def answers(count: int, *, noise: float = 0.0, tokens: int = 4, seed: int = 0) -> list[GradedAnswer]:
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
    assert right_probability(model, gate_features(sure)) > 0.8
    assert right_probability(model, gate_features(unsure)) < 0.2


def test_the_promise_is_the_best_that_its_answers_allow() -> None:
    clean = fit_gate(answers(400), gate().model_copy(update={"risk": 0.4, "forms": {}}))
    assert clean.risk == min(RISKS)
    assert clean.forms["short"].threshold is not None


def test_a_form_with_too_few_answers_keeps_the_base_models_gate() -> None:
    fitted = fit_gate([*answers(120), *answers(10, tokens=100)], BASE)
    assert fitted.forms["long"] == BASE.forms["long"]
    assert fitted.forms["short"] != BASE.forms["short"]


def test_no_more_is_promised_than_a_form_of_the_base_model_holds() -> None:
    base = gate().model_copy(update={"risk": 0.4})
    assert fit_gate([*answers(400), *answers(10, tokens=100)], base).risk == 0.4


def test_a_stricter_promise_than_asked_for_is_not_made() -> None:
    noisy = answers(400, noise=0.04)
    strict, asked = fit_gate(noisy, BASE), fit_gate(noisy, BASE, risks=(0.4,))
    assert (strict.risk, asked.risk) == (0.2, 0.4)
    assert asked.forms["short"].coverage >= strict.forms["short"].coverage


@pytest.mark.parametrize("right", [True, False])
def test_answers_that_are_all_right_or_all_wrong_keep_the_base_models_gate(right: bool) -> None:
    alike = [each.model_copy(update={"right": right}) for each in answers(120)]
    assert fit_gate(alike, BASE).forms == BASE.forms


def test_admissions_of_ignorance_move_nothing() -> None:
    silent = [answer("I don't know.", probability=0.99, entropy=0.01)] * 60
    assert fit_gate([*answers(120), *silent], BASE) == fit_gate(answers(120), BASE)


def test_answers_whose_confidence_says_nothing_leave_the_base_models_gate() -> None:
    assert fit_gate(answers(200, noise=0.5), BASE) == BASE


def test_answers_to_attacks_move_nothing() -> None:
    attacked = [
        each.model_copy(update={"group": "attacked", "right": not each.right}) for each in answers(99)
    ]
    assert fit_gate([*answers(400), *attacked], BASE) == fit_gate(answers(400), BASE)


def test_only_sure_answers_to_what_was_taught_are_let_through() -> None:
    told = [
        answer(right=True, entropy=0.1),
        answer(right=True, entropy=1.9),
        answer(entropy=0.1),
        answer("I don't know.", entropy=0.1),
        answer(right=True, entropy=0.1, group="out_of_distribution"),
    ]
    assert gate_pass_rates(told, gate(1.0)) == GatePassRates(right=0.25, wrong=0.25)
    assert gate_pass_rates([], gate()) == GatePassRates(right=0.0, wrong=0.0)
