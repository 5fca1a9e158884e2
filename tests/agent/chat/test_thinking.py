"""What a model thinks aloud is never part of its answer."""

import pytest

from agent.chat.thinking import AnswerFilter, answer_tokens, without_thinking
from agent.engine import Reply, Token
from memory.records import Interval

MARKS = ("<think>", "</think>")
CASES = {
    "<think> Lemurs are primates. </think> a small primate": "a small primate",
    "<think>\n\n</think>\n\na small primate": "a small primate",
    "They are primates.</think> a small primate": "a small primate",
    "a small primate": "a small primate",
    "<think> Lemurs are": "",
    "a <thing> of Madagascar": "a <thing> of Madagascar",
}


def tokens(text: str, size: int) -> tuple[Token, ...]:
    """The text in tokens of `size` characters, so that marks are cut at any place."""
    exact = Interval(lower=0.1, upper=0.1)
    return tuple(
        Token(text=text[place : place + size], logprob=-0.1, entropy=exact)
        for place in range(0, len(text), size)
    )


def joined(parts: tuple[Token, ...] | list[Token]) -> str:
    return "".join(token.text for token in parts)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize(("said", "answer"), CASES.items())
def test_only_the_answer_is_left(said: str, answer: str, size: int) -> None:
    assert joined(answer_tokens(tokens(said, size), MARKS)) == answer


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("said", [said for said in CASES if not said.startswith("They")])
def test_a_stream_tells_the_answer_alone(said: str, size: int) -> None:
    heard: list[Token] = []
    hear = AnswerFilter(MARKS, heard.append)
    for token in tokens(said, size):
        hear(token)
    assert joined(heard) == CASES[said]


def test_a_reply_of_a_model_that_does_not_think_aloud_stays_as_it_is() -> None:
    reply = Reply(
        text="a </think> b",
        tokens=tokens("a </think> b", 3),
        model="m",
        adapter=None,
        finish_reason="stop",
        prompt_tokens=3,
    )
    assert without_thinking(reply, None) == reply
    assert without_thinking(reply, MARKS).text == "b"
