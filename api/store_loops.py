"""Background loops of the stores: keep passages and answers quick and small, delete expired items."""

from agent.loops import Loop, do_all
from memory.episodic.base import EpisodicMemory
from memory.nights.answers import AnswerArchive
from memory.server.store import ItemStore

MAINTENANCE_SECONDS = 60.0
SWEEP_SECONDS = 300.0
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


def sweep_expired_items(items: ItemStore) -> Loop:
    """Deletes what has expired; LangGraph's own task for it would be seen by no readiness check."""
    return Loop("expired items", items.sweep_ttl, every=SWEEP_SECONDS)
