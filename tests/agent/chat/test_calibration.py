"""What a calibrated gate promises, on drawn answers."""

from dataclasses import replace

import numpy as np
import pytest

from agent.chat.calibration import (
    Label,
    auroc,
    calibrate,
    calibration_error,
    choose_threshold,
    cross_validated,
    first_size,
    fit_regression,
    predicted_chances,
    reliability,
)
from agent.chat.gate import gate_features, right_probability
from memory.records.base import Interval
from memory.records.interactions import Signals


def signals_of(entropy: float, tokens: int = 5) -> Signals:
    exact = Interval(lower=entropy, upper=entropy)
    return Signals(
        first=exact, mean=exact, maximum=exact, mean_logprob=-entropy, min_logprob=-2 * entropy, tokens=tokens
    )


def drawn(count: int, seed: int, *, slope: float = 2.0) -> list[Label]:
    """Answers whose chance of being right falls with their entropy."""
    draw = np.random.default_rng(seed)
    entropies = draw.uniform(0.0, 4.0, count)
    right = draw.uniform(size=count) < 1 / (1 + np.exp(slope * (entropies - 1.5)))
    return [
        Label(group=str(number), form="short", seen=signals_of(float(entropy)), right=bool(ok))
        for number, (entropy, ok) in enumerate(zip(entropies, right, strict=True))
    ]


@pytest.mark.slow
def test_the_promise_is_broken_in_no_more_draws_than_delta_allows() -> None:
    everybody = drawn(4000, 0)
    wrong = np.asarray([not label.right for label in everybody])
    broken = 0
    for seed in range(40):
        found = calibrate(drawn(400, seed + 1), fitted_on="draws", risks=(0.2,), delta=0.1)
        gate = found.gate.forms["short"]
        if gate.threshold is None:
            continue
        sure = predicted_chances(gate.model, everybody) >= gate.threshold
        broken += bool(sure.any()) and wrong[sure].mean() > 0.2
    assert broken <= 0.1 * 40 + 3 * np.sqrt(40 * 0.1 * 0.9)


def test_a_gate_lets_through_much_where_much_can_be_promised() -> None:
    gate = calibrate(drawn(2000, 3), fitted_on="draws").gate.forms["short"]
    assert gate.threshold is not None
    assert gate.coverage > 0.25
    assert sum(each.count for each in gate.reliability) == gate.labels
    assert gate.reliability[-1].right > 0.9


def test_the_stated_chance_falls_as_entropy_rises() -> None:
    model = fit_regression(drawn(1000, 5))
    sure, unsure = predicted_chances(model, [Label("a", "short", signals_of(e), True) for e in (0.2, 3.0)])
    assert sure > 0.8
    assert unsure < 0.2


def test_the_stated_chance_is_what_is_found() -> None:
    labels = drawn(3000, 7)
    stated = cross_validated(labels)
    assert calibration_error(stated, np.asarray([label.right for label in labels])) < 0.05


def test_a_group_is_never_on_both_sides_of_a_fold() -> None:
    """Copies of one answer under one name: whoever learned them by heart would state them as sure."""
    draw = np.random.default_rng(0)
    labels = []
    for number in range(60):
        seen, right = signals_of(float(draw.uniform(0, 4))), bool(draw.uniform() < 0.5)
        labels += [Label(str(number), "short", seen, right)] * 5
    found = auroc(cross_validated(labels), np.asarray([label.right for label in labels]))
    assert found is not None
    assert found < 0.7


def test_an_adversary_whose_surest_answers_are_wrong_gets_no_threshold() -> None:
    stated = np.linspace(1.0, 0.0, 200)
    right = np.asarray([number >= 30 for number in range(200)])
    assert choose_threshold(stated, right, risk=0.4, delta=0.1) is None


def test_bad_luck_among_the_few_surest_does_not_end_the_search() -> None:
    stated = np.linspace(1.0, 0.5, 400)
    right = np.asarray([number >= 20 or number % 4 > 0 for number in range(400)])  # 5 of 20 are wrong
    assert choose_threshold(stated, right, risk=0.2, delta=0.1) == stated[-1]


def test_many_chances_are_what_the_gate_states_for_each() -> None:
    labels = drawn(50, 9)
    model = fit_regression(labels)
    one_by_one = [right_probability(model, gate_features(label.seen)) for label in labels]
    assert predicted_chances(model, labels) == pytest.approx(one_by_one)


def test_equal_chances_are_let_through_together_or_not_at_all() -> None:
    stated = np.full(100, 0.9)
    assert choose_threshold(stated, np.ones(100, bool), risk=0.2, delta=0.1) == 0.9
    assert choose_threshold(stated, np.arange(100) % 2 == 0, risk=0.2, delta=0.1) is None


@pytest.mark.parametrize("right", [0, 5, 100])
def test_too_few_of_one_outcome_make_no_gate_and_say_so(right: int) -> None:
    labels = [Label(str(i), "short", signals_of(1.0), i < right) for i in range(100)]
    found = calibrate(labels, fitted_on="few")
    assert found.gate.forms == {}
    assert "at least 10 of each" in found.reasons[0]


def test_too_few_questions_promise_nothing_and_say_how_many_are_needed() -> None:
    found = calibrate(drawn(34, 1), fitted_on="few", risks=(0.05,), delta=0.05)
    assert found.gate.forms["short"].threshold is None
    assert str(first_size(0.05, 0.05)) in found.reasons[-1]


def test_a_stricter_promise_lets_through_no_more() -> None:
    covered = [
        calibrate(drawn(3000, 2), fitted_on="x", risks=(risk,)).gate.forms["short"].coverage
        for risk in (0.1, 0.2, 0.3)
    ]
    assert covered == sorted(covered)


def test_scores_of_one_outcome_have_no_auroc() -> None:
    assert auroc(np.asarray([0.1, 0.9]), np.asarray([True, True])) is None
    assert auroc(np.asarray([0.1, 0.9, 0.5]), np.asarray([False, True, False])) == 1.0


def test_the_best_promise_that_can_be_kept_is_made() -> None:
    steep = calibrate(drawn(4000, 5, slope=8.0), fitted_on="x").gate
    shallow = calibrate(drawn(4000, 5, slope=1.0), fitted_on="x").gate
    assert steep.risk < shallow.risk
    assert steep.forms["short"].threshold is not None


def test_forms_share_one_threshold_so_that_rare_ones_are_promised_too() -> None:
    long = [replace(label, form="long", group=f"long {label.group}") for label in drawn(60, 8)]
    gate = calibrate([*drawn(2000, 7), *long], fitted_on="x").gate
    assert gate.forms["long"].threshold == gate.forms["short"].threshold is not None


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


def test_answers_are_binned_by_how_sure_the_model_was() -> None:
    sure, unsure = [0.9] * 10, [0.2] * 10
    right = [True] * 8 + [False] * 2 + [True] * 3 + [False] * 7
    first, second = reliability([*sure, *unsure], right, bins=2)
    assert (first.stated, first.right, first.count) == (pytest.approx(0.2), pytest.approx(0.3), 10)
    assert (second.stated, second.right, second.count) == (pytest.approx(0.9), pytest.approx(0.8), 10)


def test_calibration_error_without_any_answer_is_zero() -> None:
    assert calibration_error([], []) == 0.0
