"""LangGraph's own conformance suite, over both checkpoint savers as `open_saver` opens them."""

import time
from collections.abc import AsyncGenerator
from operator import add
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import id as ids
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer
from langgraph.checkpoint.conformance.report import ProgressCallbacks
from langgraph.graph import START, StateGraph

from memory.checkpoints.connect import open_saver
from memory.checkpoints.savers import Saver
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]


@pytest.fixture
def registered(database_url: str) -> RegisteredCheckpointer:
    """The saver as LangGraph's suite takes it."""

    @checkpointer_test(name=database_url.partition(":")[0])
    async def saver() -> AsyncGenerator[Saver, None]:
        async with open_saver(database_url) as opened:
            yield opened

    return saver


@pytest.mark.parametrize("capability", list(Capability), ids=lambda capability: capability.value)
async def test_the_saver_has_the_capability(
    registered: RegisteredCheckpointer, capability: Capability
) -> None:
    errors: list[str] = []

    def record(_: str, name: str, passed: bool, error: str | None) -> None:
        if not passed:
            errors.append(f"{name}: {error}")

    progress = ProgressCallbacks(on_test_result=record)
    report = await validate(registered, capabilities={capability.value}, progress=progress)
    result = report.results[capability.value]
    assert result.detected, "the saver lacks this method, so no test ran"
    assert errors == []
    assert result.tests_passed > 0


class Steps(TypedDict):
    done: Annotated[list[str], add]


def graph(saver: Saver) -> Any:
    """Two steps, the second of which begins in the next process."""
    steps = StateGraph(Steps)
    steps.add_node("first", lambda _: {"done": ["first"]})
    steps.add_node("second", lambda _: {"done": ["second"]})
    steps.add_edge(START, "first")
    steps.add_edge("first", "second")
    return steps.compile(checkpointer=saver, interrupt_before=["second"])


def begin_process(monkeypatch: pytest.MonkeyPatch, *, clock: float) -> None:
    """What LangGraph's ids come from in a new process, whose clock is so many seconds ahead."""
    monkeypatch.setattr(ids, "_last_v6_timestamp", None)
    monkeypatch.setattr(ids.time, "time_ns", lambda: int((time.time() + clock) * 1e9))


async def test_a_process_whose_clock_is_behind_goes_on_from_the_latest_state(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread: RunnableConfig = {"configurable": {"thread_id": "thread"}}
    async with open_saver(database_url) as saver:
        begin_process(monkeypatch, clock=3600.0)
        await graph(saver).ainvoke({"done": []}, thread)
        begin_process(monkeypatch, clock=0.0)
        await graph(saver).ainvoke(None, thread)
        state = await graph(saver).aget_state(thread)
        assert (state.values, state.tasks) == ({"done": ["first", "second"]}, ())


async def test_a_fork_in_a_process_whose_clock_is_behind_is_the_latest_state(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread: RunnableConfig = {"configurable": {"thread_id": "thread"}}
    async with open_saver(database_url) as saver:
        begin_process(monkeypatch, clock=3600.0)
        await graph(saver).ainvoke({"done": []}, thread)
        before = (await graph(saver).aget_state(thread)).config
        await graph(saver).ainvoke(None, thread)
        begin_process(monkeypatch, clock=0.0)
        await graph(saver).aupdate_state(before, {"done": ["forked"]})
        assert (await graph(saver).aget_state(thread)).values == {"done": ["first", "forked"]}
