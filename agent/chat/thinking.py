"""Thinking text: what a model says to itself before its answer, which is not part of the answer."""

from collections.abc import Callable, Sequence

from agent.engine import Reply, Token

Marks = tuple[str, str]
"""Opening and closing mark, such as `<think>` and `</think>`."""


def without_thinking(reply: Reply, marks: Marks | None) -> Reply:
    """The reply without what it says between the marks; unclosed thinking leaves an empty answer."""
    if marks is None:
        return reply
    kept = answer_tokens(reply.tokens, marks)
    return reply.model_copy(update={"tokens": kept, "text": "".join(token.text for token in kept)})


def answer_tokens(tokens: Sequence[Token], marks: Marks) -> tuple[Token, ...]:
    """The tokens of the answer proper.

    A closing mark without an opening one ends thinking too, for some templates open it in the prompt.
    """
    opening, closing = marks
    text = "".join(token.text for token in tokens)
    end = text.rfind(closing)
    if end >= 0:
        start = end + len(closing)
    elif text.lstrip().startswith(opening):
        start = len(text)
    else:
        return tuple(tokens)
    start += len(text[start:]) - len(text[start:].lstrip())
    kept: list[Token] = []
    place = 0
    for token in tokens:
        place += len(token.text)
        if place > start:
            left = place - start
            kept.append(token if kept else token.model_copy(update={"text": token.text[-left:]}))
    return tuple(kept)


class AnswerFilter:
    """Passes a stream's tokens on once its thinking has ended, or at once where there is none."""

    def __init__(self, marks: Marks, hear: Callable[[Token], None]) -> None:
        """`hear` gets the tokens of the answer, in order."""
        self._marks = marks
        self._hear = hear
        self._held: list[Token] = []
        self._flowing = False

    def __call__(self, token: Token) -> None:
        """Takes the next token."""
        if self._flowing:
            self._hear(token)
            return
        self._held.append(token)
        opening, closing = self._marks
        text = "".join(held.text for held in self._held).lstrip()
        if closing in text:
            answer = answer_tokens(self._held, self._marks)
            if not answer:
                return
        elif text.startswith(opening) or opening.startswith(text):
            return
        else:
            answer = tuple(self._held)
        self._flowing = True
        for held in answer:
            self._hear(held)
