"""The protocol of the answer archive: good answers that chat may give again to the same question."""

from collections.abc import Sequence
from typing import Protocol

from memory.records.access import Access
from memory.records.nights import ArchivedAnswer


class AnswerArchive(Protocol):
    """A store of answers, searched by their questions. Methods raise StoreUnavailable on failure."""

    async def add(self, answers: Sequence[ArchivedAnswer]) -> int:
        """Adds the answers, replacing those with the same id; returns how many ids are new.

        Of several with one id, the last counts.
        """
        ...

    async def search(
        self, question: str, *, domain: str | None, limit: int, access: Access
    ) -> tuple[tuple[ArchivedAnswer, float], ...]:
        """The answers to the questions nearest in meaning, nearest first, each with the cosine in [0, 1].

        Those whose owner or domain `access` does not let read are not found.
        """
        ...

    async def holds(self, question: str, *, access: Access) -> bool:
        """Whether an answer to a question of the same words is archived that `access` lets read.

        It is quick, because every question of a chat asks this; only `words` are compared, not symbols.
        """
        ...

    async def remove(self, ids: Sequence[str]) -> int:
        """Removes the answers with these ids; returns how many there were."""
        ...

    async def list(self) -> tuple[ArchivedAnswer, ...]:
        """All answers, by id."""
        ...

    async def maintain(self) -> None:
        """Compacts the files, brings the indices up to date and removes old versions, if it is time to.

        Searches go on meanwhile.
        """
        ...

    async def purge(self) -> None:
        """Leaves nothing of removed answers on the disk."""
        ...
