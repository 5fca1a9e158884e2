"""The steps of a chat turn: each takes the state, calls one part of `agent`, and returns an update.

Their order is in `chat`.
"""

import asyncio
from collections.abc import Callable, Sequence

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langgraph.runtime import Runtime as Injected

from agent.chat.abstention import (
    AbstentionReason,
    abstention_text,
    caution_text,
    closest_text,
    reply_language,
)
from agent.chat.answer_from_sources import answer_from_sources
from agent.chat.conversation import prompt_messages, question_of, with_question
from agent.chat.followup import make_standalone
from agent.chat.format_directives import dictates_form
from agent.chat.gate import JUDGED_TOKENS, SENTENCE, measure_uncertainty
from agent.chat.intent import classify, classify_by_words
from agent.chat.model_calls import ask_model
from agent.chat.no_answer import no_answer
from agent.chat.rewording import is_steady, rewordings
from agent.chat.routing import Route
from agent.chat.stream_gate import StreamGate
from agent.engines.base import GREEDY, FinishReason, Reply, Sampling, Token
from agent.grading import admits_ignorance
from agent.learning import gaps
from agent.learning.exploration import look_up
from agent.nights.scoring.live import worth_a_second_attempt
from graphs.archive import archived_update
from graphs.checked_views import check_answer
from graphs.state import ChatState, Runtime, Update
from graphs.turn import Piece
from graphs.turn_log import interaction_of, scrubbed
from graphs.variants import or_control, prompt_of, route_turn
from memory.errors import UnknownAdapter
from memory.language.content_words import content_words
from memory.records.interactions import Intent, Uncertainty
from memory.records.knowledge import Findings


async def understand(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Finds the question and its intent, and resets the results of the previous turn.

    Raises ValueError if there is no question, and PromptTooLong if it does not fit into the model's context.
    """
    context, messages = runtime.context, state["messages"]
    started_at = context.clock()
    question = question_of(messages)
    prompt_messages(messages, context.card)
    intent = await _intent(state, context)
    return {
        "started_at": started_at,
        "question": question,
        "standalone": make_standalone(messages).text if intent == "question" else question,
        "intent": intent,
        "uncertainty": None,
        "draft": None,
        "reworded": None,
        "reason": None,
        "closest": None,
        "citations": (),
        "tool_calls": (),
        "gap_id": None,
    }


async def choose_route(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Chooses the adapter and its gate, or the variant of a running experiment.

    Conversation goes to the base model unless the caller names another.

    Raises UnknownAdapter and AdapterNotServable.
    """
    return await route_turn(state, runtime.context)


@or_control
async def converse(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Answers conversation without a gate; a stream starts with the first token."""
    context = runtime.context
    turn_id = context.new_id()
    emit = _emitter(turn_id, state, runtime)
    streamed = state.get("streamed", False)
    reply = await _ask(
        state["messages"], state, context, (lambda token: emit((token,))) if streamed else None
    )
    if not streamed:
        emit(reply.tokens)
    return {"interaction_id": turn_id, "outcome": "answered"} | _answer_update(reply)


@or_control
async def answer(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Answers without sources, and measures how confident the model is.

    A streamed answer is sent token by token once its beginning is confident, and is not taken back if its end
    is unsure. The answer of an adapter that was taught lessons is not sent until `check` has verified it.
    Tool calls are not gated: their results come back as the conversation's next message.
    """
    context = runtime.context
    gate, declines = state["route"].gate, context.card.declines
    by_adapter = needs_check(state["route"])
    turn_id = context.new_id()
    stream_gate = StreamGate(gate, declines, _emitter(turn_id, state, runtime))
    on_token = stream_gate.add if state.get("streamed") and not by_adapter else None

    def is_certain_to_be_declined(tokens: Sequence[Token]) -> bool:
        """Stops the generation early if the answer would not be used."""
        if len(tokens) != JUDGED_TOKENS or stream_gate.flowing or _policy(state, context) != "abstain":
            return False
        return gaps.is_gap(measure_uncertainty(tokens, gate))

    tools = state.get("sampling", GREEDY).tools
    reply = await _ask(
        state["messages"], state, context, on_token, stop_when=None if tools else is_certain_to_be_declined
    )
    update: Update = {"interaction_id": turn_id, "outcome": "answered"} | _answer_update(reply)
    if reply.tool_calls:
        stream_gate.end(reply.tokens, release=True)
        return update
    uncertainty = measure_uncertainty(reply.tokens, gate, abstained=admits_ignorance(reply.text, declines))
    unsure = gaps.is_gap(uncertainty)
    tried_again = not unsure and not by_adapter and _is_worth_another_attempt(reply, state, context)
    stream_gate.end(reply.tokens, release=not (unsure or by_adapter or tried_again))
    update |= {"uncertainty": uncertainty, "doubtful": gaps.gap_keywords(state["standalone"], reply)}
    if (by_adapter or tried_again) and not unsure:
        update["draft"] = reply
    elif unsure:
        # Tokens make checkpoints large, so they are stored only if they may still be sent.
        retained = reply.tokens if _policy(state, context) == "answer" else ()
        update |= {
            "draft": reply.model_copy(update={"tokens": retained}),
            "outcome": "answered_unsure" if stream_gate.flowing else "abstained",
        }
    return update


def needs_check(route: Route) -> bool:
    """Whether a confident answer is checked against the sources: that of an adapter that was taught."""
    return route.adapter is not None and route.taught


async def check(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Checks an adapter's confident answer against the sources, because its gate cannot detect mix-ups.

    An answer that a sentence supports is returned with citations. If the sources give another answer, the
    next step is `consult`; if they give none, the base model answers if it is confident. Without any sources
    the answer is returned unchecked.
    """
    context, draft, uncertainty = runtime.context, state["draft"], state["uncertainty"]
    assert draft is not None
    assert uncertainty is not None
    question, messages = state["standalone"], state["messages"]
    findings = await _look_up(question, context)
    support = await check_answer(question, draft.text, messages, findings, context)
    if support.citations or not findings.evidence:
        _emitter(state["interaction_id"], state, runtime)(draft.tokens)
        return {"draft": None, "citations": support.citations}
    retained = draft.tokens if _policy(state, context) == "answer" else ()
    unsupported: Update = {
        "draft": draft.model_copy(update={"tokens": retained}),
        "uncertainty": uncertainty.model_copy(update={"decision": "unsure"}),
        "outcome": "abstained",
    }
    if support.answers:
        return unsupported
    base_route = context.routes.calibrated(context.routes.fallback(context.base, context.access))
    base_state: ChatState = state | {"route": base_route}
    reply = await _ask(messages, base_state, context)
    base_uncertainty = _measure(reply, base_state, context)
    if gaps.is_gap(base_uncertainty):
        return unsupported | await _unanswered(findings, state, context)
    _emitter(state["interaction_id"], base_state, runtime)(reply.tokens)
    return {"draft": None, "uncertainty": base_uncertainty, "route": base_route} | _answer_update(reply)


async def consult(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Looks the question up, and answers from the sources if they answer it.

    A confident answer that is only tried again is sent after all if they do not.
    An archived answer to the same question is given again as long as the sources still support it.
    """
    context = runtime.context
    question = state["standalone"]
    findings = await _look_up(question, context)
    update: Update = {}
    if (archived := await archived_update(state, context, findings)) is not None:
        return archived

    async def ask(messages: Sequence[BaseMessage], sampling: Sampling) -> Reply:
        return await _ask(messages, state, context, sampling=sampling)

    sourced = await answer_from_sources(
        question,
        state["messages"],
        findings,
        ask=ask,
        embedder=context.embedder,
        card=context.card,
        max_tokens=state.get("sampling", GREEDY).max_tokens,
    )
    if sourced is None and state["outcome"] == "answered":
        assert state["draft"] is not None
        _emitter(state["interaction_id"], state, runtime)(state["draft"].tokens)
        return update | {"draft": None}
    if sourced is None:
        return update | await _unanswered(findings, state, context)
    reply = sourced.reply
    finish_reason: FinishReason = "stop"
    if reply is not None:
        update |= _answer_update(reply)
        if reply.text == sourced.text:
            finish_reason = reply.finish_reason
            _emitter(state["interaction_id"], state, runtime)(reply.tokens)
    return update | {
        "outcome": "answered_from_sources",
        "answer": sourced.text,
        "citations": sourced.citations,
        "reason": "sources_disagree" if sourced.contradiction else None,
        "finish_reason": finish_reason,
    }


async def reword(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Asks the question in other words, and returns an answer that is confident and consistent across them.

    Skipped for long drafts, because only short answers can be compared.
    """
    context, draft, uncertainty = runtime.context, state["draft"], state["uncertainty"]
    assert draft is not None
    assert uncertainty is not None
    if uncertainty.tokens > SENTENCE:
        return {}
    sampling = Sampling(max_tokens=SENTENCE)
    texts = rewordings(state["standalone"], context.limits.rewordings)
    replies = await asyncio.gather(
        *(_ask(with_question(state["messages"], text), state, context, sampling=sampling) for text in texts)
    )
    uncertainties = [_measure(reply, state, context) for reply in replies]
    claims = [draft.text] * (not uncertainty.abstained)
    claims += [reply.text for reply, mark in zip(replies, uncertainties, strict=True) if not mark.abstained]
    for text, reply, mark in zip(texts, replies, uncertainties, strict=True):
        others = list(claims)
        if reply.text in others:
            others.remove(reply.text)
        if not gaps.is_gap(mark) and reply.finish_reason == "stop" and is_steady(reply.text, others):
            _emitter(state["interaction_id"], state, runtime)(reply.tokens)
            return {"outcome": "answered", "uncertainty": mark, "reworded": text} | _answer_update(reply)
    return {}


async def apply_policy(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Decides what to return when the model is unsure and no source helps: an abstention or the draft."""
    context, draft, uncertainty = runtime.context, state["draft"], state["uncertainty"]
    reason = state["reason"]
    assert draft is not None
    assert uncertainty is not None
    assert reason is not None
    policy = _policy(state, context)
    if policy == "abstain" or not draft.text.strip():
        return _abstain(state, reason)
    update = _answer_update(draft) | {"completion_tokens": state["completion_tokens"]}
    if uncertainty.abstained:  # the model declined in its own words
        return update | {"outcome": "abstained"}
    if policy == "warn":
        answer_with_caution = f"{caution_text(reply_language(state['messages']))} {draft.text}"
        return update | {"outcome": "answered_unsure", "answer": answer_with_caution}
    _emitter(state["interaction_id"], state, runtime)(draft.tokens)
    return update | {"outcome": "answered_unsure"}


async def open_gap(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Opens a gap for a question without a reliable answer, or finds the gap that already covers it.

    A turn that must not be stored opens none.
    """
    context = runtime.context
    if not state.get("store", True):
        return {}
    question, *keywords = await scrubbed([state["standalone"], *state["doubtful"]], context.scrubber)
    removed = {*content_words(state["standalone"])} - {*content_words(question)}
    gap = gaps.open_gap(
        question,
        domain=state["route"].domain,
        keywords=tuple(word for word in keywords if word not in removed),
        uncertainty=state["uncertainty"],
        owner=context.owner,
        id=context.new_id(),
        now=context.clock(),
    )
    return {"gap_id": (await context.database.open_gap(gap)).id}


async def remember(state: ChatState, runtime: Injected[Runtime]) -> Update:
    """Logs the turn, unless it must not be stored, and adds its answer to the messages; safe to repeat."""
    context = runtime.context
    if context.count_tokens is not None:
        await context.count_tokens(context.owner, state["prompt_tokens"] + state["completion_tokens"])
    context.meter.turn(state, (context.clock() - state["started_at"]).total_seconds())
    if state.get("store", True):
        await context.interactions.save(await interaction_of(state, context))
    message = AIMessage(
        state["answer"],
        id=state["interaction_id"],
        response_metadata={
            "model_name": state["route"].adapter or context.base_name,
            "finish_reason": state["finish_reason"],
            "outcome": state["outcome"],
        },
    )
    return {"messages": [message]}


async def _look_up(question: str, runtime: Runtime) -> Findings:
    """What the turn's caller may read about the question. It never enters the state, which clients see."""
    return await look_up(
        question, episodic=runtime.episodic, semantic=runtime.semantic, access=runtime.access
    )


async def _intent(state: ChatState, runtime: Runtime) -> Intent:
    """The intent. A dictated output format counts as conversation, because only the model can follow it."""
    sampling = state.get("sampling", GREEDY)
    if sampling.response_format is not None or dictates_form(state["messages"]):
        return "conversation"
    guess = classify_by_words(state["messages"], runtime.embedder)
    if guess is None:
        guess = await asyncio.to_thread(classify, state["messages"], runtime.embedder)
    return guess.intent


def _is_worth_another_attempt(reply: Reply, state: ChatState, runtime: Runtime) -> bool:
    """Whether the answer is so bad that the sources are asked, if it was not streamed and time is left."""
    budget = runtime.second_attempts
    if budget is None or state.get("streamed") or state.get("sampling", GREEDY).tools:
        return False
    bad = worth_a_second_attempt(state["standalone"], reply.text, declines=runtime.card.declines)
    if not bad or not budget.take():
        return False
    runtime.meter.second_attempt()
    return True


def _policy(state: ChatState, runtime: Runtime) -> str:
    return state.get("unsure") or runtime.unsure


def _abstain(state: ChatState, reason: AbstentionReason) -> Update:
    """Abstains in the service's own words, which are not subject to the caller's max_tokens."""
    language = reply_language(state["messages"])
    update: Update = {"outcome": "abstained", "finish_reason": "stop"}
    text, closest = abstention_text(reason, language), state["closest"]
    if closest is None:
        return update | {"answer": text}
    text = f"{text}\n\n{closest_text(closest.text, language)}"
    return update | {"answer": text, "citations": (closest.citation,)}


async def _unanswered(findings: Findings, state: ChatState, runtime: Runtime) -> Update:
    """Why the sources do not answer, and what comes near to an answer."""
    language = reply_language(state["messages"])
    reason, closest = await asyncio.to_thread(
        no_answer, state["standalone"], findings, runtime.embedder, language
    )
    return {"reason": reason, "closest": closest}


def _measure(reply: Reply, state: ChatState, runtime: Runtime) -> Uncertainty:
    return measure_uncertainty(
        reply.tokens, state["route"].gate, abstained=admits_ignorance(reply.text, runtime.card.declines)
    )


def _emitter(turn_id: str, state: ChatState, runtime: Injected[Runtime]) -> Callable[[Sequence[Token]], None]:
    """A function that sends tokens to the turn's stream."""
    adapter = state["route"].adapter
    return lambda tokens: runtime.stream_writer(Piece(turn_id=turn_id, adapter=adapter, tokens=tuple(tokens)))


def _answer_update(reply: Reply) -> Update:
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
    on_token: Callable[[Token], None] | None = None,
    *,
    sampling: Sampling | None = None,
    stop_when: Callable[[Sequence[Token]], bool] | None = None,
) -> Reply:
    """Asks the route's model, first with the variant's system prompt; without `sampling`, the caller's."""
    route = state["route"]
    if route.adapter is not None and not runtime.access.may_use(route.domain):  # a grant was removed since
        raise UnknownAdapter(f"no adapter {route.adapter}: ask again without it")
    variant_prompt = prompt_of(state, runtime)
    if variant_prompt is not None:
        messages = [SystemMessage(variant_prompt), *messages]
    return await ask_model(
        prompt_messages(messages, runtime.card),
        route.adapter,
        engine=runtime.engine,
        routes=runtime.routes,
        card=runtime.card,
        sampling=sampling or state.get("sampling", GREEDY),
        on_token=on_token,
        stop_when=stop_when,
    )
