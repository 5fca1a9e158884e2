"""A client that writes the findings hides no contradiction from whoever approves."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import StateSnapshot

from graphs.learn import build
from graphs.state import Runtime
from memory.checkpoints.connect import serializer
from memory.records.knowledge import Findings
from tests.graphs.conftest import LIMITS, dispute
from tests.support.learn_graph import CONFIG, beginning


async def forged(runtime: Runtime, subject: str, *, whole: bool) -> StateSnapshot:
    """The state of a run over disputed sources whose findings were written without what disputes them."""
    await dispute(runtime)
    await runtime.database.start_run(
        "r1", subject=subject, whole=whole, domain=None, gap_id=None, now=runtime.clock()
    )
    graph = build(LIMITS).compile(checkpointer=InMemorySaver(serde=serializer()))
    start = beginning(runtime, subject, whole=whole, approval_policy="human")
    await graph.ainvoke(start, CONFIG, context=runtime, interrupt_after=["explore"])
    found: Findings = (await graph.aget_state(CONFIG)).values["findings"]
    change = {"findings": Findings(query=found.query, evidence=found.evidence)}
    await graph.aupdate_state(CONFIG, change, as_node="critique")
    await graph.ainvoke(None, CONFIG, context=runtime)
    return await graph.aget_state(CONFIG)


async def test_forged_findings_hide_no_contradiction(runtime: Runtime) -> None:
    state = (await forged(runtime, "What is a move?", whole=False)).values
    assert state["outcome"].status == "flagged"
    assert "(wrong.md)" in state["outcome"].reason
    assert "curriculum" not in state


async def test_what_sources_dispute_is_shown_and_not_taught_whatever_the_findings_say(
    runtime: Runtime,
) -> None:
    waiting = await forged(runtime, "Rust ownership", whole=True)
    shown: dict[str, Any] = waiting.interrupts[0].value
    assert any("(wrong.md)" in reason for reason in shown["critique"]["reasons"])
    assert shown["left_out"]["disputed between sources"] > 0
    pairs = waiting.values["curriculum"].pairs
    assert pairs
    assert not [pair for pair in pairs if "A move is a transfer" in pair.quote]
