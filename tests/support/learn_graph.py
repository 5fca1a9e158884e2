"""Runs the learn graph once, without a server."""

from collections.abc import Callable
from typing import Any, cast

from langgraph.checkpoint.memory import InMemorySaver

from graphs.learn import build
from graphs.state import LearnState, Runtime
from memory.checkpoints.connect import serializer

Changed = Callable[..., Runtime]
CONFIG: Any = {"configurable": {"thread_id": "r1"}, "recursion_limit": 40}


def beginning(runtime: Runtime, subject: str, **more: Any) -> LearnState:
    start: dict[str, Any] = {
        "run_id": "r1",
        "subject": subject,
        "whole": True,
        "domain": None,
        "gap_id": None,
        "approval_policy": "auto",
    }
    return cast(LearnState, start | more)


async def run(runtime: Runtime, subject: str, **more: Any) -> dict[str, Any]:
    await runtime.database.start_run(
        "r1", subject=subject, whole=True, domain=None, gap_id=more.get("gap_id"), now=runtime.clock()
    )
    graph = build(runtime.limits).compile(checkpointer=InMemorySaver(serde=serializer()))
    return dict(await graph.ainvoke(beginning(runtime, subject, **more), CONFIG, context=runtime))
