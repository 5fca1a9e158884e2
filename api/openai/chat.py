"""The chat completions route: a whole reply, or a stream that starts once the gate has decided."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent

from agent.concurrency import gather_limited
from agent.engines.base import Sampling
from agent.errors import AgentError
from api.auth import CallerDep
from api.compose import ServiceDep
from api.disconnect import cancel_on_disconnect, in_own_task
from api.errors import openai_errors, stream_error
from api.limits import reject_nul
from api.openai.messages import to_graph_messages
from api.openai.replies import Chunk, Completion, ReplyBuilder
from api.openai.requests import UNIT_CHARACTERS, ChatRequest, usable
from graphs.chat import Chat, chat, initial_state, stream
from graphs.state import ChatState, Runtime
from graphs.turn import Piece, Turn
from memory.errors import StorageError

router = APIRouter(tags=["chat"], dependencies=[Depends(reject_nul)])

PING_SECONDS = 15
ConversationHeader = Annotated[str | None, Header(max_length=UNIT_CHARACTERS)]


@router.post(
    "/v1/chat/completions",
    response_model=Completion,
    responses=openai_errors(400, 404, 409, 413, 422, 500, 503)
    | {200: {"content": {"text/event-stream": {}}}},
)
async def complete(
    request: ChatRequest,
    http: Request,
    service: ServiceDep,
    caller: CallerDep,
    x_conversation_id: ConversationHeader = None,
) -> Completion | EventSourceResponse:
    """Answers the last message of a conversation: directly, from sources with citations, or not at all."""
    runtime = await service.runtime.for_owner(caller.owner)
    sampling, ignored = usable(request.sampling, runtime.card.template)
    builder = ReplyBuilder.of(
        base=runtime.base_name,
        now=runtime.clock(),
        logprobs=bool(request.logprobs),
        include_usage=request.stream_options is not None and request.stream_options.include_usage,
        ignored=ignored,
    )
    states = list(_initial_states(request, sampling, x_conversation_id))
    if not request.stream:
        turns = gather_limited((partial(chat, service.chat, runtime, state) for state in states), len(states))
        return builder.completion(await cancel_on_disconnect(http, turns))
    first = in_own_task(stream(service.chat, runtime, states[0]))
    part = await cancel_on_disconnect(
        http, anext(first)
    )  # before the reply starts, so that an error has its own status
    return EventSourceResponse(
        _events(part, first, states[1:], service.chat, runtime, builder), ping=PING_SECONDS, sep="\n"
    )


def _initial_states(
    request: ChatRequest, sampling: Sampling, conversation_id: str | None
) -> Iterator[ChatState]:
    """The initial state of each choice's turn, with a seed of its own."""
    messages = to_graph_messages(request.messages)
    for choice in range(request.n or 1):
        yield initial_state(
            messages,
            requested=request.model,
            sampling=sampling.model_copy(update={"seed": _seed(sampling.seed + choice)}),
            unit=request.unit(conversation_id),
            streamed=bool(request.stream),
            unsure=request.nightschool.unsure if request.nightschool else None,
            store=request.store is not False,
        )


def _seed(number: int) -> int:
    """The number wrapped around to a signed 64-bit seed."""
    return (number + 2**63) % 2**64 - 2**63


async def _events(
    part: Piece | Turn,
    rest: AsyncGenerator[Piece | Turn, None],
    states: list[ChatState],
    graph: Chat,
    runtime: Runtime,
    builder: ReplyBuilder,
) -> AsyncGenerator[ServerSentEvent, None]:
    """The choices one after the other, then the usage and `[DONE]`; an error ends the stream."""
    turns: list[Turn] = []
    try:
        async with aclosing(rest):
            async for chunk in _choice(part, rest, builder, turns):
                yield event(chunk)
        for state in states:
            async with aclosing(stream(graph, runtime, state)) as parts:
                async for chunk in _choice(await anext(parts), parts, builder, turns):
                    yield event(chunk)
    except (AgentError, StorageError) as error:
        yield ServerSentEvent(stream_error(error).model_dump_json(), sep="\n")
        return
    if builder.include_usage:
        yield event(builder.usage_chunk(turns))
    yield ServerSentEvent("[DONE]", sep="\n")


async def _choice(
    part: Piece | Turn, rest: AsyncGenerator[Piece | Turn, None], builder: ReplyBuilder, turns: list[Turn]
) -> AsyncGenerator[Chunk, None]:
    """The chunks of one choice. Appends its turn to `turns`, whose length is the choice's index."""
    index = len(turns)
    yield builder.first_chunk(part, index)
    if isinstance(part, Turn):  # no piece was streamed, so the whole answer is one chunk
        yield builder.text_chunk(part, index)
    while isinstance(part, Piece):
        yield builder.text_chunk(part, index)
        part = await anext(rest)
    turns.append(part)
    yield builder.last_chunk(part, index)


def event(chunk: BaseModel) -> ServerSentEvent:
    """A chunk as a server-sent event; `nightschool` is left out if it is null."""
    excluded = {"nightschool"} if getattr(chunk, "nightschool", ()) is None else set[str]()
    return ServerSentEvent(chunk.model_dump_json(exclude=excluded), sep="\n")
