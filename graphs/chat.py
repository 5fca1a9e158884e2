"""Owns the order of one chat turn: recall, route, answer, gate, then sources or an honest "I do not know".

Keeps the confident path free of stores: nothing is read there, and one row is written at its end.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Literal, cast

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime as Injected

from agent import answer as answering
from agent import gaps
from agent.critique import critique
from agent.engine import Reply, Sampling
from agent.entropy import measure
from agent.errors import PromptTooLong
from agent.explore import look_up
from agent.routing import Route, route
from graphs.state import ChatState, Runtime
from memory.records import Citation, Interaction, Record, Uncertainty

Update = dict[str, Any]
Chat = CompiledStateGraph[ChatState, Runtime, ChatState, ChatState]


class Turn(Record):
    """A finished chat turn, with everything that a caller may want to know about it."""

    id: str
    question: str
    answer: str
    outcome: Literal["answered", "answered_from_sources", "abstained"]
    route: Route
    uncertainty: Uncertainty
    """The gate's figures for the answer without sources."""
    reading: Uncertainty | None
    """The figures for the answer from sources, where they were consulted."""
    citations: tuple[Citation, ...]
    gap_id: str | None
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int


async def recall(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Takes the question out of the conversation, and forgets what was found out about the one before.

    What stands before the last answer is not counted: a long thread stays usable. Raises ValueError, and
    PromptTooLong past the limit.
    """
    limit = runtime.context.limits.max_prompt_chars
    since = takewhile(lambda message: not isinstance(message, AIMessage), reversed(state["messages"]))
    size = sum(len(message.text) for message in since)
    if size > limit:
        raise PromptTooLong(f"the conversation has {size} characters and the limit is {limit}: shorten it")
    question = answering.question_of(state["messages"])
    return {"question": question, "findings": None, "reading": None, "citations": (), "gap_id": None}


async def direct(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Finds the domain, and with it the adapter and its gate. Raises UnknownAdapter."""
    given = runtime.context
    chosen = await route(
        state["question"],
        state.get("requested"),
        routes=given.routes,
        base=given.base,
        base_name=given.base_name,
    )
    return {"route": chosen}


async def answer(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Answers without sources and measures how sure the model is."""
    prompt = answering.closed_book(state["question"])
    reply = await _ask(prompt, state, runtime.context)
    threshold = state["route"].threshold
    return {
        "answer": reply.text,
        "uncertainty": measure(reply, threshold),
        "doubtful": gaps.keywords(state["question"], reply, threshold),
        "outcome": "answered",
    } | _usage(reply)


async def consult(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Looks the question up, and answers from sources that support the answer and do not disagree.

    The reading is judged by its mean entropy: one rare word copied from a source is no doubt.
    """
    given = runtime.context
    found = await look_up(state["question"], episodic=given.episodic, semantic=given.semantic)
    marks = await critique(state["question"], found)
    if marks.verdict == "refine" or not found.evidence:
        return {"findings": found, "outcome": "abstained", "answer": answering.ABSTENTION_WITHOUT_SOURCES}
    if marks.verdict == "flag":  # `discard` bars teaching only: what is answered here quotes its sentence
        return {"findings": found, "outcome": "abstained", "answer": answering.ABSTENTION_DESPITE_SOURCES}
    reply = await _ask(answering.from_sources(state["question"], found), state, given)
    supported = answering.citations(state["question"], reply.text, found)
    reading = measure(reply, state["route"].threshold, by="mean")
    update: Update = {"findings": found, "reading": reading} | _usage(reply)
    if not supported or gaps.is_gap(reading):
        return update | {"outcome": "abstained", "answer": answering.ABSTENTION}
    return update | {"outcome": "answered_from_sources", "answer": reply.text, "citations": supported}


async def note(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Opens a gap for a question that stayed unanswered, or finds the one that stands for it."""
    given = runtime.context
    gap = gaps.open_gap(
        state["question"],
        domain=state["route"].domain,
        keywords=state["doubtful"],
        uncertainty=state["uncertainty"],
        id=given.new_id(),
        now=given.clock(),
    )
    return {"gap_id": (await given.database.open_gap(gap)).id}


async def remember(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Keeps the turn, and puts the answer to the conversation."""
    given = runtime.context
    interaction = Interaction(
        id=given.new_id(),
        question=state["question"],
        answer=state["answer"],
        domain=state["route"].domain,
        adapter=state["route"].adapter,
        uncertainty=state["uncertainty"],
        outcome=state["outcome"],
        citations=state.get("citations", ()),
        created_at=given.clock(),
    )
    await given.database.save_interaction(interaction)
    said = AIMessage(
        state["answer"],
        id=interaction.id,
        response_metadata={
            "model_name": state["route"].adapter or given.base_name,
            "finish_reason": state["finish_reason"],
            "outcome": state["outcome"],
        },
    )
    return {"interaction_id": interaction.id, "messages": [said]}


def gate(state: ChatState) -> Literal["consult", "remember"]:
    """A confident answer goes out; any other is looked up first."""
    return "consult" if gaps.is_gap(state["uncertainty"]) else "remember"


def after_sources(state: ChatState) -> Literal["note", "remember"]:
    """A question that stayed open leaves a gap."""
    return "note" if state["outcome"] == "abstained" else "remember"


def build() -> StateGraph[ChatState, Runtime, ChatState, ChatState]:
    """The chat graph, not yet compiled."""
    graph = StateGraph(ChatState, context_schema=Runtime)
    graph.add_node("recall", recall)
    graph.add_node("route", direct)
    graph.add_node("answer", answer)
    graph.add_node("consult", consult)
    graph.add_node("note", note)
    graph.add_node("remember", remember)
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "route")
    graph.add_edge("route", "answer")
    graph.add_conditional_edges("answer", gate)
    graph.add_conditional_edges("consult", after_sources)
    graph.add_edge("note", "remember")
    graph.add_edge("remember", END)
    return graph


async def chat(
    graph: Chat,
    runtime: Runtime,
    messages: Sequence[tuple[str, str]],
    *,
    requested: str | None = None,
    max_tokens: int = 64,
) -> Turn:
    """Serves one turn of (role, text) pairs with the compiled graph.

    Raises ValueError (no question, unknown role), PromptTooLong, UnknownAdapter, AdapterNotServable,
    AdapterRefused, CanaryFailed, EngineUnavailable and StoreUnavailable.
    """
    spoken = answering.conversation(messages)
    start = ChatState(messages=cast(list[AnyMessage], spoken), requested=requested, max_tokens=max_tokens)
    state = await graph.ainvoke(start, context=runtime)
    return Turn(
        id=state["interaction_id"],
        question=state["question"],
        answer=state["answer"],
        outcome=state["outcome"],
        route=state["route"],
        uncertainty=state["uncertainty"],
        reading=state.get("reading"),
        citations=state.get("citations", ()),
        gap_id=state.get("gap_id"),
        finish_reason=state["finish_reason"],
        prompt_tokens=state["prompt_tokens"],
        completion_tokens=state["completion_tokens"],
    )


def _usage(reply: Reply) -> Update:
    return {
        "finish_reason": reply.finish_reason,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": len(reply.tokens),
    }


async def _ask(prompt: list[BaseMessage], state: ChatState, given: Runtime) -> Reply:
    sampling = Sampling(max_tokens=state.get("max_tokens") or Sampling().max_tokens)
    adapter = state["route"].adapter
    return await answering.ask(prompt, adapter, engine=given.engine, routes=given.routes, sampling=sampling)
