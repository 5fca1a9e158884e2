"""Entropy bounds hold for every distribution."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engines.entropy import entropy_bounds
from memory.records.base import Interval

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
    interval = entropy_bounds([math.log(p) for p in probabilities[:seen]], len(probabilities))
    exact = exact_entropy(probabilities)
    assert interval.lower - SLACK <= exact <= interval.upper + SLACK


@given(distributions())
def test_seeing_everything_makes_the_bounds_exact(case: tuple[list[float], int]) -> None:
    probabilities, _ = case
    interval = entropy_bounds([math.log(p) for p in probabilities], len(probabilities))
    assert interval.lower == pytest.approx(exact_entropy(probabilities), abs=SLACK)
    assert interval.upper == pytest.approx(exact_entropy(probabilities), abs=SLACK)


@given(distributions())
def test_seeing_more_never_widens_the_bounds(case: tuple[list[float], int]) -> None:
    probabilities, seen = case
    few = entropy_bounds([math.log(p) for p in probabilities[:seen]], len(probabilities))
    more = entropy_bounds([math.log(p) for p in probabilities[: seen + 1]], len(probabilities))
    assert few.lower <= more.lower + SLACK
    assert more.upper <= few.upper + SLACK


@given(distributions(), st.integers(min_value=1, max_value=10**6))
def test_a_vocabulary_taken_too_large_keeps_the_upper_bound_valid(
    case: tuple[list[float], int], more: int
) -> None:
    probabilities, seen = case
    interval = entropy_bounds([math.log(p) for p in probabilities[:seen]], len(probabilities) + more)
    assert interval.lower - SLACK <= exact_entropy(probabilities) <= interval.upper + SLACK


def test_an_even_tail_meets_the_upper_bound() -> None:
    probabilities = [0.5, *[0.05] * 10]
    interval = entropy_bounds([math.log(0.5), math.log(0.05)], 11)
    assert interval.upper == pytest.approx(exact_entropy(probabilities))


def test_renormalising_would_have_underestimated() -> None:
    top = [math.log(0.3), math.log(0.2)]
    renormalised = exact_entropy([0.6, 0.4])
    assert entropy_bounds(top, 1000).lower > renormalised


def test_impossible_log_probabilities_in_the_tail_count_for_nothing() -> None:
    assert entropy_bounds([0.0, -math.inf, -9999.0], 100) == Interval(lower=0.0, upper=0.0)


@pytest.mark.parametrize("top", [[], [0.1], [math.nan], [-1.0, -1.5, -2.0]])
def test_what_is_no_distribution_is_refused(top: list[float]) -> None:
    with pytest.raises(ValueError, match="log-probabilities"):
        entropy_bounds(top, 2)
