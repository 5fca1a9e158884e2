"""Entropy bounds hold for every distribution, and the gate decides three ways on the largest one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engine import NEED_INFO, Reply, Token
from agent.entropy import bounds, confidence, gate, measure
from memory.records import Calibration, Interval

SLACK = 1e-9


@st.composite
def distributions(draw: st.DrawFn) -> tuple[list[float], int]:
    """Probabilities of a whole vocabulary, likeliest first, from flat to sharp, and how many are seen."""
    size = draw(st.integers(min_value=2, max_value=60))
    weights = draw(st.lists(st.floats(min_value=-30, max_value=0), min_size=size, max_size=size))
    total = math.fsum(math.exp(weight) for weight in weights)
    probabilities = sorted((math.exp(weight) / total for weight in weights), reverse=True)
    return probabilities, draw(st.integers(min_value=1, max_value=size))


def exact_entropy(probabilities: list[float]) -> float:
    return -math.fsum(p * math.log(p) for p in probabilities if p > 0)


@given(distributions())
def test_the_bounds_hold_the_exact_entropy(case: tuple[list[float], int]) -> None:
    probabilities, seen = case
    interval = bounds([math.log(p) for p in probabilities[:seen]], len(probabilities))
    exact = exact_entropy(probabilities)
    assert interval.lower - SLACK <= exact <= interval.upper + SLACK


@given(distributions())
def test_seeing_everything_makes_the_bounds_exact(case: tuple[list[float], int]) -> None:
    probabilities, _ = case
    interval = bounds([math.log(p) for p in probabilities], len(probabilities))
    assert interval.lower == pytest.approx(exact_entropy(probabilities), abs=SLACK)
    assert interval.upper == pytest.approx(exact_entropy(probabilities), abs=SLACK)


@given(distributions())
def test_seeing_more_never_widens_the_bounds(case: tuple[list[float], int]) -> None:
    probabilities, seen = case
    few = bounds([math.log(p) for p in probabilities[:seen]], len(probabilities))
    more = bounds([math.log(p) for p in probabilities[: seen + 1]], len(probabilities))
    assert few.lower <= more.lower + SLACK
    assert more.upper <= few.upper + SLACK


@given(distributions(), st.integers(min_value=1, max_value=10**6))
def test_a_vocabulary_taken_too_large_keeps_the_upper_bound_valid(
    case: tuple[list[float], int], more: int
) -> None:
    probabilities, seen = case
    interval = bounds([math.log(p) for p in probabilities[:seen]], len(probabilities) + more)
    assert interval.lower - SLACK <= exact_entropy(probabilities) <= interval.upper + SLACK


def test_an_even_tail_meets_the_upper_bound() -> None:
    probabilities = [0.5, *[0.05] * 10]
    interval = bounds([math.log(0.5), math.log(0.05)], 11)
    assert interval.upper == pytest.approx(exact_entropy(probabilities))


def test_renormalising_would_have_underestimated() -> None:
    top = [math.log(0.3), math.log(0.2)]
    renormalised = exact_entropy([0.6, 0.4])
    assert bounds(top, 1000).lower > renormalised


def test_impossible_log_probabilities_in_the_tail_count_for_nothing() -> None:
    assert bounds([0.0, -math.inf, -9999.0], 100) == Interval(lower=0.0, upper=0.0)


@pytest.mark.parametrize("top", [[], [0.1], [math.nan], [-1.0, -1.5, -2.0]])
def test_what_is_no_distribution_is_refused(top: list[float]) -> None:
    with pytest.raises(ValueError, match="log-probabilities"):
        bounds(top, 2)


@pytest.mark.parametrize(
    ("lower", "upper", "decision"),
    [(0.1, 0.2, "confident"), (1.1, 1.2, "unsure"), (0.9, 1.1, "undecided"), (1.0, 1.0, "undecided")],
)
def test_the_gate_knows_three_ways(lower: float, upper: float, decision: str) -> None:
    assert gate(Interval(lower=lower, upper=upper), 1.0) == decision


def reply(*tokens: tuple[str, float, float]) -> Reply:
    made = [Token(text=text, logprob=-0.1, entropy=Interval(lower=a, upper=b)) for text, a, b in tokens]
    return Reply(
        text="".join(token.text for token in made),
        tokens=tuple(made),
        model="m",
        adapter=None,
        finish_reason="stop",
        prompt_tokens=1,
    )


def test_an_answer_is_as_unsure_as_its_least_certain_token() -> None:
    uncertainty = measure(reply(("a", 0.1, 0.2), (" loan", 1.5, 1.8)), 1.0)
    assert uncertainty.decision == "unsure"
    assert uncertainty.maximum == Interval(lower=1.5, upper=1.8)
    assert uncertainty.mean.lower == pytest.approx(0.8)
    assert uncertainty.mean.upper == pytest.approx(1.0)
    assert uncertainty.tokens == 2


def test_low_entropy_throughout_is_confident() -> None:
    assert measure(reply(("a", 0.1, 0.2), (" loan", 0.3, 0.4)), 1.0).decision == "confident"


def test_bounds_that_straddle_the_threshold_stay_undecided() -> None:
    assert measure(reply(("a", 0.5, 1.5)), 1.0).decision == "undecided"


def test_an_abstention_is_unsure_however_certain() -> None:
    uncertainty = measure(reply((NEED_INFO, 0.0, 0.0), (" I do not know.", 0.0, 0.0)), 1.0)
    assert uncertainty.abstained
    assert uncertainty.decision == "unsure"


@pytest.mark.parametrize("tokens", [(), ((" ", 0.0, 0.0),)])
def test_saying_nothing_is_unsure(tokens: tuple[tuple[str, float, float], ...]) -> None:
    assert measure(reply(*tokens), 1.0).decision == "unsure"


def test_an_answer_without_scored_tokens_is_unsure() -> None:
    assert measure(reply().model_copy(update={"text": "a loan"}), 1.0).decision == "unsure"


def test_an_answer_may_be_judged_by_the_mean_of_its_tokens() -> None:
    one_rare_word = reply(("a", 0.1, 0.2), (" zorble", 1.5, 1.6))
    assert measure(one_rare_word, 1.0, by="mean").decision == "confident"
    assert measure(one_rare_word, 0.85, by="mean").decision == "undecided"
    assert measure(one_rare_word, 0.5, by="mean").decision == "unsure"


SCALED = Calibration(slope=2.0, intercept=1.0, error=0.02)


def test_a_confidence_is_platts_sigmoid_worked_out_by_hand() -> None:
    """Log-odds of 0.75 are ln 3, so the odds are e times 9."""
    assert confidence(0.75, 2.0, 1.0) == pytest.approx(9 * math.e / (1 + 9 * math.e))
    assert confidence(0.2, 2.0, 1.0) < confidence(0.5, 2.0, 1.0) < confidence(0.9, 2.0, 1.0)


def test_a_calibrated_answer_says_how_likely_it_is_right_by_its_weakest_token() -> None:
    answer = reply(("a", 0.1, 0.2), (" loan", 0.3, 0.4))
    weak = answer.tokens[1].model_copy(update={"logprob": math.log(0.75)})
    answer = answer.model_copy(update={"tokens": (answer.tokens[0], weak)})
    assert measure(answer, 1.0).confidence is None
    assert measure(answer, 1.0, calibration=SCALED).confidence == pytest.approx(confidence(0.75, 2.0, 1.0))


@pytest.mark.parametrize("text", [NEED_INFO, " "])
def test_what_claims_nothing_has_no_confidence(text: str) -> None:
    assert measure(reply((text, 0.0, 0.0)), 1.0, calibration=SCALED).confidence is None
