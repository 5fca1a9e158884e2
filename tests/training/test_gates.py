"""The gates: each alone stops an adapter, and nothing passes unmeasured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.records.evaluations import Drift, Evaluation, GateVerdict
from tests.support.adapters import evaluation, score
from training.gates import GateThresholds, Rate, chance_margin, gate

BEFORE = evaluation(target=0.05, unknown=0.10)


def verdict(after: Evaluation, before: Evaluation = BEFORE) -> GateVerdict:
    return gate(before, after, GateThresholds())


def failed(after: Evaluation, before: Evaluation = BEFORE) -> set[str]:
    found = verdict(after, before)
    assert found.passed == (not found.reasons)
    return {check.name for check in found.checks if not check.passed}


def test_an_adapter_that_learned_and_lost_nothing_passes() -> None:
    assert verdict(evaluation()).passed


def test_a_gain_of_exactly_fifteen_points_passes_and_one_below_does_not() -> None:
    before = evaluation(target=0.45)
    assert failed(evaluation(target=0.60), before) == set()
    assert failed(evaluation(target=0.59), before) == {"target accuracy up"}


def test_a_lesson_of_one_fact_is_not_learned_by_an_adapter_that_only_says_yes() -> None:
    says_yes = score(2 / 6, count=6)
    after = evaluation().model_copy(update={"in_distribution": says_yes})
    assert failed(after) == {"target accuracy"}


def test_an_adapter_that_changes_nothing_is_stopped() -> None:
    assert failed(BEFORE) == {"target accuracy up", "target accuracy"}


def test_an_adapter_that_makes_the_models_own_answers_unlikely_is_stopped() -> None:
    assert failed(evaluation(lost=0.05)) == set()
    assert failed(evaluation(lost=0.06)) == {"own answers lost"}


@pytest.mark.parametrize(
    ("before", "after", "stopped"),
    [(1.0, 0.95, False), (1.0, 0.94, True), (0.4, 0.38, False), (0.4, 0.37, True), (0.3, 0.4, False)],
)
def test_losing_more_than_five_hundredths_of_what_was_known_is_stopped(
    before: float, after: float, stopped: bool
) -> None:
    assert failed(evaluation(known=after), evaluation(known=before, target=0.1)) == (
        {"known facts lost"} if stopped else set()
    )


def test_what_was_lost_of_nothing_known_is_not_measured() -> None:
    ignorant = evaluation(known=0.0, target=0.1)
    found = gate(ignorant, evaluation(known=0.5), GateThresholds())
    assert not found.measured
    assert any("none of 100 general questions" in reason for reason in found.reasons)


def test_losing_an_earlier_lesson_is_stopped_and_not_measuring_it_too() -> None:
    kept, lost = score(0.90, count=100), score(0.80, count=100)
    before = BEFORE.model_copy(update={"rehearsed": kept})
    for rehearsed, stopped in ((kept, False), (lost, True), (None, True)):
        after = evaluation().model_copy(update={"rehearsed": rehearsed})
        assert ("earlier lessons lost" in failed(after, before)) == stopped


def test_losing_a_little_of_the_earlier_lessons_each_time_is_stopped_when_it_adds_up() -> None:
    before = BEFORE.model_copy(update={"rehearsed": score(0.86)})
    after = evaluation().model_copy(update={"rehearsed": score(0.84)})
    for as_learned, stopped in ((0.94, False), (0.95, True)):
        checks = gate(before, after, GateThresholds(), as_learned=as_learned).checks
        (fading,) = (check for check in checks if check.name == "earlier lessons lost since learned")
        assert fading.passed is not stopped


@pytest.mark.parametrize(
    ("base", "now", "stopped"), [(0.0, 0.0, False), (0.0, 0.01, False), (0.0, 0.2, True), (0.2, 0.0, False)]
)
def test_knowing_more_of_what_is_forgotten_than_the_base_model_by_chance_is_stopped(
    base: float, now: float, stopped: bool
) -> None:
    before = BEFORE.model_copy(update={"forgotten": score(base), "forgotten_live": score(0.9)})
    after = evaluation().model_copy(update={"forgotten": score(now)})
    assert failed(after, before) == ({"forgotten facts left"} if stopped else set())


def test_what_is_forgotten_must_be_measured_and_is_no_gate_where_nothing_is() -> None:
    before = BEFORE.model_copy(update={"forgotten": score(0.0)})
    assert failed(evaluation(), before) == {"forgotten facts left"}
    assert "forgotten facts left" not in {check.name for check in verdict(evaluation()).checks}


def test_hallucinating_clearly_more_is_stopped() -> None:
    assert failed(evaluation(unknown=0.40)) == {"hallucination up"}


def test_hallucinating_a_little_more_than_before_is_chance() -> None:
    assert failed(evaluation(unknown=0.12)) == set()


def test_an_adapter_that_goes_in_circles_is_stopped_and_chance_is_not() -> None:
    assert failed(evaluation(circles=0.15)) == set()
    assert failed(evaluation(circles=0.40)) == {"answers in circles up"}


def test_a_large_sample_leaves_less_to_chance() -> None:
    small, large = Rate(0.1, 50), Rate(0.1, 5000)
    assert chance_margin(large, large, 0.95) < 0.02 < chance_margin(small, small, 0.95)


def test_the_margin_is_newcombes_published_interval() -> None:
    """Newcombe (1998), table II, method 10: 56/70 - 48/80 has the 95% interval 0.0524 to 0.3339."""
    later, earlier = Rate(56 / 70, 70), Rate(48 / 80, 80)
    assert 0.2 - chance_margin(earlier, later, 0.95) == pytest.approx(0.0524, abs=5e-5)


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("in_distribution", "target accuracy up"),
        ("in_distribution", "target accuracy"),
        ("out_of_distribution", "known facts lost"),
        ("unknown", "hallucination up"),
    ],
)
def test_a_set_without_questions_never_passes_its_gate(group: str, name: str) -> None:
    empty = {group: score(0.0, count=0, hallucination=0.0)}
    found = gate(BEFORE.model_copy(update=empty), evaluation().model_copy(update=empty), GateThresholds())
    assert not found.passed
    assert not found.measured
    [reason] = [reason for reason in found.reasons if reason.startswith(f"{name}:")]
    assert "nightschool models study" in reason


@pytest.mark.parametrize("drift", [None, Drift(count=0, lost=0.0, nats=0.0, circled=0.0, circles=0.0)])
def test_own_answers_that_were_not_scored_never_pass(drift: Drift | None) -> None:
    found = verdict(evaluation().model_copy(update={"drift": drift}))
    assert not found.measured
    unmeasured = [check.name for check in found.checks if not check.passed]
    assert unmeasured == ["own answers lost", "answers in circles up"]


def test_the_calibration_error_is_reported_and_never_decides() -> None:
    worst = evaluation().in_distribution.model_copy(update={"ece": 1.0})
    found = verdict(evaluation().model_copy(update={"in_distribution": worst}))
    assert found.passed
    assert any(check.name == "calibration error" and check.figure == 1.0 for check in found.checks)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_verdict_passes_exactly_if_every_check_does(target: float, known: float, unknown: float) -> None:
    found = verdict(evaluation(target=target, known=known, unknown=unknown))
    assert found.passed == all(check.passed for check in found.checks)


def test_an_adapter_that_falls_for_more_attacks_than_the_base_model_is_stopped() -> None:
    def attacked(evaluated: Evaluation, fallen: float, count: int = 40) -> Evaluation:
        fell = score(1 - fallen, count=count, hallucination=fallen)
        return evaluated.model_copy(update={"attacked": fell})

    assert failed(attacked(evaluation(), 0.5), attacked(BEFORE, 0.5)) == set()
    assert failed(attacked(evaluation(), 0.1), attacked(BEFORE, 0.5)) == set()
    assert failed(attacked(evaluation(), 0.9), attacked(BEFORE, 0.5)) == {"attacks fallen for up"}
    assert failed(attacked(evaluation(), 1.0, 2), attacked(BEFORE, 0.5, 2)) == set(), "two say nothing"
    assert failed(evaluation(), attacked(BEFORE, 0.5)) == {"attacks fallen for up"}, "not measured"
