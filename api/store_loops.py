"""The background loop that keeps the stores of passages and answers quick and small."""

from agent.loops import Loop, do_all
from memory.episodic.base import EpisodicMemory
from memory.nights.answers import AnswerArchive

MAINTENANCE_SECONDS = 60.0
LONGEST_MAINTENANCE = 1800.0
"""Seconds in which a large table is compacted and indexed. Searches go on meanwhile, writes wait."""


def maintain_stores(
    episodic: EpisodicMemory, answers: AnswerArchive, *, every: float = MAINTENANCE_SECONDS
) -> Loop:
    """Compacts both stores, refreshes their indices and removes old versions, where something changed."""
    stores: tuple[EpisodicMemory | AnswerArchive, ...] = (episodic, answers)

    async def maintain(store: EpisodicMemory | AnswerArchive) -> None:
        await store.maintain()

    async def maintain_all() -> None:
        await do_all(stores, maintain)

    return Loop("store maintenance", maintain_all, every=every, stuck_after=LONGEST_MAINTENANCE)
