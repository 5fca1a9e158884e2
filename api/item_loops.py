"""Background loop of the item store: deletes expired items."""

from agent.loops import Loop
from memory.server.store import ItemStore

SWEEP_SECONDS = 300.0


def sweep_expired_items(items: ItemStore) -> Loop:
    """Deletes what has expired; LangGraph's own task for it would be seen by no readiness check."""
    return Loop("expired items", items.sweep_ttl, every=SWEEP_SECONDS)
