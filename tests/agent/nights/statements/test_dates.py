"""Relative dates become absolute ones."""

from datetime import date

import pytest

from agent.nights.statements.dates import date_phrases

FRIDAY = date(2023, 6, 9)


@pytest.mark.parametrize(
    ("text", "past", "expected"),
    [
        ("I went there yesterday", True, "on 8 June 2023"),
        ("by tomorrow evening", False, "by the evening of 10 June 2023"),
        ("it is due on Monday", False, "on Monday 12 June 2023"),
        ("it broke on Monday", True, "on Monday 5 June 2023"),
        ("last Fri", True, "on Friday 2 June 2023"),
        ("next Friday", False, "on Friday 16 June 2023"),
        ("in May", True, "in May 2023"),
        ("in May", False, "in May 2024"),
        ("last week", True, "in the week before 9 June 2023"),
        ("next month", False, "in July 2023"),
        ("two weeks ago", True, "around 26 May 2023"),
        ("3 days ago", True, "on 6 June 2023"),
        ("in two weeks", False, "around 23 June 2023"),
        ("last summer", True, "in the summer of 2022"),
        ("this weekend", False, "on the weekend of 10 June 2023"),
        ("last year", True, "in 2022"),
        ("May 5th", True, "5 May 2023"),
    ],
)
def test_a_relative_date_becomes_absolute(text: str, past: bool, expected: str) -> None:
    assert [phrase.text for phrase in date_phrases(text, FRIDAY, past=past)] == [expected]


@pytest.mark.parametrize(
    "text",
    ["every Friday", "on 31 June", "I may go", "he sat down", "in two weeks", "99999 days ago", "Mondays"],
)
def test_what_names_no_day_is_left_alone(text: str) -> None:
    assert date_phrases(text, FRIDAY, past=True) == ()


def test_a_period_ends_with_its_last_day() -> None:
    (phrase,) = date_phrases("next month", FRIDAY, past=False)
    assert phrase.until.date() == date(2023, 7, 31)


def test_dates_at_the_end_of_the_calendar_do_no_harm() -> None:
    assert date_phrases("in 900 years and next week", date(9999, 12, 31), past=False) == ()
