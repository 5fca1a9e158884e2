"""The steps of a chat turn: each takes the state, calls one part of `agent`, and returns an update."""

import asyncio
from collections.abc import Callable, Sequence

from langchain_core.messages import AIMessage, BaseMessage
from langgraph.runtime import Runtime as Injected

from agent.chat.abstention import AbstentionReason, abstention_text, caution_text, reply_language
from agent.chat.answer_from_sources import answer_from_sources, check_against_sources
from agent.chat.conversation import prompt_messages, question_of, with_question
from agent.chat.followup import make_standalone
from agent.chat.format_directives import dictates_form
from agent.chat.gate import JUDGED_TOKENS, SENTENCE, measure_uncertainty
from agent.chat.intent import classify
from agent.chat.model_calls import ask_model
from agent.chat.rewording import is_steady, rewordings
from agent.chat.routing import resolve_route
from agent.chat.stream_gate import StreamGate
from agent.engines.base import GREEDY, FinishReason, Reply, Sampling, Token
from agent.grading import admits_ignorance
from agent.learning import gaps
from agent.learning.exploration import look_up
from graphs.state import ChatState, Runtime, Update
from graphs.turn import Piece
from memory.language.content_words import content_words, coverage
from memory.records.interactions import Intent, Interaction, Uncertainty
from memory.records.knowledge import Findings

ABOUT = 0.5
"""Share of a question's content words that a passage which speaks of it holds."""


async def understand(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Finds the question and its intent, and forgets what was found out about the turn before.

    Raises ValueError (no question), and PromptTooLong for what cannot fit into the model's context.
    """
    context, messages = runtime.context, state["messages"]
    question = question_of(messages)
    prompt_messages(messages, context.card)
    intent = await _intent(state, context)
    return {
        "question": question,
        "standalone": make_standalone(messages).text if intent == "question" else question,
        "intent": intent,
        "uncertainty": None,
        "draft": None,
        "reworded": None,
        "reason": None,
        "findings": None,
        "citations": (),
        "tool_calls": (),
        "gap_id": None,
    }


async def direct(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Finds the adapter and its gate; conversation goes to the base model unless another one is asked for.

    Raises UnknownAdapter and AdapterNotServable.
    """
    context = runtime.context
    chosen = await resolve_route(
        state["standalone"] if state["intent"] == "question" else "",
        state.get("requested"),
        routes=context.routes,
        base=context.base,
        base_name=context.base_name,
    )
    return {"route": chosen}


async def converse(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Answers what seeks no knowledge as it is; a stream begins at once."""
    context = runtime.context
    turn_id = context.new_id()
    speak = _speaker(turn_id, state, runtime)
    streamed = state.get("streamed", False)
    reply = await _ask(
        state["messages"], state, context, (lambda token: speak((token,))) if streamed else None
    )
    if not streamed:
        speak(reply.tokens)
    return {"interaction_id": turn_id, "outcome": "answered"} | _spoken(reply)


async def answer(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Answers without sources, and measures how sure the model is.

    A streamed answer whose beginning is confident goes out while it grows; if its end is not, it stays said.
    An adapter's answer is held until `check` has seen it. A tool call has no gate: its result comes back as
    the conversation's next message.
    """
    context = runtime.context
    gate, declines, taught = state["route"].gate, context.card.declines, state["route"].adapter is not None
    turn_id = context.new_id()
    stream_gate = StreamGate(gate, declines, _speaker(turn_id, state, runtime))
    heard = stream_gate.add if state.get("streamed") and not taught else None

    def hopeless(tokens: Sequence[Token]) -> bool:
        """An answer that will be declined need not be written to its end."""
        if len(tokens) != JUDGED_TOKENS or stream_gate.flowing or _policy(state, context) != "abstain":
            return False
        return gaps.is_gap(measure_uncertainty(tokens, gate))

    tools = state.get("sampling", GREEDY).tools
    reply = await _ask(state["messages"], state, context, heard, enough=None if tools else hopeless)
    update: Update = {"interaction_id": turn_id, "outcome": "answered"} | _spoken(reply)
    if reply.tool_calls:
        stream_gate.end(reply.tokens, release=True)
        return update
    seen = measure_uncertainty(reply.tokens, gate, abstained=admits_ignorance(reply.text, declines))
    unsure = gaps.is_gap(seen)
    stream_gate.end(reply.tokens, release=not unsure and not taught)
    update |= {"uncertainty": seen, "doubtful": gaps.gap_keywords(state["standalone"], reply)}
    if taught and not unsure:
        update["draft"] = reply
    elif unsure:
        # Tokens make checkpoints large, so they are kept only where they may go out yet.
        kept = reply.tokens if _policy(state, context) == "answer" else ()
        update |= {
            "draft": reply.model_copy(update={"tokens": kept}),
            "outcome": "answered_unsure" if stream_gate.flowing else "abstained",
        }
    return update


async def check(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Holds what an adapter is sure of against the library, which it learned from: its gate cannot tell what
    it learned from what it mixes up.

    What a sentence supports goes out and is cited. Where the sources answer the question otherwise, they are
    to be consulted; where they are silent, the base model's own answer goes out if that is sure. An empty
    library tells nothing.
    """
    context, draft, seen = runtime.context, state["draft"], state["uncertainty"]
    assert draft is not None
    assert seen is not None
    question, messages = state["standalone"], state["messages"]
    found = await look_up(question, episodic=context.episodic, semantic=context.semantic)
    backed = await asyncio.to_thread(
        check_against_sources,
        question,
        draft.text,
        messages,
        found,
        embedder=context.embedder,
        card=context.card,
    )
    speak = _speaker(state["interaction_id"], state, runtime)
    if backed.citations or not found.evidence:
        speak(draft.tokens)
        return {"draft": None, "citations": backed.citations}
    kept = draft.tokens if _policy(state, context) == "answer" else ()
    unbacked: Update = {
        "draft": draft.model_copy(update={"tokens": kept}),
        "uncertainty": seen.model_copy(update={"decision": "unsure"}),
        "outcome": "abstained",
        "findings": found,
    }
    if backed.answers:
        return unbacked
    base = context.routes.calibrated(context.base)
    untaught: ChatState = state | {"route": base}
    reply = await _ask(messages, untaught, context)
    mark = _judged(reply, untaught, context)
    if gaps.is_gap(mark):
        return unbacked | {"reason": _silence(question, found)}
    _speaker(state["interaction_id"], untaught, runtime)(reply.tokens)
    return {"draft": None, "uncertainty": mark, "route": base} | _spoken(reply)


async def consult(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Looks the question up, unless `check` has, and answers from sources that answer it."""
    context = runtime.context
    question = state["standalone"]
    found = state["findings"] or await look_up(question, episodic=context.episodic, semantic=context.semantic)
    update: Update = {"findings": found}

    async def put(messages: Sequence[BaseMessage], sampling: Sampling) -> Reply:
        return await _ask(messages, state, context, sampling=sampling)

    sourced = await answer_from_sources(
        question,
        state["messages"],
        found,
        ask=put,
        embedder=context.embedder,
        card=context.card,
        max_tokens=state.get("sampling", GREEDY).max_tokens,
    )
    if sourced is None:
        return update | {"reason": _silence(question, found)}
    reply = sourced.reply
    finish_reason: FinishReason = "stop"
    if reply is not None:
        update |= _spoken(reply)
        if reply.text == sourced.text:
            finish_reason = reply.finish_reason
            _speaker(state["interaction_id"], state, runtime)(reply.tokens)
    return update | {
        "outcome": "answered_from_sources",
        "answer": sourced.text,
        "citations": sourced.citations,
        "reason": "sources_disagree" if sourced.contradiction else None,
        "finish_reason": finish_reason,
    }


async def reword(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Asks again in other words: what the model answers surely and steadily then was only worded badly.

    Only short answers can be compared, so a long draft is not asked for again.
    """
    context, draft, seen = runtime.context, state["draft"], state["uncertainty"]
    assert draft is not None
    assert seen is not None
    if seen.tokens > SENTENCE:
        return {}
    sampling = Sampling(max_tokens=SENTENCE)
    texts = rewordings(state["standalone"], context.limits.rewordings)
    replies = await asyncio.gather(
        *(_ask(with_question(state["messages"], text), state, context, sampling=sampling) for text in texts)
    )
    judged = [_judged(reply, state, context) for reply in replies]
    claims = [draft.text] * (not seen.abstained)
    claims += [reply.text for reply, mark in zip(replies, judged, strict=True) if not mark.abstained]
    for text, reply, mark in zip(texts, replies, judged, strict=True):
        others = list(claims)
        if reply.text in others:
            others.remove(reply.text)
        if not gaps.is_gap(mark) and reply.finish_reason == "stop" and is_steady(reply.text, others):
            _speaker(state["interaction_id"], state, runtime)(reply.tokens)
            return {"outcome": "answered", "uncertainty": mark, "reworded": text} | _spoken(reply)
    return {}


async def settle(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """What goes out where the model is unsure and no source helps: the caller's policy, or the service's."""
    context, draft, seen, reason = runtime.context, state["draft"], state["uncertainty"], state["reason"]
    assert draft is not None
    assert seen is not None
    assert reason is not None
    policy = _policy(state, context)
    if policy == "abstain" or not draft.text.strip():
        return _abstain(state, reason)
    update = _spoken(draft) | {"completion_tokens": state["completion_tokens"]}
    if seen.abstained:  # the model declined in its own words
        return update | {"outcome": "abstained"}
    if policy == "warn":
        warned = f"{caution_text(reply_language(state['messages']))} {draft.text}"
        return update | {"outcome": "answered_unsure", "answer": warned}
    _speaker(state["interaction_id"], state, runtime)(draft.tokens)
    return update | {"outcome": "answered_unsure"}


async def note(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Opens a gap for a question without an answer to rely on, or finds the one that stands for it."""
    context = runtime.context
    gap = gaps.open_gap(
        state["standalone"],
        domain=state["route"].domain,
        keywords=state["doubtful"],
        uncertainty=state["uncertainty"],
        id=context.new_id(),
        now=context.clock(),
    )
    return {"gap_id": (await context.database.open_gap(gap)).id}


async def remember(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Keeps the turn, whole and once, for its id came with its answer; and adds it to the conversation."""
    context = runtime.context
    interaction = Interaction(
        id=state["interaction_id"],
        question=state["question"],
        answer=state["answer"],
        domain=state["route"].domain,
        adapter=state["route"].adapter,
        uncertainty=state["uncertainty"],
        intent=state["intent"],
        outcome=state["outcome"],
        citations=state["citations"],
        unit=state.get("unit"),
        created_at=context.clock(),
    )
    await context.database.save_interaction(interaction)
    said = AIMessage(
        state["answer"],
        id=interaction.id,
        response_metadata={
            "model_name": state["route"].adapter or context.base_name,
            "finish_reason": state["finish_reason"],
            "outcome": state["outcome"],
        },
    )
    return {"messages": [said]}


async def _intent(state: ChatState, runtime: Runtime) -> Intent:
    """The intent; a form that the caller dictates leaves room for no answer but the model's own."""
    sampling = state.get("sampling", GREEDY)
    if sampling.response_format is not None or dictates_form(state["messages"]):
        return "conversation"
    return (await asyncio.to_thread(classify, state["messages"], runtime.embedder)).intent


def _policy(state: ChatState, runtime: Runtime) -> str:
    return state.get("unsure") or runtime.unsure


def _abstain(state: ChatState, reason: AbstentionReason) -> Update:
    """The service's own words: whole, whatever limit the caller set to the model's."""
    text = abstention_text(reason, reply_language(state["messages"]))
    return {"outcome": "abstained", "answer": text, "finish_reason": "stop"}


def _silence(question: str, found: Findings) -> AbstentionReason:
    """Whether any passage speaks of what was asked; a search by meaning finds something for any question."""
    wanted = content_words(question)
    passages = (hit.passage for hit in found.evidence)
    spoken_of = any(coverage(wanted, f"{p.title} {p.section} {p.text}") >= ABOUT for p in passages)
    return "sources_silent" if spoken_of else "no_sources"


def _judged(reply: Reply, state: ChatState, runtime: Runtime) -> Uncertainty:
    return measure_uncertainty(
        reply.tokens, state["route"].gate, abstained=admits_ignorance(reply.text, runtime.card.declines)
    )


def _speaker(turn_id: str, state: ChatState, runtime: Injected[Runtime]) -> Callable[[Sequence[Token]], None]:
    """Tells tokens to whoever follows the turn."""
    adapter = state["route"].adapter
    return lambda tokens: runtime.stream_writer(Piece(turn_id=turn_id, adapter=adapter, tokens=tuple(tokens)))


def _spoken(reply: Reply) -> Update:
    return {
        "answer": reply.text,
        "finish_reason": reply.finish_reason,
        "tool_calls": reply.tool_calls,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
    }


async def _ask(
    messages: Sequence[BaseMessage],
    state: ChatState,
    runtime: Runtime,
    heard: Callable[[Token], None] | None = None,
    *,
    sampling: Sampling | None = None,
    enough: Callable[[Sequence[Token]], bool] | None = None,
) -> Reply:
    """`sampling` is for answers that the caller did not ask for; else it is the caller's."""
    return await ask_model(
        prompt_messages(messages, runtime.card),
        state["route"].adapter,
        engine=runtime.engine,
        routes=runtime.routes,
        card=runtime.card,
        sampling=sampling or state.get("sampling", GREEDY),
        on_token=heard,
        stop_when=enough,
    )
