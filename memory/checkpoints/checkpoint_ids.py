"""Ids of checkpoints, by whose order the latest state of a thread is found.

LangGraph makes them of the time, and keeps them in order within a process. One whose clock is behind that
of the last one on the thread, after a jump or on another machine, would write states that nobody finds.
"""

import uuid

from langgraph.checkpoint.base import id as ids


def follow(checkpoint_id: str) -> None:
    """Makes all ids of this process from now on sort after this one, as a hybrid logical clock does."""
    # LangGraph has no public way: this is what its `uuid6` compares the time with.
    seen = ids.UUID(str(uuid.UUID(checkpoint_id))).time
    last: int | None = ids._last_v6_timestamp
    ids._last_v6_timestamp = seen if last is None else max(last, seen)  # type: ignore[assignment]  # by its None
