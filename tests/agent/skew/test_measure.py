"""Skew is measured by known formulas, and alarms only on what is more than chance and worth a look."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.skew.measure import divergence, effective_number, measure_aspect

COUNTS = st.lists(st.integers(0, 50), min_size=3, max_size=3).filter(any)


@pytest.mark.parametrize(
    ("counts", "number"), [((5, 5, 5, 5), 4.0), ((7,), 1.0), ((9, 0), 1.0), ((), 0.0), ((0, 0), 0.0)]
)
def test_equal_categories_are_as_many_as_they_are(counts: tuple[int, ...], number: float) -> None:
    assert effective_number(counts) == pytest.approx(number)


def test_a_large_and_many_small_sources_are_fewer_than_they_are() -> None:
    assert effective_number([90, 2, 2, 2, 2, 2]) == pytest.approx(1.626, abs=0.001)


@given(first=COUNTS, second=COUNTS)
def test_the_divergence_is_symmetric_and_between_nothing_and_a_bit(
    first: list[int], second: list[int]
) -> None:
    value = divergence(first, second)
    assert 0 <= value <= 1
    assert value == pytest.approx(divergence(second, first))
    assert divergence(first, [3 * count for count in first]) == pytest.approx(0, abs=1e-9)


def test_what_has_nothing_in_common_diverges_by_a_bit() -> None:
    assert divergence([5, 0], [0, 3]) == pytest.approx(1)


def test_one_source_that_gives_most_is_an_alarm_unless_it_is_what_is_asked() -> None:
    learned = {"a.md": 80, "b.md": 10, "c.md": 10}
    (alarm, *_) = measure_aspect("sources", learned, {}).alarms
    assert "a.md gives 80% of what was learned" in alarm
    assert measure_aspect("sources", learned, {"a.md": 70, "b.md": 20, "c.md": 10}).alarms == ()
    assert measure_aspect("sources", learned, {"a.md": 10, "b.md": 50, "c.md": 40}).alarms


def test_a_domain_of_one_document_has_nothing_else_to_learn_from() -> None:
    skew = measure_aspect("sources", {"a.md": 200}, {})
    assert skew.effective == pytest.approx(1)
    assert skew.alarms == ()


def test_one_annotator_is_an_alarm_even_alone() -> None:
    assert measure_aspect("annotators", {"annotator 1": 30}, {}).alarms


def test_one_language_is_none_where_little_was_asked() -> None:
    assert measure_aspect("languages", {"en": 99, "de": 1}, {"de": 5}).alarms == ()


def test_what_is_asked_and_not_learned_is_an_alarm_that_names_it() -> None:
    skew = measure_aspect("topics", {"pumps": 95, "lamps": 5}, {"pumps": 30, "lamps": 70})
    assert skew.divergence is not None
    assert any("lamps is 70% of what is asked and 5% of what was learned" in each for each in skew.alarms)


def test_few_items_are_no_alarm_however_skewed() -> None:
    assert measure_aspect("topics", {"pumps": 19}, {"lamps": 19}).alarms == ()
    assert measure_aspect("sources", {"a": 18, "b": 1}, {}).alarms == ()


def test_what_was_learned_of_fewer_topics_than_are_asked_is_an_alarm() -> None:
    asked = {f"topic {number}": 10 for number in range(12)}
    learned = {"topic 0": 40, "topic 1": 40, "topic 2": 20}
    assert any(
        "effective categories in what was learned" in a
        for a in measure_aspect("topics", learned, asked).alarms
    )


def test_samples_of_one_distribution_are_an_alarm_one_time_in_twenty_although_most_exceed_the_limit() -> None:
    random, names = Random(3), [f"topic {number}" for number in range(25)]
    pairs = [[Counter(random.choices(names, k=25)) for _ in range(2)] for _ in range(60)]
    found = [measure_aspect("topics", first, second) for first, second in pairs]
    assert sum((each.divergence or 0) > 0.2 for each in found) > 50
    assert sum("diverges" in alarm for each in found for alarm in each.alarms) <= 7  # three are expected


def test_the_same_counts_are_measured_alike() -> None:
    learned, asked = {"a": 30, "b": 5}, {"a": 5, "b": 30}
    assert measure_aspect("topics", learned, asked) == measure_aspect("topics", learned, asked)


def test_nothing_is_no_alarm_and_a_report_lists_the_largest_ten() -> None:
    assert measure_aspect("users", {}, {}).categories == ()
    skew = measure_aspect("users", {f"user {number}": number for number in range(30)}, {})
    assert len(skew.categories) == 10
    assert skew.categories[0].name == "user 29"
