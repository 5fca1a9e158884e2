"""Units are assigned by hashing: for good, in the shares wanted, and independently of other experiments."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare  # type: ignore[import-untyped]  # ships no types

from agent.experiments.assignment import fraction, is_held_out, variant_of
from memory.records.experiments import CONTROL, HOLDOUT
from tests.support.experiments import experiment

UNITS = [f"user-{number}" for number in range(20_000)]
LEVEL = 1e-4
"""Below the p-value of a fair draw once in 10,000 runs; the hashes are fixed, so it is not drawn again."""


@given(st.text(), st.text())
def test_a_fraction_lies_in_the_unit_interval_and_stays(salt: str, unit: str) -> None:
    point = fraction(salt, unit)
    assert 0 <= point < 1
    assert point == fraction(salt, unit)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2), (0.25, 0.25, 0.5)])
def test_units_divide_by_the_shares(shares: tuple[float, ...]) -> None:
    running = experiment(shares=shares)
    counts = Counter(variant_of(running, unit) for unit in UNITS)
    observed = [counts[variant.name] for variant in running.variants]
    assert sum(observed) == len(UNITS)
    assert chisquare(observed, [share * len(UNITS) for share in shares]).pvalue > LEVEL


@pytest.mark.parametrize("other", [{"id": "e2"}, {"version": 2}])
def test_another_experiment_and_another_version_divide_anew(other: dict[str, object]) -> None:
    first, second = experiment(), experiment(**{"id": "e1", **other})  # type: ignore[arg-type]
    table = Counter((variant_of(first, unit), variant_of(second, unit)) for unit in UNITS)
    rows = [[table[a, b] for b in (CONTROL, "b")] for a in (CONTROL, "b")]
    assert chi2_contingency(rows).pvalue > LEVEL


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.lists(st.sampled_from(UNITS), min_size=1, max_size=50),
    st.sampled_from([(0.5, 0.5), (0.6, 0.3, 0.1)]),
)
def test_raising_the_coverage_adds_units_and_moves_none(
    one: float, other: float, units: list[str], shares: tuple[float, ...]
) -> None:
    low, high = sorted((one, other))
    for unit in units:
        before = variant_of(experiment(shares=shares, coverage=low), unit)
        after = variant_of(experiment(shares=shares, coverage=high), unit)
        assert before in (None, after)


def test_without_coverage_nobody_takes_part() -> None:
    paused = experiment(coverage=0.0)
    assert {variant_of(paused, unit) for unit in UNITS[:1000]} == {None}


def test_coverage_thins_every_variant_alike() -> None:
    counts = Counter(variant_of(experiment(shares=(0.7, 0.3), coverage=0.4), unit) for unit in UNITS)
    covered = counts[CONTROL] + counts["b"]
    assert covered == pytest.approx(0.4 * len(UNITS), rel=0.05)
    assert chisquare([counts[CONTROL], counts["b"]], [0.7 * covered, 0.3 * covered]).pvalue > LEVEL


def test_the_holdout_is_the_same_units_in_every_experiment_of_a_domain() -> None:
    first, second = experiment(holdout=0.1), experiment("e2", holdout=0.1)
    held = {unit for unit in UNITS if variant_of(first, unit) == HOLDOUT}
    assert held == {unit for unit in UNITS if variant_of(second, unit) == HOLDOUT}
    assert len(held) == pytest.approx(0.1 * len(UNITS), rel=0.1)
    assert not held <= {unit for unit in UNITS if is_held_out("python", unit, 0.1)}


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(UNITS))
def test_a_larger_holdout_contains_every_smaller_one(one: float, other: float, unit: str) -> None:
    low, high = sorted((one, other))
    assert is_held_out("rust", unit, high) or not is_held_out("rust", unit, low)


def test_shares_that_round_to_less_than_one_leave_nobody_out() -> None:
    thirds = experiment(shares=(1 / 3, 1 / 3, 1 / 3 - 1e-7))
    assert None not in {variant_of(thirds, unit) for unit in UNITS[:2000]}
