"""The text completions route: continues a prompt with the base model or an adapter.

Answers are not gated, not looked up and not logged, so they take no feedback. Use chat completions for
questions.
"""

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import accumulate
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, StringConstraints
from sse_starlette import EventSourceResponse, ServerSentEvent

from agent.chat.conversation import CHARS_PER_TOKEN
from agent.chat.model_calls import with_length_limit
from agent.chat.routing import resolve_route
from agent.engines.base import Engine, FinishReason, Reply, TextCompleter, Token
from agent.errors import AgentError, PromptTooLong
from agent.promotion import load_with_canary
from api.auth import CallerDep
from api.compose import ServiceDep
from api.disconnect import cancel_on_disconnect, in_own_task
from api.errors import openai_errors, stream_error
from api.limits import reject_nul
from api.openai.chat import PING_SECONDS, event
from api.openai.replies import Usage
from api.openai.requests import SamplingFields
from api.rate_limits import RateLimits
from graphs.state import Runtime
from memory.errors import StorageError

router = APIRouter(tags=["chat"], dependencies=[Depends(reject_nul)])

MAX_ALTERNATIVES = 5
DEFAULT_TOKENS = 16
"""OpenAI's own default for this endpoint."""

Prompt = Annotated[str, StringConstraints(min_length=1, max_length=10_000_000)]


class CompletionRequest(SamplingFields):
    """A text completion request."""

    max_tokens: int | None = Field(None, ge=1)
    """Default: DEFAULT_TOKENS. -1 is not allowed, because a raw text need not end."""
    prompt: Prompt | Annotated[list[Prompt], Field(min_length=1, max_length=1)]
    logprobs: int | None = Field(None, ge=0, le=MAX_ALTERNATIVES)
    echo: bool | None = None
    n: Literal[1] | None = None


class TextLogprobs(BaseModel):
    """Tokens with their log-probabilities, in the older format of this endpoint."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]
    """Start of each token in the text, in characters, including an echoed prompt."""


class TextChoice(BaseModel):
    """The continuation, or a part of it."""

    index: Literal[0] = 0
    text: str
    logprobs: TextLogprobs | None = None
    finish_reason: FinishReason | None = None


class TextCompletion(BaseModel):
    """A text completion in OpenAI's format, whole or a chunk of one."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: tuple[TextChoice, ...]
    usage: Usage | None = None


@router.post(
    "/v1/completions",
    response_model=TextCompletion,
    responses=openai_errors(400, 404, 409, 413, 422, 500, 503)
    | {200: {"content": {"text/event-stream": {}}}},
)
async def continue_text(
    request: CompletionRequest, http: Request, service: ServiceDep, caller: CallerDep
) -> TextCompletion | EventSourceResponse:
    """Continues a text. Answers are neither gated nor logged; use chat completions for questions."""
    runtime = await service.runtime.for_owner(caller.owner)
    route = await resolve_route(
        "",
        request.model,
        routes=runtime.routes,
        base=runtime.base,
        base_name=runtime.base_name,
        access=runtime.access,
    )
    parts = in_own_task(_parts(request, route.adapter, runtime, service.rate_limits))
    part = await cancel_on_disconnect(http, anext(parts))
    empty = TextCompletion(
        id=f"cmpl-{uuid.uuid4().hex}",
        created=int(runtime.clock().timestamp()),
        model=route.adapter or runtime.base_name,
        choices=(),
    )
    if request.stream:
        return EventSourceResponse(_events(request, part, parts, empty), ping=PING_SECONDS, sep="\n")
    async with aclosing(parts):
        while not isinstance(part, Reply):
            part = await cancel_on_disconnect(http, anext(parts))
    whole = TextChoice(
        text=_echoed(request) + part.text,
        logprobs=_logprobs(part.tokens, request, len(_echoed(request))),
        finish_reason=part.finish_reason,
    )
    return empty.model_copy(update={"choices": (whole,), "usage": _usage(part)})


async def _parts(
    request: CompletionRequest, adapter: str | None, runtime: Runtime, rate_limits: RateLimits
) -> AsyncGenerator[Token | Reply, None]:
    """The tokens of the continuation, then the whole reply.

    Raises ValueError if the engine only supports chat, PromptTooLong, and what the engine raises.
    """
    engine: Engine = runtime.engine
    if not isinstance(engine, TextCompleter):
        raise ValueError("this engine supports only chat: set NIGHTSCHOOL_ENGINE=vllm for text completions")
    length, limit = len(_prompt(request)), CHARS_PER_TOKEN * runtime.card.context
    if length > limit:
        raise PromptTooLong(
            f"prompt: {length} characters exceed the context of {runtime.card.context} tokens: shorten it"
        )
    max_tokens = DEFAULT_TOKENS if request.max_tokens is None else request.max_tokens
    sampling = with_length_limit(request.sampling_of(max_tokens, request.logprobs or 0), runtime.card)
    if adapter is not None and adapter not in await engine.loaded():
        lost = await runtime.routes.servable(adapter)
        await load_with_canary(lost, engine=engine, registry=runtime.registry)
    async with aclosing(engine.complete(_prompt(request), adapter=adapter, sampling=sampling)) as parts:
        async for part in parts:
            if isinstance(part, Reply):
                await rate_limits.count_tokens(runtime.owner, _usage(part).total_tokens)
            yield part


async def _events(
    request: CompletionRequest,
    part: Token | Reply,
    rest: AsyncGenerator[Token | Reply, None],
    empty: TextCompletion,
) -> AsyncGenerator[ServerSentEvent, None]:
    async with aclosing(rest):
        if request.echo:
            yield event(empty.model_copy(update={"choices": (TextChoice(text=_prompt(request)),)}))
        offset = len(_echoed(request))
        try:
            while isinstance(part, Token):
                piece = TextChoice(text=part.text, logprobs=_logprobs((part,), request, offset))
                yield event(empty.model_copy(update={"choices": (piece,)}))
                offset += len(part.text)
                part = await anext(rest)
        except (AgentError, StorageError) as error:
            yield ServerSentEvent(stream_error(error).model_dump_json(), sep="\n")
            return
    last = TextChoice(text="", finish_reason=part.finish_reason)
    yield event(empty.model_copy(update={"choices": (last,)}))
    if request.stream_options is not None and request.stream_options.include_usage:
        yield event(empty.model_copy(update={"usage": _usage(part)}))
    yield ServerSentEvent("[DONE]", sep="\n")


def _prompt(request: CompletionRequest) -> str:
    return request.prompt if isinstance(request.prompt, str) else request.prompt[0]


def _echoed(request: CompletionRequest) -> str:
    return _prompt(request) if request.echo else ""


def _logprobs(tokens: tuple[Token, ...], request: CompletionRequest, start: int) -> TextLogprobs | None:
    """The tokens' log-probabilities; the first token starts at character `start` of the text."""
    if request.logprobs is None:
        return None
    lengths = (len(token.text) for token in tokens[:-1])
    return TextLogprobs(
        tokens=[token.text for token in tokens],
        token_logprobs=[token.logprob for token in tokens],
        top_logprobs=[{other.text: other.logprob for other in token.alternatives} for token in tokens],
        text_offset=list(accumulate(lengths, initial=start))[: len(tokens)],
    )


def _usage(reply: Reply) -> Usage:
    completion = len(reply.tokens)
    return Usage(
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=completion,
        total_tokens=reply.prompt_tokens + completion,
    )
