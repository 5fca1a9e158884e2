"""Live scoring: whether an answer is bad enough for a second attempt before the user sees it.

Looks nothing up, embeds nothing and runs no code, so that it costs a chat turn less than a millisecond.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from agent.chat.sentence_candidates import form_match
from agent.grading import admits_ignorance, repeats_itself
from agent.nights.scoring.arithmetic import equations
from agent.nights.scoring.plain_text import LONGEST_ANSWER, statements, without_code
from memory.language.content_words import content_words, coverage
from memory.language.text import words

SHORT_ANSWER = 12
"""Words of an answer that need not repeat anything of the question."""
MINUTE = timedelta(minutes=1)


class AttemptBudget:
    """How many second attempts a process may make within any minute."""

    def __init__(self, per_minute: int, clock: Callable[[], datetime]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._taken: deque[datetime] = deque()

    def take(self) -> bool:
        """Uses up one attempt; False if none is left now."""
        now = self._clock()
        while self._taken and now - self._taken[0] >= MINUTE:
            self._taken.popleft()
        if len(self._taken) >= self._per_minute:
            return False
        self._taken.append(now)
        return True


def worth_a_second_attempt(question: str, answer: str, *, declines: tuple[str, ...] = ()) -> bool:
    """Whether the answer is empty, repeats itself, computes wrongly, or has nothing of the question.

    An answer that declines is not: the gate and the sources have decided on it already.
    """
    text = answer[:LONGEST_ANSWER]
    if not text.strip():
        return True
    if admits_ignorance(text, declines):
        return False
    plain = " ".join(statements(text))
    if repeats_itself(plain) or not all(equation.right for equation in equations(without_code(text))):
        return True
    wanted = content_words(question)
    if not wanted or len(words(plain)) <= SHORT_ANSWER or "```" in text:
        return False
    return coverage(wanted, plain) == 0 and form_match(question, plain) == 0
