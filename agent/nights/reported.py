"""Turns that their users reported as private, and later ones that quote them.

A conversation is logged with each of its turns, so that what was said in one is also in those after it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from memory.feedback.feedback import FeedbackStore, latest
from memory.feedback.interactions import InteractionLog
from memory.language.text import words
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction

SHORTEST_QUOTE = 4
"""Words from which a text counts as quoted inside another one; a shorter one has to be the whole message."""
_PRIVATE_WORDS = re.compile(r"\b(?:private|privacy|personal|confidential|secret)\b", re.IGNORECASE)
"""Words in the reason of a report that ask not to use the turn."""


def reported_as_private(feedback: Iterable[Feedback]) -> frozenset[str]:
    """Ids of the turns whose latest report asks not to use them."""
    reports = [each for each in latest(feedback) if each.kind == "reported" and each.value != 0]
    return frozenset(each.interaction_id for each in reports if _PRIVATE_WORDS.search(each.text or ""))


class ReportedTurns:
    """The turns that were reported as private, and whether another one quotes one of them."""

    def __init__(self, turns: Iterable[Interaction]) -> None:
        self._ids: set[str] = set()
        self._texts: defaultdict[str, set[str]] = defaultdict(set)
        self._exchanges: set[tuple[str | None, str, str]] = set()
        for turn in turns:
            question, answer = _plain(turn.question), _plain(turn.answer)
            self._ids.add(turn.id)
            if turn.user is not None:
                self._texts[turn.user] |= {question, answer} - {""}
            self._exchanges.add((turn.owner, question, answer))

    def cover(self, turn: Interaction) -> bool:
        """Whether the turn was reported, or its conversation has the question and answer of one that was, or
        it repeats a text of one of the same user."""
        if turn.id in self._ids:
            return True
        said = [_plain(message.content) for message in turn.messages if message.role != "system"]
        if any((turn.owner, *exchange) in self._exchanges for exchange in pairwise(said)):
            return True
        private = () if turn.user is None else self._texts.get(turn.user, ())
        return any(_quotes(text, part) for text in (*said, _plain(turn.answer)) for part in private)


async def read_reported(log: InteractionLog, feedback: FeedbackStore) -> ReportedTurns:
    """The turns that are reported as private now. Raises StoreUnavailable."""
    reports = await feedback.list(kind="reported")
    return ReportedTurns(await log.of(reported_as_private(reports)))


def _quotes(text: str, part: str) -> bool:
    return text == part or (part.count(" ") + 1 >= SHORTEST_QUOTE and f" {part} " in f" {text} ")


def _plain(text: str) -> str:
    return " ".join(words(text))
