"""What a thread's snapshot says about its steps."""

from langgraph.types import StateSnapshot


def unfinished_steps(snapshot: StateSnapshot) -> tuple[str, ...]:
    """The steps to continue with; none if the graph has reached its end.

    LangGraph's `next` also lacks those that are done but have no checkpoint after them yet.
    """
    return tuple(task.name for task in snapshot.tasks)
