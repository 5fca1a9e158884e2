"""Calls the model for a chat turn: limits answer length, reloads a lost adapter, removes thinking text."""

from collections.abc import Callable, Sequence
from contextlib import aclosing

from langchain_core.messages import BaseMessage

from agent.chat.routing import Routes
from agent.chat.thinking import AnswerFilter, without_thinking
from agent.engines.base import GREEDY, Engine, Reply, Sampling, Token
from agent.errors import AdapterNotLoaded
from agent.models.card import ModelCard
from agent.promotion import load_with_canary
from memory.tracing import span


def with_length_limit(sampling: Sampling, card: ModelCard) -> Sampling:
    """The sampling with `max_tokens` set from the card and limited to the context.

    The engine subtracts the prompt's length.
    """
    max_tokens = card.answer_tokens if sampling.max_tokens is None else sampling.max_tokens
    return sampling.model_copy(update={"max_tokens": min(max_tokens, card.context)})


async def ask_model(
    prompt: Sequence[BaseMessage],
    adapter: str | None,
    *,
    engine: Engine,
    routes: Routes,
    card: ModelCard,
    sampling: Sampling = GREEDY,
    on_token: Callable[[Token], None] | None = None,
    stop_when: Callable[[Sequence[Token]], bool] | None = None,
) -> Reply:
    """Sends the prompt to the adapter, or to the base model; reloads an adapter lost in a restart.

    `on_token` gets each token of the answer as it arrives. `stop_when` is called with the tokens so far and
    ends the answer if it returns true; the reply then has no prompt token count. Raises what Engine.chat
    raises, and on reloading UnknownAdapter, AdapterNotServable, AdapterRefused and CanaryFailed.
    """
    sampling, thinking = with_length_limit(sampling, card), card.template.thinking
    answer_only: AnswerFilter | None = None
    if thinking is not None:
        if on_token is not None:
            on_token = answer_only = AnswerFilter(thinking, on_token)
        stop_when = None  # the first tokens are thinking, not the answer
    try:
        reply = await _traced_call(prompt, adapter, engine, sampling, on_token, stop_when)
    except AdapterNotLoaded:
        if adapter is None:
            raise
        lost = await routes.servable(adapter)
        await load_with_canary(lost, engine=engine, registry=routes.registry)
        reply = await _traced_call(prompt, adapter, engine, sampling, on_token, stop_when)
    if answer_only is not None:
        answer_only.end()
    return without_thinking(reply, thinking)


async def _traced_call(
    prompt: Sequence[BaseMessage],
    adapter: str | None,
    engine: Engine,
    sampling: Sampling,
    on_token: Callable[[Token], None] | None,
    stop_when: Callable[[Sequence[Token]], bool] | None,
) -> Reply:
    asked = {"gen_ai.operation.name": "chat", "gen_ai.request.model": adapter or "base model"}
    with span("ask model", asked) as opened:
        reply = await _call(prompt, adapter, engine, sampling, on_token, stop_when)
        opened.set_attribute("gen_ai.usage.input_tokens", reply.prompt_tokens)
        opened.set_attribute("gen_ai.usage.output_tokens", reply.completion_tokens)
        opened.set_attribute("gen_ai.response.finish_reasons", [reply.finish_reason])
    return reply


async def _call(
    prompt: Sequence[BaseMessage],
    adapter: str | None,
    engine: Engine,
    sampling: Sampling,
    on_token: Callable[[Token], None] | None,
    stop_when: Callable[[Sequence[Token]], bool] | None,
) -> Reply:
    if on_token is None and stop_when is None:
        return await engine.chat(prompt, adapter=adapter, sampling=sampling)
    tokens: list[Token] = []
    async with aclosing(engine.stream(prompt, adapter=adapter, sampling=sampling)) as parts:
        async for part in parts:
            if isinstance(part, Reply):
                return part
            if on_token is not None:
                on_token(part)
            tokens.append(part)
            if stop_when is not None and stop_when(tokens):
                return Reply(
                    text="".join(token.text for token in tokens),
                    tokens=tuple(tokens),
                    model="",
                    adapter=adapter,
                    finish_reason="length",
                    prompt_tokens=0,
                )
    raise AssertionError("a stream ends with its reply")
