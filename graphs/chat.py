"""The order of one chat turn: intent, route, answer, gate, then sources or an honest "I do not know".

What the base model is sure of touches no store but for the row that is written at the end. What an adapter
is sure of is checked against the library first. A streamed turn is the same one, except that text which has
begun to flow is not replaced.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Literal, cast

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.engines.base import GREEDY, Sampling, Token
from graphs import chat_steps as steps
from graphs.state import ChatState, Runtime
from graphs.turn import Piece, Turn
from memory.records.interactions import UnsurePolicy

Chat = CompiledStateGraph[ChatState, Runtime, ChatState, ChatState]


def by_intent(state: ChatState) -> Literal["converse", "answer"]:
    """Only questions that seek knowledge are gated."""
    return "answer" if state["intent"] == "question" else "converse"


def gate(state: ChatState) -> Literal["check", "consult", "note", "remember"]:
    """A confident answer goes out; any other is looked up first, unless it has been said already."""
    if state["outcome"] == "answered":
        return "remember" if state["draft"] is None else "check"
    return "note" if state["outcome"] == "answered_unsure" else "consult"


def after_check(state: ChatState) -> Literal["consult", "settle", "remember"]:
    """What the sources answer otherwise is answered from them; what nothing supports is no answer."""
    if state["outcome"] == "answered":
        return "remember"
    return "consult" if state["reason"] is None else "settle"


def after_sources(state: ChatState) -> Literal["reword", "note", "remember"]:
    """What the sources do not answer is asked again in other words; a contradiction is left for a person."""
    if state["outcome"] != "answered_from_sources":
        return "reword"
    return "remember" if state["reason"] is None else "note"


def after_rewording(state: ChatState) -> Literal["settle", "remember"]:
    """A question that was only worded badly is no gap."""
    return "remember" if state["reworded"] is not None else "settle"


def build() -> StateGraph[ChatState, Runtime, ChatState, ChatState]:
    """The chat graph, not yet compiled."""
    graph = StateGraph(ChatState, context_schema=Runtime)
    graph.add_node("understand", steps.understand)
    graph.add_node("route", steps.direct)
    graph.add_node("converse", steps.converse)
    graph.add_node("answer", steps.answer)
    graph.add_node("check", steps.check)
    graph.add_node("consult", steps.consult)
    graph.add_node("reword", steps.reword)
    graph.add_node("settle", steps.settle)
    graph.add_node("note", steps.note)
    graph.add_node("remember", steps.remember)
    graph.add_edge(START, "understand")
    graph.add_edge("understand", "route")
    graph.add_conditional_edges("route", by_intent)
    graph.add_edge("converse", "remember")
    graph.add_conditional_edges("answer", gate)
    graph.add_conditional_edges("check", after_check)
    graph.add_conditional_edges("consult", after_sources)
    graph.add_conditional_edges("reword", after_rewording)
    graph.add_edge("settle", "note")
    graph.add_edge("note", "remember")
    graph.add_edge("remember", END)
    return graph


def begun(
    messages: Sequence[BaseMessage],
    *,
    requested: str | None = None,
    sampling: Sampling = GREEDY,
    unit: str | None = None,
    streamed: bool = False,
    unsure: UnsurePolicy | None = None,
) -> ChatState:
    """The state that a turn begins with; `unsure` is the caller's policy, None the service's."""
    return {
        "messages": cast(list[AnyMessage], list(messages)),
        "requested": requested,
        "sampling": sampling,
        "streamed": streamed,
        "unit": unit,
        "unsure": unsure,
    }


async def chat(graph: Chat, runtime: Runtime, start: ChatState) -> Turn:
    """Serves one turn with the compiled graph.

    Raises ValueError (no question), PromptTooLong, UnknownAdapter, AdapterNotServable, AdapterRefused,
    CanaryFailed, EngineUnavailable and StoreUnavailable.
    """
    async with aclosing(stream(graph, runtime, start)) as parts:
        async for part in parts:
            if isinstance(part, Turn):
                return part
    raise AssertionError("a stream ends with its turn")


async def stream(graph: Chat, runtime: Runtime, start: ChatState) -> AsyncGenerator[Piece | Turn, None]:
    """The pieces of one turn's answer as they are let through, and at the end the turn, which is then kept.

    Where no piece comes, the turn's answer has not been told yet. To close it ends the work, and nothing is
    kept. Raises what `chat` does.
    """
    state: ChatState = {}
    tokens: list[Token] = []
    running = graph.astream(start, context=runtime, stream_mode=["custom", "values"])
    async with aclosing(cast(AsyncGenerator[tuple[str, Any], None], running)) as parts:
        async for mode, part in parts:
            if mode == "values":
                state = part
            else:
                tokens += part.tokens
                yield part
    draft = state["draft"]
    yield Turn(
        id=state["interaction_id"],
        question=state["question"],
        answer=state["answer"],
        intent=state["intent"],
        outcome=state["outcome"],
        route=state["route"],
        uncertainty=state["uncertainty"],
        draft=None if draft is None else draft.text,
        reworded=state["reworded"],
        citations=state["citations"],
        gap_id=state["gap_id"],
        finish_reason=state["finish_reason"],
        tool_calls=state["tool_calls"],
        prompt_tokens=state["prompt_tokens"],
        completion_tokens=state["completion_tokens"],
        tokens=tuple(tokens),
    )
