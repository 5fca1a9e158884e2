"""The confidence sequences: known values, their relation to each other, and what they do at the edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.experiments.statistics import (
    always_valid_p,
    difference,
    half_width,
    harm_bounds,
    mean_interval,
    one_sided_width,
    percentiles,
    sample_ratio_p,
    share_variance,
    standard_error,
    tuning,
)

ALPHAS = st.floats(0.001, 0.3)
UNITS = st.integers(4, 100_000)


def test_the_width_is_that_of_the_papers_formula() -> None:
    rho = math.sqrt((-2 * math.log(0.05) + math.log(1 - 2 * math.log(0.05))) / 4000)
    n, error = 1000, 0.02
    sigma = error * math.sqrt(n)
    expected = sigma * math.sqrt(
        2 * (n * rho**2 + 1) / (n * rho) ** 2 * math.log(math.sqrt(n * rho**2 + 1) / 0.05)
    )
    assert half_width(error, n, 4000, 0.05) == pytest.approx(expected)
    assert tuning(4000, 0.05) == pytest.approx(rho)


@given(UNITS, ALPHAS)
def test_the_sequence_is_tightest_near_the_planned_units(planned: int, alpha: float) -> None:
    def relative(tuned_for: float) -> float:
        return float(half_width(1.0, planned, tuned_for, alpha))

    assert relative(planned) <= 1.01 * min(relative(planned / 4), relative(planned * 4))


@given(UNITS, UNITS, ALPHAS)
def test_a_sequence_is_wider_than_an_interval_of_one_look(units: int, planned: int, alpha: float) -> None:
    from scipy.stats import norm  # type: ignore[import-untyped]  # ships no types

    assert half_width(1.0, units, planned, alpha) > norm.ppf(1 - alpha / 2)


@given(UNITS, st.floats(0.001, 0.1))
def test_one_side_costs_less_than_two(units: int, alpha: float) -> None:
    assert one_sided_width(1.0, units, units, alpha) < half_width(1.0, units, units, alpha)


@given(st.floats(-10, 10), UNITS, UNITS, ALPHAS)
def test_the_p_value_is_the_level_at_which_the_interval_touches_nothing(
    z: float, units: int, planned: int, alpha: float
) -> None:
    p = always_valid_p(z, units, planned, alpha)
    assert (p <= alpha) == (abs(z) >= half_width(1.0, units, planned, alpha)) or abs(p - alpha) < 1e-9


def test_equal_variants_do_not_differ_and_unequal_ones_do() -> None:
    rng = np.random.default_rng(1)
    control, better = rng.normal(0, 1, 1000), rng.normal(0.5, 1, 1000)
    same = difference(control, rng.normal(0, 1, 1000), planned=2000, alpha=0.05)
    other = difference(control, better, planned=2000, alpha=0.05)
    assert same is not None
    assert other is not None
    assert same.lower < 0 < same.upper
    assert other.lower > 0
    assert other.p < 0.05 < same.p


def test_one_unit_says_nothing() -> None:
    one, many = np.array([1.0]), np.array([1.0, 2.0])
    assert standard_error(one, many) is None
    assert difference(many, one, planned=10, alpha=0.05) is None
    assert harm_bounds(one, many, planned=10, alpha=0.05) is None
    assert mean_interval(one, planned=10, alpha=0.05) is None


def test_units_that_are_all_the_same_have_no_width() -> None:
    zeros = np.zeros(300)
    found = difference(zeros, zeros, planned=600, alpha=0.05)
    assert found is not None
    assert (found.lower, found.upper, found.p) == (0.0, 0.0, 1.0)


def test_an_event_that_was_never_seen_is_not_shown_to_be_rarer_than_it_may_be() -> None:
    few, many = np.zeros(100), np.zeros(2000)
    after_few = harm_bounds(few, few, planned=2000, alpha=0.0125)
    after_many = harm_bounds(many, many, planned=2000, alpha=0.0125)
    assert after_few is not None
    assert after_many is not None
    assert after_few[1] > 0.01 > after_many[1]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_the_variance_of_shares_is_that_with_a_unit_more_at_each_end(values: list[float]) -> None:
    shares = np.array(values)
    expected = np.array([*values, 0.0, 1.0]).var(ddof=1)
    assert share_variance(shares.mean(), shares.var(ddof=1), len(shares)) == pytest.approx(expected)


def test_a_mismatch_of_the_sample_ratio_is_improbable() -> None:
    assert sample_ratio_p([1000, 1000], [0.5, 0.5]) == 1.0
    assert sample_ratio_p([10_400, 9_600], [0.5, 0.5]) < 1e-6
    assert sample_ratio_p([800, 200], [0.8, 0.2]) == 1.0


def test_too_few_units_raise_no_alarm() -> None:
    assert sample_ratio_p([7, 0], [0.5, 0.5]) == 1.0


def test_percentiles_are_named() -> None:
    assert percentiles([float(n) for n in range(101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert percentiles([]) == {}
