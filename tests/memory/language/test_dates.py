"""Dates in texts are read as far as they are given, and numbers are not taken for years."""

from datetime import UTC, datetime

import pytest

from memory.language.dates import as_of, dates, without_dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1969", (1969, None, None)),
        ("in 1969 by NASA", (1969, None, None)),
        ("July 1969", (1969, 7, None)),
        ("20 July 1969", (1969, 7, 20)),
        ("July 20, 1969", (1969, 7, 20)),
        ("1969-07-20", (1969, 7, 20)),
        ("the 20th of July", (None, 7, 20)),
    ],
)
def test_a_date_has_the_parts_that_are_given(text: str, expected: tuple[int | None, ...]) -> None:
    (date,) = dates(text)
    assert date[:3] == expected


@pytest.mark.parametrize("text", ["1000 queries", "1,969 rooms", "19.5 m", "the 1960s", "1850%"])
def test_a_number_is_no_year(text: str) -> None:
    assert dates(text) == ()
    assert without_dates(text) == text


def test_dates_agree_if_no_given_part_differs() -> None:
    year, day, other = (dates(text)[0] for text in ("1969", "20 July 1969", "21 July 1969"))
    assert year.agrees(day)
    assert not day.agrees(other)


def test_several_dates_are_found_in_order() -> None:
    assert [d.year for d in dates("from 1920 to 1924")] == [1920, 1924]
    assert without_dates("built on 3 May 1901 in Lund").split() == ["built", "on", "in", "Lund"]


@pytest.mark.parametrize(
    ("sentence", "day"),
    [
        ("As of March 2021, the limit is 40 kg.", (2021, 3, 1)),
        ("The limit is 40 kg (as at the 4 May 2023).", (2023, 5, 4)),
        ("The limit of 1999 is 40 kg as of 2021.", (2021, 1, 1)),
        ("Since 2021 the limit is 40 kg.", None),
        ("The mill, built in 1932, has 40 rooms.", None),
        ("As of 31 February 2021 the limit is 40 kg.", None),
        ("As of 4 May the limit is 40 kg.", None),
    ],
)
def test_a_sentence_may_say_as_of_when_it_is_true(sentence: str, day: tuple[int, int, int] | None) -> None:
    assert as_of(sentence) == (datetime(*day, tzinfo=UTC) if day else None)
