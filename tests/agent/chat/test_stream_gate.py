"""An answer begins to flow once its beginning is confident, and never before."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chat.stream_gate import HELD_TOKENS, StreamGate
from agent.engines.base import Token
from agent.grading import DECLINE_PHRASES
from memory.records.base import Interval
from tests.support.cards import gate


def token(text: str = " word", *, lower: float = 0.1, upper: float = 0.1) -> Token:
    return Token(text=text, logprob=-0.1, entropy=Interval(lower=lower, upper=upper))


def heard(tokens: Sequence[Token]) -> tuple[StreamGate, list[Token]]:
    """What flows of an answer while it grows."""
    flowed: list[Token] = []
    stream_gate = StreamGate(gate(1.0), DECLINE_PHRASES, flowed.extend)
    for one in tokens:
        stream_gate.add(one)
    return stream_gate, flowed


def test_nothing_flows_until_the_beginning_can_be_judged() -> None:
    assert heard([token()] * (HELD_TOKENS - 1))[1] == []
    assert len(heard([token()] * HELD_TOKENS)[1]) == HELD_TOKENS


@pytest.mark.parametrize("doubt", [token(lower=2.0, upper=3.0), token(lower=0.5, upper=2.0)])
@pytest.mark.parametrize("place", range(HELD_TOKENS))
def test_a_beginning_that_is_not_confident_keeps_back_all(doubt: Token, place: int) -> None:
    tokens = [token()] * 40
    tokens[place] = doubt
    stream_gate, flowed = heard(tokens)
    assert (stream_gate.flowing, flowed) == (False, [])


def test_an_admission_of_ignorance_is_kept_back() -> None:
    assert heard([token(piece) for piece in ("I", " don", "'t", " know")] + [token()] * 40)[1] == []


def test_what_follows_a_released_beginning_flows_whatever_it_shows() -> None:
    tokens = [token()] * HELD_TOKENS + [token(lower=5.0, upper=5.0)]
    assert heard(tokens)[1] == tokens


@given(st.lists(st.sampled_from([token(), token(lower=3.0, upper=3.0)]), max_size=40), st.booleans())
def test_every_token_flows_once_and_in_order_or_none_does(tokens: list[Token], release: bool) -> None:
    stream_gate, flowed = heard(tokens)
    flowing = stream_gate.flowing
    stream_gate.end(tokens, release=release)
    assert flowed == (tokens if flowing or release else [])
