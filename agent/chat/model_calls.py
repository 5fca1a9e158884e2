"""Asking the model: its length by the card, lost adapters loaded again, no thinking text."""

from collections.abc import Callable, Sequence
from contextlib import aclosing

from langchain_core.messages import BaseMessage

from agent.chat.routing import Routes
from agent.chat.thinking import AnswerFilter, without_thinking
from agent.engines.base import GREEDY, Engine, Reply, Sampling, Token
from agent.errors import AdapterNotLoaded
from agent.models.card import ModelCard
from agent.promotion import load_with_canary


def with_length_limit(sampling: Sampling, card: ModelCard) -> Sampling:
    """The sampling with a length that the context may hold; the engine subtracts the prompt's."""
    wanted = card.answer_tokens if sampling.max_tokens is None else sampling.max_tokens
    return sampling.model_copy(update={"max_tokens": min(wanted, card.context)})


async def ask_model(
    prompt: Sequence[BaseMessage],
    adapter: str | None,
    *,
    engine: Engine,
    routes: Routes,
    card: ModelCard,
    sampling: Sampling = GREEDY,
    heard: Callable[[Token], None] | None = None,
    enough: Callable[[Sequence[Token]], bool] | None = None,
) -> Reply:
    """Puts the prompt to the adapter, or to the base model; an adapter that a restart lost is loaded again.

    `heard` gets each token of the answer as soon as the engine has it. `enough` is asked after each, and ends
    the answer where it says so; the engine has not counted the prompt's tokens by then. Raises what
    Engine.chat raises, and where the adapter has to be loaded UnknownAdapter, AdapterNotServable,
    AdapterRefused and CanaryFailed.
    """
    sampling, thinking = with_length_limit(sampling, card), card.template.thinking
    answer_only: AnswerFilter | None = None
    if thinking is not None:
        if heard is not None:
            heard = answer_only = AnswerFilter(thinking, heard)
        enough = None  # what comes first is no answer
    try:
        reply = await _put(prompt, adapter, engine, sampling, heard, enough)
    except AdapterNotLoaded:
        if adapter is None:
            raise
        await load_with_canary(await routes.servable(adapter), engine=engine)
        reply = await _put(prompt, adapter, engine, sampling, heard, enough)
    if answer_only is not None:
        answer_only.end()
    return without_thinking(reply, thinking)


async def _put(
    prompt: Sequence[BaseMessage],
    adapter: str | None,
    engine: Engine,
    sampling: Sampling,
    heard: Callable[[Token], None] | None,
    enough: Callable[[Sequence[Token]], bool] | None,
) -> Reply:
    if heard is None and enough is None:
        return await engine.chat(prompt, adapter=adapter, sampling=sampling)
    tokens: list[Token] = []
    async with aclosing(engine.stream(prompt, adapter=adapter, sampling=sampling)) as parts:
        async for part in parts:
            if isinstance(part, Reply):
                return part
            if heard is not None:
                heard(part)
            tokens.append(part)
            if enough is not None and enough(tokens):
                return Reply(
                    text="".join(token.text for token in tokens),
                    tokens=tuple(tokens),
                    model="",
                    adapter=adapter,
                    finish_reason="length",
                    prompt_tokens=0,
                )
    raise AssertionError("a stream ends with its reply")
