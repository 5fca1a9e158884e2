"""An answer begins to flow once its beginning is confident, and never before."""

from collections.abc import Sequence

import pytest
from agent.holding import HELD_TOKENS, Holding
from hypothesis import given
from hypothesis import strategies as st

from agent.engine import NEED_INFO, Token
from memory.records import Interval

THRESHOLD = 1.0


def token(text: str = " word", *, lower: float = 0.1, upper: float = 0.1) -> Token:
    return Token(text=text, logprob=-0.1, entropy=Interval(lower=lower, upper=upper))


def heard(tokens: Sequence[Token]) -> tuple[Holding, list[Token]]:
    """What flows of an answer while it grows."""
    flowed: list[Token] = []
    holding = Holding(THRESHOLD, flowed.extend)
    for one in tokens:
        holding.hear(one)
    return holding, flowed


def test_one_token_less_than_are_held_does_not_flow_yet() -> None:
    assert heard([token()] * (HELD_TOKENS - 1))[1] == []
    assert len(heard([token()] * HELD_TOKENS)[1]) == HELD_TOKENS


@pytest.mark.parametrize(
    "doubt",
    [
        token(lower=2.0, upper=3.0),
        token(lower=0.5, upper=2.0),  # undecided is not confident
        token(upper=THRESHOLD),
        token(NEED_INFO),
    ],
)
@pytest.mark.parametrize("place", range(HELD_TOKENS))
def test_one_doubt_among_the_held_keeps_back_all(doubt: Token, place: int) -> None:
    tokens = [token()] * 40
    tokens[place] = doubt
    holding, flowed = heard(tokens)
    assert (holding.flowing, flowed) == (False, [])


def test_an_abstention_in_several_tokens_is_kept_back_too() -> None:
    pieces = [NEED_INFO[:3], NEED_INFO[3:7], NEED_INFO[7:]]
    assert heard([token(piece) for piece in pieces] + [token()] * 40)[1] == []


def test_what_follows_a_released_beginning_flows_whatever_it_shows() -> None:
    tokens = [token()] * HELD_TOKENS + [token(lower=5.0, upper=5.0)]
    assert heard(tokens)[1] == tokens


@given(st.lists(st.sampled_from([token(), token(lower=3.0, upper=3.0)]), max_size=40), st.booleans())
def test_every_token_flows_once_and_in_order_or_none_does(tokens: list[Token], confident: bool) -> None:
    holding, flowed = heard(tokens)
    flowing = holding.flowing
    holding.end(tokens, confident=confident)
    assert flowed == (tokens if flowing or confident else [])
