"""Removes a model's thinking text (`<think>...</think>`) from replies and token streams.

Thinking comes first, as one or more blocks between marks, possibly nested. Once the answer has begun, marks
are ordinary text. Replies and streams follow the same rule, but only in a whole reply can a closing mark
without an opening one show that thinking was opened in the prompt.
"""

import re
from collections.abc import Callable, Sequence

from agent.engines.base import Reply, Token

Marks = tuple[str, str]
"""Opening and closing mark, such as `<think>` and `</think>`."""


def without_thinking(reply: Reply, marks: Marks | None) -> Reply:
    """The reply without its thinking; if thinking is never closed, the answer is empty."""
    if marks is None:
        return reply
    answer = answer_tokens(reply.tokens, marks)
    return reply.model_copy(update={"tokens": answer, "text": "".join(token.text for token in answer)})


def answer_tokens(tokens: Sequence[Token], marks: Marks) -> tuple[Token, ...]:
    """The tokens after the thinking, the first one shortened if the answer begins inside it."""
    text = "".join(token.text for token in tokens)
    opening, closing = marks
    opened = closing in text and opening not in text.partition(closing)[0]
    start = _answer_start(text, marks, opened=opened, whole=True)
    return () if start is None else _tokens_from(tokens, start)


class AnswerFilter:
    """Forwards a stream's tokens after its thinking has ended, or at once if there is none."""

    def __init__(self, marks: Marks, on_token: Callable[[Token], None]) -> None:
        """`on_token` gets the tokens of the answer, in order."""
        self._marks = marks
        self._on_token = on_token
        self._pending: list[Token] = []
        self._flowing = False

    def __call__(self, token: Token) -> None:
        """Receives the next token."""
        if self._flowing:
            self._on_token(token)
            return
        self._pending.append(token)
        text = "".join(pending.text for pending in self._pending)
        start = _answer_start(text, self._marks, opened=False, whole=False)
        if start is not None:
            self._release(_tokens_from(self._pending, start))

    def end(self) -> None:
        """Ends the stream: forwards a held-back answer that looked like the beginning of a mark."""
        if not self._flowing:
            self._release(answer_tokens(self._pending, self._marks))

    def _release(self, tokens: Sequence[Token]) -> None:
        self._flowing = True
        for token in tokens:
            self._on_token(token)


def _answer_start(text: str, marks: Marks, *, opened: bool, whole: bool) -> int | None:
    """Index where the answer begins; None while unknown, or if the text is all thinking."""
    opening, closing = marks
    either = re.compile(f"{re.escape(opening)}|{re.escape(closing)}")
    depth, position = int(opened), 0
    while True:
        if depth == 0:
            position = len(text) - len(text[position:].lstrip())
            rest = text[position:]
            if not whole and any(mark != rest and mark.startswith(rest) for mark in marks):
                return None
            if not rest.startswith(marks):
                return position
        mark_match = either.search(text, position)
        if mark_match is None:
            return None
        depth = depth + 1 if mark_match[0] == opening else max(0, depth - 1)
        position = mark_match.end()


def _tokens_from(tokens: Sequence[Token], start: int) -> tuple[Token, ...]:
    answer: list[Token] = []
    end = 0
    for token in tokens:
        end += len(token.text)
        if end > start:
            rest = token.text[-(end - start) :]
            answer.append(token if answer else token.model_copy(update={"text": rest}))
    return tuple(answer)
