"""What a model thinks aloud is never part of its answer."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.chat.thinking import AnswerFilter, answer_tokens, without_thinking
from agent.engines.base import Reply, Token
from memory.records.base import Interval

MARKS = ("<think>", "</think>")
CASES = {
    "<think> Lemurs are primates. </think> a small primate": "a small primate",
    "<think>\n\n</think>\n\na small primate": "a small primate",
    "a small primate": "a small primate",
    "<think> Lemurs are": "",
    "a <thing> of Madagascar": "a <thing> of Madagascar",
    "<think> a <think> b </think> c </think> a small primate": "a small primate",
    "<think> a </think>\n<think> b </think> a small primate": "a small primate",
    "<think> a </think> </think> a small primate": "a small primate",
    "<think> a </think> Write <think> and </think> around it.": "Write <think> and </think> around it.",
    "<think> a <think> b </think> c": "",
    "<thi": "<thi",
    "</": "</",
    "": "",
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


def streamed(said: tuple[Token, ...]) -> list[Token]:
    heard: list[Token] = []
    hear = AnswerFilter(MARKS, heard.append)
    for token in said:
        hear(token)
    hear.end()
    return heard


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize(("said", "answer"), CASES.items())
def test_only_the_answer_is_left_of_a_whole_reply_and_of_a_stream(said: str, answer: str, size: int) -> None:
    assert joined(answer_tokens(tokens(said, size), MARKS)) == answer
    assert joined(streamed(tokens(said, size))) == answer


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_whole_reply_whose_prompt_opened_the_thinking_is_cut_at_its_closing_mark(size: int) -> None:
    said = tokens("They are primates.</think> a small primate", size)
    assert joined(answer_tokens(said, MARKS)) == "a small primate"


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", " ", "a", "b."]), max_size=12), st.integers(1, 9)
)
def test_a_stream_tells_what_the_whole_reply_says_unless_the_prompt_opened_the_thinking(
    parts: list[str], size: int
) -> None:
    text = "".join(parts)
    before, closing, _ = text.partition("</think>")
    assume(not closing or "<think>" in before or not before.strip())
    said = tokens(text, size)
    assert joined(streamed(said)) == joined(answer_tokens(said, MARKS))


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
