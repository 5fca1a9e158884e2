"""Graph state comes back as the records it was made of, and as nothing else."""

import logging
import operator
from pathlib import Path
from typing import Annotated, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel

from memory.checkpoints import open_saver, serializer
from memory.errors import StoreUnavailable
from memory.records import Findings, Outcome
from tests.memory.documents import fact


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


async def test_state_survives_a_restart_as_the_same_records(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    builder = StateGraph(State)
    builder.add_node("explore", explore)
    builder.add_node("conclude", conclude)
    builder.add_edge(START, "explore")
    builder.add_edge("explore", "conclude")
    builder.add_edge("conclude", END)
    url = f"sqlite:///{tmp_path}/checkpoints.db"
    config = {"configurable": {"thread_id": "t"}}
    with caplog.at_level(logging.WARNING):
        async with open_saver(url) as saver:
            stopped = builder.compile(checkpointer=saver, interrupt_before=["conclude"])
            await stopped.ainvoke({"steps": []}, config)  # type: ignore[call-overload]
        async with open_saver(url) as saver:
            done = await builder.compile(checkpointer=saver).ainvoke(None, config)  # type: ignore[call-overload]
    assert done["steps"] == ["explore", "conclude"]
    assert done["outcome"] == Outcome(status="learned", reason="x")
    assert caplog.records == []


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
