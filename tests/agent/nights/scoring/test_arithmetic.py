"""Arithmetic in answers is computed without eval, and compared with what is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.nights.scoring.arithmetic import equations, evaluate


@pytest.mark.parametrize(
    "text",
    [
        "The total is 12 * (3 + 4) = 84.",
        "5,000 / 4 = 1,250 euros",
        "10 / 3 = 3.33",
        "2^10 = 1024",
        "3 \u00d7 7 = 21",
        "7 \u2212 9 = \u22122",
        "15% of 200 is 30.",
        "22 / 7 \u2248 3.14",
        "20 + 5 equals 25",
    ],
)
def test_right_arithmetic_is_right(text: str) -> None:
    assert [equation.right for equation in equations(text)] == [True]


@pytest.mark.parametrize(
    "text", ["14 * 23 = 352", "90 / 7.5 = 15 litres", "10 / 3 = 3.34", "15% of 200 is 35.", "2 + 2 = 5"]
)
def test_wrong_arithmetic_is_wrong(text: str) -> None:
    assert [equation.right for equation in equations(text)] == [False]


@pytest.mark.parametrize(
    "text",
    [
        "x + 2 = 4",
        "2 + 2 = 4x",
        "version 1.2-3 = stable",
        "On 2020-01-02 = Thursday",
        "1 / 0 = 1",
        "9 ** 9999 = 1",
        "port = 8080",
        "the years 1914-1918",
    ],
)
def test_what_is_no_arithmetic_is_left_alone(text: str) -> None:
    assert equations(text) == ()


@pytest.mark.parametrize(
    "text", ["__import__('os')", "1 if 1 else 2", "a", "(1).real", "[1]", "1j", "True", "1 @ 2"]
)
def test_only_arithmetic_is_evaluated(text: str) -> None:
    assert evaluate(text) is None


@given(st.text(alphabet="0123456789+-*/^%=().,x \n\u2212\u00d7", max_size=400))
def test_no_text_breaks_the_check(text: str) -> None:
    equations(text)


def test_long_lines_take_little_time() -> None:
    equations("1 + " * 20_000 + "1 = 3")
