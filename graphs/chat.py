"""Owns the order of one chat turn: recall, route, answer, gate, then sources or an honest "I do not know".

Keeps the confident path free of stores: nothing is read there, and one row is written at its end. A streamed
turn is the same one, except that text which has begun to flow is not replaced.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Literal, cast

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime as Injected

from agent import answer as answering
from agent import gaps
from agent.chat.gate import measure
from agent.chat.stream_gate import StreamGate
from agent.critique import critique
from agent.engine import GREEDY, Reply, Sampling, Token
from agent.errors import PromptTooLong
from agent.explore import look_up
from agent.grading import declined
from agent.routing import Route, route
from graphs.state import ChatState, Runtime, Update
from memory.records import ChatOutcome, Citation, Interaction, Record, Uncertainty

Chat = CompiledStateGraph[ChatState, Runtime, ChatState, ChatState]


class Piece(Record):
    """A stretch of the answer that the gate let through, as a custom stream event."""

    turn_id: str
    adapter: str | None
    tokens: tuple[Token, ...]


class Turn(Record):
    """A finished chat turn, with everything that a caller may want to know about it."""

    id: str
    question: str
    answer: str
    outcome: ChatOutcome
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
    tokens: tuple[Token, ...]
    """The answer's tokens; none where the words are not the model's."""


async def recall(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Takes the question out of the conversation, and forgets what was found out about the one before.

    What the model will not be shown is not counted. Raises ValueError, and PromptTooLong past the limit.
    """
    given = runtime.context
    question = answering.question_of(state["messages"])
    limit = given.limits.max_prompt_chars
    size = sum(len(message.text) for message in _prompt(state, given))
    if size > limit:
        raise PromptTooLong(f"the conversation has {size} characters and the limit is {limit}: shorten it")
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
    """Answers without sources, and measures how sure the model is.

    A streamed answer whose beginning is confident goes out while it grows; if its end is not, it stays said.
    """
    given = runtime.context
    gate, declines = state["route"].gate, given.card.declines
    turn_id = given.new_id()
    stream_gate = StreamGate(gate, declines, _speaker(turn_id, state, runtime))
    heard = stream_gate.hear if state.get("streamed") else None
    reply = await _ask(_prompt(state, given), state, given, heard)
    seen = measure(reply.tokens, gate, abstained=declined(reply.text, declines))
    stream_gate.end(reply.tokens, release=not gaps.is_gap(seen))
    return {
        "interaction_id": turn_id,
        "answer": reply.text,
        "uncertainty": seen,
        "doubtful": gaps.keywords(state["question"], reply),
        "outcome": "answered_unsure" if stream_gate.flowing and gaps.is_gap(seen) else "answered",
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
    reading = measure(reply.tokens, state["route"].gate)
    update: Update = {"findings": found, "reading": reading} | _usage(reply)
    if not supported or gaps.is_gap(reading):
        return update | {"outcome": "abstained", "answer": answering.ABSTENTION}
    _speaker(state["interaction_id"], state, runtime)(reply.tokens)
    return update | {"outcome": "answered_from_sources", "answer": reply.text, "citations": supported}


async def note(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Opens a gap for a question without an answer to rely on, or finds the one that stands for it."""
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
    """Keeps the turn, whole and once, for its id came with its answer; and adds it to the conversation."""
    given = runtime.context
    interaction = Interaction(
        id=state["interaction_id"],
        question=state["question"],
        answer=state["answer"],
        domain=state["route"].domain,
        adapter=state["route"].adapter,
        uncertainty=state["uncertainty"],
        outcome=state["outcome"],
        citations=state.get("citations", ()),
        unit=state.get("unit"),
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
    return {"messages": [said]}


def gate(state: ChatState) -> Literal["consult", "note", "remember"]:
    """A confident answer goes out; any other is looked up first, unless it has been said already."""
    if state["outcome"] == "answered_unsure":
        return "note"
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


def begun(
    messages: Sequence[tuple[str, str]],
    *,
    requested: str | None = None,
    sampling: Sampling = GREEDY,
    unit: str | None = None,
    streamed: bool = False,
) -> ChatState:
    """The state that a turn of (role, text) pairs begins with. Raises ValueError for an unknown role."""
    return {
        "messages": cast(list[AnyMessage], answering.conversation(messages)),
        "requested": requested,
        "sampling": sampling,
        "streamed": streamed,
        "unit": unit,
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
    yield Turn(
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
        tokens=tuple(tokens),
    )


def _speaker(turn_id: str, state: ChatState, runtime: Injected[Runtime]) -> Callable[[Sequence[Token]], None]:
    """Tells tokens to whoever follows the turn."""
    adapter = state["route"].adapter
    return lambda tokens: runtime.stream_writer(Piece(turn_id=turn_id, adapter=adapter, tokens=tuple(tokens)))


def _prompt(state: ChatState, given: Runtime) -> list[BaseMessage]:
    messages = state["messages"]
    return answering.in_turns(messages)


def _usage(reply: Reply) -> Update:
    return {
        "finish_reason": reply.finish_reason,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": len(reply.tokens),
    }


async def _ask(
    prompt: list[BaseMessage],
    state: ChatState,
    given: Runtime,
    heard: Callable[[Token], None] | None = None,
) -> Reply:
    return await answering.ask(
        prompt,
        state["route"].adapter,
        engine=given.engine,
        routes=given.routes,
        sampling=state.get("sampling", GREEDY),
        heard=heard,
    )
