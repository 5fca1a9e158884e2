"""Lessons from failed answers, found again for similar questions; kept in RAM and bounded."""

from collections import deque
from collections.abc import Sequence

from agent.nights.revision.task import MAX_LESSONS
from memory.embedding.embedder import Embedder, Vectors

CAPACITY = 200
"""Lessons that are kept; the oldest go first."""
SIMILAR = 0.5
"""Least cosine of two questions on one topic."""


class Lessons:
    """What strategies learned from failures, by the question's embedding; another night starts empty."""

    def __init__(self, embedder: Embedder, capacity: int = CAPACITY) -> None:
        self._embedder = embedder
        self._kept: deque[tuple[Vectors, str]] = deque(maxlen=capacity)

    def recall(self, question: str) -> tuple[str, ...]:
        """The latest lessons on similar questions, newest last. Blocks."""
        if not self._kept:
            return ()
        vector = self._embedder.embed([question])[0]
        similar = [lesson for other, lesson in self._kept if float(other @ vector) >= SIMILAR]
        return tuple(dict.fromkeys(similar))[-MAX_LESSONS:]

    def keep(self, question: str, lessons: Sequence[str]) -> None:
        """Keeps the lessons of a failure. Blocks."""
        if lessons:
            vector = self._embedder.embed([question])[0]
            self._kept.extend((vector, lesson) for lesson in lessons)
