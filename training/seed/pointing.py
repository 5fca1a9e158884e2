"""Owns which earlier tokens the reading heads are to look at, and the loss that tells them.

Finding an answer in a context takes several heads that are of use only together, and a small model on little
data does not come upon them. The exercises know where each copied word stands, so three heads are told:
supervised attention, as in Garg et al. (2019, arXiv 1909.02074). When the model is used, nobody tells them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from training.seed.reading import Conversation, Statement, Turn

Span = tuple[int, int]
"""Characters from a first one up to, not including, a last one."""


class Head(NamedTuple):
    """One attention head of the model."""

    layer: int
    head: int


TO_SUBJECT = Head(1, 1)
"""From a statement's object to its subject, so that each word knows what it is said of."""
TO_QUESTION = Head(1, 2)
"""From an answer to the subject that the question names."""
TO_SOURCE = Head(3, 0)
"""From an answer to the word of the context that comes next."""
HEADS = (TO_SUBJECT, TO_QUESTION, TO_SOURCE)


class Link(NamedTuple):
    """Token `query` is to look at any of the tokens `keys`."""

    head: Head
    query: int
    keys: tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """A stretch of a conversation in tokens: their places in it and their characters in `text`."""

    text: str
    first: int
    offsets: Sequence[Span]

    def tokens(self, span: Span | None) -> tuple[int, ...]:
        """Places of the tokens that overlap a span."""
        if span is None:
            return ()
        start, end = span
        return tuple(self.first + i for i, (a, b) in enumerate(self.offsets) if a < end and b > start)


def links(conversation: Conversation, pieces: Sequence[tuple[Piece, Piece]]) -> tuple[Link, ...]:
    """All links of a conversation whose turns have these pieces: what the user says, what the model says."""
    if not conversation[0].context:
        return ()
    context = pieces[0][0]
    found = [link for statement in conversation[0].context for link in _within(statement, context)]
    for index, (turn, (user, model)) in enumerate(zip(conversation, pieces, strict=True)):
        if turn.asked is not None:
            asked_from = user.text.rfind("\n\nQuestion: ") if index == 0 else 0
            found += _answering(turn, turn.asked, context, user, model, max(0, asked_from))
    return tuple(found)


def loss(attentions: Sequence[torch.Tensor], rows: Sequence[Sequence[Link]]) -> torch.Tensor:
    """Mean over HEADS of the mean negative log of the attention that its links get, in nats.

    `attentions` holds [rows, heads, length, length] of each layer.
    """
    total = torch.zeros(())
    for head in HEADS:
        wanted = [(r, q, keys) for r, row in enumerate(rows) for h, q, keys in row if h == head]
        if not wanted:
            continue
        attention = attentions[head.layer][
            [r for r, _, _ in wanted], head.head, [q for _, q, _ in wanted]
        ].float()
        mask = torch.zeros_like(attention)
        for i, (_, _, keys) in enumerate(wanted):
            mask[i, list(keys)] = 1.0
        total = total - (attention * mask).sum(-1).clamp_min(1e-6).log().mean()
    return total / len(HEADS)


def _within(statement: Statement, context: Piece) -> Iterable[Link]:
    """From the statement's object, and from the word before it, to its subject."""
    subject, object = _spans(statement, context)
    keys, queries = context.tokens(subject), context.tokens(object)
    if keys and queries and keys[-1] < queries[0]:
        for query in (queries[0] - 1, *queries):
            if query > keys[-1]:
                yield Link(TO_SUBJECT, query, keys)


def _answering(
    turn: Turn, asked: Statement, context: Piece, user: Piece, model: Piece, asked_from: int
) -> Iterable[Link]:
    """From where each token of the answer is foretold, one place before it, to question and source."""
    named = user.tokens(_find(user.text, asked.subject, asked_from))
    _, source = _spans(asked, context)
    stop = model.text.rfind(asked.object) + len(asked.object)
    answer = model.tokens((0, stop))
    added = stop - len(asked.object)  # the space before an answer, which the source may lack
    for place, (start, end) in zip(answer, model.offsets, strict=False):
        if named:
            yield Link(TO_QUESTION, place - 1, named)
        if source is not None:
            # A token may begin with the space before its word, so its last character tells its place.
            at = source[0] + max(0, end - added - 1)
            keys = context.tokens((at, at + 1)) if end > start else ()
            if keys:
                yield Link(TO_SOURCE, place - 1, keys[:1])


def _spans(statement: Statement, context: Piece) -> tuple[Span | None, Span | None]:
    """Where a statement's subject and object stand in the context."""
    at = context.text.find(" ".join(statement.text.split()))
    if at < 0:
        return None, None
    subject = _find(context.text, statement.subject, at, at + len(statement.text))
    after = subject[1] if subject else at
    return subject, _find(context.text, statement.object, after, at + len(statement.text))


def _find(text: str, part: str, start: int, end: int | None = None) -> Span | None:
    at = text.lower().find(part.lower(), start, len(text) if end is None else end)
    return (at, at + len(part)) if at >= 0 and part else None
