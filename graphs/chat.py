"""The chat graph: the order of the steps of a chat turn, and the functions that run one.

A question is answered by the model without sources. A confident answer of the base model is returned, one of
an adapter is checked against the sources first. Otherwise the answer comes from sources, or from a rewording
of the question; if both fail, a gap is opened and the policy decides what is returned. What users ask about
themselves is answered from what they stated, see `recall`; what a night has answered better, as it did, see
`archive`.

Streaming changes nothing but that text which has been sent is not replaced.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Literal, cast

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.engines.base import GREEDY, Sampling, Token
from graphs import chat_steps as steps
from graphs.archive import or_archived
from graphs.recall import or_recall
from graphs.state import ChatState, Runtime
from graphs.traced import add_step
from graphs.turn import Piece, Turn
from memory.records.interactions import UnsurePolicy

Chat = CompiledStateGraph[ChatState, Runtime, ChatState, ChatState]


# The functions that choose the next step are async, because LangGraph runs others in threads.


async def by_intent(state: ChatState) -> Literal["converse", "answer"]:
    """Only questions are gated; conversation is answered directly."""
    return "answer" if state["intent"] == "question" else "converse"


async def after_answer(state: ChatState) -> Literal["check", "consult", "open_gap", "remember"]:
    """Returns or checks a confident answer; looks up an unsure or a bad one, unless it was streamed already.

    What the user stated themselves, or a night has archived, is returned as it is.
    """
    if state["outcome"] == "answered_from_sources":
        return "remember"
    if state["outcome"] == "answered":
        if state["draft"] is None:
            return "remember"
        return "check" if steps.needs_check(state["route"]) else "consult"
    return "open_gap" if state["outcome"] == "answered_unsure" else "consult"


async def after_check(state: ChatState) -> Literal["consult", "apply_policy", "remember"]:
    """Answers from the sources if they contradict the adapter; without any support, applies the policy."""
    if state["outcome"] == "answered":
        return "remember"
    return "consult" if state["reason"] is None else "apply_policy"


async def after_sources(state: ChatState) -> Literal["reword", "open_gap", "remember"]:
    """Rewords a question that the sources do not answer; opens a gap if they contradict each other.

    A confident answer that was only tried again is returned as it is.
    """
    if state["outcome"] == "answered":
        return "remember"
    if state["outcome"] != "answered_from_sources":
        return "reword"
    return "remember" if state["reason"] is None else "open_gap"


async def after_rewording(state: ChatState) -> Literal["apply_policy", "remember"]:
    """A question that the model answers in other words is no gap."""
    return "remember" if state["reworded"] is not None else "apply_policy"


def build() -> StateGraph[ChatState, Runtime, ChatState, ChatState]:
    """The chat graph, not compiled."""
    graph = StateGraph(ChatState, context_schema=Runtime)
    add_step(graph, "understand", steps.understand)
    add_step(graph, "route", steps.choose_route)
    add_step(graph, "converse", or_recall(steps.converse))
    add_step(graph, "answer", or_recall(or_archived(steps.answer)))
    add_step(graph, "check", steps.check)
    add_step(graph, "consult", or_recall(steps.consult))
    add_step(graph, "reword", steps.reword)
    add_step(graph, "apply_policy", steps.apply_policy)
    add_step(graph, "open_gap", steps.open_gap)
    add_step(graph, "remember", steps.remember)
    graph.add_edge(START, "understand")
    graph.add_edge("understand", "route")
    graph.add_conditional_edges("route", by_intent)
    graph.add_edge("converse", "remember")
    graph.add_conditional_edges("answer", after_answer)
    graph.add_conditional_edges("check", after_check)
    graph.add_conditional_edges("consult", after_sources)
    graph.add_conditional_edges("reword", after_rewording)
    graph.add_edge("apply_policy", "open_gap")
    graph.add_edge("open_gap", "remember")
    graph.add_edge("remember", END)
    return graph


def initial_state(
    messages: Sequence[BaseMessage],
    *,
    requested: str | None = None,
    sampling: Sampling = GREEDY,
    unit: str | None = None,
    streamed: bool = False,
    unsure: UnsurePolicy | None = None,
    store: bool = True,
) -> ChatState:
    """The initial state of a turn. `unsure` is the caller's policy; None means the service's.

    A turn that the caller does not want to `store` is not logged and opens no gap.
    """
    return {
        "messages": cast(list[AnyMessage], list(messages)),
        "requested": requested,
        "sampling": sampling,
        "streamed": streamed,
        "unit": unit,
        "unsure": unsure,
        "store": store,
    }


async def chat(graph: Chat, runtime: Runtime, start: ChatState) -> Turn:
    """Runs one turn with the compiled graph.

    Raises ValueError (no question), PromptTooLong, UnknownAdapter, AdapterNotServable, AdapterRefused,
    CanaryFailed, EngineUnavailable and StoreUnavailable.
    """
    async with aclosing(stream(graph, runtime, start)) as parts:
        async for part in parts:
            if isinstance(part, Turn):
                return part
    raise AssertionError("a stream always ends with its turn")


async def stream(graph: Chat, runtime: Runtime, start: ChatState) -> AsyncGenerator[Piece | Turn, None]:
    """Runs one turn and yields the pieces of its answer as they are released, and at the end the turn.

    If there are no pieces, only the turn has the answer. Closing the generator cancels the turn, and nothing
    is stored. Raises the same as `chat`.
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
