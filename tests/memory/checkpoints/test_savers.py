"""Graph state comes back as the records it was made of, and as nothing else."""

import asyncio
import logging
import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from memory.checkpoints.connect import open_saver, serializer
from memory.checkpoints.savers import Saver
from memory.errors import StoreUnavailable
from memory.records.knowledge import Findings
from memory.records.runs import Outcome
from tests.support.databases import database_url, empty_runs, home, postgresql, template
from tests.support.documents import fact

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]


class State(TypedDict, total=False):
    """A state that holds records."""

    findings: Findings
    outcome: Outcome
    steps: Annotated[list[str], operator.add]


class Stranger(BaseModel):
    """A class that no checkpoint may bring back."""

    value: int


FOUND = Findings(query="q", facts=(fact("move", "a transfer"),))


async def explore(state: State) -> State:
    return {"findings": FOUND, "steps": ["explore"]}


async def conclude(state: State) -> State:
    assert state["findings"] == FOUND
    return {"outcome": Outcome(status="learned", reason="x"), "steps": ["conclude"]}


def builder() -> "StateGraph[State, None, State, State]":
    """Two steps."""
    graph = StateGraph(State)
    graph.add_node("explore", explore)
    graph.add_node("conclude", conclude)
    graph.add_edge(START, "explore")
    graph.add_edge("explore", "conclude")
    graph.add_edge("conclude", END)
    return graph


async def test_state_survives_a_restart_as_the_same_records(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = database_url
    config = {"configurable": {"thread_id": "t"}}
    with caplog.at_level(logging.WARNING):
        async with open_saver(url) as saver:
            stopped = builder().compile(checkpointer=saver, interrupt_before=["conclude"])
            await stopped.ainvoke({"steps": []}, config)  # type: ignore[call-overload]
        async with open_saver(url) as saver:
            done = await builder().compile(checkpointer=saver).ainvoke(None, config)  # type: ignore[call-overload]
    assert done["steps"] == ["explore", "conclude"]
    assert done["outcome"] == Outcome(status="learned", reason="x")
    assert caplog.records == []


async def ran(saver: Saver, run_id: str, thread_id: str = "t") -> None:
    """Runs the graph once on the thread."""
    config = {"configurable": {"thread_id": thread_id}, "metadata": {"run_id": run_id}}
    await builder().compile(checkpointer=saver).ainvoke({"steps": [run_id]}, config)  # type: ignore[call-overload]


async def steps(saver: Saver, thread_id: str = "t") -> list[list[str]]:
    """The steps in each of the thread's states, newest first."""
    past = builder().compile(checkpointer=saver).aget_state_history(thread(thread_id))
    return [snapshot.values.get("steps", []) async for snapshot in past]


def thread(thread_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id}}


async def test_a_copied_thread_has_the_same_past_and_a_future_of_its_own(database_url: str) -> None:
    async with open_saver(database_url) as saver:
        await ran(saver, "one")
        await saver.acopy_thread("t", "twin")
        assert await steps(saver, "twin") == await steps(saver)
        await ran(saver, "two", "twin")
        assert (await steps(saver))[0] == ["one", "explore", "conclude"]


async def test_pruning_keeps_the_latest_state_and_it_can_be_gone_on_from(database_url: str) -> None:
    async with open_saver(database_url) as saver:
        await ran(saver, "one")
        latest = (await steps(saver))[0]
        await saver.aprune(["t"], strategy="keep_latest")
        assert await steps(saver) == [latest]
        await ran(saver, "two")
        assert (await steps(saver))[0] == [*latest, "two", "explore", "conclude"]
        await saver.aprune(["t"], strategy="delete")
        assert await steps(saver) == []


async def test_a_forgotten_run_leaves_the_state_before_it(database_url: str) -> None:
    async with open_saver(database_url) as saver:
        await ran(saver, "one")
        before = await steps(saver)
        await ran(saver, "two")
        await saver.aundo_run("t", "two")
        assert await steps(saver) == before


async def test_what_a_step_wrote_is_kept_before_the_checkpoint_that_follows(database_url: str) -> None:
    async with open_saver(database_url) as saver:
        await ran(saver, "one")
        past = builder().compile(checkpointer=saver).aget_state_history(thread("t"))
        results = [task.result async for snapshot in past for task in snapshot.tasks]
        assert len(results) == 3
        assert all(result is not None for result in results)


class Talk(TypedDict, total=False):
    """A conversation."""

    messages: Annotated[list[AnyMessage], add_messages]


async def reply(state: Talk) -> Talk:
    said = state["messages"][-1]
    return {"messages": [AIMessage(f"{said.text}?", id=f"re {said.id}", response_metadata={"b": 1, "a": 2})]}


def talk(saver: Saver) -> "CompiledStateGraph[Talk, None, Talk, Talk]":
    """One reply a turn."""
    graph = StateGraph(Talk)
    graph.add_node("reply", reply)
    graph.add_edge(START, "reply")
    graph.add_edge("reply", END)
    return graph.compile(checkpointer=saver)


async def say(saver: Saver, number: int, thread_id: str = "t") -> None:
    config: RunnableConfig = {**thread(thread_id), "metadata": {"run_id": str(number)}}
    await talk(saver).ainvoke({"messages": [HumanMessage(f"say {number:03}", id=f"{number}")]}, config)


async def said(saver: Saver, thread_id: str = "t") -> list[list[str]]:
    """The conversation in each of the thread's states, newest first."""
    past = talk(saver).aget_state_history(thread(thread_id))
    return [[message.text for message in snapshot.values.get("messages", [])] async for snapshot in past]


async def kept(saver: Saver, thread_id: str = "t") -> int:
    """How many messages the store holds for the thread."""
    query = "SELECT count(*) FROM message_links WHERE thread_id = ?"
    ((count,),) = await saver._rows(query, (thread_id,))
    return int(count)


async def size(saver: Saver) -> int:
    """Bytes of all checkpoints, writes and messages."""
    total = 0
    for table, columns in saver.TABLES.items():
        lengths = " + ".join(f"coalesce(length(CAST({column} AS TEXT)), 0)" for column in columns.split(", "))
        ((found,),) = await saver._rows(f"SELECT sum({lengths}) FROM {table}", ())
        total += int(found or 0)
    return total


async def test_a_turn_costs_the_same_however_long_the_conversation(database_url: str) -> None:
    async with open_saver(database_url) as saver:
        grown = [0]
        for number in range(40):
            await say(saver, number)
            grown.append(await size(saver))
        assert grown[40] - grown[39] < 1.02 * (grown[5] - grown[4])
        assert await kept(saver) == 80
        latest = (await said(saver))[0]
        assert latest == [text for n in range(40) for text in (f"say {n:03}", f"say {n:03}?")]


async def test_each_state_of_a_conversation_holds_what_had_been_said(database_url: str) -> None:
    async with open_saver(database_url) as saver:
        await say(saver, 0)
        await say(saver, 1)
        first, second = ["say 000", "say 000?"], ["say 001", "say 001?"]
        assert await said(saver) == [
            first + second,
            [*first, "say 001"],
            first,
            first,
            ["say 000"],
            [],
        ]


async def test_what_is_no_longer_said_is_no_longer_kept(database_url: str) -> None:
    async with open_saver(database_url) as saver:
        for number in range(3):
            await say(saver, number)
        past = [snapshot async for snapshot in talk(saver).aget_state_history(thread("t"))]
        after_first = next(snapshot for snapshot in past if len(snapshot.values["messages"]) == 2)
        await saver.acopy_thread("t", "fork", until=after_first.config["configurable"]["checkpoint_id"])
        assert (await said(saver, "fork"))[0] == ["say 000", "say 000?"]
        assert await kept(saver, "fork") == 2

        await saver.aundo_run("t", "2")
        assert await kept(saver) == 4
        await talk(saver).aupdate_state(thread("t"), {"messages": [RemoveMessage("0")]})
        assert (await said(saver))[0] == ["say 000?", "say 001", "say 001?"]
        assert await kept(saver) == 7, "the older states still hold what was removed"
        await saver.aprune(["t"], strategy="keep_latest")
        assert await kept(saver) == 3
        await say(saver, 3)
        assert (await said(saver))[0] == ["say 000?", "say 001", "say 001?", "say 003", "say 003?"]
        await saver.adelete_thread("t")
        assert await kept(saver) == 0


async def ask(state: State) -> State:
    answer = interrupt("?")
    return {"steps": [answer]}


async def test_a_run_that_answered_and_is_forgotten_leaves_the_question(database_url: str) -> None:
    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    async with open_saver(database_url) as saver:
        waiting = graph.compile(checkpointer=saver)

        async def run(run_id: str, given: Any) -> Any:
            config: RunnableConfig = {**thread("t"), "metadata": {"run_id": run_id}}
            return await waiting.ainvoke(given, config)

        await run("one", {"steps": ["begun"]})
        before = await waiting.aget_state(thread("t"))
        await run("two", Command(resume="yes", update={"steps": ["changed"]}))
        assert (await waiting.aget_state(thread("t"))).values["steps"] == ["begun", "changed", "yes"]
        await saver.aundo_run("t", "two")
        after = await waiting.aget_state(thread("t"))
        assert (after.values, after.next, after.interrupts) == (before.values, ("ask",), before.interrupts)
        done = await run("three", Command(resume="no"))
        assert done["steps"] == ["begun", "no"]


async def test_a_thread_can_be_pruned_while_it_is_written(database_url: str) -> None:
    async with open_saver(database_url) as saver:
        await say(saver, 0)

        async def prune() -> None:
            for _ in range(15):
                await saver.aprune(["t"], strategy="keep_latest")

        pruning = asyncio.create_task(prune())
        for number in range(1, 6):
            await say(saver, number)
        await pruning
        latest = (await said(saver))[0]
        assert latest == [text for n in range(6) for text in (f"say {n:03}", f"say {n:03}?")]


async def test_a_lost_message_is_no_shorter_conversation(database_url: str) -> None:
    async with open_saver(database_url) as saver:
        await say(saver, 0)
        await saver._run(("DELETE FROM message_links WHERE parent IS NULL", ()))
        with pytest.raises(ValueError, match="missing"):
            await saver.aget_tuple(thread("t"))


def test_a_checkpoint_cannot_name_other_classes() -> None:
    kind, data = serializer().dumps_typed(Stranger(value=1))
    assert not isinstance(serializer().loads_typed((kind, data)), Stranger)


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/name"])
async def test_only_urls_of_supported_stores_are_taken(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite"):
        async with open_saver(url):
            pass


async def test_a_saver_that_cannot_be_opened_says_what_to_check(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="check"):
        async with open_saver(f"sqlite:///{tmp_path}/no/folder.db"):
            pass
