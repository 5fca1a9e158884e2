"""Tokens are cut and relabelled so that they always join to the text."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engines.base import Token
from agent.engines.tokens import cut_at_stop, cut_to_length, fit_to_text
from memory.records.base import Interval


def tokens(*texts: str) -> list[Token]:
    return [Token(text=text, logprob=-1.0, entropy=Interval(lower=0.0, upper=0.0)) for text in texts]


def texts(made: Sequence[Token] | None) -> list[str] | None:
    return None if made is None else [token.text for token in made]


@pytest.mark.parametrize(
    ("stop", "kept"),
    [
        ([" c"], ["a", " b"]),
        (["b c"], ["a", " "]),
        (["a"], []),
        (["x"], None),
        ([""], None),
        (["c", "b"], ["a", " "]),
    ],
)
def test_the_first_stop_string_ends_the_text_wherever_it_begins(
    stop: list[str], kept: list[str] | None
) -> None:
    assert texts(cut_at_stop(tokens("a", " b", " c"), stop)) == kept


def test_what_a_server_reports_beyond_the_text_is_dropped() -> None:
    assert texts(fit_to_text(tokens("a", " loan", "<end_of_turn>"), "a loan")) == ["a", " loan"]


def test_a_token_over_the_end_of_the_text_is_shortened() -> None:
    assert texts(fit_to_text(tokens("a", " loan."), "a loan")) == ["a", " loan"]


def test_leading_spaces_that_were_lost_come_back() -> None:
    assert texts(fit_to_text(tokens("a", "loan", "</s>"), "a loan")) == ["a", " loan"]


def test_a_space_before_the_answer_is_nobodys() -> None:
    assert texts(fit_to_text(tokens(" ", " a", " loan"), "a loan")) == ["", "a", " loan"]


@given(st.lists(st.text(max_size=4), min_size=1, max_size=8), st.text(max_size=12))
def test_fitted_tokens_always_join_to_the_text(labels: list[str], text: str) -> None:
    fitted = fit_to_text(tokens("x", *labels), text)
    assert "".join(token.text for token in fitted) == text


@given(st.lists(st.text(max_size=4), max_size=8), st.integers(min_value=0, max_value=40))
def test_cutting_keeps_exactly_the_first_characters(labels: list[str], characters: int) -> None:
    cut = cut_to_length(tokens(*labels), characters)
    assert "".join(token.text for token in cut) == "".join(labels)[:characters]
