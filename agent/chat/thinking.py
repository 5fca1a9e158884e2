"""Thinking text: what a model says to itself before its answer, which is not part of the answer.

Thinking comes first: one or more blocks between the marks, which may be nested. Once the answer has begun,
marks in it are its own words. A whole answer and a stream are read by this one rule; but only a whole answer
can show that its thinking was opened in the prompt, by a closing mark without an opening one before it.
"""

import re
from collections.abc import Callable, Sequence

from agent.engines.base import Reply, Token

Marks = tuple[str, str]
"""Opening and closing mark, such as `<think>` and `</think>`."""


def without_thinking(reply: Reply, marks: Marks | None) -> Reply:
    """The reply without what it says between the marks; unclosed thinking leaves an empty answer."""
    if marks is None:
        return reply
    kept = answer_tokens(reply.tokens, marks)
    return reply.model_copy(update={"tokens": kept, "text": "".join(token.text for token in kept)})


def answer_tokens(tokens: Sequence[Token], marks: Marks) -> tuple[Token, ...]:
    """The tokens of the answer proper, the first one shortened where the answer begins inside it."""
    text = "".join(token.text for token in tokens)
    opening, closing = marks
    opened = closing in text and opening not in text.partition(closing)[0]
    start = _answer_start(text, marks, opened=opened, whole=True)
    return () if start is None else _tokens_from(tokens, start)


class AnswerFilter:
    """Passes a stream's tokens on once its thinking has ended, or at once where there is none."""

    def __init__(self, marks: Marks, hear: Callable[[Token], None]) -> None:
        """`hear` gets the tokens of the answer, in order."""
        self._marks = marks
        self._hear = hear
        self._pending: list[Token] = []
        self._flowing = False

    def __call__(self, token: Token) -> None:
        """Takes the next token."""
        if self._flowing:
            self._hear(token)
            return
        self._pending.append(token)
        text = "".join(pending.text for pending in self._pending)
        start = _answer_start(text, self._marks, opened=False, whole=False)
        if start is not None:
            self._release(_tokens_from(self._pending, start))

    def end(self) -> None:
        """The stream is over: passes on an answer that looked like the beginning of a mark."""
        if not self._flowing:
            self._release(answer_tokens(self._pending, self._marks))

    def _release(self, tokens: Sequence[Token]) -> None:
        self._flowing = True
        for token in tokens:
            self._hear(token)


def _answer_start(text: str, marks: Marks, *, opened: bool, whole: bool) -> int | None:
    """Where the answer begins; None while that is not known, or where the text is thinking to its end."""
    opening, closing = marks
    either = re.compile(f"{re.escape(opening)}|{re.escape(closing)}")
    depth, place = int(opened), 0
    while True:
        if depth == 0:
            place = len(text) - len(text[place:].lstrip())
            rest = text[place:]
            if not whole and any(mark != rest and mark.startswith(rest) for mark in marks):
                return None
            if not rest.startswith(marks):
                return place
        found = either.search(text, place)
        if found is None:
            return None
        depth = depth + 1 if found[0] == opening else max(0, depth - 1)
        place = found.end()


def _tokens_from(tokens: Sequence[Token], start: int) -> tuple[Token, ...]:
    kept: list[Token] = []
    place = 0
    for token in tokens:
        place += len(token.text)
        if place > start:
            rest = token.text[-(place - start) :]
            kept.append(token if kept else token.model_copy(update={"text": rest}))
    return tuple(kept)
