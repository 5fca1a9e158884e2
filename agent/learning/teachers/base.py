"""The teacher protocol: passages in, candidate pairs out."""

from collections.abc import Callable, Sequence
from typing import Protocol

from agent.learning.candidate_pairs import WrittenPairs
from memory.records.knowledge import Passage

PassageProgress = Callable[[int, int], None]
"""Called with the number of passages done and the total."""


class Teacher(Protocol):
    """Writes question and answer pairs; `name` is recorded as the author of its curricula."""

    name: str

    async def write(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        on_progress: PassageProgress | None = None,
    ) -> WrittenPairs:
        """Writes unverified pairs about the passages; `question` is the gap's question to focus on.

        Raises TeacherError if the teacher fails altogether.
        """
        ...
